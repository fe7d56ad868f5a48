package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/signal"
)

// media is a peer connection that sends sound of its own and notices when it comes back.
type media struct {
	pc     *webrtc.PeerConnection
	out    *webrtc.TrackLocalStaticRTP
	heard  chan struct{} // closed when enough has come back
	states chan webrtc.PeerConnectionState
	quit   chan struct{}
	once   sync.Once
	work   sync.WaitGroup

	early []webrtc.ICECandidateInit // before the answer
}

// enough packets that came back are a call: a quarter of a second of sound.
const enough = 12

// tag begins each packet's payload, so that nothing else is taken for what was sent.
const tag = "visavis doctor "

func (d *Doctor) newMedia(w way) (*media, error) {
	settings := webrtc.SettingEngine{LoggerFactory: silent()}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetRelayAcceptanceMinWait(0)      // there is nothing better to wait for
	settings.SetIncludeLoopbackCandidate(true) // a server on this machine may listen there only
	settings.SetICEProxyDialer(&relayDialer{d: d, secure: strings.HasPrefix(d.url(w), "turns:")})
	engine := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	err := engine.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, err
	}
	config := webrtc.Configuration{ICETransportPolicy: webrtc.ICETransportPolicyRelay}
	for _, s := range d.servers {
		for _, u := range s.URLs {
			if w.fits(u) {
				config.ICEServers = append(config.ICEServers, webrtc.ICEServer{URLs: []string{u}, Username: s.Username, Credential: s.Credential})
			}
		}
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings)).NewPeerConnection(config)
	if err != nil {
		return nil, err
	}
	m := &media{pc: pc, heard: make(chan struct{}), states: make(chan webrtc.PeerConnectionState, 16), quit: make(chan struct{})}
	pc.OnConnectionStateChange(m.gotState)
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { m.read(t) }) // pion calls it in a goroutine of its own
	if m.out, err = webrtc.NewTrackLocalStaticRTP(opus, "doctor", "doctor"); err == nil {
		_, err = pc.AddTrack(m.out)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *media) close() {
	close(m.quit)
	_ = m.pc.GracefulClose()
	m.work.Wait()
}

func (m *media) gotState(s webrtc.PeerConnectionState) {
	if s == webrtc.PeerConnectionStateConnected {
		m.once.Do(func() { m.work.Go(m.send) })
	}
	select {
	case m.states <- s:
	case <-m.quit:
	}
}

// offer gathers first, so that one message says everything.
func (m *media) offer(ctx context.Context, patience time.Duration) (string, error) {
	o, err := m.pc.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(m.pc)
	if err := m.pc.SetLocalDescription(o); err != nil {
		return "", err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-gathered:
	case <-timer.C: // with what there is
	case <-ctx.Done():
		return "", ctx.Err()
	}
	sdp := m.pc.LocalDescription().SDP
	if !strings.Contains(sdp, " typ relay") {
		return "", errNoRelay
	}
	return sdp, nil
}

// got takes Echo's answer and candidates.
func (m *media) got(e signal.Envelope) error {
	switch e.Code {
	case signal.CodeAnswer:
		answer, err := signal.Decode[signal.SDP](e)
		if err != nil {
			return err
		}
		if err := m.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}); err != nil {
			return fmt.Errorf("take the answer: %w", err)
		}
		for _, c := range m.early {
			_ = m.pc.AddICECandidate(c) // one that cannot be used is not worth the call
		}
	case signal.CodeCandidate:
		c, err := signal.Decode[signal.Candidate](e)
		if err != nil || c.Candidate == "" {
			return err
		}
		i := webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex}
		if m.pc.RemoteDescription() == nil {
			m.early = append(m.early, i)
			return nil
		}
		_ = m.pc.AddICECandidate(i) // likewise
	}
	return nil
}

// send is a packet every 20 ms, as a call's sound is.
func (m *media) send() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := uint16(0); ; n++ {
		select {
		case <-tick.C:
		case <-m.quit:
			return
		}
		p := &rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960},
			Payload: fmt.Appendf(nil, "%s%d", tag, n),
		}
		if m.out.WriteRTP(p) != nil {
			return
		}
	}
}

func (m *media) read(t *webrtc.TrackRemote) {
	for n := 0; ; {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		if strings.HasPrefix(string(p.Payload), tag) {
			if n++; n == enough {
				close(m.heard)
			}
		}
	}
}

// silent is pion's log: what goes wrong is told by what happens.
func silent() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	f.ScopeLevels = nil
	return f
}

// relayDialer connects to the relay by TCP in pion's place, which would trust the system's authorities only.
type relayDialer struct {
	d      *Doctor
	secure bool
}

// Dial implements proxy.Dialer. pion always asks for "tcp4".
func (r *relayDialer) Dial(_, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.d.Patience)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil || !r.secure {
		return c, err
	}
	conf := r.d.tls()
	conf.NextProtos = []string{"stun.turn"} // RFC 7443
	secure := tls.Client(c, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return secure, nil
}
