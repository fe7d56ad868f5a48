package hub

import (
	"time"

	"visavis.example/internal/signal"
)

// phase is where a call is.
type phase uint8

const (
	ringing phase = iota
	talking
	over
)

// call is one call, from the invite to its end.
type call struct {
	Record
	phase          phase
	caller, callee *person
	from           *device          // the caller's
	to             *device          // the callee's; nil while it rings
	rung           map[*device]bool // the callee's devices that were told; true: it said that it rings
	relayOnly      bool
	mayEarly       bool                  // the caller can connect while it rings
	early          map[*device]*earlyEnd // ringing devices that it connects with
	answer         signal.Accept         // what the callee said
	merged         string                // the id of the invite that met this call (glare)
	offered        bool                  // the caller has sent an offer
	candidates     map[*device]int       // that a device has sent since its last description
	paths          map[*device]signal.Path
	due            time.Time // when the clock may end it; zero: not at all
	flows          time.Time // when one of the devices last said that media flows
	left           time.Time // restored, and neither device has come back: when the earlier run was last alive
}

// involves says whether the call waits for a device that is away, and still counts it when it comes back.
func (k *call) involves(d *device) bool {
	_, rings := k.rung[d]
	return k.from == d || k.to == d || k.phase == ringing && rings
}

// other gives the device at the other end for one of the two, nil for everybody else and before there are two.
func (k *call) other(d *device) *device {
	switch {
	case k.phase != talking:
		return nil
	case k.from == d:
		return k.to
	case k.to == d:
		return k.from
	}
	return nil
}

func (c *core) save(k *call) { c.journal.SaveCall(k.Record) }

// ring tells a device of the callee's about the call.
func (c *core) ring(k *call, d *device) {
	if _, told := k.rung[d]; !told {
		k.rung[d] = false
	}
	from := k.caller.viewFor(k.callee)
	m := push(signal.CallInvite, signal.CodeInvite, k.ID, signal.Invite{
		Video: k.Video, RelayOnly: k.relayOnly, Early: k.mayEarly, From: &from,
		ExpiresMs: max(0, k.Started.Add(c.RingTimeout).Sub(c.now).Milliseconds()),
	})
	m.FromID, m.ToID = k.caller.user.ID, k.callee.user.ID
	d.conn.Send(m)
}

// ringing counts the devices that ring.
func (k *call) ringing() int {
	n := 0
	for d, rings := range k.rung {
		if rings && d.conn != nil {
			n++
		}
	}
	return n
}

// tellRinging tells the caller on how many devices it rings.
func (c *core) tellRinging(k *call) {
	if n := k.ringing(); n > 0 && k.from.conn != nil {
		m := push(signal.CallRinging, signal.CodeRinging, k.ID, signal.Ringing{Devices: n})
		m.FromID, m.ToID = k.callee.user.ID, k.caller.user.ID
		k.from.conn.Send(m)
	}
}

// tellAccepted tells the caller's device that it may send its offer. One that is away hears it when it comes back.
func (c *core) tellAccepted(k *call) {
	if k.from.conn == nil {
		return
	}
	m := push(signal.CallAccept, signal.CodeAccepted, k.ID, signal.Accepted{
		Video: k.answer.Video, ICEServers: c.iceServers(k, k.from), Device: k.keptEarly(),
	})
	m.FromID, m.ToID = k.callee.user.ID, k.caller.user.ID
	k.from.conn.Send(m)
}

// tellEnded tells one device, if it is there; one that is away learns it from the reply to User/Connect.
func (c *core) tellEnded(k *call, d *device, r signal.EndReason, by *person) {
	d.held, d.heldSize = nil, 0
	if d.conn == nil {
		return
	}
	e := signal.Ended{Reason: r}
	if by != nil {
		e.ByID = by.user.ID
	}
	m := push(signal.CallEnded, signal.CodeEnded, k.ID, e)
	m.FromID, m.ToID = e.ByID, d.person.user.ID
	d.conn.Send(m)
}

// end is the one way a call ends. by is who did it (nil: the server), with which device (nil: none in particular).
func (c *core) end(k *call, r signal.EndReason, by *person, with *device) {
	rang, silent := k.phase == ringing, k.silent()
	k.phase, k.due = over, time.Time{}
	k.Ended = c.now
	if silent && r == signal.EndPeerGone {
		k.Ended = later(k.from.away, k.to.away)
	}
	if !k.left.IsZero() && r == signal.EndPeerGone {
		r, by, k.Ended = signal.EndServerStopped, nil, k.lastSeen(k.left, c.now)
	}
	k.Reason = string(r)
	if by != nil {
		k.EndedBy = by.user.ID
	}
	delete(c.calls, k.ID)
	for _, p := range []*person{k.caller, k.callee} {
		if p.call == k {
			p.call = nil
		}
	}
	c.relay.EndCall(k.ID)
	c.save(k)
	c.meter.CallEnded(k.Record)
	c.tellEnded(k, k.from, r, by)
	if !rang {
		c.tellEnded(k, k.to, r, by)
	}
	for d := range k.rung {
		switch {
		case !rang && d != k.to: // was told when somebody else answered
		case rang && r == signal.EndDeclined && d != with:
			c.tellEnded(k, d, signal.EndDeclinedElsewhere, by)
		case rang:
			c.tellEnded(k, d, r, by)
		}
		c.forget(d)
	}
	c.forget(k.from)
	if k.to != nil {
		c.forget(k.to) // one that was restored never rang
	}
	c.log.Info("call ended", "call", k.ID, "reason", r, "by", k.EndedBy, "path", k.Path, "lasted", k.lasted())
}

func (k *call) lasted() time.Duration {
	if k.Accepted.IsZero() {
		return 0
	}
	return k.Ended.Sub(k.Accepted).Round(time.Millisecond)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
