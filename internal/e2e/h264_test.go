package e2e

import "testing"

// A client that is given H.264 only and Chromium have no other picture codec in common; both see each other.
func TestH264WithChromium(t *testing.T) {
	s := newScene(t, []string{"alice"})
	bob := s.browser("bob")
	able := false
	s.must(bob.Eval(s.ctx, `['Sender', 'Receiver'].every(side => globalThis['RTCRtp' + side].getCapabilities('video').codecs
		.some(c => c.mimeType === 'video/H264' && /packetization-mode=1.*profile-level-id=42e0/i.test(c.sdpFmtpLine)))`, &able))
	if !able {
		t.Skip("this Chromium was built without H.264")
	}
	alice := s.start("alice", "call", "bob", "--codecs", "h264", "--duration", "10s")
	talkedInPage(alice, bob)
}
