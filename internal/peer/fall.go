package peer

import (
	"slices"
	"time"
)

// fallMeter notices within a tenth of a second that the line has become much narrower: from then on each packet waits
// longer than the one before it. The queue meter looks for the luckiest packet of a while, so that pictures' own packets
// in front of each other do not count, and learns of it only from one that left a while after: a whole queue later. It is
// pure.
type fallMeter struct {
	begun    bool
	first    transitSample // of the run: it waited least
	last     transitSample
	packets  int // since the first
	latest   [fallMost + 1]transitSample
	steepest time.Duration // growth of the wait from one packet to the next
}

const (
	fallPackets = 3
	fallMost    = 8                     // packets that the rate is taken from:
	fallBytes   = 2400                  // less, as sound alone, does not try the line,
	fallSpan    = 40 * time.Millisecond // and less time tells no rate
	fallLeast   = 250_000               // bits a second; narrower than that the queue meter finds the line
	fallGrowth  = 80 * time.Millisecond
	fallBack    = 3 * time.Millisecond // of less wait end a run, and of more make none
)

// add takes a packet that arrived, in the order they were sent.
func (f *fallMeter) add(s transitSample) {
	growth := s.transit - f.last.transit
	if !f.begun || growth < -fallBack || s.transit <= f.first.transit+fallBack || s.received < f.last.received {
		*f = fallMeter{begun: true, first: s}
	} else {
		f.packets++
		f.steepest = max(f.steepest, growth)
	}
	f.last = s
	copy(f.latest[:], f.latest[1:])
	f.latest[fallMost] = s
}

// bps is the rate that the line has fallen to, 0 while nothing says so; empty is the transit without a queue. One step of
// growth is a path that got longer, not one that fills. A machine that has no time for a moment looks like a line that
// carries next to nothing: that alone must not stop the pictures.
func (f *fallMeter) bps(empty time.Duration) float64 {
	growth := f.last.transit - f.first.transit
	if f.packets < fallPackets || growth < fallGrowth || f.steepest > growth/2 || f.last.transit-empty < fallGrowth {
		return 0
	}
	bytes := 0
	for n := 1; n <= min(f.packets, fallMost); n++ {
		bytes += f.latest[fallMost-n+1].size
		span := f.last.received - f.latest[fallMost-n].received
		if n >= fallPackets && bytes >= fallBytes && span >= fallSpan {
			span, bytes := withoutStalls(slices.Clone(f.latest[fallMost-n:]), span, bytes)
			if span < fallSpan {
				return 0
			}
			return max(float64(bytes*8)/span.Seconds(), fallLeast)
		}
	}
	return 0
}
