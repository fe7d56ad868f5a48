package peer

import (
	"encoding/binary"
	"math"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/opus"
	"visavis.example/internal/media/codec/vpx"
)

// rawTrack lets a test write any header and payload under a negotiated stream.
type rawTrack struct {
	kind   webrtc.RTPCodecType
	mu     sync.Mutex
	writer webrtc.TrackLocalWriter
	ssrc   uint32
	rtx    uint32
}

func (r *rawTrack) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writer, r.ssrc, r.rtx = c.WriteStream(), uint32(c.SSRC()), uint32(c.SSRCRetransmission())
	return c.CodecParameters()[0], nil
}
func (r *rawTrack) Unbind(webrtc.TrackLocalContext) error { return nil }
func (r *rawTrack) ID() string                            { return r.kind.String() }
func (r *rawTrack) RID() string                           { return "" }
func (r *rawTrack) StreamID() string                      { return "hostile" }
func (r *rawTrack) Kind() webrtc.RTPCodecType             { return r.kind }

func (r *rawTrack) write(h *rtp.Header, payload []byte) {
	r.mu.Lock()
	w, ssrc := r.writer, r.ssrc
	r.mu.Unlock()
	h.Version = 2
	if h.SSRC == 0 {
		h.SSRC = ssrc
	}
	_, _ = w.WriteRTP(h, payload) // what pion refuses to send cannot do harm
}

// hostile is a connection whose every packet the test makes, and the victim at its other end.
type hostile struct {
	*stranger
	victim       *party
	video, sound *rawTrack
	sequence     uint16 // of the next picture packet
	rtpTime      uint32
	repeat       uint16 // sequence number of the next retransmission
	talk         *voice
	shown        uint16 // number in the next good picture's marker
	keyAsked     atomic.Bool
	random       *rand.Rand
}

// newHostile connects to a session that sends a picture and a sound of its own, and says what of these arrives.
func newHostile(t *testing.T) *hostile {
	t.Helper()
	feedback, err := twcc.NewSenderInterceptor()
	if err != nil {
		t.Fatal(err)
	}
	registry := &interceptor.Registry{}
	registry.Add(feedback)
	return newHostileWith(t, registry)
}

// newSilent does as newHostile, and never says what arrives.
func newSilent(t *testing.T) *hostile {
	t.Helper()
	return newHostileWith(t, &interceptor.Registry{})
}

func newHostileWith(t *testing.T, registry *interceptor.Registry) *hostile {
	t.Helper()
	m, err := mediaEngine([]codec{codecVP8, codecVP9})
	if err != nil {
		t.Fatal(err)
	}
	se := webrtc.SettingEngine{}
	se.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(se), webrtc.WithInterceptorRegistry(registry)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{
		stranger: &stranger{pc, make(chan webrtc.PeerConnectionState, 10)}, random: rand.New(rand.NewSource(1)),
		video: &rawTrack{kind: webrtc.RTPCodecTypeVideo}, sound: &rawTrack{kind: webrtc.RTPCodecTypeAudio},
	}
	pc.OnConnectionStateChange(func(c webrtc.PeerConnectionState) { h.state <- c })
	t.Cleanup(func() { _ = pc.GracefulClose() })
	var readers sync.WaitGroup
	pc.OnTrack(func(r *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { // on a goroutine of its own, until the connection ends
		for b := make([]byte, 1600); ; {
			if _, _, err := r.Read(b); err != nil {
				return
			}
		}
	})
	t.Cleanup(readers.Wait)
	t.Cleanup(func() { _ = pc.GracefulClose() })
	for _, track := range []*rawTrack{h.sound, h.video} {
		sender, err := pc.AddTrack(track)
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() { h.listen(sender) })
	}
	h.talk = newVoice(t, 880)
	h.connect(t)
	return h
}

// listen notes when a key frame is asked for, and nothing else.
func (h *hostile) listen(s *webrtc.RTPSender) {
	for b := make([]byte, 1500); ; {
		n, _, err := s.Read(b)
		if err != nil {
			return
		}
		packets, _ := rtcp.Unmarshal(b[:n])
		for _, p := range packets {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				h.keyAsked.Store(true)
			}
		}
	}
}

func (h *hostile) connect(t *testing.T) {
	t.Helper()
	p := &party{eye: &eye{}, ear: &ear{}}
	p.Session = &Session{IncludeLoopback: true, Width: 640, Height: 360, Video: p.eye, Speaker: p.ear, OnEvent: p.got}
	p.hold = func(Event) bool { return true }
	h.victim = p
	t.Cleanup(p.Close)
	offer, err := h.CreateOffer(nil)
	sdp := h.describe(t, offer, err)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.SetCamera(&pattern{width: 320, height: 180, fps: 30, id: 1})
	p.SetMicrophone(&tone{hz: 440})
	p.GotOffer(sdp)
	eventually(t, "answer", func() bool { return has[Answer](p) })
	if err := h.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: first[Answer](p).SDP}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "candidates", func() bool { return has[LocalCandidate](p) })
	p.mu.Lock()
	for _, e := range p.events {
		if c, ok := e.(LocalCandidate); ok {
			_ = h.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Candidate.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
		}
	}
	p.mu.Unlock()
	h.connected(t)
	eventually(t, "connection", func() bool { return has[Connected](p) })
}

// send writes one packet of a picture, as the sender of a stream would.
func (h *hostile) send(payloadType uint8, marker bool, payload []byte) {
	h.video.write(&rtp.Header{PayloadType: payloadType, SequenceNumber: h.sequence, Timestamp: h.rtpTime, Marker: marker}, payload)
	h.sequence++
}

// picture writes a whole encoded picture.
func (h *hostile) picture(cut *payloader, c codec, data []byte, key bool, width, height int) {
	payloadType := uint8(payloadVP8)
	if c == codecVP9 {
		payloadType = payloadVP9
	}
	payloads := cut.cut(c, data, described{key: key, width: width, height: height})
	for i, b := range payloads {
		h.send(payloadType, i == len(payloads)-1, b)
	}
	h.rtpTime += 3000
}

// encoder opens one for made-up pictures.
func encoder(t *testing.T, c codec, width, height int) *vpx.Encoder {
	t.Helper()
	e, err := vpx.NewEncoder(vpx.EncoderConfig{Codec: vpxCodec(c), Width: width, Height: height, FPS: 30, BitrateBps: 300_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// encoded gives picture n with a marker; the bytes are the encoder's until the next one.
func encoded(t *testing.T, e *vpx.Encoder, id uint8, n uint16, width, height int, key bool) ([]byte, bool) {
	t.Helper()
	f := media.NewFrame(width, height)
	draw(f, int(n))
	media.DrawMarker(f, id, n)
	data, isKey, err := e.Encode(f, int64(n)*3000, key)
	if err != nil {
		t.Fatal(err)
	}
	return data, isKey
}

// recovers sends a good picture and a good sound until both have come through.
func (h *hostile) recovers(t *testing.T) {
	t.Helper()
	const width, height, id = 320, 180, 9
	h.victim.eye.again()
	e, cut := encoder(t, codecVP8, width, height), newPayloader()
	h.talk.again()
	tick := time.NewTicker(33 * time.Millisecond)
	defer tick.Stop()
	seen, heard := false, false
	for give := time.Now().Add(patience); !seen || !heard; {
		<-tick.C
		data, isKey := encoded(t, e, id, h.shown, width, height, h.keyAsked.Swap(false))
		h.shown++
		if len(data) > 0 {
			h.picture(cut, codecVP8, data, isKey, width, height)
		}
		h.talk.send(h)
		seen, heard = seen || h.victim.eye.sees(id, 10), heard || h.victim.ear.hears(h.talk.hz)
		if time.Now().After(give) {
			t.Fatalf("good sound and pictures do not come through: seen %v, heard %v", seen, heard)
		}
		if e, n := find[Failed](h.victim); n > 0 {
			t.Fatalf("the call has ended: %s", e.Why)
		}
	}
}

// voice sends a tone in the packets that are due.
type voice struct {
	enc      *opus.Encoder
	hz       float64
	begun    time.Time
	packets  int
	sequence uint16
	rtpTime  uint32
}

func newVoice(t *testing.T, hz float64) *voice {
	t.Helper()
	enc, err := opus.NewEncoder(opus.EncoderConfig{BitrateBps: 32_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(enc.Close)
	return &voice{enc: enc, hz: hz}
}

// again goes on after a pause.
func (v *voice) again() {
	pause := uint32(time.Since(v.begun).Milliseconds()*48) - uint32(v.packets*opus.FrameSamples)
	v.rtpTime += pause
	v.begun, v.packets = time.Now(), 0
}

func (v *voice) send(h *hostile) {
	for time.Since(v.begun) > time.Duration(v.packets)*20*time.Millisecond {
		var pcm [opus.FrameSamples]int16
		for i := range pcm {
			at := float64(v.packets*len(pcm)+i) / media.SampleRate
			pcm[i] = int16(9000 * math.Sin(2*math.Pi*v.hz*at))
		}
		var out [opusMax]byte
		n, err := v.enc.Encode(pcm[:], out[:])
		if err != nil {
			return
		}
		h.sound.write(&rtp.Header{PayloadType: payloadOpus, SequenceNumber: v.sequence, Timestamp: v.rtpTime}, out[:n])
		v.packets++
		v.sequence++
		v.rtpTime += opus.FrameSamples
	}
}

// rtcp sends bytes as they are.
func (h *hostile) rtcp(b []byte) {
	raw := rtcp.RawPacket(b)
	_ = h.WriteRTCP([]rtcp.Packet{&raw})
}

// junk is a random payload of up to n bytes.
func (h *hostile) junk(n int) []byte {
	b := make([]byte, h.random.Intn(n))
	h.random.Read(b)
	return b
}

// wide makes a key frame claim the largest size that its header can say.
func wide(c codec, key []byte) []byte {
	b := append([]byte(nil), key...)
	if c == codecVP8 {
		binary.LittleEndian.PutUint16(b[6:], 0x3fff)
		binary.LittleEndian.PutUint16(b[8:], 0x3fff)
		return b
	}
	for bit := 36; bit < 68; bit++ { // after frame marker, profile, flags, sync code and colour
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return b
}
