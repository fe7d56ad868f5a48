package peer

import (
	"testing"
	"time"
)

// Only sound is sent on a line that is too slow for pictures, or not even that; once it is better, padding finds that out.
func TestPictureComesBackWhenTheLineDoes(t *testing.T) {
	for _, c := range []struct {
		what             string
		lineBps          float64
		silence, noSound bool
	}{
		{what: "30 kbit/s", lineBps: 30e3},
		{what: "60 kbit/s", lineBps: 60e3},
		{what: "silence", lineBps: 30e3, silence: true},
		{what: "no microphone", lineBps: 30e3, noSound: true},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newSimulator(t)
			s.pauses, s.narrowed = true, true
			s.over(5 * time.Second)
			s.there.rateBps = c.lineBps
			s.over(5 * time.Second)
			s.silence, s.noSound = c.silence, c.noSound
			s.over(10 * time.Second)
			r := s.over(20 * time.Second)
			if !s.pause.on && !c.silence && !c.noSound {
				t.Errorf("no pause at %d bit/s", s.target)
			}
			if r.queue > 200 || r.sound > 300 {
				t.Errorf("the queue is %.0f ms and sound is late by %.0f", r.queue, r.sound)
			}
			s.there.rateBps = 1e6
			back, shown, enough := s.now, len(s.shows), time.Time{}
			s.schedule = func(s *simulator, _ time.Duration) {
				if enough.IsZero() && s.target >= resumeFromBps {
					enough = s.now
				}
			}
			s.over(20 * time.Second)
			if enough.IsZero() || len(s.shows) == shown {
				t.Fatalf("no picture: target %d", s.target)
			}
			grew, seen := enough.Sub(back), s.shows[shown].Sub(back)
			t.Logf("150 kbit/s after %v, picture after %v", grew, seen)
			if grew > 5*time.Second || seen > grew+resumeAfter+time.Second {
				t.Errorf("150 kbit/s after %v, picture after %v", grew, seen)
			}
			s.over(5*time.Second).check(t, "later", 28, 100, 160, 200)
		})
	}
}
