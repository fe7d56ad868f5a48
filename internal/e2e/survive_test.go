package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

const interrupt = syscall.SIGINT // hangs up

// kill ends the server as a crash does, and waits until it is gone.
func (s *scene) kill() {
	s.t.Helper()
	s.srv.Signal(syscall.SIGKILL)
	_, err := s.srv.Exit(s.ctx)
	s.must(err)
}

// again starts the server anew, and gives the time at which it listened.
func (s *scene) again(args ...string) time.Time {
	s.t.Helper()
	srv, err := s.Again(s.ctx, s.srv, args...)
	s.must(err)
	s.t.Cleanup(srv.Close)
	s.srv = srv
	return time.Now()
}

// on waits until this person's call goes by that path.
func (p *person) on(path signal.Path) {
	p.s.t.Helper()
	for p.wait("stats").Fields["path"] != string(path) {
	}
}

// since waits for so many statistics of after that time: seconds in which media flowed.
func (p *person) since(t time.Time, seconds int) {
	p.s.t.Helper()
	for seconds > 0 {
		if p.wait("stats").Time.After(t) {
			seconds--
		}
	}
}

// ended waits until a person's newest call is on record as over.
func (s *scene) ended(name string) signal.CallRecord {
	s.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		if r := s.record(name); r.Ended != nil {
			return r
		}
		select {
		case <-look.C:
		case <-s.ctx.Done():
			s.t.Fatalf("%s's call is never over: %v", name, s.ctx.Err())
		}
	}
}

func (s *scene) traced(name, stage string) testkit.Traced {
	s.t.Helper()
	p, err := testkit.TraceOf(s.Path(name+".trace"), stage)
	s.must(err)
	return p
}

// TestCallOutlivesAKilledServer: two programs talk, the server is killed and comes back. A direct call misses nothing; a
// relayed one has its picture back soon. The call is on record as running, and then as long as it really was.
func TestCallOutlivesAKilledServer(t *testing.T) {
	for _, path := range []signal.Path{signal.PathDirect, signal.PathRelay} {
		t.Run(string(path), func(t *testing.T) {
			s := newScene(t, []string{"alice", "bob"})
			var args []string
			if path == signal.PathRelay {
				args = []string{"--relay-only"}
			}
			bob := s.answer("bob", append([]string{"--once", "--trace", s.Path("bob.trace")}, args...)...)
			alice := s.start("alice", append([]string{"call", "bob", "--trace", s.Path("alice.trace")}, args...)...)
			alice.on(path)
			bob.on(path)
			before := s.record("alice")

			killed := time.Now()
			s.kill()
			for _, p := range []*person{alice, bob} { // for some seconds there is no server at all
				if path == signal.PathDirect {
					p.since(time.Now(), 2)
				} else {
					p.wait("reconnecting")
				}
			}
			back := s.again()
			alice.wait("online")
			bob.wait("online")
			alice.since(back, 3)
			bob.since(back, 3)
			if r := s.record("alice"); r.ID != before.ID || r.Ended != nil || r.Accepted == nil {
				t.Errorf("after the restart the record says %+v", r)
			}
			until := time.Now().Add(-time.Second) // what was sent later may still be on its way
			alice.Signal(interrupt)
			talked(alice, bob)
			if r := s.record("bob"); r.ID != before.ID || r.Reason != signal.EndHangup || r.Seconds < 3 || r.Path != path {
				t.Errorf("in the end the record says %+v", r)
			}
			for from, to := range map[string]string{"alice": "bob", "bob": "alice"} {
				pause := unbroken(s, from, to, killed, back, until, path)
				t.Logf("%s, %s to %s: server away for %.1f s, longest time without a new picture %.2f s", path, from, to, back.Sub(killed).Seconds(), pause.Seconds())
			}
		})
	}
}

// unbroken checks what one saw of the other around the server's absence, and gives the longest pause.
func unbroken(s *scene, from, to string, killed, back, until time.Time, path signal.Path) time.Duration {
	s.t.Helper()
	decoded := s.traced(to, "decoded")
	pause, end := decoded.Longest(killed.Add(-time.Second), until)
	if path == signal.PathRelay {
		if late := end.Sub(back); pause > time.Second && late > 5*time.Second {
			s.t.Errorf("%s saw %s again %v after the server was back", to, from, late)
		}
		return pause
	}
	missing := 0
	sent := s.traced(from, "sent").Between(killed.Add(-time.Second), until)
	for _, n := range sent {
		if _, ok := decoded[n]; !ok {
			missing++
		}
	}
	if missing > 0 || len(sent) < 30 || pause > time.Second {
		s.t.Errorf("%s saw %d pictures of %s's %d, the longest pause was %v", to, len(sent)-missing, from, len(sent), pause)
	}
	return pause
}

// TestHangUpWithoutAServer: who hangs up while the server is away and leaves is heard by the other, who tells the server
// when it is back.
func TestHangUpWithoutAServer(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	bob := s.answer("bob")
	alice := s.start("alice", "call", "bob")
	alice.on(signal.PathDirect)
	bob.on(signal.PathDirect)
	me := s.record("bob").Peer
	s.kill()
	alice.wait("offline")
	hung := time.Now()
	alice.Signal(interrupt)
	alice.exit(0)
	heard := bob.wait("ended")
	if heard.Fields["reason"] != string(signal.EndHangup) {
		t.Errorf("for bob it ended with %v", heard.Fields["reason"])
	}
	t.Logf("bob heard of it after %v", heard.Time.Sub(hung).Round(time.Millisecond))
	s.again()
	bob.wait("online")
	r := s.ended("bob") // once bob has said so
	if r.Reason != signal.EndHangup || r.EndedBy != me.ID {
		t.Errorf("the record says %+v, alice is %s", r, me.ID)
	}
}

// TestChromiumOutlivesAKilledServer: the page goes on too, mutes and hangs up while the server is away, and finds another
// way through the relay when it is back.
func TestChromiumOutlivesAKilledServer(t *testing.T) {
	t.Run("direct", func(t *testing.T) {
		s := newScene(t, nil)
		alice, bob := s.browser("alice"), s.browser("bob")
		alice.click("call-bob")
		bob.click("accept")
		alice.path(signal.PathDirect)
		bob.path(signal.PathDirect)
		s.kill()
		alice.click("mute")
		s.must(bob.Until(s.ctx, "alice is shown as muted", `!document.querySelector('.pill > svg').hasAttribute('hidden')`))
		alice.met(bob.id, bob.hz)
		s.must(bob.Mark(s.ctx, alice.id))
		bob.click("hangup")
		alice.ended(signal.EndHangup)
		s.again()
		s.must(alice.Until(s.ctx, "alice is online", `!document.querySelector('[data-testid="call-bob"]')?.disabled`))
		r := s.ended("alice")
		if r.Reason != signal.EndHangup || r.EndedBy != r.Peer.ID {
			t.Errorf("the record says %+v", r)
		}
	})
	t.Run("with a client", func(t *testing.T) {
		s := newScene(t, []string{"alice"})
		alice := s.answer("alice", "--once")
		bob := s.browser("bob")
		bob.click("call-alice")
		bob.path(signal.PathDirect)
		alice.on(signal.PathDirect)
		s.kill()
		alice.wait("offline")
		bob.click("hangup")
		bob.ended(signal.EndHangup)
		alice.ended(signal.EndHangup)
		alice.exit(0)
	})
	t.Run("relay", func(t *testing.T) {
		s := newScene(t, []string{"alice"})
		alice := s.answer("alice", "--once", "--relay-only", "--trace", s.Path("alice.trace"))
		bob := s.browser("bob")
		bob.click("call-alice")
		bob.path(signal.PathRelay)
		alice.since(time.Now(), 1)
		s.kill()
		back := s.again()
		alice.since(back, 3)
		until := time.Now()
		bob.met(alice.id, alice.hz)
		bob.click("hangup")
		bob.ended(signal.EndHangup)
		alice.ended(signal.EndHangup)
		alice.exit(0)
		pause, end := s.traced("alice", "decoded").Longest(back.Add(-2*time.Second), until)
		t.Logf("longest time without a new picture %.2f s, it was back %.2f s after the server", pause.Seconds(), end.Sub(back).Seconds())
		if end.Sub(back) > 5*time.Second {
			t.Errorf("the picture was back %v after the server", end.Sub(back))
		}
	})
}

// path waits until the page's call goes by that path.
func (t *tab) path(p signal.Path) {
	t.s.t.Helper()
	t.state("active")
	t.s.must(t.Until(t.s.ctx, fmt.Sprintf("the call goes %s", p),
		fmt.Sprintf(`document.querySelector('[data-testid="call-state"]').getAttribute('data-path') === %q`, string(p))))
}
