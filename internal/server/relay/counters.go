package relay

import "sync/atomic"

// counters are what the relay has carried and what it has not, since its start. Nothing is said per packet.
type counters struct {
	up, down traffic       // from clients to peers, and back
	refused  atomic.Uint64 // packets not relayed because of where they would go
	capped   atomic.Uint64 // packets over the rate of their allocation
	dropped  atomic.Uint64 // packets that were too long, replayed, of nobody, from this machine's other ports, or one too many in a queue
	limited  atomic.Uint64 // errors not sent because their source had had enough
}

type traffic struct{ packets, bytes atomic.Uint64 }

func (t *traffic) add(packets, bytes int) {
	t.packets.Add(uint64(packets))
	t.bytes.Add(uint64(bytes))
}

// Stats is the state of a relay. All but the first two only grow; bytes are payload.
type Stats struct {
	Allocations, Streams int // now

	UpPackets, UpBytes     uint64 // from clients to peers
	DownPackets, DownBytes uint64 // from peers to clients
	Refused                uint64 // packets to where the call may not send
	Capped                 uint64 // packets over the rate of their allocation
	Dropped                uint64 // packets that make no sense here, or found a queue full
	Limited                uint64 // errors that were not sent
}

// Stats reads the counters; of a relay that has been started.
func (s *Server) Stats() Stats {
	c := &s.book.count
	return Stats{
		Allocations: s.Allocations(), Streams: s.tcp.open(),
		UpPackets: c.up.packets.Load(), UpBytes: c.up.bytes.Load(),
		DownPackets: c.down.packets.Load(), DownBytes: c.down.bytes.Load(),
		Refused: c.refused.Load(), Capped: c.capped.Load(), Dropped: c.dropped.Load(), Limited: c.limited.Load(),
	}
}
