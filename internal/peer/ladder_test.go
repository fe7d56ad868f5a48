package peer

import (
	"testing"
	"time"
)

// climb runs a ladder for d on a made-up clock: cost gives what a picture takes.
func climb(l *ladder, now *time.Time, d time.Duration, bps int, cost func(height, speed int) time.Duration) {
	for end := now.Add(d); now.Before(end); *now = now.Add(l.interval) {
		l.rate(bps, codecVP8, *now)
		l.encoded(cost(l.height(), l.effort()), *now)
	}
}

func cheap(int, int) time.Duration { return 5 * time.Millisecond }

func TestLadderFollowsRate(t *testing.T) {
	l, now := newLadder(720, 30, []int{6, 10, 12}, 0), time.Unix(1, 0)
	for _, s := range []struct {
		bps, height int
		within      time.Duration
	}{
		{2_000_000, 720, time.Second},
		{500_000, 540, time.Second},
		{250_000, 360, time.Second},
		{60_000, 360, time.Second},
		{460_000, 360, 20 * time.Second}, // not enough above
		{700_000, 540, 7 * time.Second},
		{2_000_000, 720, 7 * time.Second},
	} {
		climb(l, &now, s.within, s.bps, cheap)
		if l.height() != s.height {
			t.Errorf("%d at %d bit/s, want %d", l.height(), s.bps, s.height)
		}
	}
	if l.effort() != 6 {
		t.Errorf("speed %d", l.effort())
	}
}

func TestLadderFollowsCPU(t *testing.T) {
	// A slow machine: 720p takes 40 ms with most effort, and area and speed save as much as they do.
	slow := func(height, speed int) time.Duration {
		ms := 40.0 * float64(height*height) / (720 * 720) * map[int]float64{6: 1, 10: 0.8, 12: 0.7}[speed]
		return time.Duration(ms * float64(time.Millisecond))
	}
	l, now := newLadder(720, 30, []int{6, 10, 12}, 0), time.Unix(1, 0)
	climb(l, &now, 1100*time.Millisecond, 2_000_000, slow)
	if l.height() != 720 || l.effort() != 10 {
		t.Errorf("first %d at %d: effort goes before size", l.height(), l.effort())
	}
	climb(l, &now, 5*time.Second, 2_000_000, slow)
	if l.height() != 540 || l.effort() != 12 {
		t.Errorf("then %d at %d", l.height(), l.effort())
	}
	height := l.height()
	for range 20 {
		climb(l, &now, 5*time.Second, 2_000_000, slow)
		if l.height() > height {
			t.Fatal("swings back to what was too slow")
		}
	}
	climb(l, &now, time.Minute, 2_000_000, cheap)
	if l.height() != 720 || l.effort() != 6 {
		t.Errorf("%d at %d after the load is gone", l.height(), l.effort())
	}
}

func TestLadderSmallSource(t *testing.T) {
	l := newLadder(240, 30, []int{8}, 0)
	if l.height() != 240 || len(l.heights) != 1 {
		t.Errorf("%v", l.heights)
	}
	l.setHeight(1080)
	if l.height() != 1080 || len(l.heights) != 4 {
		t.Errorf("%v", l.heights)
	}
}
