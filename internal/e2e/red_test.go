package e2e

import (
	"testing"

	"visavis.example/internal/signal"
)

// redFirst makes a page's connection believe that the other side likes redundant sound best: Chromium then sends every
// packet with a copy of the one before (RFC 2198).
const redFirst = `(() => {
	const set = RTCPeerConnection.prototype.setRemoteDescription;
	RTCPeerConnection.prototype.setRemoteDescription = function (d) {
		return set.call(this, {type: d.type, sdp: d.sdp.replace(/(m=audio \d+ \S+) 111 63/, '$1 63 111')});
	};
	return true;
})()`

func TestChromiumSendsRedundantSound(t *testing.T) {
	s := newScene(t, []string{"alice"})
	bob := s.browser("bob")
	s.must(bob.Eval(s.ctx, redFirst, nil))
	alice := s.start("alice", "call", "bob", "--duration", "8s")
	alice.wait("ringing")
	bob.click("accept")
	bob.state("active")
	bob.met(alice.id, alice.hz)
	copies := 0.0
	for range 5 {
		v, ok := alice.wait("stats").Fields["fecPacketsReceived"].(float64)
		if ok {
			copies = v
		}
	}
	if copies < 50 {
		t.Errorf("%g copies came in five seconds", copies)
	}
	alice.ended(signal.EndHangup)
	alice.exit(0)
	alice.met(bob.id, bob.hz)
}
