package signal

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind tells people from the server's own contacts.
type Kind string

// Kinds of user.
const (
	KindPerson Kind = "person"
	KindEcho   Kind = "echo" // sends back what it gets; always online
	// KindDeleted is who has deleted the account: only as the other one of old calls and chats, never on a roster.
	KindDeleted Kind = "deleted"
)

// User is a person on the roster.
type User struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	Online bool   `json:"online"`
	DND    bool   `json:"dnd,omitempty"` // does not want to be disturbed: calls end with EndDoNotDisturb
}

// Connect is the request of User/Connect.
type Connect struct {
	// DeviceID is chosen at random by the client when it starts and kept until it ends, so that a socket that was cut
	// and comes back is the same device, with its call. NewID makes one.
	DeviceID string `json:"deviceId"`
	Device   string `json:"device"` // for people: "Anna's laptop", "Firefox"
	Client   string `json:"client"` // name/version
	// Resume is there when the client numbers its messages; nil: it does not know how.
	Resume *Resume `json:"resume,omitempty"`
	// Renews: the client takes CodeServers, so that what it is given for the relay need not last for a whole call.
	Renews bool `json:"renews,omitempty"`
}

// Resume, in Connect, asks for a session that outlives its socket: the one named, or a new one.
type Resume struct {
	Session string `json:"session,omitempty"` // empty: a new one
	Got     uint64 `json:"got,omitempty"`     // number of the last message of that session that has come
}

// Check implements the rules of Decode.
func (c Connect) Check() error {
	if err := CheckID("deviceId", c.DeviceID); err != nil {
		return err
	}
	if len(c.Device) > MaxDevice || len(c.Client) > MaxDevice {
		return fmt.Errorf("device or client is longer than %d bytes", MaxDevice)
	}
	if r := c.Resume; r != nil && (len(r.Session) > 64 || r.Got > maxNumber) {
		return fmt.Errorf("session has at most 64 bytes, got is at most %d", uint64(maxNumber))
	}
	return nil
}

// Connected is the reply of User/Connect.
type Connected struct {
	Self   User   `json:"self"`
	Users  []User `json:"users"`
	CallID string `json:"callId,omitempty"` // the call this device is still part of; any other it thinks of has ended
	Server string `json:"server"`           // name/version
	// Run is another one whenever the server has been restarted: it has forgotten what went over its relay.
	Run string `json:"run,omitempty"`
	// ICEServers are for that call, once it has been accepted, in place of those that came with the accept.
	ICEServers []ICEServer `json:"iceServers,omitempty"`
	// Session is there for a client that asked with Resume. When it is Resumed, everything goes on where it was: Users and
	// CallID are not said again, what was missed follows, and Got is the client's last message that has come here.
	Session string `json:"session,omitempty"`
	Resumed bool   `json:"resumed,omitempty"`
	Got     uint64 `json:"got,omitempty"`
}

// Stopping is the push CodeStopping: the server is about to close its sockets. The client should come back so long after
// its own has been closed; each is given another time, so that they do not come all at once.
type Stopping struct {
	AfterMs int64 `json:"afterMs"` // 0 to 60000
}

// Check implements the rules of Decode.
func (s Stopping) Check() error {
	if s.AfterMs < 0 || s.AfterMs > 60_000 {
		return errors.New("afterMs is 0 to 60000")
	}
	return nil
}

// Servers is the push CodeServers during an accepted call: what takes the place of the servers given before, when
// another path is sought. Nothing is to be done about the path there is.
type Servers struct {
	ICEServers []ICEServer `json:"iceServers"`
}

// Users is the reply of User/List, the push CodeUserList, and the push CodeUserChanges (there it is only those people who
// have come, gone or joined).
type Users struct {
	Users []User `json:"users"`
}

// UserChange is the push of CodeUserOnline, CodeUserOffline, CodeUserRemoved and CodeUserSelf.
type UserChange struct {
	User User `json:"user"`
}

// Text is the request of Message/SendToAll and Message/SendTo (whose ToID names the person).
type Text struct {
	Text string `json:"text"`
}

// Check implements the rules of Decode.
func (t Text) Check() error {
	switch {
	case strings.TrimSpace(t.Text) == "":
		return errors.New("text is empty")
	case utf8.RuneCountInString(t.Text) > MaxChatRunes:
		return fmt.Errorf("text is longer than %d characters", MaxChatRunes)
	}
	for _, r := range t.Text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return errors.New("text has control characters")
		}
	}
	return nil
}

// ChatMessage is one line of chat: the reply of Message/SendToAll and SendTo, and the push CodeChat.
type ChatMessage struct {
	ID       int64     `json:"id"` // grows with time
	FromID   string    `json:"fromId"`
	FromName string    `json:"fromName"`
	ToID     string    `json:"toId,omitempty"` // empty: the lobby
	Text     string    `json:"text"`
	Sent     time.Time `json:"sent"`
}

// History is the request of Message/History: the newest Limit messages older than Before (0: the newest of all).
type History struct {
	With   string `json:"with,omitempty"` // a user id; empty: the lobby
	Before int64  `json:"before,omitempty"`
	Limit  int    `json:"limit,omitempty"` // 0: 50
}

// Check implements the rules of Decode.
func (h History) Check() error {
	if h.Limit < 0 || h.Limit > MaxHistory || h.Before < 0 || len(h.With) > 64 {
		return fmt.Errorf("limit is 0 to %d, before is not negative", MaxHistory)
	}
	return nil
}

// Messages is the reply of Message/History, oldest first.
type Messages struct {
	Messages []ChatMessage `json:"messages"`
}

// Unread is the reply of Message/Unread: the chats in which there is something new for this person, those with the newest
// lines first.
type Unread struct {
	Newest int64        `json:"newest"` // the last line that was looked at; what comes with a greater ID is not counted
	Chats  []UnreadChat `json:"chats"`
}

// UnreadChat is one of them.
type UnreadChat struct {
	With  string `json:"with,omitempty"` // a user id; empty: the lobby
	Count int    `json:"count"`
	Last  int64  `json:"last"` // the newest line that was not seen
}

// Read is the request of Message/Read, and the push CodeRead: this person has seen a chat up to the line ID.
type Read struct {
	With string `json:"with,omitempty"` // a user id; empty: the lobby
	ID   int64  `json:"id"`
}

// Check implements the rules of Decode.
func (r Read) Check() error {
	if r.ID < 1 || len(r.With) > 64 {
		return errors.New("id is that of a line")
	}
	return nil
}

// ICEServer is one entry of RTCConfiguration.iceServers.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Invite is the request of Call/Invite (ToID: whom; CallID: made by NewID) and its push to every device of the callee.
type Invite struct {
	Video     bool `json:"video"`               // the caller means to send a picture
	RelayOnly bool `json:"relayOnly,omitempty"` // the caller will use relay candidates only; Echo then does too
	Early     bool `json:"early,omitempty"`     // the caller can connect while it rings
	// From and ExpiresMs are set on the push: who calls, and for how long it will ring at most.
	From      *User `json:"from,omitempty"`
	ExpiresMs int64 `json:"expiresMs,omitempty"`
}

// Invited is the reply of Call/Invite. When both people dialled each other, Merged names the other's earlier call, in
// which the caller is now the callee that has accepted: go on as after Call/Accept, under that id.
type Invited struct {
	Merged     string      `json:"merged,omitempty"`
	ICEServers []ICEServer `json:"iceServers,omitempty"` // with Merged
	Peer       *User       `json:"peer,omitempty"`       // with Merged
	Video      bool        `json:"video,omitempty"`      // with Merged: the other means to send a picture
}

const maxEarlyName = 16

// Ring is the request of Call/Ringing.
type Ring struct {
	Early bool `json:"early,omitempty"` // this device can connect while it rings
}

// Rung is the reply of Call/Ringing. With ICEServers the caller's offer for an early connection is on its way.
type Rung struct {
	ICEServers []ICEServer `json:"iceServers,omitempty"`
}

// Ringing is the push CodeRinging: how many of the callee's devices ring. With Device, that one can be connected early:
// descriptions and candidates that name it go to it, and its own come with it.
type Ringing struct {
	Devices    int         `json:"devices"`
	Device     string      `json:"device,omitempty"` // a name good for this call only
	ICEServers []ICEServer `json:"iceServers,omitempty"`
}

// Accept is the request of Call/Accept.
type Accept struct {
	Video bool `json:"video"`
	Early bool `json:"early,omitempty"` // the early connection is kept
}

// Accepted is the reply of Call/Accept to the device that won, and the push CodeAccepted to the caller, who then sends
// the offer, unless Device says that an early connection goes on.
type Accepted struct {
	Video      bool        `json:"video"` // on the push: the callee means to send a picture
	ICEServers []ICEServer `json:"iceServers"`
	Device     string      `json:"device,omitempty"` // on the push: whose early connection the callee has kept
}

// Reject is the request of Call/Reject.
type Reject struct {
	Reason EndReason `json:"reason"` // declined (empty means that), busy
}

// Check implements the rules of Decode.
func (r Reject) Check() error {
	switch r.Reason {
	case "", EndDeclined, EndBusy:
		return nil
	}
	return errors.New("reason is declined or busy")
}

// Hangup is the request of Call/Hangup.
type Hangup struct {
	Reason EndReason `json:"reason"` // hangup (empty means that), connection_failed
	// ByID says that not the sender but the other, with this user id, has hung up, and said so over the data channel.
	ByID string `json:"byId,omitempty"`
}

// Check implements the rules of Decode.
func (h Hangup) Check() error {
	switch h.Reason {
	case "", EndHangup, EndConnectionFailed:
		if len(h.ByID) > 64 {
			return errors.New("byId is longer than 64 bytes")
		}
		return nil
	}
	return errors.New("reason is hangup or connection_failed")
}

// Ended is the push CodeEnded.
type Ended struct {
	Reason EndReason `json:"reason"`
	ByID   string    `json:"byId,omitempty"` // who ended it; empty: the server
}

// SDP is the request and push of Message/Offer and Message/Answer.
type SDP struct {
	SDP string `json:"sdp"`
	// Device is which early connection it belongs to; only to and from the caller, and only while it rings.
	Device string `json:"device,omitempty"`
	// Fresh, on an offer after accept: the early connection is given up, this is another one.
	Fresh bool `json:"fresh,omitempty"`
}

// Check implements the rules of Decode.
func (s SDP) Check() error {
	if !strings.HasPrefix(s.SDP, "v=0") || len(s.SDP) > MaxSDP || len(s.Device) > maxEarlyName {
		return fmt.Errorf("sdp begins with v=0 and has at most %d bytes", MaxSDP)
	}
	return nil
}

// Candidate is the request and push of Message/Candidate, as RTCIceCandidateInit; an empty Candidate ends them.
type Candidate struct {
	Candidate     string  `json:"candidate"`
	SDPMid        *string `json:"sdpMid,omitempty"`
	SDPMLineIndex *uint16 `json:"sdpMLineIndex,omitempty"`
	Device        string  `json:"device,omitempty"` // as in SDP
}

// Check implements the rules of Decode.
func (c Candidate) Check() error {
	if len(c.Candidate) > MaxCandidate || strings.ContainsAny(c.Candidate, "\r\n") || len(c.Device) > maxEarlyName || c.SDPMid != nil && len(*c.SDPMid) > 64 {
		return fmt.Errorf("candidate is one line of at most %d bytes", MaxCandidate)
	}
	return nil
}

// Media is the request and push of Call/Media: what the sender's switches say, and whether the line is too slow for the
// picture, which then stands still.
type Media struct {
	Microphone bool `json:"microphone"`
	Camera     bool `json:"camera"`
	Screen     bool `json:"screen,omitempty"`
	Paused     bool `json:"paused,omitempty"`
	// Change counts what the sender has said in this call, from 1: it is said over the data channel too, and what comes late
	// must not undo what came after it. 0: not counted.
	Change int64 `json:"change,omitempty"`
}

// Check implements the rules of Decode.
func (m Media) Check() error {
	if m.Change < 0 || m.Change > maxChange {
		return errors.New("change is a positive count")
	}
	return nil
}

const maxChange = 1 << 53 // what JavaScript counts to

// Restart is the request and push of Call/Restart.
type Restart struct {
	// Offers is how many offers of this connection the sender has had: one that asks for what has been offered meanwhile
	// came too late. 0: not counted.
	Offers int `json:"offers,omitempty"`
}

// Check implements the rules of Decode.
func (r Restart) Check() error {
	if r.Offers < 0 || r.Offers > 1_000_000 {
		return errors.New("offers is a positive count")
	}
	return nil
}

// Path is how media travels.
type Path string

// Paths.
const (
	PathUnknown Path = ""
	PathDirect  Path = "direct"
	PathRelay   Path = "relay"
)

// Report is the request of Call/Report, sent once when media flows, again when the path changes, and every ten seconds.
type Report struct {
	Path    Path  `json:"path"`
	SetupMs int64 `json:"setupMs,omitempty"` // accept to first decoded picture or sound
	Flows   bool  `json:"flows,omitempty"`   // media comes from the other right now: they have not gone
}

// Check implements the rules of Decode.
func (r Report) Check() error {
	if r.Path != PathUnknown && r.Path != PathDirect && r.Path != PathRelay || r.SetupMs < 0 || r.SetupMs > 600_000 {
		return errors.New("path is direct or relay, setupMs 0 to 600000")
	}
	return nil
}

// Problem is the data of every reply with CodeError.
type Problem struct {
	Error string `json:"error"` // one of the Err codes, for machines; the envelope's message is for people
}

// Error codes of replies and of the account API.
const (
	ErrBadRequest      = "bad_request"
	ErrUnknownMethod   = "unknown_method"
	ErrNotConnected    = "not_connected"    // User/Connect must come first
	ErrNotFound        = "not_found"        // no such user, call or page
	ErrNotInCall       = "not_in_call"      // the call is over, unknown, or somebody else's
	ErrAlreadyInCall   = "already_in_call"  // this person has a call
	ErrAlreadyAnswered = "already_answered" // another device was first
	ErrTooMany         = "too_many"         // slow down
	ErrUnauthorized    = "unauthorized"     // no session, or it has ended
	ErrWrongPassword   = "wrong_password"
	ErrNameTaken       = "name_taken"
	ErrBadName         = "bad_name"
	ErrBadPassword     = "bad_password"
	ErrInternal        = "internal"
	ErrForbidden       = "forbidden"        // not for this person, or not on this server
	ErrBlocked         = "blocked"          // you have blocked this person
	ErrDisabled        = "account_disabled" // by the operator; said only after the right password
	ErrInviteNeeded    = "invite_needed"
	ErrInviteInvalid   = "invite_invalid" // unknown, used up, revoked or expired
	ErrSignUpClosed    = "sign_up_closed"
)

// EndReason says why a call ended; the same words stand on the wire, in the database and in the events of the client.
type EndReason string

// End reasons.
const (
	EndHangup            EndReason = "hangup"             // somebody hung up a call that had been accepted
	EndDeclined          EndReason = "declined"           // the callee said no
	EndCancelled         EndReason = "cancelled"          // the caller gave up before an answer
	EndBusy              EndReason = "busy"               // the callee has another call
	EndNoAnswer          EndReason = "no_answer"          // it rang for 45 s
	EndOffline           EndReason = "offline"            // none of the callee's devices was there
	EndDoNotDisturb      EndReason = "do_not_disturb"     // the callee does not want to be disturbed
	EndAnsweredElsewhere EndReason = "answered_elsewhere" // another device of the callee was first; not in the record
	EndDeclinedElsewhere EndReason = "declined_elsewhere" // another device of the callee said no; not in the record
	EndPeerGone          EndReason = "peer_gone"          // the other's device vanished and did not come back
	EndConnectionFailed  EndReason = "connection_failed"  // media found no way, or lost it for good
	EndServerLost        EndReason = "server_lost"        // only said by a client to itself: unreachable while dialling
	EndServerStopped     EndReason = "server_stopped"     // the server shut down before an accept, or was away for too long
)

// minCallID is how many letters of 6 bits hold the 128 bits that a call's id must have: whoever could guess one could at
// least learn that the call is there.
const minCallID = 22

// CheckCallID says whether s can be the id of a new call.
func CheckCallID(s string) error {
	if err := CheckID("callId", s); err != nil {
		return err
	}
	if len(s) < minCallID {
		return fmt.Errorf("callId has at least %d letters, for it must not be guessed", minCallID)
	}
	return nil
}

// CheckID says whether s can be an id: 16 to 64 letters, digits, - or _.
func CheckID(what, s string) error {
	ok := len(s) >= 16 && len(s) <= 64
	for _, r := range s {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	if !ok {
		return fmt.Errorf("%s is 16 to 64 letters, digits, - or _", what)
	}
	return nil
}
