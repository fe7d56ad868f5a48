package peer

import (
	"testing"
	"time"
)

// Where feedback is rare anyway, a usual pause between two is no silence.
func TestBandwidthIsHushedOnlyByUnusualSilence(t *testing.T) {
	for _, c := range []struct {
		every, silent time.Duration
		want          bool
	}{
		{feedbackQuick, 40 * time.Millisecond, false},
		{feedbackQuick, 55 * time.Millisecond, true},
		{feedbackSlow, 55 * time.Millisecond, false},
		{feedbackSlow, 170 * time.Millisecond, true},
	} {
		now := time.Unix(1000, 0)
		w, _, _ := newTestWire(t)
		w.log.add(1000, 0, true, now)
		b := bandwidth{wire: w, line: &lossyLine{packets: 200, lost: 20, after: 20, again: 15}, precise: true, e: newEstimator(1e6, 1e5, 2e6)}
		b.e.heard, b.e.every = now, c.every
		if got := b.hushed(now.Add(c.silent)); got != c.want {
			t.Errorf("%v of silence where feedback comes every %v: %v", c.silent, c.every, got)
		}
	}
}
