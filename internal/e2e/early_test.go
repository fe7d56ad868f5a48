package e2e

import (
	"testing"

	"visavis.example/internal/signal"
)

// Two clients that are connected while it rings: the picture follows the accept at once, then the path becomes direct.
func TestConnectedWhileItRings(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	bob := s.answer("bob", "--once", "--after", "2s")
	alice := s.start("alice", "call", "bob", "--duration", "8s")
	for _, p := range []*person{alice, bob} {
		t.Logf("%s: first picture %v ms after accept, first sound %v ms", p.name,
			p.wait("first-remote-frame").Fields["setupMs"], p.wait("first-remote-audio").Fields["setupMs"])
	}
	talked(alice, bob)
	if r := s.record("alice"); r.Path != signal.PathDirect || r.SetupMs == 0 || r.SetupMs > 1000 {
		t.Errorf("the record says %+v", r)
	}
}

// Two devices are connected while it rings: one answers and is seen, the other is let go.
func TestTwoDevicesConnectedWhileItRings(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	first := s.answer("bob", "--once", "--after", "2s")
	second := s.answer("bob", "--once", "--after", "20s")
	alice := s.start("alice", "call", "bob", "--duration", "3s")
	alice.wait("first-remote-frame")
	alice.ended(signal.EndHangup)
	first.ended(signal.EndHangup)
	second.ended(signal.EndAnsweredElsewhere)
	alice.exit(0)
}
