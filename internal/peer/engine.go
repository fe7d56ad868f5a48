package peer

import (
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/sdp/v3"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media/codec/h264"
)

// codec names a video codec as Config and Stats do.
type codec string

const (
	codecNone codec = ""
	codecVP8  codec = "vp8"
	codecVP9  codec = "vp9"
	codecH264 codec = "h264"
)

// codecOf gives codecNone for what we do not speak.
func codecOf(mime, fmtp string) codec {
	switch {
	case strings.EqualFold(mime, webrtc.MimeTypeVP8):
		return codecVP8
	case strings.EqualFold(mime, webrtc.MimeTypeVP9) && (!strings.Contains(fmtp, "profile-id=") || strings.Contains(fmtp, "profile-id=0")):
		return codecVP9
	case strings.EqualFold(mime, webrtc.MimeTypeH264) && h264.Available && strings.Contains(fmtp, "packetization-mode=1") &&
		strings.Contains(strings.ToLower(fmtp), "profile-level-id=42e0"):
		return codecH264
	}
	return codecNone
}

// Payload types are Chromium's own, so that its answers read like its offers.
const (
	payloadOpus   = 111
	payloadRED    = 63
	payloadVP8    = 96
	payloadVP8RTX = 97
	payloadVP9    = 98
	payloadVP9RTX = 99

	payloadH264    = 106
	payloadH264RTX = 107
)

const (
	h264Fmtp = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f" // constrained baseline
	opusFmtp = "minptime=10;useinbandfec=1;usedtx=1"
	mimeRED  = "audio/red"
	redFmtp  = "111/111" // blocks of payloadOpus (RFC 2198 section 4), as Chromium says it
)

func mediaEngine(prefer []codec) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: opusFmtp,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}},
		},
		PayloadType: payloadOpus,
	}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, fmt.Errorf("register opus: %w", err)
	}
	// After opus, so that browsers send plain opus: whoever knows what it is for sends it by its own choice, and our browser
	// client reads this to its browser in the other order while packets are lost (copies.js).
	err = m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: mimeRED, ClockRate: 48000, Channels: 2, SDPFmtpLine: redFmtp,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}},
		},
		PayloadType: payloadRED,
	}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, fmt.Errorf("register red: %w", err)
	}
	for _, c := range prefer {
		if err := registerVideo(m, c); err != nil {
			return nil, fmt.Errorf("register %s: %w", c, err)
		}
	}
	if err := registerRedundancy(m); err != nil {
		return nil, fmt.Errorf("register redundancy: %w", err)
	}
	for _, uri := range []string{sdp.SDESMidURI, sdp.TransportCCURI} {
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, fmt.Errorf("register header extension: %w", err)
			}
		}
	}
	number := webrtc.RTPHeaderExtensionCapability{URI: numberURI}
	if err := m.RegisterHeaderExtension(number, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, fmt.Errorf("register header extension: %w", err)
	}
	return m, nil
}

// registerRedundancy is for pictures: our own, and after it that of browsers, which have no other.
func registerRedundancy(m *webrtc.MediaEngine) error {
	parity := webrtc.RTPCodecParameters{PayloadType: payloadFEC, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: mimeFEC, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}},
	}}
	of := func(mime, fmtp string, payloadType webrtc.PayloadType) webrtc.RTPCodecParameters {
		return webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000, SDPFmtpLine: fmtp}, PayloadType: payloadType,
		}
	}
	for _, p := range []webrtc.RTPCodecParameters{
		parity,
		of(mimeVideoRED, "", payloadVideoRED),
		of(webrtc.MimeTypeRTX, "apt="+strconv.Itoa(payloadVideoRED), payloadVideoREDRTX),
		of(mimeULPFEC, "", payloadULPFEC),
	} {
		if err := m.RegisterCodec(p, webrtc.RTPCodecTypeVideo); err != nil {
			return err
		}
	}
	return nil
}

func registerVideo(m *webrtc.MediaEngine, c codec) error {
	mime, fmtp, pt, rtx := webrtc.MimeTypeVP8, "", webrtc.PayloadType(payloadVP8), webrtc.PayloadType(payloadVP8RTX)
	if c == codecVP9 {
		mime, fmtp, pt, rtx = webrtc.MimeTypeVP9, "profile-id=0", payloadVP9, payloadVP9RTX
	}
	if c == codecH264 {
		mime, fmtp, pt, rtx = webrtc.MimeTypeH264, h264Fmtp, payloadH264, payloadH264RTX
	}
	feedback := []webrtc.RTCPFeedback{
		{Type: webrtc.TypeRTCPFBTransportCC},
		{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
		{Type: webrtc.TypeRTCPFBNACK},
		{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
		{Type: feedbackLNTF},
	}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000, SDPFmtpLine: fmtp, RTCPFeedback: feedback},
		PayloadType:        pt,
	}, webrtc.RTPCodecTypeVideo)
	if err != nil {
		return err
	}
	return m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=" + strconv.Itoa(int(pt))},
		PayloadType:        rtx,
	}, webrtc.RTPCodecTypeVideo)
}

// interceptors are our meter next to the network, our wire (transport-wide numbers and feedback, retransmissions), then
// pion's reports. Left out on purpose: pion's transport-wide feedback (ours speaks sooner), its nack generator and
// responder (they know no round trip, and resend what two requests name twice), its pacers (audio waits behind video)
// and its per-packet statistics (our own counters say the same).
func interceptors(h *heard, w *wire, m *meter, reports *trueReports, log pionLog) (*interceptor.Registry, error) {
	r := &interceptor.Registry{}
	r.Add(h)
	r.Add(meterFactory{m})
	r.Add(wireFactory{w})
	r.Add(reports) // before those who make them
	receiver, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(log))
	if err != nil {
		return nil, fmt.Errorf("receiver reports: %w", err)
	}
	r.Add(receiver)
	sender, err := report.NewSenderInterceptor(report.WithSenderLoggerFactory(log))
	if err != nil {
		return nil, fmt.Errorf("sender reports: %w", err)
	}
	r.Add(sender)
	return r, nil
}

const (
	// A check every 400 ms costs 5 kbit/s and is what brings a path back when no sound is sent.
	iceKeepAlive    = 400 * time.Millisecond
	iceDisconnected = 1500 * time.Millisecond
	// After iceDisconnected; the same sum bounds the first attempt, and a restart. pion gives the path up then, and cannot
	// come back without a restart, so this is longer than package call waits for a path.
	iceFailed = 32 * time.Second
)

// newConnection makes the pion side of a session.
func newConnection(s *Session, w *wire, prefer []codec) (*webrtc.PeerConnection, error) {
	c := s.configuration()
	m, err := mediaEngine(prefer)
	if err != nil {
		return nil, err
	}
	plog := pionLog{s.log}
	reports := &trueReports{tracks: []*track{s.audioOut.track, s.videoOut.track}, now: time.Now}
	r, err := interceptors(&s.heard, w, &s.meter, reports, plog)
	if err != nil {
		return nil, err
	}
	se := webrtc.SettingEngine{LoggerFactory: plog}
	se.BufferFactory = s.strayBuffers
	se.SetICETimeouts(iceDisconnected, s.failAfter, iceKeepAlive)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	se.SetIncludeLoopbackCandidate(s.IncludeLoopback)
	// Browsers hide host addresses behind .local names when they may not use the camera: those are looked up, ours are
	// never announced so.
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeQueryOnly)
	// A direct path gets this much of a head start over a relayed one.
	se.SetRelayAcceptanceMinWait(relayWait(c.ICETransportPolicy))
	se.SetPrflxAcceptanceMinWait(300 * time.Millisecond)
	surviveLosses(&se)
	se.SetSRTPReplayProtectionWindow(1024)
	se.SetSCTPMaxReceiveBufferSize(sctpBuffer)
	se.SetSCTPRTOMax(sctpRTOMax)
	if err := s.openNetwork(); err != nil {
		return nil, fmt.Errorf("open network: %w", err)
	}
	se.SetNet(s.hold.gate)
	// Later pion takes the path that the pathFinder has found, or that the other side has moved to.
	se.SetICEBindingRequestHandler(func(m *stun.Message, local, remote ice.Candidate, pair *ice.CandidatePair) bool {
		at, _ := netip.ParseAddr(remote.Address())
		var across io.Writer
		if local.Type() == ice.CandidateTypeRelay {
			across = pair
		}
		return s.hold.gate.agrees(m, netip.AddrPortFrom(at.Unmap(), uint16(remote.Port())), pair.ResponsesReceived() > 0, across)
	})
	if s.network != nil {
		se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	}
	if s.Held {
		holdBack(&se)
	}
	s.relays = newRelayDialer(s, &s.hold.gate.across)
	se.SetICEProxyDialer(s.relays)
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r))
	pc, err := api.NewPeerConnection(c)
	if err != nil {
		s.relays.close()
		return nil, fmt.Errorf("open connection: %w", err)
	}
	return pc, nil
}

// surviveLosses is for the few packets that a connection begins with: a row of losses is long in time there. The wait before
// a part of the handshake is repeated doubles each time, so the first is as short as browsers' (RFC 6347 section 4.2.4.1 has a
// second, for those who know nothing of the network). The cookie (section 4.2.1), which is not repeated but for whoever asks
// anew, is left out: ICE has shown that the other is where it says.
func surviveLosses(se *webrtc.SettingEngine) {
	se.SetDTLSRetransmissionInterval(50 * time.Millisecond)
	se.SetDTLSInsecureSkipHelloVerify(true)
	se.SetICEMaxBindingRequests(maxChecksOfPair)
}

// maxChecksOfPair are 5 s of checks, after which pion gives a pair up for good; its own 7 are 1.4 s, less than a row of losses
// or a blackout takes. Nor may it be without end: the other says which addresses are checked.
const maxChecksOfPair = 25

// holdBack makes pion wait for the other's acceptance: paths that are shut until then are not given up, and a relay is as
// good as any, for a direct path is looked for beside it.
func holdBack(se *webrtc.SettingEngine) {
	se.SetICETimeouts(iceDisconnected, heldFailed, iceKeepAlive)
	se.SetICEMaxBindingRequests(math.MaxUint16 - 1)
	se.SetRelayAcceptanceMinWait(0)
}

// heldFailed is longer than it can ring and then connect.
const heldFailed = 2 * time.Minute

func relayWait(p webrtc.ICETransportPolicy) time.Duration {
	if p == webrtc.ICETransportPolicyRelay {
		return 0
	}
	return time.Second
}
