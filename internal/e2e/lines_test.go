package e2e

import (
	"math"
	"slices"
	"testing"
	"time"

	"visavis.example/internal/testkit"
	"visavis.example/internal/testkit/lossylink"
)

// What the engine does on bad lines has its figures in peer's simulator and in docs/performance.md. Here whole programs do
// it over real sockets; the limits are what a busy machine keeps, too.

// TestCallFollowsTheLine: the line gets narrow, then so narrow that only sound fits, then wide again.
func TestCallFollowsTheLine(t *testing.T) {
	s, link := newBadScene(t, "delay=25ms,rate=2M,queue=300ms", "6s both rate=300k", "13s both rate=60k", "21s both rate=2M")
	bob := s.answer("bob", "--once", "--trace", s.Path("bob.trace"))
	alice := s.start("alice", "call", "bob", "--duration", "34s", "--trace", s.Path("alice.trace"))
	alice.wait("connected")
	s.must(link.Begin())
	for _, p := range []*person{alice, bob} {
		p.wait("picture-paused")
		p.wait("picture-resumed")
	}
	talked(alice, bob)
	changes := link.Changes()
	if len(changes) != 6 && len(changes) != 3 {
		t.Fatalf("the line changed %d times", len(changes))
	}
	narrow, tiny, wide := changeTo(changes, "300k"), changeTo(changes, "60k"), changeTo(changes, "2M")
	for who, other := range map[string]string{"alice": "bob", "bob": "alice"} {
		estimate, err := testkit.DecisionsOf(s.Path(who+".trace"), "estimate")
		s.must(err)
		_, before := estimate.Range("target", narrow.Add(-3*time.Second), narrow)
		_, during := estimate.Range("target", narrow.Add(3*time.Second), tiny)
		_, little := estimate.Range("target", tiny.Add(4*time.Second), wide)
		_, after := estimate.Range("target", wide, wide.Add(12*time.Second))
		seen := s.traced(other, "presented")
		pause, _ := seen.Longest(narrow, tiny)
		late := lateness(s.traced(who, "captured"), seen, narrow, tiny)
		t.Logf("%s: %.0f, then %.0f, %.0f and %.0f bit/s; on 300 kbit/s the picture stood for %.2f s at most and was late by %.2f s, at most %.2f",
			who, before, during, little, after, pause.Seconds(), late[len(late)/2].Seconds(), late[len(late)-1].Seconds())
		if !(before > 700e3 && during < 400e3 && little < 100e3 && after > 700e3) {
			t.Errorf("%s sent %.0f, then %.0f, %.0f and %.0f bit/s", who, before, during, little, after)
		}
		if pause > 2*time.Second || late[len(late)-1] > 2*time.Second || late[len(late)/2] > 500*time.Millisecond {
			t.Errorf("%s saw a pause of %v, and pictures late by %v, at most %v", other, pause, late[len(late)/2], late[len(late)-1])
		}
	}
}

// TestCallRepairsBursts: on a line that loses eight packets in a row and brings others in any order, pictures are
// repaired and go on, and the sound waits as long as the line makes it.
func TestCallRepairsBursts(t *testing.T) {
	s, link := newBadScene(t, "delay=40ms,jitter=30ms,burst=5%:8")
	bob := s.answer("bob", "--once", "--trace", s.Path("bob.trace"))
	alice := s.start("alice", "call", "bob", "--duration", "12s", "--trace", s.Path("alice.trace"))
	began := alice.wait("connected").Time
	s.must(link.Begin())
	talked(alice, bob)
	from, to := began.Add(2*time.Second), began.Add(11*time.Second)
	for who, other := range map[string]string{"alice": "bob", "bob": "alice"} {
		estimate, err := testkit.DecisionsOf(s.Path(who+".trace"), "estimate")
		s.must(err)
		playout, err := testkit.DecisionsOf(s.Path(other+".trace"), "playout")
		s.must(err)
		_, resent := estimate.Range("resent", from, to)
		_, target := playout.Range("target", from, to)
		first, last := playout.Range("concealed", from, to)
		seen := s.traced(other, "presented")
		pause, _ := seen.Longest(from, to)
		fps := float64(len(seen.Between(from, to))) / to.Sub(from).Seconds()
		t.Logf("%s sent %.0f packets again; %s saw %.1f pictures a second, the longest pause was %.2f s; sound aimed at %.0f ms, %.0f samples concealed",
			who, resent, other, fps, pause.Seconds(), target, last-first)
		if !(resent > 10) || fps < 15 || pause > 2*time.Second || !(target >= 50) {
			t.Errorf("%s sent %.0f packets again; %s saw %.1f pictures a second with a pause of %v; the sound aimed at %.0f ms", who, resent, other, fps, pause, target)
		}
		const share = 48000 / 10 // a second
		if last-first > share*to.Sub(from).Seconds() {
			t.Errorf("%s made %.0f samples up", other, last-first)
		}
	}
}

// TestFirstPictureFarAway: with a round trip of 200 ms the first picture comes before a handshake could have ended.
func TestFirstPictureFarAway(t *testing.T) {
	s, link := newBadScene(t, "delay=100ms")
	s.must(link.Begin())
	bob := s.answer("bob", "--once")
	alice := s.start("alice", "call", "bob", "--duration", "3s")
	for _, p := range []*person{alice, bob} {
		took := p.wait("first-remote-frame").Fields["setupMs"].(float64)
		t.Logf("%s saw the first picture after %.0f ms", p.name, took)
		if took > 800 {
			t.Errorf("%s saw the first picture after %.0f ms", p.name, took)
		}
	}
	talked(alice, bob)
}

func changeTo(list []lossylink.Changed, rate string) time.Time {
	i := slices.IndexFunc(list, func(c lossylink.Changed) bool { return c.Spec == "rate="+rate })
	whole, part := math.Modf(list[i].Time)
	return time.Unix(int64(whole), int64(part*1e9))
}

// lateness is how late the pictures of that time were shown, sorted.
func lateness(captured, presented testkit.Traced, from, to time.Time) (late []time.Duration) {
	for _, n := range captured.Between(from, to) {
		if at, ok := presented[n]; ok {
			late = append(late, at.Sub(captured[n]))
		}
	}
	slices.Sort(late)
	return late
}
