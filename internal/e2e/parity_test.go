package e2e

import (
	"net"
	"testing"

	"visavis.example/internal/testkit"
	"visavis.example/internal/testkit/lossylink"
)

// TestChromiumOnALossyLine: on a line that loses much and is long, Chromium sends parity, and both see each other all the time:
// what is lost of the parity itself, in either direction, is no hole in a picture. How much Chromium takes of ours no page
// can tell. And it sends its sound twice, because the page has it do so: Opus's own copies begin later and are not in every packet.
func TestChromiumOnALossyLine(t *testing.T) {
	// The way over the server is longer still, so that the relay is not chosen.
	s, link := newApart(t, lossylink.Config{Lines: []string{"both delay=40ms,loss=7%", "srv delay=60ms"}, Seed: 1})
	s.must(s.Register(s.ctx, s.srv, "alice"))
	s.must(link.Begin())
	bob := s.browserAt("bob", testkit.ChromiumConfig{
		Before: link.Before(lossylink.B),
		Dial:   func(network, address string) (net.Conn, error) { return link.Dial(lossylink.B, network, address) },
	})
	alice := s.start("alice", "call", "bob", "--duration", "16s")
	talkedInPage(alice, bob)

	stats := testkit.Stats(alice.Events())
	last := stats[len(stats)-1]
	got, sent, sound := streamOf(last, "video", "inbound-rtp"), streamOf(last, "video", "outbound-rtp"), streamOf(last, "audio", "inbound-rtp")
	number := func(m map[string]any, name string) float64 { n, _ := m[name].(float64); return n }
	t.Logf("%g parities came; %g packets lost, %g requests, %g pictures decoded, %g key frames asked for, and %g by Chromium after %g requests",
		number(got, "fecPacketsReceived"), number(got, "packetsLost"), number(got, "nackCount"), number(got, "framesDecoded"),
		number(got, "pliCount"), number(sent, "pliCount"), number(sent, "nackCount"))
	if n := number(got, "fecPacketsReceived"); n < 50 {
		t.Errorf("%g parities came from Chromium", n)
	}
	t.Logf("of the sound, %g copies came with %g packets; %g of %g samples were made up", number(sound, "fecPacketsReceived"),
		number(sound, "packetsReceived"), number(sound, "concealedSamples"), number(sound, "totalSamplesReceived"))
	// Opus's own count as well, but begin only after this call would be over: there were none without those of the browser.
	if n := number(sound, "fecPacketsReceived"); n == 0 || n < number(sound, "packetsReceived")/2 {
		t.Errorf("%g copies of sound came from Chromium", n)
	}
	if here, there := number(got, "pliCount"), number(sent, "pliCount"); here > 6 || there > 6 {
		t.Errorf("%g key frames were asked for here, and %g by Chromium", here, there)
	}
}

// streamOf is what a client's statistics say of one kind in one direction.
func streamOf(e testkit.Event, kind, direction string) map[string]any {
	list, _ := e.Fields["report"].([]any)
	for _, o := range list {
		if m, _ := o.(map[string]any); m["type"] == direction && m["kind"] == kind {
			return m
		}
	}
	return nil
}
