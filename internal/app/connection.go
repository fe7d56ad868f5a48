package app

import (
	"visavis.example/internal/call"
)

// connection is one media connection of a call: being opened, open or closed. The loop owns it.
type connection struct {
	conf    MediaConfig
	peer    Peer // nil: not open yet, or no more
	closed  bool
	probing bool         // the server has been asked whether it is there
	held    []func(Peer) // to be done when it is open
	early   bool         // made while it rings, and not the call's own yet
	device  string       // early: the other's device, as the hub calls it for the caller; empty for the callee
	devices bool         // early: it has opened ours
	news    []MediaEvent // early: what it had to say, for when it is the call's own
}

// do has f done now or when the connection is open; false when too much waits.
func (k *connection) do(f func(Peer)) bool {
	switch {
	case k.closed:
	case k.peer != nil:
		f(k.peer)
	case len(k.held) < maxHeld:
		k.held = append(k.held, f)
	default:
		return false
	}
	return true
}

// openPeer makes the call's connection, unless an early one is there to go on with.
func (a *App) openPeer(f call.OpenPeer) {
	k := a.run.kept
	if !f.Offerer && a.snap.Call.ID == f.ID {
		k = a.run.earlyOf("")
	}
	if k != nil && !k.closed && k.conf.CallID == f.ID {
		a.adopt(k)
		return
	}
	a.giveUpEarly(nil)
	a.openOwn(f)
}

// openOwn opens the call's connection as it is opened without a head start.
func (a *App) openOwn(f call.OpenPeer) {
	run, c := a.run, a.snap.Call
	k := run.conn
	if k.closed {
		k = &connection{}
		run.conn = k
	}
	k.conf = MediaConfig{
		CallID: f.ID, Offerer: f.Offerer, ICEServers: run.ice, RelayOnly: a.RelayOnly,
		Microphone: c.Microphone, Camera: c.Camera, Settings: a.snap.Settings,
	}
	a.open(k)
}

func (a *App) open(k *connection) {
	run, conf := a.run, k.conf
	a.spawn(func() {
		p, err := a.Media.Open(conf, func(e MediaEvent) { a.post(func() { a.gotMedia(run, k, e) }) })
		a.post(func() { a.opened(run, k, p, err) })
	})
}

func (a *App) opened(run *callRun, k *connection, p Peer, err error) {
	switch {
	case k.closed:
		if err == nil {
			a.spawn(p.Close)
		}
	case err != nil && k.early:
		a.Logger.Debug("early connection not opened", "err", err)
		a.close(k)
	case err != nil:
		a.Logger.Error("media not opened", "err", err)
		a.notice("The connection could not be made: " + err.Error())
		a.apply(call.PeerFailed{ID: k.conf.CallID})
	default:
		k.peer = p
		for _, f := range k.held {
			f(p)
		}
		k.held = nil
	}
}

// close lets go of a connection, beside the loop: devices may take their time.
func (a *App) close(k *connection) {
	k.closed, k.held, k.news = true, nil, nil
	if p := k.peer; p != nil {
		k.peer = nil
		a.spawn(p.Close)
	}
}

// toPeer does f with the call's connection, now or when it is open.
func (a *App) toPeer(f func(Peer)) {
	if a.run != nil && !a.run.conn.do(f) {
		a.Logger.Warn("too much for a media connection that is not open yet")
	}
}

func (a *App) closePeer() {
	if a.run != nil {
		a.close(a.run.conn)
	}
}

// name is the device to name in messages: only the caller's early connections have one.
func (k *connection) name() string {
	if k.early {
		return k.device
	}
	return ""
}
