package playout

import (
	"math/rand"
	"testing"
	"time"

	"visavis.example/internal/media"
)

// device makes up the times of blocks: a clock that runs by ppm too slow, callbacks that are late by chance, blocks that
// are missing.
type device struct {
	ppm     float64
	late    func(n int) time.Duration
	missing func(n int) bool
}

// times gives when blocks were captured according to the callbacks, and which sample of the device's each begins with.
func (d device) times(start time.Time, blocks int) (at []time.Time, sample []int64) {
	last := start
	for n := range blocks {
		if d.missing != nil && d.missing(n) {
			continue
		}
		t := start.Add(time.Duration(float64(n) * float64(blockTime) * (1 + d.ppm/1e6)))
		if d.late != nil {
			t = t.Add(d.late(n))
		}
		if t.Before(last) { // callbacks come in order
			t = last
		}
		last = t
		at, sample = append(at, t), append(sample, int64(n)*media.BlockSamples)
	}
	return at, sample
}

// place runs a timeline over a recording and gives where each block came to stand.
func place(at []time.Time) (l *timeline, placed []int64) {
	l = &timeline{}
	for n := range at {
		l.gap(at[n:min(n+foresight+1, len(at))])
		placed = append(placed, l.count)
		l.placed()
	}
	return l, placed
}

const (
	hour    = 360_000 // blocks
	minutes = 60_000  // ten of them: 120 ms of drift at 200 ppm
)

func TestTimelineKeepsToTheDevicesClock(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	r := rand.New(rand.NewSource(1))
	jitter := func(int) time.Duration { return time.Duration(r.ExpFloat64() * float64(3*time.Millisecond)) }
	bursts := func(n int) time.Duration { // the callbacks of 200 ms come at once, now and then
		return time.Duration(20-min(n%1000, 20)) * blockTime
	}
	for name, d := range map[string]device{
		"exact":          {},
		"jitter":         {late: jitter},
		"bursts":         {late: bursts},
		"slow by 200ppm": {ppm: 200, late: jitter},
		"fast by 200ppm": {ppm: -200, late: jitter},
	} {
		at, sample := d.times(start, minutes)
		l, placed := place(at)
		for n := range placed {
			if placed[n] != sample[n] {
				t.Fatalf("%s: block %d stands at sample %d, not %d", name, n, placed[n], sample[n])
			}
		}
		really := time.Duration(float64(minutes) * float64(blockTime) * (1 + d.ppm/1e6))
		if off := l.at(l.count).Sub(start) - really; off < -time.Millisecond || off > 2*time.Millisecond {
			t.Errorf("%s: after ten minutes the clock is off by %v", name, off)
		}
	}
}

func TestTimelineLeavesRoomForMissingBlocks(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	r := rand.New(rand.NewSource(2))
	for name, d := range map[string]device{
		"one":           {missing: func(n int) bool { return n == 500 }},
		"ten":           {missing: func(n int) bool { return n >= 500 && n < 510 }},
		"every 300th":   {missing: func(n int) bool { return n%300 == 299 }},
		"half a minute": {missing: func(n int) bool { return n > 700 && n < 3700 }},
		"some, late": {
			missing: func(n int) bool { return n%300 == 299 },
			late:    func(int) time.Duration { return time.Duration(r.ExpFloat64() * float64(2*time.Millisecond)) },
			ppm:     100,
		},
	} {
		at, sample := d.times(start, 6000)
		_, placed := place(at)
		for n := range placed {
			off := placed[n] - sample[n]
			if n+1 < len(sample) && sample[n+1]-sample[n] > media.BlockSamples && off > 0 {
				off -= media.BlockSamples // a late block, and then none: which was missing cannot be told
			}
			if off < -media.BlockSamples/5 || off > media.BlockSamples/5 {
				t.Errorf("%s: block %d stands at sample %d, not %d", name, n, placed[n], sample[n])
				break
			}
		}
	}
}

// The first callback may be the latest of all.
func TestTimelineWithALateBeginning(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	at, _ := device{late: func(n int) time.Duration { return max(0, 80*time.Millisecond-time.Duration(n)*blockTime) }}.times(start, 100)
	l, placed := place(at)
	if placed[0] != 0 || placed[99] != 99*media.BlockSamples || !l.at(0).Equal(start) {
		t.Errorf("%d, %d, begun %v late", placed[0], placed[99], l.at(0).Sub(start))
	}
}
