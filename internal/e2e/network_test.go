package e2e

import (
	"testing"
	"time"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
	"visavis.example/internal/testkit/lossylink"
)

// TestClientLosesAnInterface: a program that talks over one of its machine's two networks loses that one. A way over the
// other is ready by then, so both see each other again at once, whoever has called, without an ICE restart.
func TestClientLosesAnInterface(t *testing.T) {
	for name, mover := range map[string]lossylink.Host{"the caller": lossylink.A, "the callee": lossylink.B} {
		t.Run(name, func(t *testing.T) {
			s, link := newBadScene(t, "delay=15ms")
			bob := s.answer("bob", "--once", "--trace", s.Path("bob.trace"))
			alice := s.start("alice", "call", "bob", "--trace", s.Path("alice.trace"))
			alice.on(signal.PathDirect)
			bob.on(signal.PathDirect)
			came := time.Now()
			s.must(link.Interface(mover, 1, true))
			alice.since(came, 3) // the new one alone changes nothing
			lost := time.Now()
			s.must(link.Interface(mover, 0, false))
			alice.since(lost.Add(time.Second), 3)
			bob.since(lost.Add(time.Second), 3)
			until := time.Now().Add(-500 * time.Millisecond)
			alice.Signal(interrupt)
			alice.ended(signal.EndHangup)
			bob.ended(signal.EndHangup)
			alice.exit(0)
			bob.exit(0)
			for _, who := range []string{"alice", "bob"} {
				decoded := s.traced(who, "decoded")
				calm, _ := decoded.Longest(came, lost)
				pause, end := decoded.Longest(lost, until)
				t.Logf("%s: the longest time without a picture was %.2f s when the new interface came; %.2f s, over %.2f s after the old one was lost",
					who, calm.Seconds(), pause.Seconds(), end.Sub(lost).Seconds())
				if calm > time.Second { // nothing happens then; three frames on a machine that has nothing else to do
					t.Errorf("%s had no picture for %v when an interface came", who, calm)
				}
				if pause > 1500*time.Millisecond {
					t.Errorf("%s had no picture for %v after the loss", who, pause)
				}
			}
			alice.met(bob.id, bob.hz)
			bob.met(alice.id, alice.hz)
			for _, p := range []*person{alice, bob} {
				if path := testkit.Stats(p.Events()).Last("path"); path != string(signal.PathDirect) {
					t.Errorf("in the end the call goes %s", path)
				}
			}
		})
	}
}
