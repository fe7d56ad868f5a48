package signal

// Event is what a Client tells its owner: a connection change, or a push.
type Event struct {
	State ClientState
	// Connected is the reply of User/Connect when State is StateOnline and Push is nil.
	Connected *Connected
	Push      *Envelope // not nil: a push, and State is StateOnline
	Err       error     // why it is not online, or why it will not try again
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
}

// Error implements error.
func (e *Error) Error() string { return e.Message }
