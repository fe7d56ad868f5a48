package peer

import (
	"testing"
	"time"
)

func TestLineClean(t *testing.T) {
	s := newSimulator(t)
	s.there.delay, s.back.delay = 10*time.Millisecond, 10*time.Millisecond
	s.over(2 * time.Second)
	s.over(58 * time.Second)
}

func TestLineNarrow(t *testing.T) {
	s := newSimulator(t)
	s.there.rateBps = 1e6
	for range 6 {
		s.over(5 * time.Second)
	}
}

func TestLineVeryNarrow(t *testing.T) {
	s := newSimulator(t)
	s.there.rateBps = 300e3
	for range 6 {
		s.over(5 * time.Second)
	}
}

func TestLineStep(t *testing.T) {
	s := newSimulator(t)
	s.there.rateBps = 2e6
	s.over(5 * time.Second)
	s.over(10 * time.Second)
	s.there.rateBps = 300e3
	s.over(2 * time.Second)
	s.over(13 * time.Second)
	s.there.rateBps = 2e6
	for range 4 {
		s.over(2 * time.Second)
	}
}

func TestLineRandomLoss(t *testing.T) {
	for _, loss := range []float64{0.02, 0.1, 0.2} {
		s := newSimulator(t)
		s.there.loss, s.back.loss = loss, loss
		s.over(5 * time.Second)
		s.over(25 * time.Second)
		s.over(30 * time.Second)
	}
}

func TestLineBurstLoss(t *testing.T) {
	s := newSimulator(t)
	s.there.burstLoss, s.there.burstLen = 0.05, 8
	s.over(5 * time.Second)
	s.over(55 * time.Second)
}

func TestLineJitter(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		s := newSimulator(t)
		s.there.delay, s.back.delay, s.there.jitter, s.there.ordered = 25*time.Millisecond, 25*time.Millisecond, 60*time.Millisecond, ordered
		s.over(5 * time.Second)
		s.over(55 * time.Second)
	}
}

func TestLineBlackout(t *testing.T) {
	s := newSimulator(t)
	s.over(10 * time.Second)
	s.there.dead, s.back.dead = true, true
	s.over(5 * time.Second)
	s.there.dead, s.back.dead = false, false
	back := s.now
	s.over(2 * time.Second)
	for _, at := range s.shows {
		if at.After(back) {
			t.Log(at.Sub(back))
			break
		}
	}
	s.over(10 * time.Second)
}
