package jitter

import "time"

// Counts are totals since the beginning, named after the W3C's statistics (webrtc-stats, RTCInboundRtpStreamStats) where
// those have them. Samples are at 48 kHz.
type Counts struct {
	Received  uint64 // packets, without copies
	Duplicate uint64
	Malformed uint64
	Late      uint64 // came after their time
	Discarded uint64 // thrown away to catch up; packetsDiscarded is this, Late and Duplicate
	Restarts  uint64 // jumps of the stream

	CopiesReceived uint64 // fecPacketsReceived: RFC 2198 copies, and packets with Opus's own
	CopiesUsed     uint64 // of them: played because the original was missing
	Missing        int64  // packetsLost: originals that have not come so far
	Lost           uint64 // frames of which neither original nor copy came in time

	Samples          uint64        // totalSamplesReceived: all that were played since the first packet
	Concealed        uint64        // concealedSamples: of them made up
	SilentConcealed  uint64        // of Concealed: soft noise, after more than the decoder can make up
	ConcealedEvents  uint64        // concealmentEvents
	Inserted         uint64        // insertedSamplesForDeceleration
	Removed          uint64        // removedSamplesForAcceleration
	Emitted          uint64        // jitterBufferEmittedCount
	Waited           time.Duration // jitterBufferDelay: of all Emitted samples together
	WaitedTarget     time.Duration // jitterBufferTargetDelay: likewise
	Pause            uint64        // samples of pauses that the sender made (DTX)
	Accelerations    uint64        // operations
	Expansions       uint64
	FastAcceleration uint64 // of Accelerations: in haste

	Target, Delay time.Duration // now: aimed at, and measured
	Coming        time.Duration // by how much the delay is about to be made longer
	Jitter        time.Duration // RFC 3550 section 6.4.1
	LossShare     float64       // of the last seconds, before copies
	Depth         int           // for how many packets copies are waited for
}

// ConcealedShare is the part of the played sound that had to be made up.
func (c *Counts) ConcealedShare() float64 {
	if c.Samples == 0 {
		return 0
	}
	return float64(c.Concealed) / float64(c.Samples)
}
