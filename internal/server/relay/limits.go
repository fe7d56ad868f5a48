package relay

import "cmp"

// Limits bound what strangers and people gone astray can make the relay do. A zero field takes its default.
type Limits struct {
	// PerDevice is for allocations of one device, for each device it may be connected with: early connections with
	// several ringing devices stand at the same time.
	PerDevice     int
	PerAddress    int // allocations, and TCP connections, of one source address
	Streams       int // TCP connections
	Refusals      int // STUN errors sent to one source a second
	Peers         int // signalled addresses kept for one call
	Permissions   int // of one allocation
	Channels      int // of one allocation
	BitsPerSecond int // through one allocation, each way; what is over is dropped
}

// DefaultLimits are what a relay has unless it is told otherwise.
var DefaultLimits = Limits{
	PerDevice: 4, PerAddress: 200, Streams: 4000, Refusals: 10, Peers: 64, Permissions: 64, Channels: 64,
	BitsPerSecond: 8_000_000,
}

func (l Limits) filled() Limits {
	d := DefaultLimits
	return Limits{
		PerDevice: cmp.Or(l.PerDevice, d.PerDevice), PerAddress: cmp.Or(l.PerAddress, d.PerAddress),
		Streams: cmp.Or(l.Streams, d.Streams), Refusals: cmp.Or(l.Refusals, d.Refusals), Peers: cmp.Or(l.Peers, d.Peers),
		Permissions: cmp.Or(l.Permissions, d.Permissions), Channels: cmp.Or(l.Channels, d.Channels),
		BitsPerSecond: cmp.Or(l.BitsPerSecond, d.BitsPerSecond),
	}
}
