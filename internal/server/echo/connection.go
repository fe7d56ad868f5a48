package echo

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/signal"
)

const receiveMTU = 1600 // bytes; what a packet may have, SRTP and all

// connection is the peer connection of one call. The session's goroutine calls it; pion's callbacks only post.
type connection struct {
	post    func(any)
	log     *slog.Logger
	pc      *webrtc.PeerConnection
	codecs  names          // of the first offer: pion cannot learn others
	running sync.WaitGroup // readers of tracks and of feedback
	flows   atomic.Bool

	mu     sync.Mutex
	tracks map[*webrtc.RTPSender]*track
	closed bool
}

func newConnection(s *session, offer string) (*connection, error) {
	sections, err := readOffer(offer, passed)
	if err != nil {
		return nil, err
	}
	sections = complete(sections)
	api, err := newAPI(sections, s.contact.IncludeLoopback)
	if err != nil {
		return nil, err
	}
	config := webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle}
	if s.invite.RelayOnly {
		config.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	for _, i := range s.servers {
		config.ICEServers = append(config.ICEServers, webrtc.ICEServer{
			URLs: i.URLs, Username: i.Username, Credential: i.Credential,
		})
	}
	pc, err := api.NewPeerConnection(config)
	if err != nil {
		return nil, fmt.Errorf("make peer connection: %w", err)
	}
	c := &connection{post: s.post, log: s.log, pc: pc, codecs: namesOf(sections), tracks: map[*webrtc.RTPSender]*track{}}
	pc.OnConnectionStateChange(func(st webrtc.PeerConnectionState) { c.post(stateChange(st)) })
	pc.OnICECandidate(c.gotLocalCandidate)
	pc.OnTrack(c.gotTrack)
	return c, nil
}

// newAPI is made for one call, because codecs are taken from its offer.
func newAPI(sections []offered, loopback bool) (*webrtc.API, error) {
	media, interceptors := &webrtc.MediaEngine{}, &interceptor.Registry{}
	for _, s := range sections {
		for _, codec := range s.codecs {
			if err := media.RegisterCodec(codec, s.kind); err != nil {
				return nil, fmt.Errorf("register %s: %w", codec.MimeType, err)
			}
		}
	}
	// Lost packets are asked for on the way in and kept for repeating on the way out; the caller's sender learns from
	// transport-wide feedback what its uplink carries.
	if err := webrtc.ConfigureNack(media, interceptors); err != nil {
		return nil, fmt.Errorf("configure NACK: %w", err)
	}
	if err := webrtc.ConfigureRTCPReports(interceptors); err != nil {
		return nil, fmt.Errorf("configure reports: %w", err)
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(media); err != nil {
		return nil, fmt.Errorf("configure extensions: %w", err)
	}
	if err := webrtc.ConfigureTWCCSender(media, interceptors); err != nil {
		return nil, fmt.Errorf("configure feedback: %w", err)
	}
	settings := webrtc.SettingEngine{LoggerFactory: silent()}
	settings.SetIncludeLoopbackCandidate(loopback)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // a caller that hides behind mDNS finds us instead
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	settings.SetReceiveMTU(receiveMTU)
	settings.SetDTLSRetransmissionInterval(50 * time.Millisecond) // as peer's: a lost packet should not cost pion's second
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors),
		webrtc.WithSettingEngine(settings)), nil
}

// silent is pion's log: what happens to a call is told by its states, and pion's words carry addresses.
func silent() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	f.ScopeLevels = nil
	return f
}

// What is wrong with a description, without the libraries' words for it: they quote from what they have read, addresses
// and passwords of ICE among it, and this is logged.
var (
	errUnreadable = errors.New("the offer cannot be read")
	errNotTaken   = errors.New("the offer cannot be taken")
	errNoAnswer   = errors.New("the offer cannot be answered")
)

// answer takes an offer, the first or a later one, and gives the answer.
func (c *connection) answer(offer string) (string, error) {
	offer, refused := withoutData(offer)
	sections, err := readOffer(offer, c.codecs)
	if err != nil {
		return "", err
	}
	err = c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer})
	if err != nil {
		return "", errNotTaken
	}
	for _, s := range sections {
		if err := c.sendBack(s); err != nil {
			return "", err
		}
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return "", errNoAnswer
	}
	if err := c.pc.SetLocalDescription(answer); err != nil {
		return "", errNoAnswer
	}
	c.watchPath()
	return refuse(answer.SDP, refused), nil
}

// sendBack gives an m-line a track to send, if the caller takes one there and it has none yet.
func (c *connection) sendBack(s offered) error {
	if !s.takes || len(s.codecs) == 0 {
		return nil
	}
	for _, t := range c.pc.GetTransceivers() {
		if t.Mid() != s.mid || t.Sender() != nil {
			continue
		}
		out, err := newTrack(c, s)
		if err != nil {
			return err
		}
		sender, err := c.pc.AddTrack(out.local)
		if err != nil {
			return fmt.Errorf("add track: %w", err)
		}
		c.mu.Lock()
		c.tracks[sender] = out
		c.mu.Unlock()
		c.running.Go(func() { out.readFeedback(sender) })
	}
	return nil
}

func (c *connection) gotLocalCandidate(candidate *webrtc.ICECandidate) {
	if candidate == nil {
		c.post(localCandidate{}) // there are no more
		return
	}
	j := candidate.ToJSON()
	c.post(localCandidate{Candidate: j.Candidate, SDPMid: j.SDPMid, SDPMLineIndex: j.SDPMLineIndex})
}

func (c *connection) gotTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.running.Go(func() { drain(receiver) })
	if t := receiver.RTPTransceiver(); t != nil {
		if out := c.tracks[t.Sender()]; out != nil {
			c.running.Go(func() { out.forward(remote) })
			return
		}
	}
	c.running.Go(func() { discard(remote) })
}

// add takes a candidate of the caller's. One that cannot be used is not worth the call: there are others.
func (c *connection) add(candidate signal.Candidate) {
	err := c.pc.AddICECandidate(webrtc.ICECandidateInit{
		Candidate: candidate.Candidate, SDPMid: candidate.SDPMid, SDPMLineIndex: candidate.SDPMLineIndex,
	})
	if err != nil {
		c.log.Debug("echo cannot use a candidate") // the error quotes it
	}
}

func (c *connection) transport() *webrtc.ICETransport {
	for _, r := range c.pc.GetReceivers() {
		if d := r.Transport(); d != nil {
			return d.ICETransport()
		}
	}
	return nil
}

func (c *connection) watchPath() {
	if t := c.transport(); t != nil {
		t.OnSelectedCandidatePairChange(func(p *webrtc.ICECandidatePair) { c.post(pathChange(pathOf(p))) })
	}
}

func (c *connection) path() signal.Path {
	t := c.transport()
	if t == nil {
		return signal.PathUnknown
	}
	pair, err := t.GetSelectedCandidatePair()
	if err != nil {
		return signal.PathUnknown
	}
	return pathOf(pair)
}

func pathOf(p *webrtc.ICECandidatePair) signal.Path {
	switch {
	case p == nil || p.Local == nil || p.Remote == nil:
		return signal.PathUnknown
	case p.Local.Typ == webrtc.ICECandidateTypeRelay || p.Remote.Typ == webrtc.ICECandidateTypeRelay:
		return signal.PathRelay
	}
	return signal.PathDirect
}

// close ends everything of the connection and waits for it.
func (c *connection) close() {
	if c == nil {
		return
	}
	if err := c.pc.GracefulClose(); err != nil {
		c.log.Debug("echo closed a connection", "error", err)
	}
	c.mu.Lock()
	c.closed = true // pion may still call for a track
	c.mu.Unlock()
	c.running.Wait()
}
