package peer

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// The other end agreed on transport-wide feedback and never sends any; its receiver reports do.
func TestReportsAlone(t *testing.T) {
	s := newSimulator(t)
	s.deaf, s.reports = true, true
	s.over(3 * time.Second)
	s.over(5*time.Second).check(t, "soon", 29, 40, 60, 150)
	s.over(12 * time.Second)
	s.over(5*time.Second).checkTarget(t, "clear line", 0.95*defaultMaxBps, defaultMaxBps)

	s = newSimulator(t)
	s.deaf, s.reports = true, true
	s.there.rateBps = 1e6
	s.over(15 * time.Second)
	r := s.over(40 * time.Second)
	r.check(t, "1 Mbit/s", 24, 300, 500, 1000)
	r.checkTarget(t, "1 Mbit/s", 0.6e6, 1.2e6)

	s.deaf = false // and at last it comes
	s.over(5 * time.Second)
	s.over(5*time.Second).check(t, "feedback", 28, 100, 160, 200)
	if !s.b.hasFeedback() || s.pacer.window.Load() == 0 {
		t.Error("feedback is not used")
	}
}

// Reports that come before anything was sent say nothing of the line.
func TestReportsOfNothing(t *testing.T) {
	s := newSimulator(t)
	s.open()
	for i := range 5 {
		s.b.gotReport(rtcp.ReceptionReport{SSRC: 1}, 20*time.Millisecond, s.now.Add(time.Duration(i)*time.Second))
	}
	if s.target != startTargetBps {
		t.Errorf("%d bit/s", s.target)
	}
}

// Nothing at all is said, but the path answers: little is sent, and enough for a picture.
func TestNoReportsEither(t *testing.T) {
	s := newSimulator(t)
	s.deaf = true
	s.over(3 * time.Second)
	before := s.wire.log.sent
	s.over(10*time.Second).check(t, "blind", 28, 60, 120, 200)
	if sent := s.wire.log.sent - before; sent > 1.5*blindBps/8*10 {
		t.Errorf("%d bytes in 10 s", sent)
	}
	s.reports = true
	s.over(3 * time.Second)
	if s.target < startTargetBps {
		t.Errorf("%d bit/s when reports come", s.target)
	}
}

// The line is dead before the first feedback: that is no reason to fill it.
func TestDeadFromTheStart(t *testing.T) {
	s := newSimulator(t)
	s.there.dead, s.back.dead = true, true
	s.over(10 * time.Second)
	if sent := s.wire.log.sent; sent > 120_000 { // of sound some 70 kB
		t.Errorf("%d bytes into the dark", sent)
	}
	s.there.dead, s.back.dead = false, false
	s.over(time.Second)
	s.over(2*time.Second).check(t, "back", 28, 60, 120, 200)
}

// Nothing arrives any more, and the receiver goes on reporting what it has: no loss, it says.
func TestReportsOfNothingNew(t *testing.T) {
	s := newSimulator(t)
	s.deaf, s.reports = true, true
	s.over(10 * time.Second)
	s.there.loss = 1
	s.over(5 * time.Second)
	before := s.wire.log.sent
	s.over(10 * time.Second)
	if sent := s.wire.log.sent - before; sent > 2*blindBps/8*10 { // some of it again, as asked for
		t.Errorf("%d bytes in 10 s", sent)
	}
}

// A real one, that negotiates all and says nothing by RTCP.
func TestPeerWithoutRTCP(t *testing.T) {
	h := newSilent(t)
	eventually(t, "a normal picture", func() bool { return h.victim.videoOut.count.frames.Load() > 75 })
}
