package signal

import (
	"crypto/rand"
	"strings"
	"time"
)

// NewID makes an id of 130 random bits in 26 lower-case letters and digits.
func NewID() string {
	return strings.ToLower(rand.Text())
}

// Register is the body of POST /api/register and of POST /api/login.
type Register struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Device   string `json:"device,omitempty"`
	// Cookie asks for the session in a cookie, as browsers need it; else the token is in the reply.
	Cookie bool `json:"cookie,omitempty"`
	// Invite is needed to register where Info.SignUpMode is SignUpInvite.
	Invite string `json:"invite,omitempty"`
}

// SignedIn is the reply of both.
type SignedIn struct {
	User  User   `json:"user"`
	Token string `json:"token,omitempty"` // "vc1_…": Authorization: Bearer
}

// Info is GET /api/info.
type Info struct {
	Name     string `json:"name"` // "Visavis"
	Version  string `json:"version"`
	Protocol string `json:"protocol"` // Subprotocol
	SignUp   bool   `json:"signUp"`   // POST /api/register is open to everybody
	// SignUpMode says more; servers before it leave it out.
	SignUpMode SignUpMode `json:"signUpMode,omitempty"`
}

// Failure is the body of every HTTP reply of 400 and more under /api.
type Failure struct {
	Error   string `json:"error"`   // a code of this package
	Message string `json:"message"` // for people
}

// Direction is a call as one person saw it.
type Direction string

// Directions.
const (
	Outgoing Direction = "outgoing"
	Incoming Direction = "incoming"
)

// CallRecord is one call as the person who asks saw it: GET /api/calls/{id}, and the entries of GET /api/calls.
type CallRecord struct {
	ID        string     `json:"id"`
	Direction Direction  `json:"direction"`
	Peer      User       `json:"peer"`
	Video     bool       `json:"video"`
	Started   time.Time  `json:"started"`            // when it was dialled
	Accepted  *time.Time `json:"accepted,omitempty"` // nil: never
	Ended     *time.Time `json:"ended,omitempty"`    // nil: it goes on
	Seconds   float64    `json:"seconds"`            // accepted to ended, or to now
	Reason    EndReason  `json:"reason,omitempty"`
	EndedBy   string     `json:"endedBy,omitempty"` // user id
	Path      Path       `json:"path,omitempty"`
	SetupMs   int64      `json:"setupMs,omitempty"`
	Missed    bool       `json:"missed"` // incoming and never accepted nor declined
}

// Calls is GET /api/calls?before=CALLID&limit=N, newest first.
type Calls struct {
	Calls []CallRecord `json:"calls"`
	More  bool         `json:"more"`
}
