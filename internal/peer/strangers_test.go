package peer

import (
	"testing"

	"github.com/pion/webrtc/v4"
)

// stranger is another program's connection that knows only the codecs it was given.
type stranger struct {
	*webrtc.PeerConnection
	state chan webrtc.PeerConnectionState
}

func newStranger(t *testing.T, video *webrtc.RTPCodecCapability) *stranger {
	t.Helper()
	m := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 109}, webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	if video != nil {
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: *video, PayloadType: 126}, webrtc.RTPCodecTypeVideo); err != nil {
			t.Fatal(err)
		}
	}
	se := webrtc.SettingEngine{}
	se.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{pc, make(chan webrtc.PeerConnectionState, 10)}
	pc.OnConnectionStateChange(func(c webrtc.PeerConnectionState) { s.state <- c })
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return s
}

// describe waits for all candidates: this one does not trickle.
func (s *stranger) describe(t *testing.T, d webrtc.SessionDescription, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(s.PeerConnection)
	if err := s.SetLocalDescription(d); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return s.LocalDescription().SDP
}

func (s *stranger) connected(t *testing.T) {
	t.Helper()
	for c := range s.state {
		if c == webrtc.PeerConnectionStateConnected {
			return
		}
	}
}

var av1 = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1, ClockRate: 90000, SDPFmtpLine: "profile=0"}

// Somebody with no picture codec of ours, or with sound alone, still gets a call with sound.
func TestStrangersAnswer(t *testing.T) {
	for name, video := range map[string]*webrtc.RTPCodecCapability{"AV1": &av1, "sound only": nil} {
		t.Run(name, func(t *testing.T) {
			p := &party{eye: &eye{}, ear: &ear{}}
			p.Session = &Session{Offerer: true, IncludeLoopback: true, Video: p.eye, Speaker: p.ear, OnEvent: p.got}
			p.hold = func(Event) bool { return true }
			t.Cleanup(p.Close)
			s := newStranger(t, video)
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			p.SetCamera(&pattern{width: 320, height: 240, fps: 30, id: 1})
			eventually(t, "offer", func() bool { return has[Offer](p) })
			if err := s.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: first[Offer](p).SDP}); err != nil {
				t.Fatal(err)
			}
			answer, err := s.CreateAnswer(nil)
			sdp := s.describe(t, answer, err)
			p.GotAnswer(sdp)
			eventually(t, "connection", func() bool { return has[Connected](p) || has[Failed](p) })
			if e, n := find[Failed](p); n > 0 {
				t.Fatalf("%s\n%s", e.Why, sdp)
			}
			s.connected(t)
		})
	}
}

func TestStrangersOffer(t *testing.T) {
	for name, video := range map[string]*webrtc.RTPCodecCapability{"AV1": &av1, "sound only": nil} {
		t.Run(name, func(t *testing.T) {
			p := &party{eye: &eye{}, ear: &ear{}}
			p.Session = &Session{IncludeLoopback: true, Video: p.eye, Speaker: p.ear, OnEvent: p.got}
			p.hold = func(Event) bool { return true }
			t.Cleanup(p.Close)
			s := newStranger(t, video)
			if _, err := s.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio); err != nil {
				t.Fatal(err)
			}
			if video != nil { // it only watches: pion does not survive that its own track is refused
				watch := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
				if _, err := s.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, watch); err != nil {
					t.Fatal(err)
				}
			}
			offer, err := s.CreateOffer(nil)
			sdp := s.describe(t, offer, err)
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			p.SetCamera(&pattern{width: 320, height: 240, fps: 30, id: 1})
			p.GotOffer(sdp)
			eventually(t, "answer", func() bool { return has[Answer](p) || has[Failed](p) })
			if e, n := find[Failed](p); n > 0 {
				t.Fatalf("%s\n%s", e.Why, sdp)
			}
			if err := s.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: first[Answer](p).SDP}); err != nil {
				t.Fatalf("%v\n%s", err, first[Answer](p).SDP)
			}
			eventually(t, "candidates", func() bool { return has[LocalCandidate](p) })
			p.mu.Lock()
			for _, e := range p.events {
				if c, ok := e.(LocalCandidate); ok {
					_ = s.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.Candidate.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
				}
			}
			p.mu.Unlock()
			eventually(t, "connection", func() bool { return has[Connected](p) || has[Failed](p) })
			if e, n := find[Failed](p); n > 0 {
				t.Fatal(e.Why)
			}
			s.connected(t)
		})
	}
}
