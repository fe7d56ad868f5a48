package peer

import (
	"math/rand"
	"slices"
	"testing"
	"time"
)

// rest is when the machines at both ends of a simulated line give us no time: nothing is read, encoded or sent. What comes
// meanwhile waits in the sockets.
type rest struct {
	when             func(at time.Duration) (sender, receiver bool)
	sender, receiver bool // now
	sound, pictures  []restingPacket
	told             []func() // feedback
	stamped          bool     // the sockets say when a packet came
}

type restingPacket struct {
	number uint16
	came   time.Time
	read   func(came time.Time)
}

const restReads = 1 // packets of each stream in half a millisecond

func (r *rest) look(at time.Duration) {
	if r.when != nil {
		r.sender, r.receiver = r.when(at)
	}
}

func (r *rest) reaches(number uint16, sound bool, now time.Time, read func(came time.Time)) {
	switch p := (restingPacket{number, now, read}); {
	case r.when == nil:
		read(now)
	case sound:
		r.sound = append(r.sound, p)
	default:
		r.pictures = append(r.pictures, p)
	}
}

// waits is what a socket knows of a packet that nobody has read.
func (r *rest) waits(number uint16, now time.Time) bool {
	for _, p := range slices.Concat(r.sound, r.pictures) {
		if p.number == number {
			return now.Sub(p.came) < insideMost
		}
	}
	return false
}

func (r *rest) back(f func(), now time.Time) {
	if r.told = append(r.told, f); r.when == nil {
		r.read(now)
	}
}

// read has what waits read, each stream by itself.
func (r *rest) read(now time.Time) {
	for _, stream := range []*[]restingPacket{&r.sound, &r.pictures} {
		for n := 0; n < restReads && len(*stream) > 0 && !r.receiver; n++ {
			p := (*stream)[0]
			*stream = (*stream)[1:]
			if !r.stamped {
				p.came = now
			}
			p.read(p.came)
		}
	}
	for len(r.told) > 0 && !r.sender {
		f := r.told[0]
		r.told = r.told[1:]
		f()
	}
}

// A machine that gives us too little time is no slow line: pictures go on.
func TestMachineWithoutTimeIsNoSlowLine(t *testing.T) {
	for _, c := range []struct {
		what                      string
		sender, receiver, stamped bool
	}{
		{"sender", true, false, true},
		{"receiver", false, true, true},
		{"both", true, true, true},
		{"receiver without stamps", false, true, false},
		{"both without stamps", true, true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			for seed := range int64(30) {
				s := newSimulator(t)
				s.pauses = true
				s.there.delay, s.back.delay = time.Millisecond, time.Millisecond
				s.rest.stamped = c.stamped
				s.rest.when = stutter(seed, c.sender, c.receiver)
				least := defaultMaxBps
				s.schedule = func(s *simulator, at time.Duration) {
					if at > time.Second {
						least = min(least, s.target)
					}
					if s.pause.on {
						t.Fatalf("seed %d: pictures stopped after %v, target %d (%s)", seed, at, s.target, s.b.e.why)
					}
				}
				s.over(6 * time.Second)
				if least < startTargetBps*6/10 {
					t.Errorf("seed %d: target fell to %d", seed, least)
				}
			}
		})
	}
}

// stutter is a machine that gives time in small pieces for a while, then all of it.
func stutter(seed int64, sender, receiver bool) func(at time.Duration) (bool, bool) {
	r := rand.New(rand.NewSource(seed))
	var until, calm time.Duration
	resting, busy := false, false
	return func(at time.Duration) (bool, bool) {
		if at >= calm {
			busy = !busy
			calm = at + 300*time.Millisecond + time.Duration(r.Int63n(int64(1700*time.Millisecond)))
		}
		if at >= until {
			if resting = !resting && busy; resting {
				until = at + 20*time.Millisecond + time.Duration(r.Int63n(int64(400*time.Millisecond)))
			} else {
				until = at + 2*time.Millisecond + time.Duration(r.Int63n(int64(18*time.Millisecond)))
			}
		}
		return resting && sender, resting && receiver
	}
}
