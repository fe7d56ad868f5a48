package echo

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"visavis.example/internal/server/relay"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const within = 20 * time.Second // for what takes a moment

// hub stands for the server's hub: it answers Echo's requests and keeps them.
type hub struct {
	t        *testing.T
	contact  *Contact
	callID   string
	servers  []signal.ICEServer
	requests chan signal.Envelope
}

func newHub(t *testing.T, c *Contact) *hub {
	t.Helper()
	h := &hub{t: t, contact: c, callID: signal.NewID(), requests: make(chan signal.Envelope, 1000)}
	c.Request = func(e signal.Envelope) (signal.Envelope, error) {
		h.requests <- e
		if e.Method == signal.CallAccept {
			return signal.Envelope{Method: e.Method, Data: signal.Encode(signal.Accepted{ICEServers: h.servers})}, nil
		}
		return signal.Envelope{Method: e.Method}, nil
	}
	if c.RingFor == 0 {
		c.RingFor = time.Millisecond
	}
	c.IncludeLoopback = true
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return h
}

func (h *hub) push(m signal.Method, code signal.Code, data any) {
	h.contact.Deliver(signal.Envelope{
		Method: m, Code: code, CallID: h.callID, FromID: "the-caller", Data: signal.Encode(data),
	})
}

// next is Echo's next request; others than those named are an error.
func (h *hub) next(want ...signal.Method) signal.Envelope {
	h.t.Helper()
	select {
	case e := <-h.requests:
		for _, m := range want {
			if e.Method == m {
				if e.CallID != h.callID || e.ToID != "the-caller" {
					h.t.Errorf("%s of call %s to %s", m, e.CallID, e.ToID)
				}
				return e
			}
		}
		h.t.Fatalf("request %s %s, want %v", e.Method, e.Data, want)
	case <-time.After(within):
		h.t.Fatalf("no request %v", want)
	}
	return signal.Envelope{}
}

// until gives the first request of that kind and forgets others.
func (h *hub) until(want signal.Method) signal.Envelope {
	h.t.Helper()
	for deadline := time.After(within); ; {
		select {
		case e := <-h.requests:
			if e.Method == want {
				return e
			}
		case <-deadline:
			h.t.Fatalf("no request %s", want)
		}
	}
}

// ring invites Echo and goes on until it has answered.
func (h *hub) ring(invite signal.Invite) {
	h.t.Helper()
	h.push(signal.CallInvite, signal.CodeInvite, invite)
	h.next(signal.CallRinging)
	accept := decode[signal.Accept](h.t, h.next(signal.CallAccept))
	media := decode[signal.Media](h.t, h.next(signal.CallMedia))
	if accept.Video != invite.Video || media.Camera != invite.Video || !media.Microphone {
		h.t.Errorf("invited with video %v: accept %+v, media %+v", invite.Video, accept, media)
	}
}

func decode[T any](t *testing.T, e signal.Envelope) T {
	t.Helper()
	v, err := signal.Decode[T](e)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// caller is a real peer connection.
type caller struct {
	*hub
	pc      *webrtc.PeerConnection
	audio   *webrtc.TrackLocalStaticRTP
	video   *webrtc.TrackLocalStaticRTP
	sender  *webrtc.RTPSender // of video
	tracks  chan *webrtc.TrackRemote
	states  chan webrtc.PeerConnectionState
	reports chan signal.Report
	media   chan signal.Media
	mine    chan string // candidates of Echo
}

var (
	opus = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	vp8  = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
)

func newCaller(h *hub, policy webrtc.ICETransportPolicy, servers []signal.ICEServer) *caller {
	h.t.Helper()
	media, interceptors := &webrtc.MediaEngine{}, &interceptor.Registry{}
	must(h.t, media.RegisterDefaultCodecs())
	must(h.t, webrtc.RegisterDefaultInterceptors(media, interceptors))
	must(h.t, webrtc.ConfigureTWCCHeaderExtensionSender(media, interceptors))
	must(h.t, media.RegisterHeaderExtension(
		webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, webrtc.RTPCodecTypeAudio))
	settings := webrtc.SettingEngine{LoggerFactory: silent()}
	settings.SetIncludeLoopbackCandidate(true)
	config := webrtc.Configuration{ICETransportPolicy: policy}
	for _, s := range servers {
		config.ICEServers = append(config.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors),
		webrtc.WithSettingEngine(settings)).NewPeerConnection(config)
	must(h.t, err)
	c := &caller{
		hub: h, pc: pc, tracks: make(chan *webrtc.TrackRemote, 10), states: make(chan webrtc.PeerConnectionState, 100),
		reports: make(chan signal.Report, 100), media: make(chan signal.Media, 100), mine: make(chan string, 100),
	}
	h.t.Cleanup(func() { _ = pc.GracefulClose() })
	pc.OnTrack(func(r *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.tracks <- r })
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { c.states <- s })
	pc.OnICECandidate(func(i *webrtc.ICECandidate) {
		if i != nil {
			j := i.ToJSON()
			h.push(signal.MessageCandidate, signal.CodeCandidate,
				signal.Candidate{Candidate: j.Candidate, SDPMid: j.SDPMid, SDPMLineIndex: j.SDPMLineIndex})
		}
	})
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *caller) add(codec webrtc.RTPCodecCapability) *webrtc.TrackLocalStaticRTP {
	c.t.Helper()
	local, err := webrtc.NewTrackLocalStaticRTP(codec, codec.MimeType, "caller")
	must(c.t, err)
	sender, err := c.pc.AddTrack(local)
	must(c.t, err)
	if local.Kind() == webrtc.RTPCodecTypeVideo {
		c.video, c.sender = local, sender
	} else {
		c.audio = local
	}
	return local
}

// offer sends an offer, and takes the answer and the candidates, which it goes on taking until the test has ended.
func (c *caller) offer() {
	c.t.Helper()
	offer, err := c.pc.CreateOffer(nil)
	must(c.t, err)
	must(c.t, c.pc.SetLocalDescription(offer))
	c.push(signal.MessageOffer, signal.CodeOffer, signal.SDP{SDP: offer.SDP})
}

// serve handles what Echo says from now on.
func (c *caller) serve() {
	done, stop := make(chan struct{}), make(chan struct{})
	c.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for {
			select {
			case e := <-c.requests:
				c.got(e)
			case <-stop:
				return
			}
		}
	}()
}

func (c *caller) got(e signal.Envelope) {
	switch e.Method {
	case signal.MessageAnswer:
		sdp, _ := signal.Decode[signal.SDP](e)
		if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp.SDP}); err != nil {
			c.t.Error(err)
		}
	case signal.MessageCandidate:
		i, _ := signal.Decode[signal.Candidate](e)
		if i.Candidate == "" {
			return
		}
		c.mine <- i.Candidate
		if err := c.pc.AddICECandidate(webrtc.ICECandidateInit{
			Candidate: i.Candidate, SDPMid: i.SDPMid, SDPMLineIndex: i.SDPMLineIndex,
		}); err != nil {
			c.t.Error(err)
		}
	case signal.CallReport:
		r, err := signal.Decode[signal.Report](e)
		if err != nil {
			c.t.Error(err)
		}
		c.reports <- r
	case signal.CallMedia:
		m, _ := signal.Decode[signal.Media](e)
		c.media <- m
	default:
		c.t.Errorf("request %s %s", e.Method, e.Data)
	}
}

func (c *caller) connected() {
	c.t.Helper()
	for deadline := time.After(within); ; {
		select {
		case s := <-c.states:
			if s == webrtc.PeerConnectionStateConnected {
				return
			}
		case <-deadline:
			c.t.Fatal("not connected")
		}
	}
}

// stream sends numbered packets every 5 ms until stopped.
func (c *caller) stream(local *webrtc.TrackLocalStaticRTP, step uint32) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := uint16(0); ; n++ {
			p := &rtp.Packet{
				Header: rtp.Header{
					Version: 2, SequenceNumber: 65530 + n, Timestamp: 4294960000 + uint32(n)*step, Marker: n%3 == 0,
				},
				Payload: []byte(payload(local.Kind(), n)),
			}
			if n%10 == 9 { // padding counts as a packet too
				p.Padding, p.PaddingSize, p.Payload = true, 20, nil
			}
			_ = p.SetExtension(1, []byte{1, 2, 3})
			_ = local.WriteRTP(p)
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { close(done); running.Wait() })
	c.t.Cleanup(stop)
	return stop
}

func payload(kind webrtc.RTPCodecType, n uint16) string { return fmt.Sprintf("%s packet %d", kind, n) }

// track waits for an echoed track of that kind.
func (c *caller) track(kind webrtc.RTPCodecType) *webrtc.TrackRemote {
	c.t.Helper()
	for deadline := time.After(within); ; {
		select {
		case r := <-c.tracks:
			if r.Kind() == kind {
				return r
			}
			c.tracks <- r
		case <-deadline:
			c.t.Fatalf("no %s", kind)
		}
	}
}

// wantEcho reads packets and compares them with what was sent: same payload, numbers and marker, no extensions.
func (c *caller) wantEcho(r *webrtc.TrackRemote, step uint32, packets int) {
	c.t.Helper()
	must(c.t, r.SetReadDeadline(time.Now().Add(within)))
	for range packets {
		p, _, err := r.ReadRTP()
		must(c.t, err)
		n := p.SequenceNumber - 65530
		want := payload(r.Kind(), n)
		if n%10 == 9 {
			want = ""
		}
		if string(p.Payload) != want || p.Timestamp != 4294960000+uint32(n)*step || p.Marker != (n%3 == 0) || len(p.Extensions) > 0 {
			c.t.Fatalf("packet %d came back as %+v %q", n, p.Header, p.Payload)
		}
	}
}

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
	c.ring(signal.Invite{})
	c.add(opus)
	c.serve()
	c.offer()
	c.connected()
	c.stream(c.audio, 960)
	sound := c.track(webrtc.RTPCodecTypeAudio)
	c.wantEcho(sound, 960, 20)
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
	c.ring(signal.Invite{})
	c.add(opus)
	c.serve()
	c.offer()
	c.connected()
	c.stream(c.audio, 960)
	c.wantEcho(c.track(webrtc.RTPCodecTypeAudio), 960, 50)
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
