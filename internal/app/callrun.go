package app

import (
	"errors"
	"slices"
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// maxHeld bounds what is kept for a media connection that is still being opened: one description and its candidates,
// some 40 messages, several times over. Beyond it the newest is dropped.
const maxHeld = 256

// callRun is what the current call has beside its snapshot. A new call has a new one, so that late news of an old call's
// media is known by its pointer.
type callRun struct {
	ice      []signal.ICEServer
	conn     *connection   // the call's own; made with the run, opened when both want the call
	mayEarly bool          // incoming: the caller can connect while it rings
	early    []*connection // made while it rings
	kept     *connection   // outgoing: the early one that the callee has kept
	fresh    bool          // outgoing: the callee keeps an early connection that is none any more here
	accepted time.Time     // when both wanted the call
	setupMs  int64         // accepted to first picture or sound; 0 before
	reported time.Time     // that media flows

	offers              int   // how many have been made or had for the present connection
	change, theirChange int64 // how many times either side has said what its switches say
	strange             int   // messages of the data channel that were dropped
}

// Dial calls a person, with a picture or without.
func (a *App) Dial(userID string, video bool) {
	a.post(func() { a.apply(call.Dial{ID: signal.NewID(), PeerID: userID, Video: video}) })
}

// Accept takes the incoming call.
func (a *App) Accept(video bool) { a.post(func() { a.apply(call.Accept{Video: video}) }) }

// Decline refuses the incoming call, on all devices of this person.
func (a *App) Decline() { a.post(func() { a.apply(call.Decline{}) }) }

// Hangup ends the call in whatever state it is; before an answer it cancels or declines.
func (a *App) Hangup() { a.post(func() { a.apply(call.Hangup{}) }) }

// Dismiss takes the page away that says how the last call ended.
func (a *App) Dismiss() { a.post(func() { a.apply(call.Dismiss{}) }) }

// apply runs the call machine: first the new state, then what follows from it.
func (a *App) apply(e call.Event) {
	was := a.snap.Call.State
	now, effects := call.Next(was, e)
	if now != was {
		a.enter(was, now)
	}
	for _, f := range effects {
		a.do(f)
	}
}

// enter sets a new state and tells of it.
func (a *App) enter(was, now call.State) {
	c := &a.snap.Call
	switch {
	case now.Phase == call.Idle:
		*c = Call{}
	case now.Live() && !was.Live():
		*c = Call{Peer: a.person(now.PeerID), Microphone: true, Camera: now.Video}
		a.run = &callRun{conn: &connection{}, mayEarly: !now.Outgoing && a.inviteEarly}
		a.snap.Notices = nil
	}
	c.State = now
	a.changed()
	a.Logger.Debug("call", "id", now.ID, "from", was.Phase, "to", now.Phase, "reason", now.Reason)
	if now.Phase == was.Phase {
		return
	}
	switch now.Phase {
	case call.Dialing:
		a.tellCall(Event{Event: "dialing", Video: now.Video})
	case call.RingingOut:
		a.tellCall(Event{Event: "ringing"})
	case call.Accepting:
		c.Camera = now.Video
		a.run.accepted = time.Now()
	case call.Connecting:
		if a.run.accepted.IsZero() {
			a.run.accepted = time.Now()
		}
		c.Peers = signal.Media{Microphone: true, Camera: c.PeerVideo}
		a.tellCall(Event{Event: "accepted", Video: c.PeerVideo})
		a.sendMedia()
	case call.Active:
		if c.Since.IsZero() {
			c.Since = time.Now()
			a.tellCall(Event{Event: "connected", Path: c.Quality.Path})
		}
	case call.Reconnecting:
		a.tellCall(Event{Event: "reconnecting"})
	case call.Ended:
		a.giveUpEarly(nil)
		a.ended()
	case call.Idle, call.Incoming:
	}
}

func (a *App) ended() {
	c := &a.snap.Call
	if !c.Since.IsZero() {
		c.Lasted = time.Since(c.Since)
	}
	text := EndText(c.Reason, c.Outgoing, c.Peer.Name)
	a.tellCall(Event{Event: "ended", Reason: signal.EndReason(c.Reason), Text: text, Seconds: c.Lasted.Seconds()})
	a.Logger.Info("call ended", "id", c.ID, "reason", c.Reason, "lasted", c.Lasted.Round(time.Second))
	a.loadCalls(false)
}

func (a *App) person(id string) signal.User {
	if u, ok := a.people[id]; ok {
		return u
	}
	return signal.User{ID: id, Name: "Somebody", Kind: signal.KindPerson}
}

// do carries out one effect.
func (a *App) do(f call.Effect) {
	switch f := f.(type) {
	case call.SendInvite:
		a.sendInvite(f)
	case call.SendRinging:
		a.ring(f.ID)
	case call.SendAccept:
		a.sendAccept(f)
	case call.SendReject:
		r := signal.Reject{Reason: signal.EndReason(f.Reason)}
		a.bid(signal.Envelope{Method: signal.CallReject, CallID: f.ID, Data: signal.Encode(r)})
	case call.SendCancel:
		a.bid(signal.Envelope{Method: signal.CallCancel, CallID: f.ID})
	case call.SendHangup:
		e := signal.Envelope{Method: signal.CallHangup, CallID: f.ID, Data: signal.Encode(signal.Hangup{Reason: signal.EndReason(f.Reason)})}
		a.beside(e)
		a.bid(e)
	case call.OpenPeer:
		a.openPeer(f)
	case call.ClosePeer:
		a.closePeer()
	case call.StartTimer:
		a.timer.Reset(f.For)
	case call.StopTimer:
		a.timer.Stop()
	case call.Ring:
		a.Media.Ring(f.Incoming, a.snap.Settings)
	case call.Quiet:
		a.Media.Quiet()
	}
}

func (a *App) sendInvite(f call.SendInvite) {
	if a.snap.Link != Online {
		a.post(func() { a.apply(call.Refused{ID: f.ID, Reason: string(signal.EndServerLost)}) })
		return
	}
	inv := signal.Invite{Video: f.Video, RelayOnly: a.RelayOnly, Early: true}
	e := signal.Envelope{Method: signal.CallInvite, ToID: f.PeerID, CallID: f.ID, Data: signal.Encode(inv)}
	run := a.run
	a.insist(e, func(reply signal.Envelope, err error) {
		if a.run != run {
			return
		}
		if err != nil {
			a.apply(call.Refused{ID: f.ID, Reason: refusal(err)})
			return
		}
		decoded(a, reply, func(in signal.Invited) {
			if in.Merged == "" {
				return
			}
			run.ice = in.ICEServers
			a.snap.Call.PeerVideo = in.Video
			a.apply(call.Merged{ID: f.ID, Into: in.Merged})
		})
	})
}

func (a *App) sendAccept(f call.SendAccept) {
	e := signal.Envelope{Method: signal.CallAccept, CallID: f.ID, Data: signal.Encode(signal.Accept{Video: f.Video, Early: a.run.earlyOf("") != nil})}
	run := a.run
	a.insist(e, func(reply signal.Envelope, err error) {
		if a.run != run {
			return
		}
		if err != nil {
			a.apply(call.Refused{ID: f.ID, Reason: refusal(err)})
			return
		}
		decoded(a, reply, func(in signal.Accepted) {
			run.ice = in.ICEServers
			a.apply(call.AcceptOK{ID: f.ID})
		})
	})
	a.acceptEarly() // after the accept: before it the hub lets no address pass
}

// refusal is the end reason of a call whose invite or accept the server did not take. Codes that are no end reason stay
// as they are; EndText knows them.
func refusal(err error) string {
	var e *signal.Error
	if !errors.As(err, &e) {
		return string(signal.EndServerLost)
	}
	switch e.Code {
	case signal.ErrAlreadyAnswered:
		return string(signal.EndAnsweredElsewhere)
	case signal.ErrNotInCall:
		return string(signal.EndCancelled)
	}
	return e.Code
}

// gotCallPush is what the hub says of calls.
func (a *App) gotCallPush(e signal.Envelope) {
	c := &a.snap.Call
	if e.Code == signal.CodeInvite {
		decoded(a, e, func(in signal.Invite) { a.gotInvite(e, in) })
		return
	}
	if e.CallID != c.ID || !c.Live() {
		return // of another call, or of one that is over
	}
	switch e.Code {
	case signal.CodeRinging:
		decoded(a, e, func(r signal.Ringing) {
			c.Ringing = r.Devices
			a.changed()
			a.apply(call.GotRinging{ID: e.CallID})
			a.gotRinging(r)
		})
	case signal.CodeAccepted:
		decoded(a, e, func(in signal.Accepted) {
			a.run.ice, c.PeerVideo = in.ICEServers, in.Video
			if in.Device != "" {
				a.run.kept = a.run.earlyOf(in.Device)
				a.run.fresh = a.run.kept == nil
			}
			a.apply(call.GotAccepted{ID: e.CallID})
		})
	case signal.CodeEnded:
		decoded(a, e, func(in signal.Ended) { a.apply(call.GotEnded{ID: e.CallID, Reason: string(in.Reason)}) })
	case signal.CodeMedia:
		decoded(a, e, a.gotPeersMedia)
	case signal.CodeOffer:
		decoded(a, e, a.gotOffer)
	case signal.CodeAnswer:
		decoded(a, e, func(s signal.SDP) { a.signalled(s.Device, func(p Peer) { p.GotAnswer(s.SDP) }) })
	case signal.CodeCandidate:
		decoded(a, e, func(k signal.Candidate) { a.signalled(k.Device, func(p Peer) { p.GotCandidate(k) }) })
	case signal.CodeRestart:
		decoded(a, e, a.gotRestart)
	case signal.CodeServers:
		decoded(a, e, func(s signal.Servers) { a.gotServers(s.ICEServers) })
	default:
		a.Logger.Debug("push of a later protocol", "method", e.Method, "code", e.Code)
	}
}

func (a *App) gotInvite(e signal.Envelope, in signal.Invite) {
	c := &a.snap.Call
	from := e.FromID
	if in.From != nil {
		from = in.From.ID
		if _, known := a.people[from]; !known {
			a.setPerson(*in.From)
		}
	}
	if c.Outgoing && c.PeerID == from && (c.Phase == call.Dialing || c.Phase == call.RingingOut) {
		return // both dialled: the hub is about to connect them, and "busy" would be wrong
	}
	fresh := !c.Live()
	a.inviteEarly = in.Early
	a.apply(call.GotInvite{ID: e.CallID, PeerID: from})
	if fresh {
		c.PeerVideo = in.Video
		a.tellCall(Event{Event: "incoming", Video: in.Video, Early: in.Early})
	}
}

// checkCall compares what the hub says after a reconnect with what this device believes. When the hub no longer counts
// it to its call, that has ended, and the record says why.
func (a *App) checkCall(hubs string) {
	c := a.snap.Call
	waits := func(r *request) bool { return r.e.Method == signal.CallInvite && r.e.CallID == c.ID }
	if !c.Live() || c.ID == hubs || slices.ContainsFunc(a.pending, waits) {
		return // an invite without a reply is sent again
	}
	a.lookUpEnd(c.ID)
}

// lookUpEnd asks the record how a call ended that the hub no longer knows.
func (a *App) lookUpEnd(id string) {
	s, run := a.sess, a.run
	a.spawn(func() {
		r, err := s.accounts.Call(a.ctx, s.token, id)
		a.post(func() {
			if a.run != run {
				return
			}
			reason := r.Reason
			switch {
			case err == nil && r.Ended == nil && r.Accepted != nil && a.snap.Call.Phase == call.Incoming:
				reason = signal.EndAnsweredElsewhere
			case err != nil || r.Ended == nil || reason == "":
				reason = signal.EndServerLost
			}
			a.apply(call.GotEnded{ID: id, Reason: string(reason)})
		})
	})
}
