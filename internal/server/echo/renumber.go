package echo

import (
	"time"

	"github.com/pion/rtp"
)

// renumber keeps sequence numbers and timestamps going on when the caller's stream is replaced by another with numbers
// of its own (a new SSRC, after its sender was replaced). Within one stream both are kept but for an offset, so that
// order, gaps and repeated packets stay what they were.
type renumber struct {
	started   bool
	source    uint32
	sequence  uint16 // added
	timestamp uint32 // added
	lastSeq   uint16 // sent, the newest
	lastStamp uint32
	lastAt    time.Time
}

func (r *renumber) apply(h *rtp.Header, clockRate uint32, now time.Time) {
	if !r.started || h.SSRC != r.source {
		if r.started {
			passed := uint32(now.Sub(r.lastAt).Seconds() * float64(clockRate))
			r.sequence = r.lastSeq + 1 - h.SequenceNumber
			r.timestamp = r.lastStamp + max(passed, 1) - h.Timestamp
		}
		r.started, r.source, r.lastSeq = true, h.SSRC, h.SequenceNumber+r.sequence-1
	}
	h.SequenceNumber += r.sequence
	h.Timestamp += r.timestamp
	if int16(h.SequenceNumber-r.lastSeq) > 0 {
		r.lastSeq, r.lastStamp, r.lastAt = h.SequenceNumber, h.Timestamp, now
	}
}
