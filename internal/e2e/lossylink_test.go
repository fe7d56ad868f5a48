package e2e

import (
	"context"
	"testing"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
	"visavis.example/internal/testkit/lossylink"
)

// newBadScene is a scene whose server, alice and bob sit in networks of their own, joined by that line.
func newBadScene(t *testing.T, both string, changes ...string) (*scene, *lossylink.Link) {
	t.Helper()
	conf := lossylink.Config{Lines: []string{"both " + both, "srv delay=10ms"}, Seed: 1}
	for _, text := range changes {
		c, err := lossylink.ParseChange(text)
		if err != nil {
			t.Fatal(err)
		}
		conf.Schedule = append(conf.Schedule, c)
	}
	s, link := newApart(t, conf)
	s.must(s.Register(s.ctx, s.srv, "alice", "bob"))
	return s, link
}

// newApart is a scene on those lines, with the server in a network of its own and nobody registered.
func newApart(t *testing.T, conf lossylink.Config, flags ...string) (*scene, *lossylink.Link) {
	t.Helper()
	if err := lossylink.Possible(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	s := &scene{Stage: &testkit.Stage{Dir: t.TempDir(), Bin: bin}, t: t, ctx: ctx}
	var err error
	conf.Program, err = lossylink.Build(ctx, s.Dir)
	s.must(err)
	link, err := lossylink.Start(ctx, conf)
	s.must(err)
	t.Cleanup(func() { _ = link.Close() })
	hosts := map[string]lossylink.Host{"server": lossylink.S, "alice": lossylink.A, "bob": lossylink.B}
	s.Before = func(who string) []string { return link.Before(hosts[who]) }
	here := lossylink.S.Address()
	s.srv, err = s.Server(ctx, append([]string{"--listen", here + ":0", "--turn-listen", here + ":0", "--public-ip", here}, flags...)...)
	s.must(err)
	t.Cleanup(s.srv.Close)
	return s, link
}

// TestTwoClientsOverABadLine: a call over a line that loses a packet in twenty and for a second everything still shows both
// their pictures and lets them hear each other, directly.
func TestTwoClientsOverABadLine(t *testing.T) {
	s, link := newBadScene(t, "delay=25ms,loss=5%", "2s both block=1", "3s both block=0")
	bob := s.answer("bob", "--once")
	alice := s.start("alice", "call", "bob", "--duration", "8s")
	alice.wait("connected")
	s.must(link.Begin())
	talked(alice, bob)
	if path := testkit.Stats(alice.Events()).Last("path"); path != string(signal.PathDirect) {
		t.Errorf("the call went %q", path)
	}
	lost := map[string]int64{}
	for _, second := range link.Seconds() {
		lost[second.Link] += second.Lost
	}
	if lost["ab"] < 10 || lost["ba"] < 10 {
		t.Errorf("the line lost %v: was the call's media on it?", lost)
	}
	if n := len(link.Changes()); n != 2 {
		t.Errorf("the line changed %d times", n)
	}
}
