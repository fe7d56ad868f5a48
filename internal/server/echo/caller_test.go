package echo

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/signal"
)

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
		webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, webrtc.RTPCodecTypeAudio,
	))
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

// hearsItself calls with sound, which comes back: so many packets of it.
func (c *caller) hearsItself(packets int) (sound *webrtc.TrackRemote) {
	c.t.Helper()
	c.ring(signal.Invite{})
	c.add(opus)
	c.serve()
	c.offer()
	c.connected()
	c.stream(c.audio, 960)
	sound = c.track(webrtc.RTPCodecTypeAudio)
	c.wantEcho(sound, 960, packets)
	return sound
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
