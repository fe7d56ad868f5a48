package peer

import (
	"math/rand"
	"testing"
	"time"
)

// fallLine is trains of packets, 30 a second, over a line of a rate, as the estimator hears of them.
func fallLine(rateBps func(at time.Duration) float64, jitter time.Duration, each func(f *fallMeter, at time.Duration)) {
	var f fallMeter
	var busy, newest time.Duration
	r := rand.New(rand.NewSource(3))
	for picture := range 300 {
		for i := range 5 {
			sent := time.Duration(picture)*time.Second/30 + time.Duration(i)*400*time.Microsecond
			busy = max(busy, sent)
			if busy-sent > 300*time.Millisecond {
				continue
			}
			busy += time.Duration(1200 * 8 / rateBps(sent) * 1e9)
			received := busy
			if jitter > 0 {
				received = max(received+time.Duration(r.Int63n(int64(jitter))), newest)
			}
			newest = max(newest, received)
			f.add(transitSample{sent: sent, received: received, transit: received - sent, size: 1200})
			each(&f, received)
		}
	}
}

func TestFallIsSeenAtOnce(t *testing.T) {
	const drop = 5 * time.Second
	seen := time.Duration(0)
	fallLine(func(at time.Duration) float64 {
		if at < drop {
			return 2e6
		}
		return 300e3
	}, 0, func(f *fallMeter, at time.Duration) {
		if bps := f.bps(4800 * time.Microsecond); bps > 0 && seen == 0 {
			seen = at
			if bps < 250e3 || bps > 450e3 {
				t.Errorf("fallen to %.0f", bps)
			}
		}
	})
	if seen < drop || seen > drop+180*time.Millisecond {
		t.Errorf("seen %v after the drop", seen-drop)
	}
}

// Neither jitter nor a narrow line that was always so, nor a path that gets longer in one step, is a fall by half.
func TestFallIsNotSeenInOtherThings(t *testing.T) {
	for name, c := range map[string]struct {
		bps    float64
		jitter time.Duration
	}{"wide": {20e6, 0}, "jitter": {20e6, 100 * time.Millisecond}, "just enough": {1.6e6, 30 * time.Millisecond}} {
		fallLine(func(time.Duration) float64 { return c.bps }, c.jitter, func(f *fallMeter, at time.Duration) {
			if bps := f.bps(0); bps > 0 && bps < fallShare*1.44e6 {
				t.Errorf("%s: %.0f bit/s at %v", name, bps, at)
			}
		})
	}
	var f fallMeter
	for i := range 100 {
		at := time.Duration(i) * 5 * time.Millisecond
		s := transitSample{sent: at, received: at + 20*time.Millisecond, transit: 20 * time.Millisecond, size: 1200}
		if i > 50 {
			s.received, s.transit = s.received+120*time.Millisecond, s.transit+120*time.Millisecond
		}
		f.add(s)
		if f.bps(20*time.Millisecond) > 0 {
			t.Fatalf("a longer path passes for a fall at packet %d", i)
		}
	}
}

// Little of ours behind a crowd of somebody else's says nothing of the rate that the line has for us.
func TestFallIsNotSeenInSoundAlone(t *testing.T) {
	var f fallMeter
	for i := range 60 {
		sent := time.Duration(i) * 20 * time.Millisecond
		transit := 20*time.Millisecond + max(0, time.Duration(i-10)*10*time.Millisecond)
		f.add(transitSample{sent: sent, received: sent + transit, transit: transit, size: 150})
		if bps := f.bps(20 * time.Millisecond); bps > 0 {
			t.Fatalf("fallen to %.0f by packets of sound", bps)
		}
	}
}

// A machine that has no time looks like a line that carries nothing. Half of what it is then told to carry, the least that a
// cut leaves, must be enough for pictures: they would else stop for seconds.
func TestFallAloneStopsNoPictures(t *testing.T) {
	seen := 0
	fallLine(func(at time.Duration) float64 {
		if at < 5*time.Second {
			return 2e6
		}
		return 60e3
	}, 0, func(f *fallMeter, _ time.Duration) {
		if bps := f.bps(4800 * time.Microsecond); bps > 0 {
			if seen++; bps/2 < pauseBelowBps {
				t.Fatalf("fallen to %.0f", bps)
			}
		}
	})
	if seen == 0 {
		t.Error("not seen")
	}
}
