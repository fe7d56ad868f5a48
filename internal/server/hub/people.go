package hub

import (
	"container/heap"
	"context"
	"time"

	"visavis.example/internal/signal"
)

// CloseSignedOut is the close code for a device whose account is no more, or disabled (RFC 6455 section 7.4.1: policy).
const CloseSignedOut = 1008

// Quiet is a person's wish not to be disturbed.
type Quiet struct {
	UserID string
	Until  time.Time // zero: until it is switched off
}

// Block is a person's wish not to hear of another, who must not notice: for Other, Owner is offline from now on.
type Block struct{ Owner, Other string }

// blocks says whether p does not want to hear of other.
func (p *person) blocks(other *person) bool {
	_, yes := p.blocked[other]
	return yes
}

// onlineFor is whether p is there as far as viewer may know.
func (p *person) onlineFor(viewer *person) bool {
	return p.online() && !p.blocks(viewer)
}

// view is p as viewer may see p.
func (p *person) viewFor(viewer *person) signal.User {
	u := p.user
	if u.Online = p.onlineFor(viewer); p.blocks(viewer) {
		u.DND = false
	}
	return u
}

// self is p for p's own devices.
func (p *person) self() signal.User {
	u := p.user
	u.Online = p.online()
	return u
}

// Block begins or ends one; it returns when it holds.
func (h *Hub) Block(ctx context.Context, b Block, on bool) error {
	return h.do(ctx, func(c *core) { c.block(b, on) })
}

// SetQuiet switches "do not disturb"; it returns when it holds.
func (h *Hub) SetQuiet(ctx context.Context, q Quiet, on bool) error {
	return h.do(ctx, func(c *core) { c.setQuiet(q, on) })
}

// RemoveUser takes a person off everybody's roster, ends their call and closes their sockets; it returns when that is done.
func (h *Hub) RemoveUser(ctx context.Context, id string) error {
	return h.do(ctx, func(c *core) { c.removeUser(id) })
}

// do posts and waits.
func (h *Hub) do(ctx context.Context, f func(*core)) error {
	did := make(chan struct{})
	h.post(func(c *core) {
		f(c)
		close(did)
	})
	select {
	case <-did:
		return nil
	case <-h.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// block ends what goes on between the two, in the way that says least, and takes the owner out of the other's sight.
func (c *core) block(b Block, on bool) {
	owner, other := c.people[b.Owner], c.people[b.Other]
	if owner == nil || other == nil || owner == other || owner.blocks(other) == on {
		return
	}
	if !on {
		delete(owner.blocked, other)
	} else {
		c.endBetween(owner, other)
		if owner.blocked == nil {
			owner.blocked = make(map[*person]struct{})
		}
		owner.blocked[other] = struct{}{}
	}
	if owner.online() || owner.user.DND {
		c.tellOne(other, owner)
	}
}

// endBetween ends a call of two people as if p had hung up or declined.
func (c *core) endBetween(p, other *person) {
	if k := p.call; k != nil && (k.caller == other || k.callee == other) {
		c.endFor(k, p)
	}
}

// endFor ends p's call as if p had hung up, cancelled or declined.
func (c *core) endFor(k *call, p *person) {
	switch {
	case k.phase == talking:
		c.end(k, signal.EndHangup, p, nil)
	case k.caller == p:
		c.end(k, signal.EndCancelled, p, nil)
	default:
		c.end(k, signal.EndDeclined, p, nil)
	}
}

// tellOne tells the devices of one person how another one is now.
func (c *core) tellOne(to, about *person) {
	m, code := presence(about.onlineFor(to))
	note := push(m, code, "", signal.UserChange{User: about.viewFor(to)})
	for _, d := range to.devices {
		if d.conn != nil {
			d.conn.Send(note)
		}
	}
}

func presence(online bool) (signal.Method, signal.Code) {
	if online {
		return signal.UserOnline, signal.CodeUserOnline
	}
	return signal.UserOffline, signal.CodeUserOffline
}

// setQuiet keeps calls away from p, or not any more. A call that rings or runs goes on. That only the end has changed is
// for p's own devices.
func (c *core) setQuiet(q Quiet, on bool) {
	p := c.people[q.UserID]
	if p == nil {
		return
	}
	if on && !q.Until.IsZero() && !q.Until.After(c.now) {
		on = false
	}
	was := p.quietUntil
	if p.quietUntil = (time.Time{}); on {
		p.quietUntil = q.Until
	}
	if !p.quietUntil.IsZero() {
		c.tidyDue() // what is far in the future would stay for that long, however often it is changed
		heap.Push(&c.due, dueEntry{at: p.quietUntil, p: p})
	}
	if p.user.DND == on && p.quietUntil.Equal(was) {
		return
	}
	if p.user.DND != on {
		p.user.DND = on
		c.mention(p)
	}
	note := push(signal.UserSelf, signal.CodeUserSelf, "", signal.UserChange{User: p.self()})
	note.FromID = p.user.ID
	for _, d := range p.devices {
		if d.conn != nil {
			d.conn.Send(note)
		}
	}
}

// removeUser forgets a person.
func (c *core) removeUser(id string) {
	p := c.people[id]
	if p == nil {
		return
	}
	if k := p.call; k != nil {
		c.endFor(k, p)
	}
	for _, d := range p.devices {
		d.counts = false
		if d.conn == nil {
			continue
		}
		delete(c.devices, d.conn)
		d.conn.Close(CloseSignedOut, "signed out")
		d.conn = nil
	}
	p.devices, p.here, p.quietUntil = map[string]*device{}, 0, time.Time{}
	delete(c.people, id)
	c.roster.remove(p)
	p.user.DND = false
	note := push(signal.UserRemoved, signal.CodeUserRemoved, "", signal.UserChange{User: p.user})
	note.FromID = id
	offline := push(signal.UserOffline, signal.CodeUserOffline, "", signal.UserChange{User: p.user})
	for _, d := range c.devices {
		d.conn.Send(offline) // for clients that do not know the other
		d.conn.Send(note)
	}
	for _, o := range c.roster.people {
		delete(o.blocked, p)
		delete(o.invites, id)
	}
}
