package app

import (
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// SetMicrophone switches the own sound in the current call.
func (a *App) SetMicrophone(on bool) {
	a.switched(func(c *Call) { c.Microphone = on }, func(p Peer) { p.SetMicrophone(on) })
}

// SetCamera switches the own picture; off closes the camera.
func (a *App) SetCamera(on bool) {
	a.switched(func(c *Call) { c.Camera = on }, func(p Peer) { p.SetCamera(on) })
}

// SetScreen shares a screen by the name that Devices gives it, instead of the camera; "" ends sharing.
func (a *App) SetScreen(name string) {
	a.switched(func(c *Call) { c.Screen = name != "" }, func(p Peer) { p.SetScreen(name) })
}

func (a *App) switched(set func(*Call), tell func(Peer)) {
	a.post(func() {
		c := &a.snap.Call
		if !c.Live() {
			return
		}
		was := *c
		set(c)
		if *c == was {
			return
		}
		a.changed()
		for _, k := range a.run.early {
			if k.devices {
				k.do(tell)
			}
		}
		if c.HasPeer() {
			a.toPeer(tell)
			a.sendMedia()
		}
	})
}

// sendMedia tells the other what the switches say.
func (a *App) sendMedia() {
	c := a.snap.Call
	if !c.HasPeer() {
		return // the accept says what it needs to
	}
	a.run.change++
	m := signal.Media{Microphone: c.Microphone, Camera: c.Camera, Screen: c.Screen, Paused: c.Paused, Change: a.run.change}
	e := signal.Envelope{Method: signal.CallMedia, CallID: c.ID, Data: signal.Encode(m)}
	a.beside(e)
	a.ask(e, nil)
}

// gotMedia is what a media connection of run says.
func (a *App) gotMedia(run *callRun, k *connection, e MediaEvent) {
	if a.run != run || k.closed || k.early && a.gotHeld(k, e) {
		return
	}
	c := &a.snap.Call
	switch e := e.(type) {
	case LocalOffer:
		if k == run.conn {
			run.offers++
		}
		a.signalPeer(k, signal.MessageOffer, signal.SDP{SDP: e.SDP, Device: k.name(), Fresh: run.fresh})
	case LocalAnswer:
		a.signalPeer(k, signal.MessageAnswer, signal.SDP{SDP: e.SDP, Device: k.name()})
	case LocalCandidate:
		e.Device = k.name()
		a.signalPeer(k, signal.MessageCandidate, e.Candidate)
	case MediaUp:
		a.mediaUp(e.Path)
	case MediaDown:
		a.apply(call.PeerDown{ID: c.ID})
		a.probe(k)
	case RestartWanted:
		again := signal.Envelope{Method: signal.CallRestart, CallID: c.ID, Data: signal.Encode(signal.Restart{Offers: run.offers})}
		a.beside(again)
		a.insist(again, nil)
	case DataOpen:
		a.sendMedia()
	case Heard:
		a.gotBeside(run, e.Text)
	case MediaFailed:
		a.Logger.Warn("media failed", "why", e.Why)
		a.apply(call.PeerFailed{ID: c.ID})
	case FirstVideo:
		a.firstMedia(Event{Event: "first-remote-frame", Width: e.Width, Height: e.Height})
	case FirstAudio:
		a.firstMedia(Event{Event: "first-remote-audio"})
	case MediaStats:
		if e.Path == signal.PathUnknown {
			e.Path = c.Quality.Path
		}
		c.Quality = e.Quality
		if c.Phase == call.Active && time.Since(run.reported) >= reportEvery {
			a.report()
		}
		a.tellCall(Event{Event: "stats", Path: e.Path, Stats: statsOf(e.Quality, &e.Report)})
		a.changed()
	case VideoPaused:
		if c.Paused != e.On {
			c.Paused = e.On
			name := "picture-resumed"
			if e.On {
				name = "picture-paused"
			}
			a.tellCall(Event{Event: name})
			a.changed()
			a.sendMedia()
		}
	case MediaNotice:
		a.notice(e.Text)
	case MediaLacks:
		a.lacks(e)
	}
}

func (a *App) lacks(e MediaLacks) {
	c := &a.snap.Call
	was := *c
	c.Camera = c.Camera && !e.Camera
	c.Microphone = c.Microphone && !e.Microphone
	c.Screen = c.Screen && !e.Screen
	if *c != was {
		a.changed()
		a.sendMedia()
	}
}

func (a *App) mediaUp(path signal.Path) {
	c := &a.snap.Call
	moved := c.Quality.Path != path
	c.Quality.Path = path
	a.changed()
	a.apply(call.PeerUp{ID: c.ID})
	if moved {
		a.report()
	}
}

func (a *App) firstMedia(e Event) {
	e.SetupMs = max(time.Since(a.run.accepted).Milliseconds(), 1)
	if a.run.setupMs == 0 {
		a.run.setupMs = e.SetupMs
		a.report()
	}
	a.tellCall(e)
}

// The caller looks for another path first, so that both rarely do at once.
const (
	probeCaller = 500 * time.Millisecond
	probeCallee = 1500 * time.Millisecond
	probeAgain  = 2 * time.Second
)

// probe asks the server something small when the path is silent. Its answer says that the line lives and only the path
// is dead: then another is sought. Without an answer the path is kept, for it is the first to come back.
func (a *App) probe(k *connection) {
	wait := probeCallee
	if a.snap.Call.Outgoing {
		wait = probeCaller
	}
	a.probeAfter(a.run, k, wait)
}

func (a *App) probeAfter(run *callRun, k *connection, wait time.Duration) {
	time.AfterFunc(wait, func() {
		a.post(func() {
			if a.run != run || run.conn != k || k.closed || a.snap.Call.Phase != call.Reconnecting || k.probing {
				return
			}
			k.probing = true
			r := signal.Report{Path: a.snap.Call.Quality.Path, SetupMs: run.setupMs}
			a.ask(signal.Envelope{Method: signal.CallReport, CallID: a.snap.Call.ID, Data: signal.Encode(r)}, func(_ signal.Envelope, err error) {
				k.probing = false
				if err == nil && a.run == run {
					k.do(func(p Peer) { p.Restart(false) })
				}
				if a.snap.Link != Online && a.sess != nil && a.sess.signaler != nil {
					a.sess.signaler.Hurry() // the call waits for it
				}
				a.probeAfter(run, k, probeAgain)
			})
		})
	})
}

// NetworkChanged says that this machine's networks are others than before, or that it slept.
func (a *App) NetworkChanged(slept bool) {
	a.post(func() {
		if a.sess != nil && a.sess.signaler != nil {
			a.spawn(a.sess.signaler.NetworkChanged)
		}
		if a.run == nil {
			return
		}
		for _, k := range a.run.early {
			k.do(func(p Peer) { p.NetworkChanged(slept) })
		}
		if a.snap.Call.HasPeer() {
			a.toPeer(func(p Peer) { p.NetworkChanged(slept) })
		}
	})
}

// reportEvery is half of how long the server waits for a device that it does not hear of.
const reportEvery = 10 * time.Second

// report tells the server how media travels, for the record, and that it does, so that the server keeps the call when the
// other cannot reach it.
func (a *App) report() {
	c := a.snap.Call
	a.run.reported = time.Now()
	r := signal.Report{Path: c.Quality.Path, SetupMs: a.run.setupMs, Flows: c.Phase == call.Active}
	a.ask(signal.Envelope{Method: signal.CallReport, CallID: c.ID, Data: signal.Encode(r)}, nil)
}

// signalPeer sends a description or a candidate to the other's device.
func (a *App) signalPeer(k *connection, m signal.Method, data any) {
	id := a.snap.Call.ID
	run := a.run
	a.insist(signal.Envelope{Method: m, CallID: id, Data: signal.Encode(data)}, func(_ signal.Envelope, err error) {
		if a.run != run || k.closed || err == nil {
			return
		}
		a.Logger.Debug("not passed on", "method", m, "err", err)
		if signal.IsCode(err, signal.ErrNotInCall) && !k.early && a.snap.Call.HasPeer() {
			a.lookUpEnd(id)
		}
	})
}
