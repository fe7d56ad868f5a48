package peer

import (
	"math/rand"
	"testing"
	"time"
)

// stage is a sender and a receiver of sound and picture on a made-up clock. Held-back sound follows slowly, as it does
// by stretching.
type stage struct {
	l              *lipSync
	r              *rand.Rand
	now            time.Time
	sender         time.Duration // the sender's clock, since 1900
	soundDelay     time.Duration // by itself
	pictureDelay   time.Duration
	soundHeld      time.Duration // in effect
	reports        bool
	soundRTP       uint32 // at sender 0
	pictureRTP     uint32
	pacing         time.Duration // the sender's reports are late by up to that
	longest        time.Duration // change of an extra in one step
	steps          int
	picture, sound playing
}

func newStage() *stage {
	return &stage{
		l: newLipSync(), r: rand.New(rand.NewSource(1)), now: time.Unix(5000, 0), sender: 3_900_000_000 * time.Second,
		reports: true, soundRTP: 4_294_000_000, pictureRTP: 77,
	}
}

func (s *stage) rtp(base, rate uint32, at time.Duration) uint32 {
	return base + uint32((at-3_900_000_000*time.Second)*time.Duration(rate)/time.Second)
}

func ntpOf(d time.Duration) uint64 {
	return uint64(d/time.Second)<<32 | uint64((d%time.Second)<<32/time.Second)
}

// run passes time and gives the offset that a person would notice.
func (s *stage) run(d time.Duration) time.Duration {
	var offset time.Duration
	for range int(d / syncEvery) {
		s.now, s.sender = s.now.Add(syncEvery), s.sender+syncEvery
		if s.steps++; s.reports && s.steps%10 == 0 {
			late := func() time.Duration { return time.Duration(s.r.Int63n(int64(s.pacing) + 1)) }
			s.l.sound.got(ntpOf(s.sender), s.rtp(s.soundRTP, 48000, s.sender-late()))
			s.l.picture.got(ntpOf(s.sender), s.rtp(s.pictureRTP, 90000, s.sender-late()))
		}
		before := [2]time.Duration{s.l.soundExtra, s.l.pictureExtra}
		s.soundHeld += min(max(s.l.soundExtra-s.soundHeld, -10*time.Millisecond), 10*time.Millisecond)
		jitter := time.Duration(s.r.Intn(20)-10) * time.Millisecond
		shown := s.sender - s.pictureDelay - s.l.pictureExtra
		s.sound = playing{rtpTime: s.rtp(s.soundRTP, 48000, s.sender-s.soundDelay-s.soundHeld), at: s.now, ok: true}
		s.picture = playing{rtpTime: s.rtp(s.pictureRTP, 90000, shown+jitter), at: s.now.Add(jitter), held: s.l.pictureExtra, ok: true}
		s.l.step(s.now, s.sound, s.picture)
		s.longest = max(s.longest, absDuration(s.l.soundExtra-before[0]), absDuration(s.l.pictureExtra-before[1]))
		offset = s.pictureDelay + s.l.pictureExtra - s.soundDelay - s.soundHeld
	}
	return offset
}

func TestLipsMeetTheVoice(t *testing.T) {
	for _, c := range []struct{ sound, picture time.Duration }{
		{60 * time.Millisecond, 60 * time.Millisecond},
		{60 * time.Millisecond, 200 * time.Millisecond},
		{250 * time.Millisecond, 50 * time.Millisecond},
	} {
		s := newStage()
		s.soundDelay, s.pictureDelay, s.pacing = c.sound, c.picture, 15*time.Millisecond
		if off := s.run(10 * time.Second); absDuration(off) > 40*time.Millisecond {
			t.Errorf("%+v: still %v apart", c, off)
		}
		if s.longest > syncEvery*syncHaste/1000 {
			t.Errorf("%+v: moved %v at once", c, s.longest)
		}
		if need := absDuration(c.sound - c.picture); s.l.soundExtra+s.l.pictureExtra > need || min(s.l.soundExtra, s.l.pictureExtra) > 0 {
			t.Errorf("%+v: sound held back by %v, picture by %v", c, s.l.soundExtra, s.l.pictureExtra)
		}
		// When the reason has gone, so do the delays.
		s.soundDelay, s.pictureDelay = 60*time.Millisecond, 60*time.Millisecond
		if off := s.run(10 * time.Second); absDuration(off) > 40*time.Millisecond || s.l.soundExtra+s.l.pictureExtra > 2*time.Millisecond {
			t.Errorf("%+v: afterwards %v apart, sound held back by %v, picture by %v", c, off, s.l.soundExtra, s.l.pictureExtra)
		}
	}
}

func TestLipSyncWithoutReports(t *testing.T) {
	s := newStage()
	s.reports, s.pictureDelay = false, 300*time.Millisecond
	s.run(10 * time.Second)
	if s.l.soundExtra != 0 || s.l.pictureExtra != 0 {
		t.Errorf("%v, %v", s.l.soundExtra, s.l.pictureExtra)
	}
	s.reports = true
	s.run(5 * time.Second)
	s.reports = false // they cease: what is known is used for a while
	if off := s.run(20 * time.Second); absDuration(off) > 40*time.Millisecond {
		t.Errorf("%v apart", off)
	}
	// Only sound any more: nothing is held back for long.
	for range 200 {
		s.now = s.now.Add(syncEvery)
		s.l.step(s.now, playing{rtpTime: s.sound.rtpTime, at: s.now, ok: true}, playing{})
	}
	if s.l.soundExtra != 0 {
		t.Errorf("sound held back by %v for no picture", s.l.soundExtra)
	}
}

// Whatever reports say, delays stay bounded and move slowly.
func TestLipSyncIsBounded(t *testing.T) {
	s := newStage()
	for range 5000 {
		s.run(syncEvery)
		switch s.r.Intn(4) {
		case 0:
			s.l.picture.got(s.r.Uint64(), s.r.Uint32())
		case 1:
			s.l.sound.got(ntpOf(s.sender+time.Duration(s.r.Int63n(int64(3*time.Second)))), s.rtp(s.soundRTP, 48000, s.sender))
		}
		if s.l.soundExtra < 0 || s.l.pictureExtra < 0 || s.l.soundExtra > maxExtra || s.l.pictureExtra > maxExtra {
			t.Fatalf("%v, %v", s.l.soundExtra, s.l.pictureExtra)
		}
	}
	if s.longest > 3*syncEvery*syncHaste/1000 {
		t.Errorf("moved %v at once", s.longest)
	}
	// And honest reports put it right again.
	if off := s.run(30 * time.Second); absDuration(off) > 40*time.Millisecond {
		t.Errorf("%v apart", off)
	}
}

func TestReportClock(t *testing.T) {
	c := reportClock{rate: 48000}
	if _, ok := c.captured(5); ok {
		t.Error("known without a report")
	}
	at := 3_900_000_000 * time.Second
	c.got(ntpOf(at), 4_294_967_290)
	c.got(ntpOf(at+time.Second+20*time.Millisecond), 47994) // 20 ms late
	if got, ok := c.captured(47994 + 4800); !ok || absDuration(got-at-1100*time.Millisecond) > time.Microsecond {
		t.Errorf("%v after the first report", got-at)
	}
	if _, ok := c.captured(47994 + 48000*100); ok {
		t.Error("known long after the last report")
	}
}

// What was asked of pictures and is not in effect yet is not asked for again, and neither is what sound is about to do by
// itself waited for.
func TestLipSyncKnowsWhatComes(t *testing.T) {
	l := newLipSync()
	now, sender := time.Unix(5000, 0), 3_900_000_000*time.Second
	l.sound.got(ntpOf(sender), 0)
	l.picture.got(ntpOf(sender), 0)
	const coming = 60 * time.Millisecond // until then both are together
	for range 10 {
		now = now.Add(syncEvery)
		l.step(now, playing{at: now, coming: coming, ok: true}, playing{at: now, ok: true})
	}
	if l.pictureExtra != coming-syncRests || l.soundExtra != 0 {
		t.Errorf("picture held back by %v, sound by %v", l.pictureExtra, l.soundExtra)
	}
}

// Single pictures that had to be repaired do not make all of them late; when most are, they are.
func TestPlayedAt(t *testing.T) {
	var p playedAt
	if p.load().ok {
		t.Error("something was shown before anything was")
	}
	at := time.Unix(5000, 0)
	show := func(n int, late time.Duration) {
		for range n {
			at = at.Add(time.Second / 30)
			p.store(7, at.Add(late), at, 5*time.Millisecond)
		}
	}
	show(5, time.Millisecond)
	show(4, 90*time.Millisecond)
	if got := p.load(); !got.ok || got.rtpTime != 7 || got.held != 5*time.Millisecond || got.at.Sub(at) != time.Millisecond {
		t.Errorf("%+v, %v late", got, got.at.Sub(at))
	}
	if show(1, 90*time.Millisecond); p.load().at.Sub(at) != 90*time.Millisecond {
		t.Errorf("%v late", p.load().at.Sub(at))
	}
}
