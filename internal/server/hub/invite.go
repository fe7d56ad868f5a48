package hub

import (
	"fmt"

	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

var errBlocked = problem(signal.ErrBlocked, "You have blocked this person. Unblock them first.")

var errTooManyCalls = problem(signal.ErrTooMany, "You have made too many calls in a short time. Please wait a little.")

var errNotInCall = problem(signal.ErrNotInCall, "This call is over, or not yours.")

// invite begins a call. Busy and offline are no errors: the call exists, ends at once, and is kept.
func (c *core) invite(d *device, e signal.Envelope) error {
	in, err := signal.Decode[signal.Invite](e)
	if err != nil {
		return err
	}
	if err := signal.CheckCallID(e.CallID); err != nil {
		return problem(signal.ErrBadRequest, err.Error())
	}
	caller, callee := d.person, c.people[e.ToID]
	switch {
	case callee == caller:
		return problem(signal.ErrBadRequest, "You cannot call yourself.")
	case callee == nil:
		return problem(signal.ErrNotFound, "There is nobody with this id.")
	case caller.blocks(callee):
		return errBlocked
	}
	if k := c.calls[e.CallID]; k != nil {
		if k.from == d && k.callee == callee { // said again because the reply was lost
			answer(d.conn, Reply(e, signal.Invited{}))
			return nil
		}
		return problem(signal.ErrBadRequest, "callId is in use.")
	}
	if k := caller.call; k != nil {
		again := k.phase == talking && k.to == d && k.merged == e.CallID
		if k.caller == callee && (k.phase == ringing || again) {
			c.merge(k, d, e, in)
			return nil
		}
		if !c.dropAway(k, caller) {
			return problem(signal.ErrAlreadyInCall, "You are in a call already.")
		}
	}
	if err := caller.mayInvite(callee, c); err != nil {
		return err
	}
	c.begin(d, callee, e, in)
	return nil
}

// dropAway ends a call whose device on p's side is away (its program was restarted, say), so that p's other devices need
// not wait for it.
func (c *core) dropAway(k *call, p *person) bool {
	d := k.from
	if k.callee == p {
		d = k.to
	}
	if d == nil || d.here() {
		return false
	}
	c.end(k, signal.EndPeerGone, p, nil)
	return true
}

// dropSilent ends a call that is only kept because nobody knows better, when its person is here with another device.
func (c *core) dropSilent(p *person) bool {
	k := p.call
	if !k.silent() {
		return false
	}
	for _, d := range p.devices {
		if d.here() {
			c.end(k, signal.EndPeerGone, p, nil)
			return true
		}
	}
	return false
}

// mayInvite counts a call: calling one person again and again, and calling one after the other. What one of the two
// refuses does not count for the other.
func (p *person) mayInvite(callee *person, c *core) error {
	if p.invites == nil {
		p.invites = make(map[string]*limit.Bucket)
	}
	for id, b := range p.invites {
		if b.Full(c.now) {
			delete(p.invites, id)
		}
	}
	b := p.invites[callee.user.ID]
	if b == nil {
		b = &limit.Bucket{}
		p.invites[callee.user.ID] = b
	}
	if ok, _ := b.Take(c.Invites, c.now); !ok {
		return problem(signal.ErrTooMany, fmt.Sprintf("You have called %s too often. Please wait a little.", callee.user.Name))
	}
	if ok, _ := p.tried.Take(c.Calls, c.now); !ok {
		b.Refund(c.Invites)
		return errTooManyCalls
	}
	return nil
}

func (c *core) begin(d *device, callee *person, e signal.Envelope, in signal.Invite) {
	k := &call{
		Record: Record{
			ID: e.CallID, Caller: d.person.user.ID, Callee: callee.user.ID, CallerDevice: d.id, Video: in.Video, Started: c.now,
		},
		phase: ringing, caller: d.person, callee: callee, from: d, relayOnly: in.RelayOnly, mayEarly: in.Early,
		rung: map[*device]bool{}, early: map[*device]*earlyEnd{}, paths: map[*device]signal.Path{},
	}
	answer(d.conn, Reply(e, signal.Invited{}))
	c.log.Info("call", "call", k.ID, "from", k.Caller, "to", k.Callee)
	switch {
	case callee.blocks(k.caller): // nothing tells it from somebody who is not there
		k.Blocked = true
		c.end(k, signal.EndOffline, nil, nil)
		return
	case callee.user.DND && (callee.online() || callee.call != nil):
		c.end(k, signal.EndDoNotDisturb, callee, nil)
		return
	case callee.call != nil && !c.dropSilent(callee):
		c.end(k, signal.EndBusy, callee, nil)
		return
	case !callee.online():
		c.end(k, signal.EndOffline, nil, nil)
		return
	}
	c.calls[k.ID] = k
	for _, p := range []*person{k.caller, k.callee} {
		if !p.many() {
			p.call = k
		}
	}
	c.save(k)
	for _, to := range callee.devices {
		if to.conn != nil {
			c.ring(k, to)
		}
	}
	c.schedule(k)
}

// merge settles glare: both dialled each other, so both want the call. The earlier invite keeps its id; the device that
// dialled later is the callee that has accepted. Saying the later invite again gives the same answer.
func (c *core) merge(k *call, d *device, e signal.Envelope, in signal.Invite) {
	peer, first := k.caller.viewFor(d.person), k.phase == ringing
	if first {
		k.merged = e.CallID
		c.join(k, d, signal.Accept{Video: in.Video})
	}
	answer(d.conn, Reply(e, signal.Invited{Merged: k.ID, ICEServers: c.iceServers(k, d), Peer: &peer, Video: k.Video}))
	if first {
		c.tellAccepted(k)
	}
}

func (c *core) gotRinging(d *device, e signal.Envelope) error {
	r, err := signal.Decode[signal.Ring](e)
	if err != nil {
		return err
	}
	k := c.calls[e.CallID]
	if k == nil || k.callee != d.person || k.phase == talking && k.to != d {
		return errNotInCall
	}
	fresh := k.phase == ringing && !k.rung[d]
	var rung signal.Rung
	if r.Early {
		rung.ICEServers = c.beginEarly(k, d)
	}
	answer(d.conn, Reply(e, rung))
	if fresh {
		k.rung[d] = true
		if k.early[d] != nil {
			c.tellEarly(k, d)
		} else {
			c.tellRinging(k)
		}
	}
	return nil
}

// accept makes the first device that says so the other end.
func (c *core) accept(d *device, e signal.Envelope) error {
	a, err := signal.Decode[signal.Accept](e)
	if err != nil {
		return err
	}
	k := c.calls[e.CallID]
	if k == nil || k.callee != d.person {
		return errNotInCall
	}
	if k.phase == talking && k.to != d {
		return problem(signal.ErrAlreadyAnswered, "Another of your devices has answered.")
	}
	first := k.phase == ringing
	if first {
		c.join(k, d, a)
	}
	answer(d.conn, Reply(e, signal.Accepted{Video: k.Video, ICEServers: c.iceServers(k, d)}))
	if first {
		c.tellAccepted(k)
	}
	return nil
}

// join takes a ringing call to talking, with d as the callee's device. The order matters to nobody but the two: d gets
// its reply, and the caller CodeAccepted, after this.
func (c *core) join(k *call, d *device, a signal.Accept) {
	k.phase, k.to, k.answer = talking, d, a
	k.CalleeDevice, k.Accepted = d.id, c.now
	c.settleEarly(k)
	for o := range k.rung {
		if o != d {
			c.tellEnded(k, o, signal.EndAnsweredElsewhere, k.callee)
			c.forget(o)
		}
	}
	if b := k.caller.invites[k.Callee]; b != nil {
		b.Refund(c.Invites) // only calls that were not wanted count
		k.caller.tried.Refund(c.Calls)
	}
	c.save(k)
	c.schedule(k)
	c.renewLater(k)
	c.log.Info("call accepted", "call", k.ID)
}

// reject is the callee's no, on all devices. It comes too late once one of them has answered.
func (c *core) reject(d *device, e signal.Envelope) error {
	r, err := signal.Decode[signal.Reject](e)
	if err != nil {
		return err
	}
	k := c.calls[e.CallID]
	if k == nil || k.callee != d.person {
		return errNotInCall
	}
	if k.phase == talking {
		return problem(signal.ErrAlreadyAnswered, "This call has been answered.")
	}
	answer(d.conn, Reply(e, nil))
	if r.Reason == "" {
		r.Reason = signal.EndDeclined
	}
	c.end(k, r.Reason, d.person, d)
	return nil
}

// hangup ends a call from either end, whatever it was called there: a cancel and an accept may cross, and so may a
// hang-up and a call that has not been answered for the hub. by is who did it, if d only passes that on.
func (c *core) hangup(d *device, e signal.Envelope, r signal.EndReason, by string) error {
	k := c.calls[e.CallID]
	if joined := d.person.call; k == nil && e.CallID != "" && joined != nil && joined.to == d && joined.merged == e.CallID {
		k = joined // it has not heard yet that its invite met this call
	}
	if k == nil {
		return errNotInCall
	}
	who := d.person
	switch o := k.other(d); {
	case o != nil && by == o.person.user.ID:
		who = o.person
	case o != nil:
	case k.phase == ringing && k.from == d:
		r = signal.EndCancelled
	case k.phase == ringing && k.callee == d.person && e.Method == signal.CallHangup:
		r = signal.EndDeclined
	default:
		return errNotInCall
	}
	answer(d.conn, Reply(e, nil))
	c.end(k, r, who, d)
	return nil
}
