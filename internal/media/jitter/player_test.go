package jitter

import (
	"testing"
	"time"
)

// line is one kind of network, and what is demanded of the sound over it.
type line struct {
	name    string
	set     func(s *sim)
	mean    time.Duration // of the delay from capture to playing after the first 10 s, which includes 20 ms for the packet
	worst   time.Duration
	conceal float64 // percent of all
}

var lines = []line{
	{"clean", func(*sim) {}, 30*ms + 45*ms, 90 * ms, 0.01},
	{"jitter", func(s *sim) { s.delay = s.uneven(10*ms, 60*ms, false) }, 105 * ms, 130 * ms, 0.2},
	{"jitter with overtaking", func(s *sim) { s.delay = s.uneven(10*ms, 60*ms, true) }, 110 * ms, 130 * ms, 0.3},
	{"2 % loss, red", func(s *sim) { s.red = []int{1}; s.delay = s.losing(0.02, s.delay) }, 95 * ms, 120 * ms, 0.2},
	{"2 % loss, fec", func(s *sim) { s.fec = true; s.delay = s.losing(0.02, s.delay) }, 95 * ms, 120 * ms, 0.2},
	{"10 % loss, red", func(s *sim) { s.red = []int{1}; s.fec = true; s.delay = s.losing(0.1, s.delay) }, 115 * ms, 140 * ms, 1},
	{"20 % loss, red", func(s *sim) { s.red = []int{1}; s.fec = true; s.delay = s.losing(0.2, s.delay) }, 115 * ms, 140 * ms, 3},
	{"20 % loss, red of two", func(s *sim) { s.red = []int{2, 1}; s.fec = true; s.delay = s.losing(0.2, s.delay) }, 130 * ms, 150 * ms, 1},
	{"20 % loss, red of three", func(s *sim) { s.red = []int{3, 2, 1}; s.fec = true; s.delay = s.losing(0.2, s.delay) }, 135 * ms, 160 * ms, 0.6},
	{"short bursts, red of the third", func(s *sim) { s.red = []int{3, 1}; s.delay = s.bursts(0.08, 2, s.delay) }, 135 * ms, 160 * ms, 2},
	{"short bursts, red of the second", func(s *sim) { s.red = []int{2}; s.delay = s.bursts(0.02, 2, s.delay) }, 115 * ms, 130 * ms, 0.7},
	{"bursts 5 %", func(s *sim) { s.red = []int{1}; s.fec = true; s.delay = s.bursts(0.05, 8, s.delay) }, 110 * ms, 200 * ms, 5},
	{"fast clock", func(s *sim) { s.drift = 200e-6 }, 80 * ms, 100 * ms, 0.05},
	{"slow clock", func(s *sim) { s.drift = -200e-6 }, 80 * ms, 100 * ms, 0.1},
	{"late pulls", func(s *sim) { s.late = 5 * ms }, 85 * ms, 100 * ms, 0.1},
	{"twice", func(s *sim) { s.twice = 10 }, 80 * ms, 100 * ms, 0.01},
	{"pauses", func(s *sim) { s.pauses = func(n int) bool { return n%150 > 80 } }, 80 * ms, 100 * ms, 0.01},
	{"pauses and jitter", func(s *sim) {
		s.pauses = func(n int) bool { return n%150 > 80 }
		s.delay = s.uneven(10*ms, 60*ms, false)
	}, 110 * ms, 140 * ms, 0.4},
	{"10 ms packets", func(s *sim) { s.frame = 480 }, 65 * ms, 90 * ms, 0.01},
	{"60 ms packets", func(s *sim) { s.frame = 2880 }, 130 * ms, 150 * ms, 0.01},
}

func TestLines(t *testing.T) {
	for _, l := range lines {
		t.Run(l.name, func(t *testing.T) {
			s := newSim()
			l.set(s)
			const length = 2 * time.Minute
			c := s.run(length)
			mean, worst := s.age(10*time.Second, length)
			percent := 100 * c.ConcealedShare()
			t.Logf("delay %v, at most %v; concealed %.3f %% in %d; inserted %d ms, removed %d ms; target %v, late %d, lost %d, copies %d of %d", mean.Round(ms/10), worst.Round(ms/10),
				percent, c.ConcealedEvents, c.Inserted/48, c.Removed/48, c.Target, c.Late, c.Lost, c.CopiesUsed, c.CopiesReceived)
			if mean > l.mean || worst > l.worst || percent > l.conceal {
				t.Errorf("delay %v, at most %v; concealed %.3f %%; wanted %v, %v, %.3f %%: %+v", mean, worst, percent, l.mean, l.worst, l.conceal, c)
			}
			s.check(t)
		})
	}
}

// check is what must hold on any line.
func (s *sim) check(t *testing.T) {
	t.Helper()
	for i := 1; i < len(s.codec.decoded); i++ {
		if s.codec.decoded[i] <= s.codec.decoded[i-1] {
			t.Fatalf("frame %d decoded after %d", s.codec.decoded[i], s.codec.decoded[i-1])
		}
	}
}

// Of what waits no part stays that is no use: wherever packets come between two pulls, sound is as old as it must be.
func TestNoUselessDelay(t *testing.T) {
	var all time.Duration
	const phases = 8
	for phase := range phases {
		s := newSim()
		s.late = 2 * ms
		off := 10 * ms * time.Duration(phase) / phases
		s.delay = s.uneven(25*ms+off, 2*ms, false)
		s.run(20 * time.Second)
		age, _ := s.age(8*time.Second, 20*time.Second)
		all += age - off
	}
	// The line, the packet, 5 ms that the line is uneven by, and 5 ms that packets are early for a pull of 10 ms.
	if mean := all / phases; mean > 54*ms {
		t.Errorf("%v old", mean)
	} else {
		t.Logf("%v old", mean)
	}
}
