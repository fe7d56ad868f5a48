package e2e

import (
	"testing"
	"time"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
	"visavis.example/internal/testkit/lossylink"
)

// TestClientLosesAnInterface: a program that talks over one of its machine's two networks loses that one. Both see each
// other again within moments, whoever has called.
func TestClientLosesAnInterface(t *testing.T) {
	for name, mover := range map[string]lossylink.Host{"the caller": lossylink.A, "the callee": lossylink.B} {
		t.Run(name, func(t *testing.T) {
			s, link := newBadScene(t, "delay=15ms")
			bob := s.answer("bob", "--once", "--trace", s.Path("bob.trace"))
			alice := s.start("alice", "call", "bob", "--trace", s.Path("alice.trace"))
			alice.on(signal.PathDirect)
			bob.on(signal.PathDirect)
			s.must(link.Interface(mover, 1, true))
			alice.since(time.Now(), 2) // the new one alone changes nothing
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
				pause, end := decoded.Longest(lost.Add(-time.Second), until)
				t.Logf("%s: the longest time without a picture was %.2f s, over %.2f s after the loss", who, pause.Seconds(), end.Sub(lost).Seconds())
				if end.Sub(lost) > 3*time.Second { // 1.5 s on a machine that has nothing else to do
					t.Errorf("%s has a picture again only %v after the loss", who, end.Sub(lost))
				}
			}
			alice.met(bob.id, bob.hz)
			bob.met(alice.id, alice.hz)
			t.Logf("in the end the call goes %s", testkit.Stats(alice.Events()).Last("path")) // the relay, when that answers far sooner
		})
	}
}
