package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"visavis.example/internal/app"
	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/playout"
	"visavis.example/internal/media/trace"
	"visavis.example/internal/peer"
	"visavis.example/internal/signal"
)

// calls implements app.Media over packages peer, capture and playout.
type calls struct {
	options  mediaOptions
	log      *slog.Logger
	ring     *ringer
	recorder *playout.Y4MFile  // nil: none; lives as long as the program, over several calls
	trace    *trace.Log        // nil: none; of the program's life, too
	spoken   *playout.Recorder // of the microphone and the speaker: files, or clocks for the trace; nil: neither
	heard    *playout.Recorder
	turn     chan struct{} // of one place: taken by the connection that has the devices
	relayTLS func(server string) *tls.Config
	gaps     error // why a recording or the trace is not complete; known after Close

	// Where pictures are shown; the window attaches itself.
	remote, self playout.Slot
	window       bool
}

func newCalls(o mediaOptions, log *slog.Logger, window bool) (*calls, error) {
	c := &calls{
		options: o, log: log, window: window, turn: make(chan struct{}, 1),
		relayTLS: func(string) *tls.Config { return nil }, // until somebody knows better
	}
	if err := c.record(); err != nil {
		return nil, errors.Join(err, c.endRecords())
	}
	c.ring = newRinger(log)
	return c, nil
}

// Open implements app.Media. Devices are opened beside it, as soon as the connection has begun.
func (c *calls) Open(conf app.MediaConfig, post func(app.MediaEvent)) (app.Peer, error) {
	l := &link{
		calls: c, post: post, settings: conf.Settings, microphoneOn: conf.Microphone, cameraOn: conf.Camera, gone: make(chan struct{}),
	}
	call := c.trace.Call(conf.CallID)
	l.session = &peer.Session{
		Offerer:         conf.Offerer,
		ICEServers:      iceServers(conf.ICEServers),
		Held:            conf.Held,
		RelayOnly:       conf.RelayOnly,
		RelayTLS:        c.relayTLS(conf.Settings.Server),
		IncludeLoopback: onLoopback(conf.Settings.Server),
		Codecs:          c.options.codecs,
		Width:           c.options.width, Height: c.options.height, FPS: c.options.fps,
		Video:   c.video(),
		OnEvent: l.gotEvent,
		Logger:  c.log,
		Trace:   call,
	}
	if c.window {
		l.session.SelfView = &c.self
	}
	if err := l.session.Start(); err != nil {
		l.session.Close()
		return nil, err
	}
	l.hands = newQueue()
	if l.waits = conf.Held && !conf.Devices; !l.waits {
		l.hands.put(l.update)
	}
	return l, nil
}

// onLoopback says whether the server is on this machine; then so may be the other side, and there may be no other network.
func onLoopback(server string) bool {
	a, err := signal.ParseAddress(server)
	return err == nil && a.Loopback()
}

func (c *calls) video() media.VideoSink {
	var sinks []media.VideoSink
	if c.window {
		sinks = append(sinks, &c.remote)
	}
	if c.recorder != nil {
		sinks = append(sinks, c.recorder)
	}
	return playout.Tee(sinks...)
}

// Devices implements app.Media.
func (c *calls) Devices() app.Devices {
	return app.Devices{
		Cameras: capture.Cameras(), Screens: capture.Screens(), Microphones: capture.Microphones(), Speakers: playout.Speakers(),
	}
}

// Ring implements app.Media: the ringtone sounds through the default speaker, where it is noticed; the ringback where the
// other's voice will. A speaker switched off or recorded to a file does not ring.
func (c *calls) Ring(incoming bool, s app.Settings) {
	p := c.options.speaker.orSetting(s.Speaker)
	switch {
	case p.kind == "none" || p.kind == "file":
		return
	case incoming:
		p = theDefault
	}
	c.ring.play(incoming, p)
}

// Quiet implements app.Media.
func (c *calls) Quiet() { c.ring.quiet() }

// Close implements app.Media.
func (c *calls) Close() {
	c.ring.close()
	c.gaps = c.endRecords()
}

// link implements app.Peer: one peer.Session and the devices it uses. The fields below hands belong to its goroutine,
// since looking for devices takes time.
type link struct {
	calls   *calls
	post    func(app.MediaEvent)
	session *peer.Session
	hands   *queue

	gone         chan struct{} // closed by Close
	turn         bool          // the devices are ours
	waits        bool          // no device is opened before Release
	settings     app.Settings
	microphoneOn bool
	cameraOn     bool
	screen       string

	camera, microphone, speaker spec // what is open; the zero spec: nothing
	recording                   bool // spoken and heard have begun
	spoken, heard               *playout.Section
}

func (l *link) GotOffer(sdp string)  { l.session.GotOffer(sdp) }
func (l *link) GotAnswer(sdp string) { l.session.GotAnswer(sdp) }
func (l *link) GotCandidate(c signal.Candidate) {
	l.session.GotCandidate(peer.Candidate{Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex})
}

// Release implements app.Peer.
func (l *link) Release(microphone, camera bool) {
	l.session.Release()
	l.change(func() { l.waits, l.microphoneOn, l.cameraOn = false, microphone, camera })
}

func (l *link) Restart(asked bool)        { l.session.Restart(asked) }
func (l *link) NetworkChanged(slept bool) { l.session.NetworkChanged(slept) }
func (l *link) Say(text string) bool      { return l.session.Say(text) }

// SetICEServers implements app.Peer.
func (l *link) SetICEServers(servers []signal.ICEServer) {
	l.session.SetICEServers(iceServers(servers))
}

func iceServers(servers []signal.ICEServer) (list []peer.ICEServer) {
	for _, s := range servers {
		list = append(list, peer.ICEServer(s))
	}
	return list
}

func (l *link) SetMicrophone(on bool) { l.change(func() { l.microphoneOn = on }) }
func (l *link) SetCamera(on bool)     { l.change(func() { l.cameraOn = on }) }
func (l *link) SetScreen(name string) { l.change(func() { l.screen = name }) }
func (l *link) SetDevices(s app.Settings) {
	l.change(func() { l.settings = s })
}

func (l *link) change(f func()) {
	l.hands.put(func() {
		f()
		l.update()
	})
}

func (l *link) Close() {
	close(l.gone)
	l.hands.close()
	l.session.LetGo()
	if l.turn {
		<-l.calls.turn
	}
	l.session.Close()
}

// takeTurn waits until no other connection has the devices: a camera cannot be open twice, and of several connections
// that are made while it rings the first one has them until it is closed. It says false when we are closed ourselves.
func (l *link) takeTurn() bool {
	if l.turn {
		return true
	}
	select {
	case l.calls.turn <- struct{}{}:
		l.turn = true
	case <-l.gone:
	}
	return l.turn
}

// update opens and closes what the switches and settings say.
func (l *link) update() {
	if l.waits || !l.takeTurn() {
		return
	}
	if !l.recording { // not before: of several connections that are made while it rings, one gets the devices
		l.recording = true
		l.spoken = l.calls.spoken.Section(func(sample int64, at time.Time) { l.session.Trace.Sound(trace.Mic, sample, at) })
		l.heard = l.calls.heard.Section(func(sample int64, at time.Time) { l.session.Trace.Sound(trace.Speaker, sample, at) })
	}
	o := l.calls.options
	l.updateSpeaker(o.speaker.orSetting(l.settings.Speaker))
	microphone := o.microphone.orSetting(l.settings.Microphone)
	l.session.SetProcessing(o.processingOf(microphone, l.settings))
	l.updateMicrophone(microphone)
	want := spec{}
	switch {
	case l.screen != "":
		want = spec{"screen", l.screen}
	case l.cameraOn:
		want = o.camera.orSetting(l.settings.Camera)
	}
	l.updateCamera(want)
}

func (l *link) updateSpeaker(want spec) {
	if want == l.speaker {
		return
	}
	l.speaker = want
	sink, err := openSpeaker(want)
	if err != nil {
		l.notice(peer.Speaker, err)
		sink, _ = openSpeaker(none)
	}
	l.session.SetSpeaker(watchSink(tapSink(sink, l.heard), func(err error) { l.notice(peer.Speaker, err) }))
}

func (l *link) updateMicrophone(want spec) {
	l.session.SetMuted(!l.microphoneOn)
	if want == l.microphone {
		return
	}
	l.microphone = want
	src, err := openMicrophone(want)
	switch {
	case err != nil:
		l.lost(peer.Microphone, err)
	case src == nil: // the switch goes back, and asks again when it is pressed
		l.microphone, l.microphoneOn = spec{}, false
		l.session.SetMicrophone(nil)
		l.post(app.MediaLacks{Microphone: true})
		if l.calls.options.microphone == (spec{}) {
			l.post(app.MediaNotice{Text: "No microphone is chosen in the settings. The other cannot hear you."})
		}
	default:
		l.session.SetMicrophone(watchAudio(tapAudio(src, l.spoken), func(err error) { l.notice(peer.Microphone, err) }))
	}
}

func (l *link) updateCamera(want spec) {
	if want == l.camera {
		return
	}
	l.camera = want
	if want == (spec{}) {
		l.session.SetCamera(nil)
		return
	}
	src, err := l.calls.options.openCamera(want)
	switch {
	case err != nil:
		l.lost(peer.Camera, err)
	case src == nil:
		l.camera, l.cameraOn = spec{}, false
		l.session.SetCamera(nil)
		l.post(app.MediaLacks{Camera: true})
		if l.calls.options.camera == (spec{}) {
			l.post(app.MediaNotice{Text: "No camera is chosen in the settings. The other cannot see you."})
		}
	default:
		l.session.SetCamera(watchVideo(src, func(err error) {
			l.hands.put(func() {
				if l.camera == want { // and not another one by now
					l.lost(peer.Camera, err)
				}
			})
		}))
	}
}

// lost ends the use of a device that cannot be opened or has gone, so that the switch can try it again.
func (l *link) lost(d peer.Device, err error) {
	switch d {
	case peer.Camera:
		screen := l.camera.kind == "screen"
		l.camera = spec{}
		l.session.SetCamera(nil)
		if screen {
			l.screen = ""
			l.post(app.MediaLacks{Screen: true})
			l.post(app.MediaNotice{Text: "The screen cannot be shared: " + err.Error() + "."})
			l.update() // back to the camera
			return
		}
		l.cameraOn = false
		l.post(app.MediaLacks{Camera: true})
	case peer.Microphone:
		l.microphone = spec{}
		l.microphoneOn = false
		l.session.SetMicrophone(nil)
		l.post(app.MediaLacks{Microphone: true})
	case peer.Speaker:
		sink, _ := openSpeaker(none)
		l.session.SetSpeaker(tapSink(sink, l.heard))
	}
	l.notice(d, err)
}

// notice says in people's words what a device's failure means for the call.
func (l *link) notice(d peer.Device, err error) {
	l.calls.log.Warn("device", "what", d, "err", err)
	var text string
	switch {
	case errors.Is(err, capture.ErrNoCamera):
		text = "No camera was found. The other cannot see you."
	case errors.Is(err, capture.ErrNoMicrophone):
		text = "No microphone was found. The other cannot hear you."
	case errors.Is(err, playout.ErrNoSpeaker):
		text = "No speaker was found. You cannot hear the other."
	case errors.Is(err, capture.ErrBusy):
		text = "The " + string(d) + " is used by another program."
	default:
		text = "The " + string(d) + " does not work: " + err.Error() + "."
	}
	l.post(app.MediaNotice{Text: text})
}

// gotEvent is what the session says; it only passes on.
func (l *link) gotEvent(e peer.Event) {
	switch e := e.(type) {
	case peer.Offer:
		l.post(app.LocalOffer{SDP: e.SDP})
	case peer.Answer:
		l.post(app.LocalAnswer{SDP: e.SDP})
	case peer.LocalCandidate:
		l.post(app.LocalCandidate{Candidate: signal.Candidate{
			Candidate: e.Candidate.Candidate, SDPMid: e.SDPMid, SDPMLineIndex: e.SDPMLineIndex,
		}})
	case peer.Connected:
		l.post(app.MediaUp{Path: path(e.Relay)})
	case peer.Disconnected:
		l.post(app.MediaDown{})
	case peer.RestartWanted:
		l.post(app.RestartWanted{})
	case peer.Failed:
		l.post(app.MediaFailed{Why: e.Why})
	case peer.FirstVideo:
		l.post(app.FirstVideo{Width: e.Width, Height: e.Height})
	case peer.FirstAudio:
		l.post(app.FirstAudio{})
	case peer.VideoPaused:
		l.post(app.VideoPaused{On: e.On})
	case peer.DataOpen:
		l.post(app.DataOpen{})
	case peer.Heard:
		l.post(app.Heard{Text: e.Text})
	case peer.DeviceFailed:
		l.hands.put(func() { l.lost(e.Device, fmt.Errorf("%s: %w", e.Label, e.Err)) })
	case peer.Stats:
		l.post(app.MediaStats{At: e.At, Quality: quality(e), Report: e.Report})
	}
}

func path(relay bool) signal.Path {
	if relay {
		return signal.PathRelay
	}
	return signal.PathDirect
}

func quality(e peer.Stats) app.Quality {
	q := app.Quality{
		Path: path(e.Relay), RTT: e.RTT, LossPercent: e.LossPercent,
		SendKbps: e.SendKbps, ReceiveKbps: e.ReceiveKbps, SendFPS: e.SendFPS, ReceiveFPS: e.ReceiveFPS,
		SendSize: e.SendSize, ReceiveSize: e.ReceiveSize, VideoCodec: e.ReceiveCodec,
	}
	if q.VideoCodec == "" {
		q.VideoCodec = e.SendCodec
	}
	return q
}
