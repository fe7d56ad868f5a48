package echo

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestRenumber(t *testing.T) {
	var r renumber
	at := time.Unix(0, 0)
	step := func(ssrc uint32, seq uint16, stamp uint32, wantSeq uint16, wantStamp uint32) {
		t.Helper()
		h := rtp.Header{SSRC: ssrc, SequenceNumber: seq, Timestamp: stamp}
		r.apply(&h, 90000, at)
		if h.SequenceNumber != wantSeq || h.Timestamp != wantStamp {
			t.Errorf("%d %d %d: %d %d, want %d %d", ssrc, seq, stamp, h.SequenceNumber, h.Timestamp, wantSeq, wantStamp)
		}
	}
	step(1, 65534, 1000, 65534, 1000) // one stream is kept as it is, round the end of the numbers too
	step(1, 65535, 4000, 65535, 4000)
	step(1, 1, 10000, 1, 10000) // a gap stays a gap
	step(1, 0, 7000, 0, 7000)   // late
	at = at.Add(time.Second)
	step(2, 500, 77, 2, 100000) // another stream goes on a second later
	step(2, 502, 6077, 4, 106000)
	step(2, 501, 3077, 3, 103000)
	at = at.Add(time.Second)
	step(3, 9, 0, 5, 196000)
	step(3, 8, 0, 4, 196000) // before its first: collides, and is the past
}
