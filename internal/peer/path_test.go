package peer

import (
	"slices"
	"testing"
	"time"
)

// Another path is longer: that is no queue when it is told, not even while packets of the old one still come.
func TestAnotherPathIsNoQueue(t *testing.T) {
	s := newSimulator(t)
	s.over(10 * time.Second)
	before := s.target
	s.there.delay += 80 * time.Millisecond
	s.back.delay += 80 * time.Millisecond
	s.b.pathChanged(s.now)
	mark := len(s.curve)
	s.over(5*time.Second).check(t, "the longer path", 28, 130, 180, 350)
	if least := slices.Min(s.curve[mark:]); least < min(before, startTargetBps)*9/10 {
		t.Errorf("%d bit/s after %d on the old path", least, before)
	}
}

// remeasured is whether a session has begun to measure another path.
func remeasured(p *party) bool {
	p.bandwidth.mu.Lock()
	defer p.bandwidth.mu.Unlock()
	return !p.bandwidth.e.pathSince.IsZero()
}
