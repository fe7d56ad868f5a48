package e2e

import (
	"syscall"
	"testing"

	"visavis.example/internal/signal"
)

func TestTwoClients(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	bob := s.answer("bob", "--once")
	alice := s.start("alice", "call", "bob", "--duration", "6s")
	for _, event := range []string{"signed-in", "ringing", "accepted", "connected", "first-remote-frame", "first-remote-audio", "stats"} {
		alice.wait(event)
	}
	bob.wait("incoming")
	talked(alice, bob)
	r := s.record("alice")
	if r.Reason != signal.EndHangup || r.Path != signal.PathDirect || r.Accepted == nil || r.Ended == nil || r.Seconds < 3 ||
		r.Direction != signal.Outgoing || r.Peer.Name != "bob" {
		t.Errorf("the record says %+v", r)
	}
}

func TestForcedRelay(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	bob := s.answer("bob", "--once", "--relay-only")
	alice := s.start("alice", "call", "bob", "--duration", "6s", "--relay-only")
	talked(alice, bob)
	if r := s.record("bob"); r.Path != signal.PathRelay || r.Direction != signal.Incoming {
		t.Errorf("the record says %+v", r)
	}
}

func TestEcho(t *testing.T) {
	for name, args := range map[string][]string{"direct": nil, "relay": {"--relay-only"}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, []string{"alice"})
			alice := s.start("alice", append([]string{"call", "echo", "--duration", "6s"}, args...)...)
			alice.ended(signal.EndHangup)
			alice.exit(0)
			alice.met(alice.id, alice.hz)
			if r := s.record("alice"); string(r.Path) != name || r.Peer.Kind != signal.KindEcho {
				t.Errorf("the record says %+v", r)
			}
		})
	}
}

func TestOffline(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	alice := s.start("alice", "call", "bob")
	alice.ended(signal.EndOffline)
	alice.exit(4)
	if r := s.record("bob"); r.Reason != signal.EndOffline || !r.Missed {
		t.Errorf("bob's record says %+v", r)
	}
}

func TestNobodyOfThatName(t *testing.T) {
	s := newScene(t, []string{"alice"})
	s.start("alice", "call", "zoe").exit(4)
}

func TestDeclined(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	bob := s.answer("bob", "--from", "carol")
	alice := s.start("alice", "call", "bob")
	alice.ended(signal.EndDeclined)
	bob.ended(signal.EndDeclined)
	alice.exit(4)
}

func TestBusy(t *testing.T) {
	s := newScene(t, []string{"alice", "bob", "carol"})
	bob := s.answer("bob")
	alice := s.start("alice", "call", "bob", "--duration", "30s")
	alice.wait("connected")
	carol := s.start("carol", "call", "bob")
	carol.ended(signal.EndBusy)
	carol.exit(4)
	alice.Signal(syscall.SIGINT)
	alice.ended(signal.EndHangup)
	bob.ended(signal.EndHangup)
	alice.exit(0)
}

func TestOneOfTwoDevicesAnswers(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	first := s.answer("bob", "--once")
	second := s.answer("bob", "--once")
	alice := s.start("alice", "call", "bob", "--duration", "2s")
	alice.ended(signal.EndHangup)
	alice.exit(0)
	reasons := map[any]int{}
	for _, p := range []*person{first, second} {
		reasons[p.wait("ended").Fields["reason"]]++
	}
	if reasons["hangup"] != 1 || reasons["answered_elsewhere"] != 1 {
		t.Errorf("the two devices ended with %v", reasons)
	}
}

func TestPeerGone(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"}, "--peer-gone-after", "1s")
	bob := s.answer("bob")
	alice := s.start("alice", "call", "bob", "--duration", "60s")
	alice.wait("connected")
	bob.wait("connected")
	bob.Signal(syscall.SIGKILL)
	alice.ended(signal.EndPeerGone)
	alice.exit(5)
	if r := s.record("alice"); r.Reason != signal.EndPeerGone {
		t.Errorf("the record says %+v", r)
	}
}
