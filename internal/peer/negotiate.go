package peer

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// What others send us is bounded before it is looked at.
const (
	maxSDP        = 48 << 10
	maxSections   = 8
	maxCandidate  = 1024
	maxCandidates = 256 // in one connection, and kept until the description comes
)

// talk is the state of the negotiation. The loop owns it.
type talk struct {
	described  bool        // the other's description is there
	early      []Candidate // came before it
	candidates int
	theirs     []Candidate // that the other told; as many as candidates
	ours       Candidate   // the last that we told
	up         bool        // Connected was said and nothing else since
	relay      bool
	path       string // the last that media took
	wasUp      bool
	over       bool         // Failed was said
	offered    bool         // our offer waits for its answer
	beat       *time.Ticker // runs while something is looked for
}

// loop owns the negotiation: it runs what was posted, one after the other, until stop is closed.
func (s *Session) loop() {
	defer close(s.looped)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	s.talk.beat = time.NewTicker(beatEvery)
	s.talk.beat.Stop()
	defer s.talk.beat.Stop()
	var meter statsMeter
	for {
		select {
		case <-s.stop:
			return
		case <-s.box.posted():
			for _, do := range s.box.take() {
				do()
			}
		case now := <-second.C:
			s.everySecond(&meter, now)
		case now := <-s.talk.beat.C:
			s.beat(now)
		}
	}
}

// listen registers pion's callbacks; they come on pion's goroutines and only post.
func (s *Session) listen() {
	s.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil { // nil: there are no more
			i := c.ToJSON()
			s.box.post(func() {
				s.talk.ours = Candidate{i.Candidate, i.SDPMid, i.SDPMLineIndex}
				s.gotLocalCandidate(s.talk.ours)
			})
		}
	})
	s.pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) {
		// Several of these may run at once: what counts is the state when the loop looks.
		s.box.post(s.connectionChanged)
	})
	s.pc.SCTP().Transport().OnStateChange(func(state webrtc.DTLSTransportState) {
		if state == webrtc.DTLSTransportStateFailed {
			// Said by itself too: a change of ICE's state at the same moment makes pion forget it again (v4.2.20), and who
			// rings the wrong one would wait for ever.
			s.box.post(func() { s.fail("No connection could be made to the other side.") })
		}
	})
	s.pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(func(*webrtc.ICECandidatePair) {
		s.box.post(s.pathChanged)
	})
	s.pc.OnDataChannel(s.gotData)
	s.pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		s.box.post(func() { s.gotTrack(t, r) })
	})
}

// GotOffer takes the other's offer; an Answer event follows, or Failed.
func (s *Session) GotOffer(sdp string) {
	s.init()
	s.box.post(func() { s.guard("offer", func() error { return s.gotOffer(sdp) }) })
}

// GotAnswer takes the answer to our Offer.
func (s *Session) GotAnswer(sdp string) {
	s.init()
	s.box.post(func() { s.guard("answer", func() error { return s.gotAnswer(sdp) }) })
}

// GotCandidate takes one of the other's candidates; it may come before the description.
func (s *Session) GotCandidate(c Candidate) {
	s.init()
	s.box.post(func() { s.gotCandidate(c) })
}

// guard runs one step of the negotiation. What the other sent us is hostile until proven otherwise: no error and no
// panic of a parser may take the program down.
func (s *Session) guard(what string, step func() error) {
	if s.talk.over {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic in negotiation", "step", what, "panic", r)
			s.fail("The other side sent something that we cannot understand.")
		}
	}()
	if err := step(); err != nil {
		s.log.Warn("negotiation failed", "step", what, "err", firstLine(err))
		s.fail("The two sides could not agree on a connection: " + what + " refused.")
	}
}

// firstLine keeps descriptions out of the log: parsers quote what they did not like.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text[:min(len(text), 120)]
}

func (s *Session) fail(why string) {
	if s.talk.over {
		return
	}
	s.talk.over, s.talk.up = true, false
	s.setOpen(false)
	s.emit(Failed{why})
}

func checkSDP(sdp string) error {
	if len(sdp) > maxSDP {
		return fmt.Errorf("description of %d bytes", len(sdp))
	}
	if n := strings.Count(sdp, "\nm="); n == 0 || n > maxSections {
		return fmt.Errorf("description with %d sections", n)
	}
	return nil
}

func (s *Session) sendOffer(restart bool) {
	s.guard("own offer", func() error {
		if restart {
			s.forgetWays()
		}
		offer, err := s.pc.CreateOffer(&webrtc.OfferOptions{
			OfferAnswerOptions: webrtc.OfferAnswerOptions{ICETricklingSupported: true}, ICERestart: restart,
		})
		if err != nil {
			return fmt.Errorf("make offer: %w", err)
		}
		if err := s.pc.SetLocalDescription(offer); err != nil {
			return fmt.Errorf("set own offer: %w", err)
		}
		s.talk.offered = true
		if restart {
			s.talk.described, s.talk.candidates, s.talk.theirs = false, 0, nil // candidates of the new path wait for its answer
		}
		s.emit(Offer{s.withheld(offer.SDP)})
		return nil
	})
}

func (s *Session) gotOffer(sdp string) error {
	if s.Offerer && (s.talk.offered || !s.talk.wasUp || !s.sameParty(sdp)) {
		s.log.Debug("offer ignored: ours counts")
		return nil
	}
	if err := checkSDP(sdp); err != nil {
		return err
	}
	newAgent := true
	if was := s.pc.CurrentRemoteDescription(); was != nil {
		before, _ := iceCredentials(was.SDP)
		now, _ := iceCredentials(sdp)
		newAgent = now != before
	}
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: s.withheld(sdp)}); err != nil {
		return fmt.Errorf("set offer: %w", err)
	}
	if s.roam.asked = time.Now(); s.talk.wasUp && s.noPath() {
		s.wentDown() // a restart: pion has let go of the old path
		s.forgetWays()
		s.talk.theirs = nil
	}
	if err := s.refuseForeign(); err != nil {
		return err
	}
	answer, err := s.pc.CreateAnswer(&webrtc.AnswerOptions{OfferAnswerOptions: webrtc.OfferAnswerOptions{ICETricklingSupported: true}})
	if err != nil {
		return fmt.Errorf("make answer: %w", err)
	}
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("set own answer: %w", err)
	}
	s.emit(Answer{s.withheld(s.sameRole(answer.SDP))})
	if newAgent { // an offer that changes something else brings no candidates: pion keeps all that it gets
		s.talk.candidates = 0
	}
	s.describe()
	return nil
}

// sameParty says whether a later offer is of whom we talk to: only they may move their end to another path.
func (s *Session) sameParty(sdp string) bool {
	remote := s.pc.CurrentRemoteDescription()
	return remote != nil && fingerprint(sdp) != "" && fingerprint(sdp) == fingerprint(remote.SDP)
}

// fingerprint is of the certificate in a description.
func fingerprint(sdp string) string {
	for line := range strings.Lines(sdp) {
		if at, ok := strings.CutPrefix(strings.TrimSpace(line), "a=fingerprint:"); ok {
			return at
		}
	}
	return ""
}

// sameRole keeps the DTLS role that the first negotiation gave: an offerer who answers later is still the DTLS server
// (RFC 8842 section 5.5), and pion always says active.
func (s *Session) sameRole(answer string) string {
	if !s.Offerer {
		return answer
	}
	return strings.ReplaceAll(answer, "a=setup:active", "a=setup:passive")
}

// refuseForeign takes our track off a section whose codecs we all lack: pion then refuses that section instead of the
// whole offer.
func (s *Session) refuseForeign() error {
	for _, tr := range s.pc.GetTransceivers() {
		if sender := tr.Sender(); sender != nil && len(sender.GetParameters().Codecs) == 0 {
			if err := s.pc.RemoveTrack(sender); err != nil {
				return fmt.Errorf("refuse %s: %w", tr.Kind(), err)
			}
		}
	}
	return nil
}

func (s *Session) gotAnswer(sdp string) error {
	if !s.talk.offered {
		s.log.Debug("answer ignored: nothing was offered")
		return nil
	}
	if err := checkSDP(sdp); err != nil {
		return err
	}
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: s.withheld(sdp)}); err != nil {
		return fmt.Errorf("set answer: %w", err)
	}
	s.talk.offered = false
	s.describe()
	if s.roam.again && !s.talk.up {
		s.restart()
	}
	return nil
}

// describe follows a remote description: candidates that came before it are good now.
func (s *Session) describe() {
	s.talk.described = true
	early := s.talk.early
	s.talk.early = nil
	for _, c := range early {
		s.addCandidate(c)
	}
}

func (s *Session) gotCandidate(c Candidate) {
	if s.talk.over || len(c.Candidate) > maxCandidate || s.talk.candidates >= maxCandidates {
		return
	}
	s.talk.candidates++
	if s.hold.on {
		hidden, relay := hideAddress(c.Candidate)
		if !relay {
			return // not before accept
		}
		c.Candidate = hidden
	}
	s.talk.theirs = append(s.talk.theirs, c)
	s.tryDirect(c)
	s.tryWays(c)
	if !s.talk.described {
		s.talk.early = append(s.talk.early, c)
		return
	}
	s.addCandidate(c)
}

func (s *Session) addCandidate(c Candidate) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic in candidate", "panic", r)
		}
	}()
	err := s.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
	if err != nil {
		s.log.Debug("candidate refused", "err", firstLine(err)) // others may do
	}
}

// connectionChanged compares what pion says now with what we said last.
func (s *Session) connectionChanged() {
	state := s.pc.ConnectionState()
	if s.talk.over || s.hold.on && state != webrtc.PeerConnectionStateFailed {
		return
	}
	switch state {
	case webrtc.PeerConnectionStateConnected:
		if !s.talk.up {
			s.cameBack()
		}
	case webrtc.PeerConnectionStateDisconnected:
		s.wentDown()
		s.seekBeside(false, time.Now())
	case webrtc.PeerConnectionStateFailed:
		if s.talk.wasUp {
			s.fail("The connection was lost.")
		} else {
			s.fail("No connection could be made to the other side.")
		}
	case webrtc.PeerConnectionStateUnknown, webrtc.PeerConnectionStateNew, webrtc.PeerConnectionStateConnecting, webrtc.PeerConnectionStateClosed:
	}
}

// pathChanged says when media has moved between a direct path and a relay, and has the line measured anew on any other
// path.
func (s *Session) pathChanged() {
	if d := s.hold.gate.detour.Load(); d != nil && s.detoured() == nil {
		s.hold.gate.detour.CompareAndSwap(d, nil) // pion has chosen anew
	}
	if path := s.path(); path != "" && path != s.talk.path {
		if s.talk.path != "" {
			s.bandwidth.pathChanged(time.Now())
		}
		s.talk.path, s.roam.relay = path, s.relayRoute()
		s.tend(time.Now())
	}
	if relay := s.relayed(); s.talk.up && relay != s.talk.relay {
		s.talk.relay = relay
		s.emit(Connected{relay})
		s.seekDirect()
	}
}

func (s *Session) setOpen(open bool) {
	s.videoOut.setOpen(open)
	s.audioOut.open.Store(open)
}

func (s *Session) noPath() bool {
	pair, err := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	return err != nil || pair == nil
}

// path names the two ends that media goes between; empty: there are none. The kind of a candidate says nothing: a
// reflexive one is often the same address.
func (s *Session) path() string {
	pair, err := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return ""
	}
	end := func(c *webrtc.ICECandidate) string {
		return c.Protocol.String() + net.JoinHostPort(c.Address, strconv.Itoa(int(c.Port)))
	}
	if d := s.detoured(); d != nil && d.by != (packetPath{d.carrier, d.from}) {
		return d.by.conn.LocalAddr().String() + " " + d.by.to.String()
	}
	return end(pair.Local) + " " + end(pair.Remote)
}

// relayed says whether media goes through a relay at either end.
func (s *Session) relayed() bool {
	pair, err := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return s.RelayOnly
	}
	if d := s.detoured(); d != nil && d.by.to != d.from {
		return false // relays are no ways
	}
	return pair.Local.Typ == webrtc.ICECandidateTypeRelay || pair.Remote.Typ == webrtc.ICECandidateTypeRelay
}

// gotTrack takes the first track of each kind; more of them are ignored.
func (s *Session) gotTrack(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	if s.hold.on {
		s.hold.tracks = append(s.hold.tracks, func() { s.gotTrack(t, r) })
		return
	}
	s.wg.Go(func() { s.drain(r) })
	switch t.Kind() {
	case webrtc.RTPCodecTypeVideo:
		if s.videoIn.ssrc.CompareAndSwap(0, uint32(t.SSRC())) {
			p := r.GetParameters()
			s.videoIn.setCodecs(p.Codecs)
			s.videoIn.number.Store(uint32(extensionOf(p.HeaderExtensions, numberURI)))
			s.videoIn.transport.Store(uint32(extensionOf(p.HeaderExtensions, sdp.TransportCCURI)))
			s.wg.Go(func() { s.videoIn.read(t) })
		}
	case webrtc.RTPCodecTypeAudio:
		if s.audioIn.ssrc.CompareAndSwap(0, uint32(t.SSRC())) {
			s.audioIn.setCodecs(r.GetParameters().Codecs)
			s.wg.Go(func() { s.audioIn.read(t) })
		}
	case webrtc.RTPCodecTypeUnknown:
	}
}
