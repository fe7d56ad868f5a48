package app

import (
	"encoding/json"
	"errors"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// Beside the server, two devices in a call can talk over a data channel, by the path that their media takes: it says at
// once, and also while the server is away, that a switch was pressed or that the call is over. The server is told too, for
// the other may not have the channel, and the record is the server's.

// beside says e over the data channel, if there is one.
func (a *App) beside(e signal.Envelope) {
	k := a.run.conn
	if k.peer == nil || k.early {
		return
	}
	b, err := json.Marshal(e)
	if err != nil {
		a.Logger.Error("message beside the server", "method", e.Method, "err", err) // none of ours
		return
	}
	k.peer.Say(string(b))
}

// gotBeside is what the other says over the data channel. It has passed no server: what is malformed, of another call or
// of no use here is dropped and counted.
func (a *App) gotBeside(run *callRun, text string) {
	if !a.snap.Call.HasPeer() {
		return
	}
	if err := a.heed(text); err != nil {
		run.strange++
		a.Logger.Debug("dropped from the data channel", "err", err, "count", run.strange)
	}
}

var errNotBeside = errors.New("not a message for the data channel")

func (a *App) heed(text string) error {
	c := &a.snap.Call
	e, err := signal.Parse([]byte(text))
	if err != nil {
		return err
	}
	if e.CallID != c.ID {
		return errNotBeside
	}
	switch e.Method {
	case signal.CallMedia:
		m, err := signal.Decode[signal.Media](e)
		if err != nil {
			return err
		}
		a.gotPeersMedia(m)
	case signal.CallRestart:
		r, err := signal.Decode[signal.Restart](e)
		if err != nil {
			return err
		}
		a.gotRestart(r)
	case signal.CallHangup:
		h, err := signal.Decode[signal.Hangup](e)
		if err != nil {
			return err
		}
		if h.Reason == "" {
			h.Reason = signal.EndHangup
		}
		// The other may never reach the server again, which would keep the call, and us, for somebody who has gone.
		h.ByID = c.PeerID
		a.bid(signal.Envelope{Method: signal.CallHangup, CallID: c.ID, Data: signal.Encode(h)})
		a.apply(call.GotEnded{ID: c.ID, Reason: string(h.Reason)})
	default:
		return errNotBeside
	}
	return nil
}

// gotPeersMedia takes what the other's switches say, unless something newer has come by another way.
func (a *App) gotPeersMedia(m signal.Media) {
	if m.Change != 0 && m.Change <= a.run.theirChange {
		return
	}
	a.run.theirChange = max(m.Change, a.run.theirChange)
	m.Change = 0
	if a.snap.Call.Peers != m {
		a.snap.Call.Peers = m
		a.changed()
	}
}

// gotRestart: the other has lost the path and asks for another, unless one has been offered since.
func (a *App) gotRestart(r signal.Restart) {
	if r.Offers == 0 || r.Offers >= a.run.offers {
		a.toPeer(func(p Peer) { p.Restart(true) })
	}
}

// serverBack follows User/Connect in the middle of a call. The servers that the call began with may be too old to seek
// another path with; and a server that was restarted has forgotten all that went over its relay: who offers seeks another
// path at once, for the one there was cannot come back.
func (a *App) serverBack(c signal.Connected) {
	restarted := a.serverRun != "" && c.Run != "" && c.Run != a.serverRun
	if c.Run != "" { // else it does not say
		a.serverRun = c.Run
	}
	k := &a.snap.Call
	if c.CallID != k.ID || !k.HasPeer() || len(c.ICEServers) == 0 {
		return
	}
	a.gotServers(c.ICEServers)
	if restarted && k.Outgoing && (k.Quality.Path == signal.PathRelay || k.Phase == call.Reconnecting) {
		a.toPeer(func(p Peer) { p.Restart(true) })
	}
}

// gotServers takes newer credentials for the relay, which those before will not outlive for long.
func (a *App) gotServers(servers []signal.ICEServer) {
	if len(servers) == 0 || !a.snap.Call.HasPeer() {
		return
	}
	a.run.ice = servers
	a.toPeer(func(p Peer) { p.SetICEServers(servers) })
}
