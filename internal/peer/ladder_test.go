package peer

import (
	"testing"
	"time"
)

// climb runs a ladder for d on a made-up clock: cost gives what a picture takes.
func climb(l *ladder, now *time.Time, d time.Duration, bps int, cost func(height, speed int) time.Duration) {
	for end := now.Add(d); now.Before(end); *now = now.Add(time.Duration(l.interval())) {
		l.rate(bps, *now)
		l.encoded(cost(l.height(), l.effort()), *now)
	}
}

func cheap(int, int) time.Duration { return 5 * time.Millisecond }

// costing is a machine that takes ms for a 720p picture with most effort; area and speed save as much as they do.
func costing(ms float64) func(height, speed int) time.Duration {
	return func(height, speed int) time.Duration {
		t := ms * float64(height*height) / (720 * 720) * map[int]float64{6: 1, 10: 0.8, 12: 0.7}[speed]
		return time.Duration(t * float64(time.Millisecond))
	}
}

func TestLadderFollowsRate(t *testing.T) {
	for _, s := range []struct {
		codec  codec
		bps    int
		height int
		fps    float64
	}{
		{codecVP8, 2_000_000, 720, 30},
		{codecVP8, 500_000, 540, 30},
		{codecVP8, 250_000, 360, 30},
		{codecVP8, 150_000, 270, 30},
		{codecVP8, 50_000, 180, 30},
		{codecVP8, 40_000, 180, 20},
		{codecVP8, 30_000, 180, 15},
		{codecVP8, 10_000, 180, 15},
		{codecVP9, 500_000, 720, 30},
		{codecVP9, 250_000, 360, 30}, // a line of 300 kbit/s
		{codecVP9, 60_000, 270, 20},
	} {
		l, now := newLadder(s.codec, 720, 30, []int{6, 10, 12}, 0), time.Unix(1, 0)
		climb(l, &now, 100*time.Millisecond, s.bps, cheap)
		if l.height() != s.height || l.framesPerS() != s.fps {
			t.Errorf("%s at %d bit/s: %d lines at %g, want %d at %g", s.codec, s.bps, l.height(), l.framesPerS(), s.height, s.fps)
		}
	}
}

func TestLadderRisesSlowly(t *testing.T) {
	l, now := newLadder(codecVP8, 720, 30, []int{6, 10, 12}, 0), time.Unix(1, 0)
	climb(l, &now, time.Second, 60_000, cheap)
	for _, s := range []struct {
		bps, height int
		within      time.Duration
	}{
		{200_000, 180, 2900 * time.Millisecond}, // not yet
		{200_000, 270, 200 * time.Millisecond},
		{460_000, 360, 20 * time.Second},  // 540 lines would fit, but barely
		{2_000_000, 360, 2 * time.Second}, // not yet
		{460_000, 360, time.Second},       // and gone
		{2_000_000, 720, 4 * time.Second}, // at once to the top
		{250_000, 360, time.Second},       // at once down
	} {
		climb(l, &now, s.within, s.bps, cheap)
		if l.height() != s.height {
			t.Errorf("%d lines at %d bit/s, want %d", l.height(), s.bps, s.height)
		}
	}
	if l.effort() != 6 {
		t.Errorf("speed %d", l.effort())
	}
}

// A rate that swings around a rung's need does not make the picture swing.
func TestLadderSteadyOnUnsteadyRate(t *testing.T) {
	l, now := newLadder(codecVP9, 720, 30, []int{7, 8, 9}, 1), time.Unix(1, 0)
	changes, last := 0, l.height()
	for i := range 60 {
		bps := 460_000 + 60_000*(i%2)
		climb(l, &now, time.Second, bps, cheap)
		if l.height() != last {
			changes, last = changes+1, l.height()
		}
	}
	if changes > 1 {
		t.Errorf("%d changes of size", changes)
	}
}

func TestLadderFollowsCPU(t *testing.T) {
	l, now := newLadder(codecVP8, 720, 30, []int{6, 10, 12}, 0), time.Unix(1, 0)
	slow := costing(40)
	climb(l, &now, 500*time.Millisecond, 2_000_000, slow)
	if l.height() != 720 || l.effort() != 10 {
		t.Errorf("first %d at %d: effort goes before size", l.height(), l.effort())
	}
	climb(l, &now, 5*time.Second, 2_000_000, slow)
	if l.height() != 540 || l.effort() != 12 || l.framesPerS() != 30 {
		t.Errorf("then %d at %d, %g a second", l.height(), l.effort(), l.framesPerS())
	}
	for range 20 {
		climb(l, &now, 5*time.Second, 2_000_000, slow)
		if l.height() > 540 {
			t.Fatal("swings back to what was too slow")
		}
	}
	climb(l, &now, 2*time.Minute, 2_000_000, cheap)
	if l.height() != 720 || l.effort() != 6 {
		t.Errorf("%d at %d after the load is gone", l.height(), l.effort())
	}
}

// More effort than usual is for pictures that are short of bits: with plenty of them nobody sees it.
func TestLadderEffortWhereItShows(t *testing.T) {
	l, now := newLadder(codecVP9, 360, 30, []int{7, 8, 9}, 1), time.Unix(1, 0)
	for _, s := range []struct{ bps, speed int }{
		{1_300_000, 9},
		{300_000, 7},
		{900_000, 7}, // between the two limits it stays as it is
		{1_300_000, 9},
		{900_000, 9},
	} {
		climb(l, &now, time.Minute, s.bps, cheap)
		if l.effort() != s.speed {
			t.Errorf("at %d bit/s: speed %d, want %d", s.bps, l.effort(), s.speed)
		}
	}
	// What was given up for the processor's sake comes back where it shows.
	climb(l, &now, 3*time.Second, 600_000, func(int, int) time.Duration { return 25 * time.Millisecond })
	if l.effort() != 9 {
		t.Errorf("slow: speed %d", l.effort())
	}
	climb(l, &now, 2*time.Minute, 600_000, cheap)
	if l.effort() != 7 {
		t.Errorf("afterwards: speed %d", l.effort())
	}
}

// The rate is the last thing that a slow machine gives up, and the first that comes back.
func TestLadderVerySlowMachine(t *testing.T) {
	l, now := newLadder(codecVP8, 720, 30, []int{6, 10, 12}, 0), time.Unix(1, 0)
	climb(l, &now, 20*time.Second, 2_000_000, costing(230)) // 40 ms at 360 lines with least effort
	if l.height() != 360 || l.effort() != 12 || l.framesPerS() != 15 {
		t.Errorf("%d at %d, %g a second", l.height(), l.effort(), l.framesPerS())
	}
	for range 120 {
		climb(l, &now, 500*time.Millisecond, 2_000_000, costing(60))
		if l.framesPerS() == 30 {
			break
		}
		if l.height() > 360 {
			t.Fatal("size came back before the rate")
		}
	}
	if l.framesPerS() != 30 {
		t.Errorf("%g a second", l.framesPerS())
	}
}

// A machine that is just too slow for a step is not driven into it again and again.
func TestLadderTriesLessOften(t *testing.T) {
	l, now := newLadder(codecVP8, 720, 30, []int{6}, 0), time.Unix(1, 0)
	// The estimate by area says that 540 lines would do; they do not.
	odd := func(height, _ int) time.Duration {
		if height > 360 {
			return 25 * time.Millisecond
		}
		return 6 * time.Millisecond
	}
	var tries []time.Time
	for last := l.height(); now.Before(time.Unix(1200, 0)); last = l.height() {
		climb(l, &now, time.Second, 2_000_000, odd)
		if l.height() > last {
			tries = append(tries, now)
		}
	}
	if len(tries) < 2 || len(tries) > 10 {
		t.Fatalf("%d tries in twenty minutes", len(tries))
	}
	if first, last := tries[1].Sub(tries[0]), tries[len(tries)-1].Sub(tries[len(tries)-2]); last < 2*first {
		t.Errorf("the first pause was %v, the last %v", first, last)
	}
}

func TestLadderText(t *testing.T) {
	l, now := newLadder(codecVP9, 1080, 15, []int{7, 8, 9}, 1), time.Unix(1, 0)
	l.source(1080, true)
	for _, s := range []struct {
		bps int
		fps float64
	}{{2_000_000, 15}, {600_000, 5}, {100_000, 5}, {2_000_000, 15}} {
		climb(l, &now, 5*time.Second, s.bps, cheap)
		if l.height() != 1080 || l.framesPerS() != s.fps {
			t.Errorf("%d lines, %g a second at %d bit/s, want %g", l.height(), l.framesPerS(), s.bps, s.fps)
		}
	}
	climb(l, &now, 20*time.Second, 2_000_000, func(int, int) time.Duration { return 110 * time.Millisecond })
	if l.height() != 1080 || l.framesPerS() != 5 || l.effort() != 9 {
		t.Errorf("slow machine: %d lines, %g a second at %d", l.height(), l.framesPerS(), l.effort())
	}
	l.source(720, false) // back to the camera
	climb(l, &now, time.Second, 60_000, cheap)
	if l.height() == 720 {
		t.Error("the camera keeps its size as text does")
	}
}

func TestLadderSmallSource(t *testing.T) {
	l := newLadder(codecVP8, 160, 30, []int{8}, 0)
	if l.height() != 160 || len(l.heights) != 1 {
		t.Errorf("%v", l.heights)
	}
	l.source(1080, false)
	if l.height() != 1080 || len(l.heights) != 6 {
		t.Errorf("%v", l.heights)
	}
}

func TestThinner(t *testing.T) {
	for _, s := range []struct {
		from, to, want float64
		jitter         time.Duration
	}{
		{30, 30, 30, 8 * time.Millisecond},
		{30, 25, 25, 0},
		{30, 20, 20, 5 * time.Millisecond},
		{30, 15, 15, 0},
		{60, 30, 30, 3 * time.Millisecond},
		{15, 30, 15, 0},
		{30, 5, 5, 0},
	} {
		var l thinner
		kept := 0
		for n := range int(10 * s.from) {
			at := time.Unix(5, 0).Add(time.Duration(float64(n) / s.from * float64(time.Second)))
			if n%2 == 1 {
				at = at.Add(s.jitter)
			}
			if l.keep(at, s.to) {
				kept++
			}
		}
		if got := float64(kept) / 10; got < s.want-0.3 || got > s.want+0.3 {
			t.Errorf("of %g a second for %g: %g", s.from, s.to, got)
		}
	}
	var l thinner
	for _, at := range []int64{1000, 10, 5000, 5001} { // a clock that jumps stops nothing
		if l.keep(time.Unix(at, 0), 30) != (at != 0) {
			t.Errorf("left out at %d", at)
		}
	}
}
