package app

import (
	"slices"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// Early connections are made while it rings, with up to three devices: held back until somebody accepts, they are a head
// start for the call's own connection, and nothing else depends on them. The call machine does not know of them: what it
// opens may be one of these.

// maxNews bounds what a held connection has to say before the call is agreed.
const maxNews = 64

// ring says that it rings here, and that this device can connect meanwhile if the caller can.
func (a *App) ring(id string) {
	run := a.run
	r := signal.Ring{Early: run.mayEarly}
	a.ask(signal.Envelope{Method: signal.CallRinging, CallID: id, Data: signal.Encode(r)}, func(reply signal.Envelope, err error) {
		if err != nil || a.run != run || a.snap.Call.Phase != call.Incoming || len(run.early) > 0 {
			return
		}
		decoded(a, reply, func(in signal.Rung) {
			if len(in.ICEServers) > 0 {
				a.openEarly("", in.ICEServers)
			}
		})
	})
}

// gotRinging is the hub's word that it rings; with a device it can be connected to.
func (a *App) gotRinging(r signal.Ringing) {
	c := a.snap.Call
	waiting := c.Outgoing && (c.Phase == call.Dialing || c.Phase == call.RingingOut)
	if !waiting || r.Device == "" || a.run.earlyOf(r.Device) != nil || len(a.run.early) >= signal.MaxEarly {
		return
	}
	a.openEarly(r.Device, r.ICEServers)
}

// openEarly makes a held connection. The caller's first one opens the devices: who calls wants to be seen. The callee's
// stay closed until they accept.
func (a *App) openEarly(device string, servers []signal.ICEServer) {
	c := a.snap.Call
	k := &connection{early: true, device: device, devices: c.Outgoing && len(a.run.early) == 0}
	k.conf = MediaConfig{
		CallID: c.ID, Offerer: c.Outgoing, ICEServers: servers, RelayOnly: a.RelayOnly, Held: true, Devices: k.devices,
		Microphone: c.Microphone, Camera: c.Camera, Settings: a.snap.Settings,
	}
	a.run.early = append(a.run.early, k)
	a.open(k)
}

// earlyOf gives the early connection with a device; nil: none that lives.
func (r *callRun) earlyOf(device string) *connection {
	i := slices.IndexFunc(r.early, func(k *connection) bool { return k.device == device && !k.closed })
	if i < 0 {
		return nil
	}
	return r.early[i]
}

// acceptEarly follows the person's accept here: the connection that stands is used at once, before the hub has said that
// this device was first. It says whether there is one.
func (a *App) acceptEarly() bool {
	k := a.run.earlyOf("")
	if k == nil {
		return false
	}
	a.release(k)
	return true
}

// release lets a held connection send and show media, with the switches as they are now.
func (a *App) release(k *connection) {
	microphone, camera := a.snap.Call.Microphone, a.snap.Call.Camera
	k.do(func(p Peer) { p.Release(microphone, camera) })
}

// adopt makes an early connection the call's own and gives up the others. A camera cannot be open twice: when another
// connection has it, that one is closed first.
func (a *App) adopt(k *connection) {
	run := a.run
	run.conn, k.early = k, false
	holder := a.giveUpEarly(k)
	switch {
	case !a.snap.Call.Outgoing: // released by the accept
	case holder == nil:
		a.release(k)
	default:
		a.spawn(func() {
			holder.Close()
			a.post(func() {
				if a.run == run && !k.closed {
					a.release(k)
				}
			})
		})
	}
	news := k.news
	k.news = nil
	for _, e := range news {
		a.gotMedia(run, k, e)
	}
}

// giveUpEarly closes all early connections but one; the peer that holds the devices is left for the caller to close.
func (a *App) giveUpEarly(but *connection) (holder Peer) {
	for _, k := range a.run.early {
		if k == but || k.closed {
			continue
		}
		if k.devices && k.peer != nil && but != nil {
			holder, k.peer = k.peer, nil
		}
		a.close(k)
	}
	a.run.early = nil
	return holder
}

// gotHeld is what a connection says before the call is agreed. It tells whether that has been dealt with.
func (a *App) gotHeld(k *connection, e MediaEvent) bool {
	switch e := e.(type) {
	case LocalOffer, LocalAnswer, LocalCandidate, MediaNotice, MediaLacks:
		return false
	case MediaFailed:
		a.Logger.Debug("early connection failed", "why", e.Why)
		a.close(k)
	case MediaStats:
	default:
		if _, up := e.(MediaUp); up {
			a.tellCall(Event{Event: "prepared"})
		}
		if len(k.news) < maxNews {
			k.news = append(k.news, e)
		}
	}
	return true
}

// signalled brings what the other's device signalled to the connection that it is for.
func (a *App) signalled(device string, f func(Peer)) {
	run := a.run
	for _, k := range run.early {
		if k.device == device && !k.closed {
			k.do(f)
			return
		}
	}
	if device == "" || run.conn.device == device {
		a.toPeer(f)
	}
}

// gotOffer is the caller's. A fresh one says that the early connection is no more, and another begins.
func (a *App) gotOffer(s signal.SDP) {
	run := a.run
	if s.Fresh && !a.snap.Call.Outgoing && run.conn.conf.Held {
		old := run.conn
		a.close(old)
		a.openOwn(call.OpenPeer{ID: a.snap.Call.ID})
	}
	if run.earlyOf(s.Device) == nil {
		run.offers++
	}
	a.signalled(s.Device, func(p Peer) { p.GotOffer(s.SDP) })
}
