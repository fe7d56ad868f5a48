// Package signal is the Visavis protocol and nothing else: the envelope, one struct per method, event codes, end
// reasons, limits and their validation, the account API's bodies, and the reconnecting WebSocket client. The server and
// the desktop client use it as it is; the browser client has a JavaScript mirror held to the same golden messages in
// testdata. It never knows what a call means (that is package call) and keeps no state of users.
// The document a stranger implements from is docs/protocol.md.
package signal

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Subprotocol is the WebSocket subprotocol of GET /ws.
const Subprotocol = "visavis.1"

// Method says what an envelope is about.
type Method string

// Methods. Requests go to the server and are answered under the same method with the request's RequestID; pushes come
// from the server unasked and carry a Code of 10000 and more.
const (
	UserConnect      Method = "User/Connect"      // request: first message on every socket
	UserList         Method = "User/List"         // request; push CodeUserList
	UserOnline       Method = "User/Online"       // push CodeUserOnline
	UserOffline      Method = "User/Offline"      // push CodeUserOffline
	UserRemoved      Method = "User/Removed"      // push CodeUserRemoved: off the roster
	UserSelf         Method = "User/Self"         // push CodeUserSelf: what has changed of oneself, to one's own devices
	MessageOffer     Method = "Message/Offer"     // request, forwarded as push CodeOffer
	MessageAnswer    Method = "Message/Answer"    // request, forwarded as push CodeAnswer
	MessageCandidate Method = "Message/Candidate" // request, forwarded as push CodeCandidate
	MessageSendToAll Method = "Message/SendToAll" // request; push CodeChat to everyone
	MessageSendTo    Method = "Message/SendTo"    // request; push CodeChat to both people's devices
	MessageHistory   Method = "Message/History"   // request
	MessageUnread    Method = "Message/Unread"    // request
	MessageRead      Method = "Message/Read"      // request; push CodeRead to the person's other devices
	CallInvite       Method = "Call/Invite"       // request; push CodeInvite
	CallRinging      Method = "Call/Ringing"      // request; push CodeRinging
	CallAccept       Method = "Call/Accept"       // request; push CodeAccepted
	CallReject       Method = "Call/Reject"       // request
	CallCancel       Method = "Call/Cancel"       // request
	CallHangup       Method = "Call/Hangup"       // request
	CallReport       Method = "Call/Report"       // request: what a device measured
	CallMedia        Method = "Call/Media"        // request, forwarded as push CodeMedia: muted, camera off
	CallRestart      Method = "Call/Restart"      // request, forwarded as push CodeRestart: the path is lost, the caller should offer another
	CallServers      Method = "Call/Servers"      // push CodeServers: newer credentials for the relay; only to clients that renew
	CallEnded        Method = "Call/Ended"        // push CodeEnded: the one way a call ends, whoever ended it
	UserChanges      Method = "User/Changes"      // push CodeUserChanges: several came or went; only to clients that number
	SessionAck       Method = "Session/Ack"       // both ways, when there is nothing else to carry an Ack; push CodeAck
	ServerStopping   Method = "Server/Stopping"   // push CodeStopping: when to come back
)

// Code is 0 or 1 on replies and an event code on pushes.
type Code int

// Codes.
const (
	CodeOK          Code = 0
	CodeError       Code = 1
	CodeUserList    Code = 10000
	CodeChat        Code = 10005
	CodeUserOnline  Code = 10006
	CodeUserRemoved Code = 10007
	CodeUserOffline Code = 10008
	CodeCandidate   Code = 10009
	CodeOffer       Code = 10010
	CodeAnswer      Code = 10011
	CodeUserSelf    Code = 10012
	CodeUserChanges Code = 10013
	CodeRead        Code = 10014
	CodeInvite      Code = 10100
	CodeRinging     Code = 10101
	CodeAccepted    Code = 10102
	CodeEnded       Code = 10103
	CodeMedia       Code = 10104
	CodeRestart     Code = 10105
	CodeServers     Code = 10106
	CodeAck         Code = 10200
	CodeStopping    Code = 10201
)

// Type tells people's words from the machine's.
type Type int

// Types.
const (
	TypeSystem Type = 0
	TypeText   Type = 1
)

// Envelope is every message on the WebSocket, both ways.
type Envelope struct {
	Method  Method `json:"method"`
	Type    Type   `json:"type"`
	Message string `json:"message,omitempty"` // for people
	FromID  string `json:"fromId,omitempty"`  // set by the server from the session; ignored when a client writes it
	ToID    string `json:"toId,omitempty"`
	CallID  string `json:"callId,omitempty"`
	Code    Code   `json:"code"`
	// RequestID is the client's, at most 64 bytes, and comes back on the reply; empty on pushes.
	RequestID string          `json:"requestId,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	// Seq numbers the messages of a session from 1, each way by itself; 0: not numbered. Ack is the number of the last one
	// that has come the other way; it speaks for all before it. Both are written by AppendNumbered.
	Seq uint64 `json:"seq,omitempty"`
	Ack uint64 `json:"ack,omitempty"`
}

// ErrMalformed is wrapped by every error of Parse and Decode.
var ErrMalformed = errors.New("malformed message")

// Parse reads one WebSocket message and checks what can be checked without knowing the sender.
func Parse(b []byte) (Envelope, error) {
	var e Envelope
	switch {
	case len(b) > MaxMessage:
		return e, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(b), MaxMessage)
	case !utf8.Valid(b):
		return e, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	e, quick := parseQuick(b)
	if quick {
		e.Data = slices.Clone(e.Data) // b is the caller's
	} else {
		e = Envelope{}
		if err := json.Unmarshal(b, &e); err != nil {
			return e, fmt.Errorf("%w: %s", ErrMalformed, jsonProblem(err))
		}
	}
	switch {
	case e.Method == "":
		return e, fmt.Errorf("%w: no method", ErrMalformed)
	case len(e.Method) > 64 || len(e.RequestID) > 64 || len(e.ToID) > 64 || len(e.CallID) > 64:
		return e, fmt.Errorf("%w: method, requestId, toId or callId is longer than 64 bytes", ErrMalformed)
	case e.Type != TypeSystem && e.Type != TypeText:
		return e, fmt.Errorf("%w: type %d", ErrMalformed, e.Type)
	case e.Seq > maxNumber || e.Ack > maxNumber:
		return e, fmt.Errorf("%w: seq or ack is over %d", ErrMalformed, uint64(maxNumber))
	}
	return e, nil
}

// Decode reads an envelope's data as T; a missing data is T's zero value. Payloads with a Check method are checked.
func Decode[T any](e Envelope) (T, error) {
	var v T
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &v); err != nil {
			return v, fmt.Errorf("%w: data of %s: %s", ErrMalformed, e.Method, jsonProblem(err))
		}
	}
	if c, ok := any(v).(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return v, fmt.Errorf("%w: data of %s: %w", ErrMalformed, e.Method, err)
		}
	}
	return v, nil
}

// Encode puts data into an envelope; it panics only for types that JSON cannot hold, which no payload here is.
func Encode(data any) json.RawMessage {
	if data == nil {
		return nil
	}
	b, err := json.Marshal(data)
	if err != nil {
		panic("signal: payload cannot be JSON: " + err.Error())
	}
	return b
}

// jsonProblem keeps decoder errors short and free of what the sender wrote.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s is a %s, not a %s", kind.Field, kind.Value, kind.Type.Kind())
	}
	return "not JSON"
}
