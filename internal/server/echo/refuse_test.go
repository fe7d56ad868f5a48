package echo

import (
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

func TestDataIsRefused(t *testing.T) {
	const (
		session = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\na=group:BUNDLE 0 d 1\r\n"
		audio   = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
		data    = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\na=sctp-port:5000\r\n"
		video   = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n"
		no      = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\n"
	)
	bundle := strings.Replace(session, " d", "", 1)
	for name, c := range map[string]struct{ offer, seen, answer string }{
		"in the middle": {session + audio + data + video, bundle + audio + video, bundle + audio + no + video},
		"first":         {session + data + audio, bundle + audio, bundle + no + audio},
		"last":          {session + audio + video + data, bundle + audio + video, bundle + audio + video + no},
		"twice":         {session + data + audio + data, bundle + audio, bundle + no + audio + no},
		"alone":         {session + data, bundle, bundle + no},
		"none":          {session + audio + video, session + audio + video, session + audio + video},
	} {
		seen, refused := withoutData(c.offer)
		if seen != c.seen {
			t.Errorf("%s: pion sees\n%s", name, seen)
		}
		answer := refuse(seen, refused) // pion's answer has the sections that it sees, in their order
		if name == "alone" {
			answer = refuse(seen+"m=x\r\n", refused)
			answer = strings.Replace(answer, "m=x\r\n", "", 1)
		}
		if answer != c.answer {
			t.Errorf("%s: the answer is\n%s", name, answer)
		}
	}
	for _, odd := range []string{"", "m=application", "v=0\nm=application\n", "\nm=application 9\nm=", "a=group:\nm=application x\na=mid:\n"} {
		seen, refused := withoutData(odd)
		_ = refuse(seen, refused)
	}
}

// A caller who offers a data channel has its sound back all the same, and no data channel.
func TestCallWithADataChannel(t *testing.T) {
	c := newCaller(newHub(t, &Contact{}), webrtc.ICETransportPolicyAll, nil)
	data, err := c.pc.CreateDataChannel("visavis", nil)
	must(t, err)
	c.hearsItself(50)
	if s := data.ReadyState(); s != webrtc.DataChannelStateConnecting {
		t.Errorf("the data channel is %s", s)
	}
	if a := c.pc.CurrentRemoteDescription().SDP; !strings.Contains(a, "\r\nm=application 0 ") {
		t.Errorf("the answer does not refuse it:\n%s", a)
	}
}
