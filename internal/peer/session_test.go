package peer

import (
	"strings"
	"testing"
)

func TestCall(t *testing.T) {
	for _, codec := range []string{"vp8", "vp9"} {
		t.Run(codec, func(t *testing.T) {
			a, b := newPair(t, func(s *Session) { s.Codecs = []string{codec} })
			call(t, a, b)
			flows(t, a, b)
			for _, p := range []*party{a, b} {
				c, n := find[Connected](p)
				if n != 1 || c.Relay {
					t.Errorf("Connected %d times, %+v", n, c)
				}
				v, n := find[FirstVideo](p)
				if n != 1 || v.Width != 320 || v.Height != 180 {
					t.Errorf("FirstVideo %d times, %+v", n, v)
				}
				if _, n := find[FirstAudio](p); n != 1 {
					t.Errorf("FirstAudio %d times", n)
				}
				if p.eye.bad > 0 || p.eye.backs > 0 {
					t.Errorf("%d pictures without marker, %d went back", p.eye.bad, p.eye.backs)
				}
			}
			eventually(t, "statistics", func() bool { s, _ := find[Stats](a); return s.SendFPS > 5 && s.ReceiveFPS > 5 })
			s, _ := find[Stats](a)
			if s.SendCodec != codec || s.ReceiveCodec != codec || s.SendSize != [2]int{320, 180} || s.RTT <= 0 || s.SendKbps < 20 {
				t.Errorf("%+v", s)
			}
			t.Logf("%+v", s)
		})
	}
}

func TestSDPIsBrowserShaped(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	eventually(t, "answer", func() bool { return has[Answer](b) })
	offer, _ := find[Offer](a)
	answer, _ := find[Answer](b)
	for name, sdp := range map[string]string{"offer": offer.SDP, "answer": answer.SDP} {
		for _, want := range []string{
			"a=group:BUNDLE 0 1 2\r\n", "a=rtcp-mux", "a=mid:0", "a=mid:1", "a=mid:2", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "a=msid:visavis-", " audio\r\n", " video\r\n",
			"a=sendrecv", "useinbandfec=1", "RTP/SAVPF 111 63\r\n", "a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "VP8/90000", "VP9/90000", "rtx/90000", "apt=96", "apt=98", "nack pli", "ccm fir", "transport-cc",
			"a=ssrc-group:FID", "urn:ietf:params:rtp-hdrext:sdes:mid", "a=ice-options:trickle",
		} {
			if !strings.Contains(sdp, want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
		if t.Failed() {
			t.Log(sdp)
		}
	}
}
