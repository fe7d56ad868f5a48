package peer

import (
	"math/rand"
	"testing"
	"time"
)

// watchedLine is a line both ways with a talking head on it and the real receiver behind it.
func watchedLine(t *testing.T, seed int64, rtt time.Duration, rateBps float64) *viewer {
	s := newSimulator(t)
	s.rand = rand.New(rand.NewSource(seed))
	s.there.delay, s.back.delay = rtt/2, rtt/2
	s.there.rateBps, s.encoderBps = rateBps, talkingHeadBps
	return s.watch()
}

// What is asked of whole programs, asked of the engine alone: pictures are 17 ms old here when they are encoded, and
// decoding takes 3, and their sizes vary more than a real encoder's, so that a line of 1 Mbit/s is held to 120 ms and not
// to the 110 of whole programs. No call of these lines may freeze.
func TestLinesSeen(t *testing.T) {
	const ms, calls = time.Millisecond, 4
	for _, c := range []struct {
		what          string
		rtt, jitter   time.Duration
		rate          float64
		p50, p95, fps float64
	}{
		{"clean", 20 * ms, 0, 0, 36, 40, 29.5},
		{"jitter", 80 * ms, 60 * ms, 0, 125, 140, 29.5},
		{"far away", 200 * ms, 0, 0, 128, 135, 29.5},
		{"1 Mbit/s", 50 * ms, 0, 1e6, 120, 150, 29},
		{"300 kbit/s", 50 * ms, 0, 300e3, 132, 160, 28},
	} {
		sum := seen{}
		for seed := range int64(calls) {
			w := watchedLine(t, seed, c.rtt, c.rate)
			w.s.there.jitter, w.s.back.jitter = c.jitter, c.jitter
			w.watched(5 * time.Second)
			r := w.watched(40 * time.Second)
			sum.fps, sum.p50, sum.p95, sum.freezes = sum.fps+r.fps/calls, sum.p50+r.p50/calls, sum.p95+r.p95/calls, sum.freezes+r.freezes
		}
		t.Logf("%s: %.1f fps, %.0f and %.0f ms, %d freezes in %d calls", c.what, sum.fps, sum.p50, sum.p95, sum.freezes, calls)
		if sum.p50 > c.p50 || sum.p95 > c.p95 || sum.fps < c.fps || sum.freezes > 0 {
			t.Errorf("%s: wanted %.1f fps, %.0f and %.0f ms, no freezes", c.what, c.fps, c.p50, c.p95)
		}
	}
}

// The first new picture after five dark seconds is on the screen long before the 0.7 s that are asked of whole programs.
func TestLineBlackoutSeen(t *testing.T) {
	for seed := range int64(4) {
		w := watchedLine(t, seed, 50*time.Millisecond, 0)
		s := w.s
		w.watched(10*time.Second + time.Duration(seed)*7*time.Millisecond)
		s.there.dead, s.back.dead = true, true
		w.watched(5 * time.Second)
		s.there.dead, s.back.dead = false, false
		back, shown := s.now, len(w.shows)
		w.watched(2 * time.Second)
		for i := shown; ; i++ {
			if i == len(w.shows) {
				t.Fatalf("seed %d: no new picture", seed)
			}
			if captured := w.shows[i].Add(-w.late[i]); captured.After(back) {
				if first := w.shows[i].Sub(back); first > 300*time.Millisecond {
					t.Errorf("seed %d: the first new picture came after %v", seed, first)
				}
				break
			}
		}
	}
}

// With a round trip of 200 ms a repair takes longer than a picture can be missing without being seen to stop: all wait for
// one, or each loss would be a freeze.
func TestLineFarAwayLossSeen(t *testing.T) {
	const calls = 4
	r := watchedCalls(t, calls, func(seed int64) *viewer {
		w := watchedLine(t, seed, 200*time.Millisecond, 0)
		w.s.there.loss, w.s.back.loss = 0.1, 0.1
		return w
	})
	t.Logf("%.2f freezes a call, p50 %.0f, fps %.1f", float64(r.freezes)/calls, r.p50, r.fps)
	if r.freezes > 4*calls || r.p50 > 250 || r.fps < 27.5 { // 44 a call when pictures waited at most 60 ms
		t.Errorf("%d freezes in %d calls, p50 %.0f, fps %.1f", r.freezes, calls, r.p50, r.fps)
	}
}
