// Package peer is one call's media connection: a pion PeerConnection with the codecs, header extensions and interceptors
// of our choice, and the pipelines between it and package media's devices. Whoever makes a call (cmd/client, tests)
// owns a Session, brings it what the other party signalled and sends what its events say. It never talks to the server,
// never opens a device by name, and never decides who calls whom.
package peer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/h264"
	"visavis.example/internal/media/process"
	"visavis.example/internal/media/trace"
)

// ICEServer is a STUN or TURN server with what it wants to know.
type ICEServer struct {
	URLs                 []string
	Username, Credential string
}

// Candidate is one way to reach a party, as RTCIceCandidateInit has it.
type Candidate struct {
	Candidate     string
	SDPMid        *string
	SDPMLineIndex *uint16
}

// Session is one media connection. Fill the exported fields, Start, Close; they are not changed after Start. No method
// but Close waits for anything; all are safe for concurrent use.
type Session struct {
	Offerer         bool // we make the offer
	Held            bool // connect over relays only, and without media, until Release
	ICEServers      []ICEServer
	RelayTLS        *tls.Config // trusts the relays of turns: URLs; nil: the system's roots
	RelayOnly       bool        // use relay candidates only
	IncludeLoopback bool        // offer 127.0.0.1 too: for two programs on one machine
	Codecs          []string    // "vp9", "vp8", "h264" in order of preference; empty: DefaultCodecs
	Width, Height   int         // of the pictures sent, at most; 0: 1280x720
	FPS             float64     // at most; 0: 30
	MaxBitrateBps   int         // of everything sent; 0: 2.5 Mbit/s
	Video           media.VideoSink
	SelfView        media.VideoSink // gets every picture of the own camera
	Speaker         media.AudioSink // the first one; as if given to SetSpeaker
	// OnEvent is called from one goroutine and must not block nor call Close.
	OnEvent func(Event)
	Logger  *slog.Logger
	Trace   *trace.Log // nil: nothing is traced

	// Tests only.
	network   transport.Net // nil: the machine's
	failAfter time.Duration // of being disconnected; 0: iceFailed

	once   sync.Once
	box    mailbox
	stop   chan struct{}
	looped chan struct{} // closed when the loop has ended; nil: it never began
	closed sync.Once
	wg     sync.WaitGroup
	log    *slog.Logger

	letting     chan struct{} // closed: let go of the devices
	letGo       sync.Once
	devices     sync.WaitGroup
	cameras     *keeper[media.VideoSource]
	microphones *keeper[media.AudioSource]
	speakers    *keeper[media.AudioSink]

	pc        *webrtc.PeerConnection
	relays    *relayDialer
	wire      *wire
	meter     meter
	asked     askedCount
	limits    limits // of the loop
	videoOut  *videoSender
	audioOut  *audioSender
	videoIn   *videoReceiver
	audioIn   *audioReceiver
	lips      *lips
	rtt       atomicDuration
	bandwidth bandwidth
	muted     atomic.Bool
	processor process.Processor // between microphone and encoder
	talk      talk              // of the loop
	hold      hold              // of the loop
	roam      roam              // of the loop
	heard     heard
	data      dataChannel
}

// DefaultCodecs is the order of preference when a Session names none: all that were built in.
var DefaultCodecs = defaultCodecs()

func defaultCodecs() []string {
	if h264.Available {
		return []string{"vp9", "vp8", "h264"}
	}
	return []string{"vp9", "vp8"}
}

const (
	startTargetBps = 300_000
	minTargetBps   = floorBps
	defaultMaxBps  = 2_500_000
)

func (s *Session) init() {
	s.once.Do(func() {
		s.stop, s.letting = make(chan struct{}), make(chan struct{})
		s.log = s.Logger
		if s.log == nil {
			s.log = slog.New(slog.DiscardHandler)
		}
		if s.Width <= 0 || s.Height <= 0 {
			s.Width, s.Height = 1280, 720
		}
		if s.FPS <= 0 {
			s.FPS = 30
		}
		if s.MaxBitrateBps <= 0 {
			s.MaxBitrateBps = defaultMaxBps
		}
		if s.failAfter == 0 {
			s.failAfter = iceFailed
		}
		s.MaxBitrateBps = max(s.MaxBitrateBps, minTargetBps)
		s.processor = process.New(process.Options{})
		failed := func(d Device) func(string, error) {
			return func(label string, err error) { s.emitLater(DeviceFailed{d, label, err}) }
		}
		s.cameras = &keeper[media.VideoSource]{
			wish: newSlot[media.VideoSource](), stop: s.letting, failed: failed(Camera), log: s.log,
			start: func(d media.VideoSource) error { return s.videoOut.startCamera(d) },
			gone:  func() { s.videoOut.cameraGone() },
		}
		s.microphones = &keeper[media.AudioSource]{
			wish: newSlot[media.AudioSource](), stop: s.letting, failed: failed(Microphone), log: s.log,
			start: func(d media.AudioSource) error { return s.audioOut.startMicrophone(d) },
			gone:  func() {},
		}
		s.speakers = &keeper[media.AudioSink]{
			wish: newSlot[media.AudioSink](), stop: s.letting, failed: failed(Speaker), log: s.log,
			start: func(d media.AudioSink) error {
				s.processor.Reset() // another delay, another room
				return s.audioIn.startSpeaker(d)
			},
			gone: func() {},
		}
		if s.Speaker != nil {
			s.speakers.set(s.Speaker)
		}
	})
}

// Start begins negotiation: the Offerer's offer comes as an event. An error leaves nothing running; Close is then still
// needed for devices that were set.
func (s *Session) Start() error {
	s.init()
	prefer, err := parseCodecs(s.Codecs)
	if err != nil {
		return err
	}
	stream := fmt.Sprintf("visavis-%08x", rand.Uint32()) // random, as RFC 7022 wants a cname
	audio := newTrack(webrtc.RTPCodecTypeAudio, stream, func(p []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
		return s.audioOut.codec.accept(p)
	})
	video := newTrack(webrtc.RTPCodecTypeVideo, stream, acceptVideo(prefer))
	s.videoOut, s.audioOut = newVideoSender(s, video, audio, prefer), newAudioSender(audio, s.processor, s.log)
	s.audioOut.send = s.videoOut.pacer.putSound
	s.audioOut.trace, s.audioOut.line, s.audioOut.spend = s.Trace, s.soundLine, s.videoOut.setSound
	s.audioOut.muted.Store(s.muted.Load())
	s.videoIn, s.audioIn = newVideoReceiver(s), newAudioReceiver(s)
	s.lips = newLips(s.audioIn, s.videoIn)
	s.wire = newWire(s.videoIn.gotRTX)
	s.bandwidth.start(s)
	if s.Held {
		s.videoOut.warm()
	}

	pc, err := newConnection(s, s.wire, prefer)
	if err != nil {
		return err
	}
	s.pc = pc
	senders, err := s.addTracks(audio, video)
	if err != nil {
		s.relays.close()
		return errors.Join(err, pc.GracefulClose())
	}
	s.listen()
	if s.Offerer {
		if err := s.offerData(); err != nil {
			return errors.Join(fmt.Errorf("open data channel: %w", err), pc.GracefulClose())
		}
	}
	for _, r := range senders {
		s.wg.Go(func() { s.drain(r) })
	}
	s.devices.Go(s.cameras.run)
	s.devices.Go(s.microphones.run)
	s.devices.Go(s.speakers.run)
	s.wg.Go(func() { s.videoOut.run(s.stop) })
	s.wg.Go(func() { s.videoOut.pacer.run(s.stop) })
	s.wg.Go(func() { s.audioOut.run(s.stop) })
	s.wg.Go(func() { s.videoIn.run(s.stop) })
	s.wg.Go(func() { s.videoIn.runDecoder(s.stop) })
	s.wg.Go(func() { s.audioIn.run(s.stop) })
	s.wg.Go(func() { s.lips.run(s.stop) })
	if s.Offerer {
		s.box.post(func() { s.sendOffer(false) })
	}
	s.looped = make(chan struct{})
	s.wg.Go(s.loop)
	return nil
}

// addTracks makes one section each for sound and picture, both ways, so that switching the camera on later needs no new
// negotiation. On the answering side the offer's sections are matched with them.
func (s *Session) addTracks(tracks ...*track) (senders []*webrtc.RTPSender, err error) {
	for _, t := range tracks {
		tr, err := s.pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv})
		if err != nil {
			return nil, fmt.Errorf("add %s: %w", t.kind, err)
		}
		senders = append(senders, tr.Sender())
	}
	return senders, nil
}

func (s *Session) configuration() webrtc.Configuration {
	c := webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire}
	if s.RelayOnly {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	c.ICEServers = rtcServers(s.ICEServers)
	return c
}

func rtcServers(servers []ICEServer) (list []webrtc.ICEServer) {
	for _, i := range servers {
		list = append(list, webrtc.ICEServer{URLs: i.URLs, Username: i.Username, Credential: i.Credential})
	}
	return list
}

func parseCodecs(names []string) ([]codec, error) {
	if len(names) == 0 {
		names = DefaultCodecs
	}
	var list []codec
	for _, n := range names {
		c := codec(n)
		if !slices.Contains(DefaultCodecs, n) {
			return nil, fmt.Errorf("unknown video codec %q", n)
		}
		list = append(list, c)
	}
	return list, nil
}

// SetCamera replaces the source of the own picture; nil closes the camera, and the other side keeps the last picture.
// The Session closes src, also when it could not start it or has ended already.
func (s *Session) SetCamera(src media.VideoSource) { s.init(); s.cameras.set(src) }

// SetMicrophone replaces the source of the own sound as SetCamera does for the picture; nil sends nothing.
func (s *Session) SetMicrophone(src media.AudioSource) { s.init(); s.microphones.set(src) }

// SetSpeaker replaces where the other's sound is played; nil plays it nowhere. The Session closes sink.
func (s *Session) SetSpeaker(sink media.AudioSink) { s.init(); s.speakers.set(sink) }

// SetMuted sends silence in place of the microphone's sound.
func (s *Session) SetMuted(muted bool) {
	s.init()
	s.muted.Store(muted)
	s.box.post(func() { s.audioOut.muted.Store(s.muted.Load()) })
}

func (s *Session) soundLine() soundLine {
	loss, again := s.bandwidth.line.odds()
	if !s.bandwidth.hasFeedback() {
		loss = float64(s.audioOut.loss.Load()) / 100 // of some fifty packets: all that there is
	}
	return soundLine{targetBps: s.bandwidth.target(), loss: loss, again: again}
}

// SetProcessing switches what is done to the microphone's sound; at first nothing is. It takes effect at once.
func (s *Session) SetProcessing(o process.Options) {
	s.init()
	s.processor.Set(o)
}

// Close ends the connection and lets go of the devices. It returns after every goroutine has ended; more than once does
// nothing.
func (s *Session) Close() {
	s.init()
	s.closed.Do(func() {
		s.box.close()
		close(s.stop)
		s.dropDevices()
		if s.looped != nil {
			<-s.looped // it uses the connection
			s.data.settle()
			s.relays.close()
			if err := s.pc.GracefulClose(); err != nil {
				s.log.Debug("close connection", "err", err)
			}
			s.hold.gate.forget()
		}
		s.devices.Wait()
		s.wg.Wait()
	})
}

// LetGo closes the devices, and those that are set later, and returns when that is done: they are free for another
// Session, while Close still has to take leave of the network.
func (s *Session) LetGo() {
	s.init()
	s.dropDevices()
	s.devices.Wait()
}

func (s *Session) dropDevices() {
	s.letGo.Do(func() { close(s.letting) })
	s.cameras.drop()
	s.microphones.drop()
	s.speakers.drop()
}

// emitLater posts an event for the loop to say; never blocks.
func (s *Session) emitLater(e Event) { s.box.post(func() { s.emit(e) }) }

func (s *Session) emit(e Event) {
	if s.OnEvent != nil {
		s.OnEvent(e)
	}
}

func (s *Session) sendRTCP(p rtcp.Packet) {
	_ = s.pc.WriteRTCP([]rtcp.Packet{p}) // fails only while there is no connection
}

// packetReader is what pion's senders and receivers have in common.
type atomicDuration struct{ v atomic.Int64 }

func (a *atomicDuration) load() time.Duration   { return time.Duration(a.v.Load()) }
func (a *atomicDuration) store(d time.Duration) { a.v.Store(int64(d)) }
