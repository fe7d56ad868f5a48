// Package call is the state machine of one device's call, pure: Next(State, Event) gives the next state and what to do,
// with no clock, no lock and no network. Package app runs it; the browser client has the same machine in JavaScript, and
// testdata/transitions.json holds both to one table.
//
//	           Dial                 GotRinging
//	Idle ───────────────▶ Dialing ───────────▶ RingingOut
//	 │                       │  GotAccepted        │ GotAccepted
//	 │ GotInvite             ▼                     ▼
//	 ▼         Accept     ┌─────────── Connecting ─────────┐ PeerConnected
//	Incoming ─────▶ Accepting ──AcceptOK──▶ │              ▼
//	                                         │   Active ◀──▶ Reconnecting
//	every state but Idle and Ended ──hang-up, GotEnded, failure──▶ Ended ──Dismiss──▶ Idle
//
// Merged (both people dialled each other) takes Dialing or RingingOut to Connecting in the other's call, as its callee.
// A device has one call: a second invite is refused by the hub; one that gets here all the same is answered busy.
// Every event from outside carries its call id, and one with another id than the current call's changes nothing.
package call

import "time"

// Phase is where a call is.
type Phase uint8

// Phases.
const (
	Idle         Phase = iota
	Dialing            // invite sent; nothing rings yet
	RingingOut         // a device of the callee rings
	Incoming           // it rings here
	Accepting          // accepted here; the hub has not said yet that this device was first
	Connecting         // both want it; media looks for its way
	Active             // media flows
	Reconnecting       // media was flowing and is gone
	Ended              // over; Reason says why, shown until dismissed
)

// Timeouts of the machine itself. The hub has its own 45 s for ringing; these are only for a hub that has gone silent.
const (
	RingTimeout    = 50 * time.Second
	ConnectTimeout = 25 * time.Second
	ReconnectLimit = 30 * time.Second
)

// State is the whole state of a device's call.
type State struct {
	Phase    Phase
	ID       string // call id
	PeerID   string // the other person's user id
	Outgoing bool
	Video    bool   // we mean to send a picture
	Reason   string // Ended: an end reason of package signal
}

// Live says whether a call holds the device: microphone, ringing, or a wish to talk.
func (s State) Live() bool {
	switch s.Phase {
	case Idle, Ended:
		return false
	case Dialing, RingingOut, Incoming, Accepting, Connecting, Active, Reconnecting:
		return true
	}
	panic("call: unknown phase")
}

// HasPeer says whether a media connection exists or is being made.
func (s State) HasPeer() bool {
	switch s.Phase {
	case Connecting, Active, Reconnecting:
		return true
	case Idle, Dialing, RingingOut, Incoming, Accepting, Ended:
		return false
	}
	panic("call: unknown phase")
}

// Event is something that happened.
type Event interface{ isEvent() }

// Events. Dial, Accept, Decline, Hangup and Dismiss are the person's; Got… come from the server; Peer… from media.
type (
	Dial struct {
		ID, PeerID string
		Video      bool
	} // ID is new
	Accept      struct{ Video bool }
	Decline     struct{}
	Hangup      struct{} // also "cancel" while it rings
	Dismiss     struct{} // the end has been read
	GotInvite   struct{ ID, PeerID string }
	GotRinging  struct{ ID string }
	GotAccepted struct{ ID string }         // the callee accepted: we send the offer
	AcceptOK    struct{ ID string }         // our accept was first: we wait for the offer
	Merged      struct{ ID, Into string }   // reply to our invite ID: both dialled; go on in the call Into as its callee
	Refused     struct{ ID, Reason string } // our invite or accept was refused, or could not be sent
	GotEnded    struct{ ID, Reason string }
	PeerUp      struct{ ID string }
	PeerDown    struct{ ID string } // connection lost, may come back
	PeerFailed  struct{ ID string }
	Timeout     struct{ ID string }
)

func (Dial) isEvent()        {}
func (Accept) isEvent()      {}
func (Decline) isEvent()     {}
func (Hangup) isEvent()      {}
func (Dismiss) isEvent()     {}
func (GotInvite) isEvent()   {}
func (GotRinging) isEvent()  {}
func (GotAccepted) isEvent() {}
func (AcceptOK) isEvent()    {}
func (Merged) isEvent()      {}
func (Refused) isEvent()     {}
func (GotEnded) isEvent()    {}
func (PeerUp) isEvent()      {}
func (PeerDown) isEvent()    {}
func (PeerFailed) isEvent()  {}
func (Timeout) isEvent()     {}

// Effect is what the runner must do once the new state is set, in order.
type Effect interface{ isEffect() }

// Effects.
type (
	SendInvite struct {
		ID, PeerID string
		Video      bool
	}
	SendRinging struct{ ID string }
	SendAccept  struct {
		ID    string
		Video bool
	}
	SendReject struct{ ID, Reason string }
	SendCancel struct{ ID string }
	SendHangup struct{ ID, Reason string }
	OpenPeer   struct {
		ID      string
		Offerer bool
	} // make the media connection
	ClosePeer  struct{ ID string }         // and let go of camera and microphone
	StartTimer struct{ For time.Duration } // replaces the one that runs; posts Timeout with the call's id
	StopTimer  struct{}
	Ring       struct{ Incoming bool } // ringtone here, or ringback; until Quiet
	Quiet      struct{}
)

func (SendInvite) isEffect()  {}
func (SendRinging) isEffect() {}
func (SendAccept) isEffect()  {}
func (SendReject) isEffect()  {}
func (SendCancel) isEffect()  {}
func (SendHangup) isEffect()  {}
func (OpenPeer) isEffect()    {}
func (ClosePeer) isEffect()   {}
func (StartTimer) isEffect()  {}
func (StopTimer) isEffect()   {}
func (Ring) isEffect()        {}
func (Quiet) isEffect()       {}

// String gives the phase's name in logs, tests and the transition table.
func (p Phase) String() string {
	names := [...]string{
		"idle", "dialing", "ringing_out", "incoming", "accepting", "connecting", "active", "reconnecting", "ended",
	}
	if int(p) < len(names) {
		return names[p]
	}
	return "unknown"
}
