package peer

import (
	"math/rand"
	"testing"
	"time"
)

// course shows pictures of 30 a second; late gives how late each one comes, or a negative time for one that was lost
// at first and asked for again.
func course(tm *timing, began time.Time, pictures int, late func(i int) (d time.Duration, mended bool), check func(i int, at, captured time.Time)) {
	for i := range pictures {
		captured := began.Add(time.Duration(i) * time.Second / 30)
		d, mended := late(i)
		at := tm.show(uint32(captured.UnixMicro()*9/100), captured.Add(20*time.Millisecond+d), mended)
		check(i, at, captured)
	}
}

const transit = 20 * time.Millisecond // what course adds to all

func TestTimingOnAnEvenLine(t *testing.T) {
	var tm timing
	now, rtp := time.Unix(100, 0), uint32(4_294_000_000)
	for range 1000 {
		if d := tm.show(rtp, now, false).Sub(now); d < 0 || d > 2*time.Millisecond {
			t.Fatalf("shown %v later", d)
		}
		now, rtp = now.Add(time.Second/30), rtp+3000
	}
}

func TestTimingEvensOut(t *testing.T) {
	var tm timing
	began := time.Unix(100, 0)
	var last time.Time
	five := func(i int) (time.Duration, bool) { return time.Duration(i%5) * 15 * time.Millisecond, false }
	course(&tm, began, 600, five, func(i int, at, captured time.Time) {
		if i > 100 {
			if gap := at.Sub(last); gap < 28*time.Millisecond || gap > 39*time.Millisecond {
				t.Fatalf("picture %d %v after the one before", i, gap)
			}
			if d := at.Sub(captured) - transit; d > 62*time.Millisecond {
				t.Fatalf("delay %v for lateness up to 60 ms", d)
			}
		}
		last = at
	})
	// After the line has calmed down the delay goes away again within seconds, and a long pause is no lateness.
	none := func(int) (time.Duration, bool) { return 0, false }
	course(&tm, began.Add(time.Minute), 300, none, func(i int, at, captured time.Time) {
		if d := at.Sub(captured) - transit; i > 180 && d > 2*time.Millisecond {
			t.Fatalf("still %v after %d pictures", d, i)
		}
	})
}

// One picture in nine is repaired 70 ms later: that is less than would make all of them wait. When four in nine are,
// waiting is what keeps motion even.
func TestTimingWaitsForRepairsOnlyWhenMany(t *testing.T) {
	for _, c := range []struct {
		hit   int
		least time.Duration
		most  time.Duration
	}{{1, 0, 5 * time.Millisecond}, {4, 65 * time.Millisecond, 75 * time.Millisecond}} {
		var tm timing
		late := func(i int) (time.Duration, bool) {
			if i%9*4%9 < c.hit {
				return 70 * time.Millisecond, true
			}
			return 0, false
		}
		course(&tm, time.Unix(100, 0), 600, late, func(i int, at, captured time.Time) {
			if d := at.Sub(captured) - transit; i > 200 && (d < c.least-time.Microsecond || d > c.most) {
				t.Fatalf("%d of 9 repaired: picture %d delayed by %v", c.hit, i, d)
			}
		})
	}
}

// A second in which nothing comes, and then all of it at once, is one event: it does not make the next seconds late.
func TestTimingComesBackAfterAStall(t *testing.T) {
	var tm timing
	stall := func(i int) (time.Duration, bool) {
		if i >= 300 && i < 330 {
			return time.Duration(330-i) * time.Second / 30, false
		}
		return time.Duration(i%2) * 4 * time.Millisecond, false
	}
	course(&tm, time.Unix(100, 0), 600, stall, func(i int, at, captured time.Time) {
		if d := at.Sub(captured) - transit; i > 330 && d > 10*time.Millisecond {
			t.Fatalf("picture %d delayed by %v", i, d)
		}
	})
}

// Clocks that drift apart, and a line that gets longer for good, are followed.
func TestTimingFollowsDrift(t *testing.T) {
	var tm timing
	r := rand.New(rand.NewSource(1))
	drift := func(i int) (time.Duration, bool) {
		d := time.Duration(i)*10*time.Microsecond + time.Duration(r.Intn(3))*time.Millisecond // 300 ppm
		if i > 1500 {
			d += 50 * time.Millisecond
		}
		return d, false
	}
	course(&tm, time.Unix(100, 0), 3000, drift, func(i int, at, captured time.Time) {
		due, _ := drift(i)
		if d := at.Sub(captured) - transit - due; i > 2000 && (d > 12*time.Millisecond || d < -12*time.Millisecond) {
			t.Fatalf("picture %d shown %v after it came", i, d)
		}
	})
}

func TestTimingIsBounded(t *testing.T) {
	var tm timing
	now := time.Unix(100, 0)
	for i, rtp := range []uint32{0, 1 << 31, 5, 4_000_000_000, 90000 * 3600, 7, 90000, 1, 0} {
		at := tm.show(rtp, now, i%2 == 0)
		if d := at.Sub(now); d > maxShowDelay {
			t.Errorf("step %d: shown %v later", i, d)
		}
		now = now.Add(10 * time.Millisecond)
	}
}

func TestFreezesAreCounted(t *testing.T) {
	var z freezes
	now := time.Unix(1, 0)
	for i := range 100 {
		now = now.Add(time.Second / 30)
		if d := z.shown(now); d != 0 {
			t.Fatalf("picture %d: %v", i, d)
		}
	}
	now = now.Add(150 * time.Millisecond)
	if d := z.shown(now); d != 0 {
		t.Errorf("150 ms are no freeze yet: %v", d)
	}
	now = now.Add(400 * time.Millisecond)
	if d := z.shown(now); d != 400*time.Millisecond {
		t.Errorf("frozen for %v", d)
	}
}

// Repairs that come so late now and then that the picture stands still make all pictures wait a little, so that it does
// not; a single one is chance, and after a calm time it is over.
func TestTimingSparesFreezes(t *testing.T) {
	var tm timing
	began := time.Unix(100, 0)
	delay := func(seconds, every int) (d time.Duration) {
		late := func(i int) (time.Duration, bool) {
			if every > 0 && i%every == every-1 {
				return 165 * time.Millisecond, true
			}
			return 0, false
		}
		course(&tm, began, 30*seconds, late, func(i int, at, captured time.Time) {
			if _, mended := late(i); !mended {
				d = at.Sub(captured) - transit
			}
		})
		began = began.Add(time.Duration(seconds) * time.Second)
		return d
	}
	if d := delay(5, 100); d > 32*time.Millisecond {
		t.Errorf("one late picture costs %v", d)
	}
	if d := delay(30, 90); d < 45*time.Millisecond || d > stillLeast {
		t.Errorf("late pictures every three seconds: all wait %v", d)
	}
	if d := delay(100, 0); d > 2*time.Millisecond {
		t.Errorf("%v left after a calm time", d)
	}
}

// What comes so late that the picture stops in any case makes nobody wait.
func TestTimingDoesNotWaitForTheHopeless(t *testing.T) {
	var tm timing
	late := func(i int) (time.Duration, bool) {
		if i%90 == 89 {
			return 400 * time.Millisecond, true
		}
		return 0, false
	}
	course(&tm, time.Unix(100, 0), 900, late, func(i int, at, captured time.Time) {
		if d := at.Sub(captured) - transit; i%90 != 89 && d > 5*time.Millisecond {
			t.Fatalf("picture %d delayed by %v", i, d)
		}
	})
}

// A way that has become longer, as by a relay: pictures are later by that, and by nothing else when the way that was is
// forgotten.
func TestTimingOnALongerWay(t *testing.T) {
	var tm timing
	const longer = 80 * time.Millisecond
	way := func(i int) (time.Duration, bool) {
		if i < 300 {
			return 0, false
		}
		return longer, false
	}
	course(&tm, time.Unix(100, 0), 1200, way, func(i int, at, captured time.Time) {
		if d := at.Sub(captured) - transit - longer; i > 300 && d > 2*time.Millisecond {
			t.Fatalf("picture %d waits for %v", i, d)
		}
	})
}

// Far away, where every repair would stop the picture, all pictures wait until one can be there in time; nearer they do
// not wait so long, and nothing makes them wait while nothing is lost.
func TestTimingWaitsForOneRoundFarAway(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		round, late time.Duration
		least, most time.Duration
	}{
		{200 * ms, 210 * ms, 100 * ms, 105 * ms},
		{200 * ms, 0, 0, 2 * ms},
		{60 * ms, 200 * ms, 55 * ms, 61 * ms},
		{60 * ms, 230 * ms, 0, 2 * ms},  // it would stop the picture even so
		{600 * ms, 610 * ms, 0, 2 * ms}, // the same
	} {
		tm := timing{round: c.round}
		late := func(i int) (time.Duration, bool) {
			if i%30 == 29 {
				return c.late, true
			}
			return 0, false
		}
		course(&tm, time.Unix(100, 0), 900, late, func(i int, at, captured time.Time) {
			if d := at.Sub(captured) - transit; i > 600 && i%30 != 29 && (d < c.least-time.Microsecond || d > c.most) {
				t.Fatalf("round trip %v, repairs %v late: picture %d delayed by %v", c.round, c.late, i, d)
			}
		})
	}
}
