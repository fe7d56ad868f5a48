package relay

import (
	"sync/atomic"
	"time"
)

// meter holds one direction of an allocation to its rate: a leaky bucket kept as the one time at which it will be empty
// (the generic cell rate algorithm of ITU-T I.371). Both of pion's goroutines and the fast path may use it at once.
type meter struct {
	empty atomic.Int64 // nanoseconds of clock
}

const (
	meterDepth = 250 * time.Millisecond // of the rate may pass at once: a large key frame
	// meterExtra is what a packet counts besides its payload: its IPv6 and UDP headers. It bounds the packets of those
	// who send empty ones.
	meterExtra = 48 // bytes
)

// pace is a rate in bits a second.
type pace int64

// take says whether a payload of that many bytes may pass now. What it refuses does not count.
func (m *meter) take(size int, p pace, now int64) bool {
	cost := int64(size+meterExtra) * 8 * int64(time.Second) / int64(p)
	for {
		was := m.empty.Load()
		next := max(was, now) + cost
		if next-now > int64(meterDepth) {
			return false
		}
		if m.empty.CompareAndSwap(was, next) {
			return true
		}
	}
}

// last is when something passed, up to meterDepth too late; 0: never.
func (m *meter) last() int64 { return m.empty.Load() }

var began = time.Now().Add(-time.Hour) // no time that matters is negative

// clock is nanoseconds that only go forward.
func clock() int64 { return int64(time.Since(began)) }
