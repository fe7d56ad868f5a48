package signal

import "time"

// The numbers that bound the protocol itself, which both sides have to agree on; docs/protocol.md says each. Those with
// which one server protects itself are in package server, Limits, and its operator can change them.
const (
	// MaxMessage is the largest WebSocket message either side accepts, in bytes.
	MaxMessage = 64 << 10

	// Of single fields, in bytes unless said.
	MaxSDP       = 48 << 10
	MaxCandidate = 1024
	MaxChatRunes = 2000
	MaxDevice    = 64
	MaxHistory   = 200 // messages or calls in one reply

	// Of an account, in characters.
	MinName     = 2
	MaxName     = 32
	MinPassword = 8
	MaxPassword = 128
)

// What one end keeps of what it has said until the other end has it, and for how long after a cut. Beyond any of these a
// session cannot be resumed, and the client begins anew with all that User/Connect says. Each end may have its own: a
// server's operator can choose, and only ever learns from the other end's refusal what that one keeps.
const (
	MaxKept      = 256
	MaxKeptBytes = 1 << 20
	ResumeWithin = 60 * time.Second
)

// AckEvery is after how many messages without an answer that could carry it an acknowledgement goes by itself: often
// enough that nothing is ever forgotten for want of one.
const AckEvery = 32

// Of one call.
const (
	// MaxCandidates is how many a device may send after each of its descriptions: a machine with many networks has some
	// dozens, and the other side has to try each of them with each of its own.
	MaxCandidates = 256
	// MaxHeld and MaxHeldBytes are what is kept for a device that is away during a call: the candidates and descriptions of
	// one negotiation.
	MaxHeld      = 64
	MaxHeldBytes = 256 << 10
	// MaxEarly is how many of the callee's ringing devices are connected early, in the order in which they said that they
	// ring.
	MaxEarly = 3
	// MaxEarlyMessages is what either end of an early connection may send while it rings: a description, the candidates of
	// one negotiation, and all of it a second time.
	MaxEarlyMessages = 64
)

// MaxDND is the farthest end of do-not-disturb: beyond it a clock is wrong.
const MaxDND = 400 * 24 * time.Hour

// What an invite may be.
const (
	DefaultInviteUses = 1
	MaxInviteUses     = 1000
	DefaultInviteDays = 7
	MaxInviteDays     = 365
)
