package peer

import (
	"sync/atomic"
	"time"
)

// hush is when the silence of the other side begins to mean something: feedback has stopped for longer than the loss of
// one explains, on a line that loses in rows. Most likely such a row is taking pictures just now, and nobody will say so
// before it is over. Until then every picture is one that can be shown without those before it, each goes twice, and more
// may be on its way than usual. QUIC probes for the same reason (RFC 9002 section 6.2.4).
type hush struct {
	from   atomic.Int64 // Unix nanoseconds, 0: never
	answer atomic.Int64 // nanoseconds from sending to feedback that is not late
}

// It takes somewhat more than the usual time between feedbacks, which are rare where little is sent, and at least hushFrom.
const (
	hushFrom    = 30 * time.Millisecond
	hushTimes   = 1.2
	hushWindows = 2 // as many bytes may be on their way meanwhile
)

// expect is told that feedback has come, how often it does, and how long its way and that of what it speaks of take.
func (h *hush) expect(now time.Time, every, roundTrip time.Duration) {
	h.answer.Store(int64(roundTrip + every/2))
	h.from.Store(now.Add(max(hushFrom, time.Duration(hushTimes*float64(every)))).UnixNano())
}

// never is for lines whose silence has another reason.
func (h *hush) never() { h.from.Store(0) }

func (h *hush) on(now time.Time) bool {
	from := h.from.Load()
	return from != 0 && now.UnixNano() > from
}

// swallows is whether what left at since should have been answered: where little is sent, or far away, there is silence
// between the answers as well.
func (h *hush) swallows(since, now time.Time) bool {
	return now.Sub(since) > time.Duration(h.answer.Load())
}
