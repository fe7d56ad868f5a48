package echo

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"visavis.example/internal/server/relay"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSoundAndPictureComeBack(t *testing.T) {
	c := newCaller(newHub(t, &Contact{}), webrtc.ICETransportPolicyAll, nil)
	c.ring(signal.Invite{Video: true})
	c.add(opus)
	c.add(vp8)
	c.serve()
	c.offer()
	c.connected()
	c.stream(c.audio, 960)
	c.stream(c.video, 3000)
	c.wantEcho(c.track(webrtc.RTPCodecTypeAudio), 960, 200)
	c.wantEcho(c.track(webrtc.RTPCodecTypeVideo), 3000, 200)
	if r := <-c.reports; r.Path != signal.PathDirect || r.SetupMs <= 0 {
		t.Errorf("report %+v", r)
	}

	c.push(signal.CallMedia, signal.CodeMedia, signal.Media{Camera: false})
	if m := <-c.media; !m.Microphone || m.Camera {
		t.Errorf("camera off: %+v", m)
	}
	c.push(signal.CallMedia, signal.CodeMedia, signal.Media{Camera: true, Screen: true})
	if m := <-c.media; !m.Microphone || !m.Camera || !m.Screen {
		t.Errorf("screen: %+v", m)
	}
	c.push(signal.CallEnded, signal.CodeEnded, signal.Ended{Reason: signal.EndHangup})
	c.gone()
}

// gone waits until Echo has forgotten the call.
func (h *hub) gone() {
	h.t.Helper()
	for deadline := time.Now().Add(within); h.contact.Calls() > 0; {
		if time.Now().After(deadline) {
			h.t.Fatal("the call goes on")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCameraTurnedOnLater(t *testing.T) {
	c := newCaller(newHub(t, &Contact{}), webrtc.ICETransportPolicyAll, nil)
	sound := c.hearsItself(20)
	c.add(vp8)
	c.offer()
	c.stream(c.video, 3000)
	c.wantEcho(c.track(webrtc.RTPCodecTypeVideo), 3000, 50)
	c.wantEcho(sound, 960, 20)
}

// A request for a key frame of the echo reaches the caller's own encoder, and so does one for a lost packet.
func TestFeedbackReachesTheCaller(t *testing.T) {
	c := newCaller(newHub(t, &Contact{}), webrtc.ICETransportPolicyAll, nil)
	c.ring(signal.Invite{Video: true})
	c.add(vp8)
	c.serve()
	c.offer()
	c.connected()
	feedback := make(chan rtcp.Packet, 1000)
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			packets, _, err := c.sender.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				feedback <- p
			}
		}
	})
	defer func() { _ = c.pc.GracefulClose(); reading.Wait() }()
	stop := c.stream(c.video, 3000)
	echoed := c.track(webrtc.RTPCodecTypeVideo)
	own := c.sender.GetParameters().Encodings[0].SSRC
	must(t, c.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(echoed.SSRC())}}))
	waitFor(t, feedback, func(p rtcp.Packet) bool {
		pli, ok := p.(*rtcp.PictureLossIndication)
		return ok && pli.MediaSSRC == uint32(own)
	})
	waitFor(t, feedback, func(p rtcp.Packet) bool { _, ok := p.(*rtcp.TransportLayerCC); return ok })
	stop()
	// A gap in the numbers: Echo asks for what is missing.
	must(t, c.video.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 20000}}))
	must(t, c.video.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 20005}}))
	waitFor(t, feedback, func(p rtcp.Packet) bool { _, ok := p.(*rtcp.TransportLayerNack); return ok })
}

func waitFor(t *testing.T, feedback <-chan rtcp.Packet, want func(rtcp.Packet) bool) {
	t.Helper()
	for deadline := time.After(within); ; {
		select {
		case p := <-feedback:
			if want(p) {
				return
			}
		case <-deadline:
			t.Fatal("not heard")
		}
	}
}

func TestRelayOnly(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			r := &relay.Server{Listen: "127.0.0.1:0", PublicIP: netip.MustParseAddr("127.0.0.1")}
			must(t, r.Start())
			t.Cleanup(r.Close)
			h := newHub(t, &Contact{})
			credentials := func(user string) []signal.ICEServer {
				name, password := r.Credentials(user, signal.NewID(), h.callID, time.Minute)
				var urls []string
				for _, u := range r.URLs("127.0.0.1") {
					if strings.HasSuffix(u, "="+transport) {
						urls = append(urls, u)
					}
				}
				return []signal.ICEServer{{URLs: urls, Username: name, Credential: password}}
			}
			h.servers = credentials("echo")
			c := newCaller(h, webrtc.ICETransportPolicyRelay, credentials("caller"))
			c.ring(signal.Invite{Video: true, RelayOnly: true})
			c.add(opus)
			c.add(vp8)
			c.serve()
			c.offer()
			c.connected()
			c.stream(c.audio, 960)
			c.stream(c.video, 3000)
			c.wantEcho(c.track(webrtc.RTPCodecTypeAudio), 960, 50)
			c.wantEcho(c.track(webrtc.RTPCodecTypeVideo), 3000, 50)
			if report := <-c.reports; report.Path != signal.PathRelay {
				t.Errorf("report %+v", report)
			}
			if n := r.Allocations(); n != 2 {
				t.Errorf("%d allocations", n)
			}
			for len(c.mine) > 0 {
				if i := <-c.mine; !strings.Contains(i, " typ relay ") {
					t.Errorf("Echo offered %s", i)
				}
			}
		})
	}
}

// Only the caller needs the relay: it gets through, because Echo offers its own relayed address beside the others.
func TestCallerBehindARelay(t *testing.T) {
	r := &relay.Server{Listen: "127.0.0.1:0"}
	must(t, r.Start())
	t.Cleanup(r.Close)
	h := newHub(t, &Contact{})
	credentials := func(user string) []signal.ICEServer {
		name, password := r.Credentials(user, signal.NewID(), h.callID, time.Minute)
		return []signal.ICEServer{{URLs: r.URLs("127.0.0.1"), Username: name, Credential: password}}
	}
	h.servers = credentials("echo")
	c := newCaller(h, webrtc.ICETransportPolicyRelay, credentials("caller"))
	c.hearsItself(50)
	if report := <-c.reports; report.Path != signal.PathRelay {
		t.Errorf("report %+v", report)
	}
}

func TestCancelledWhileRinging(t *testing.T) {
	h := newHub(t, &Contact{RingFor: time.Hour})
	h.push(signal.CallInvite, signal.CodeInvite, signal.Invite{Video: true})
	h.next(signal.CallRinging)
	h.push(signal.CallEnded, signal.CodeEnded, signal.Ended{Reason: signal.EndCancelled})
	h.gone()
	if len(h.requests) > 0 {
		t.Errorf("%+v", <-h.requests)
	}
}

func TestBusy(t *testing.T) {
	h := newHub(t, &Contact{RingFor: time.Hour, MaxCalls: 2})
	first := h.callID
	for range 2 {
		h.push(signal.CallInvite, signal.CodeInvite, signal.Invite{})
		h.next(signal.CallRinging)
		h.callID = signal.NewID()
	}
	h.push(signal.CallInvite, signal.CodeInvite, signal.Invite{})
	if r := decode[signal.Reject](t, h.next(signal.CallReject)); r.Reason != signal.EndBusy {
		t.Errorf("%+v", r)
	}
	h.callID = first
	h.push(signal.CallEnded, signal.CodeEnded, signal.Ended{Reason: signal.EndCancelled})
	for deadline := time.Now().Add(within); h.contact.Calls() == 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	h.callID = signal.NewID()
	h.push(signal.CallInvite, signal.CodeInvite, signal.Invite{})
	h.next(signal.CallRinging)
}

func TestManyCallsAtOnce(t *testing.T) {
	const calls = 5
	contact := &Contact{}
	byCall := map[string]*hub{}
	first := newHub(t, contact) // starts the contact
	for i := range calls {
		h := first
		if i > 0 {
			h = &hub{t: t, contact: contact, callID: signal.NewID(), requests: make(chan signal.Envelope, 1000)}
		}
		byCall[h.callID] = h
	}
	one := contact.Request
	contact.Request = func(e signal.Envelope) (signal.Envelope, error) {
		if h := byCall[e.CallID]; h != first {
			h.requests <- e
			return signal.Envelope{}, nil
		}
		return one(e)
	}
	var callers []*caller
	for _, h := range byCall {
		c := newCaller(h, webrtc.ICETransportPolicyAll, nil)
		callers = append(callers, c)
		c.ring(signal.Invite{})
		c.add(opus)
		c.serve()
		c.offer()
	}
	for _, c := range callers {
		c.connected()
		c.stream(c.audio, 960)
	}
	for _, c := range callers {
		c.wantEcho(c.track(webrtc.RTPCodecTypeAudio), 960, 20)
	}
	if n := contact.Calls(); n != calls {
		t.Errorf("%d calls", n)
	}
}

func TestNoConnection(t *testing.T) {
	h := newHub(t, &Contact{connectWithin: 10 * time.Millisecond})
	h.ring(signal.Invite{})
	if r := decode[signal.Hangup](t, h.next(signal.CallHangup)); r.Reason != signal.EndConnectionFailed {
		t.Errorf("%+v", r)
	}
	h.gone()
}

// The caller's connection ends without a word from the hub.
func TestCallerVanishes(t *testing.T) {
	c := newCaller(newHub(t, &Contact{lostGrace: 10 * time.Millisecond}), webrtc.ICETransportPolicyAll, nil)
	c.ring(signal.Invite{})
	c.add(opus)
	c.offer()
	for range 1000 { // until connected, without serve, because the hang-up is wanted here
		select {
		case e := <-c.requests:
			c.got(e)
			continue
		case s := <-c.states:
			if s != webrtc.PeerConnectionStateConnected {
				continue
			}
		case <-time.After(within):
			t.Fatal("not connected")
		}
		break
	}
	must(t, c.pc.GracefulClose())
	if r := decode[signal.Hangup](t, c.until(signal.CallHangup)); r.Reason != signal.EndConnectionFailed {
		t.Errorf("%+v", r)
	}
	c.gone()
}

func TestBadOffers(t *testing.T) {
	for name, sdp := range map[string]string{
		"no SDP":      "hello",
		"rubbish":     "v=0\r\nrubbish",
		"no media":    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
		"other codec": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n",
		"no keys":     "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t, &Contact{})
			h.ring(signal.Invite{})
			h.push(signal.MessageCandidate, signal.CodeCandidate, signal.Candidate{Candidate: "candidate:rubbish"})
			h.push(signal.MessageOffer, signal.CodeOffer, signal.SDP{SDP: sdp})
			h.next(signal.CallHangup)
			h.gone()
		})
	}
}

func TestRequestsThatFail(t *testing.T) {
	h := newHub(t, &Contact{})
	h.contact.Request = func(e signal.Envelope) (signal.Envelope, error) {
		h.requests <- e
		if e.Method == signal.CallRinging {
			return e, nil
		}
		return signal.Envelope{Code: signal.CodeError, Message: "the call is over"}, nil
	}
	h.push(signal.CallInvite, signal.CodeInvite, signal.Invite{})
	h.next(signal.CallRinging)
	h.next(signal.CallAccept)
	h.gone()
	h.push(signal.MessageOffer, signal.CodeOffer, signal.SDP{}) // of a call that is over
	h.push(signal.CallInvite, signal.CodeInvite, "not an invite")
	if n := h.contact.Calls(); n != 0 || len(h.requests) > 0 {
		t.Errorf("%d calls, %d requests", n, len(h.requests))
	}
}

func TestStartNeedsAHub(t *testing.T) {
	c := &Contact{}
	if c.Start() == nil {
		t.Error("started")
	}
	c.Deliver(signal.Envelope{Code: signal.CodeInvite}) // not started: nothing
	c.Close()
}
