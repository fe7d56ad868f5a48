package signal

// Event is what a Client tells its owner, in the order in which it came from the server: a connection change, a push, or
// the reply to a message given to Client.Send.
type Event struct {
	State ClientState
	// Connected is the reply of User/Connect when State is StateOnline and neither Push nor Reply is there.
	Connected *Connected
	Push      *Envelope // not nil: a push, and State is StateOnline
	Reply     *Envelope // not nil: the reply to the Send with its RequestID, and State is StateOnline
	Err       error     // why it is not online, or why it will not try again
	// Lost, when it is not online: what has been sent gets no reply any more. Without it there may be one, after a
	// Connected that is Resumed; a Connected that is not means Lost as well.
	Lost bool
}

// ClientState is where a Client is.
type ClientState uint8

// Client states.
const (
	StateConnecting ClientState = iota // trying; Err says what went wrong last
	StateOnline
	StateRefused // the session is over or the server is not ours: it will not try again
)

// Error is an error reply of the server, or a failure of the account API.
type Error struct {
	Code    string // one of the Err codes
	Message string // for people
	Status  int    // HTTP status; 0 on the socket

	Untrusted *Untrusted // with ErrUnknownServer and ErrServerChanged
}

// Fail gives the error of an error reply, and nil for every other envelope.
func (e Envelope) Fail() error {
	if e.Code != CodeError {
		return nil
	}
	p, _ := Decode[Problem](e)
	if p.Error == "" {
		p.Error = ErrInternal
	}
	if e.Message == "" {
		e.Message = "The server refused " + string(e.Method) + " (" + p.Error + ")."
	}
	return &Error{Code: p.Error, Message: e.Message}
}

// Error implements error.
func (e *Error) Error() string { return e.Message }
