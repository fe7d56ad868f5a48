package hub

import (
	"container/heap"
	"slices"
	"time"

	"visavis.example/internal/signal"
)

// dueHeap is calls by the time at which the clock may end them, and people by when they may be disturbed again, the soonest
// first. An entry whose time is not its call's or person's any more is stale and dropped when it comes up.
type dueHeap []dueEntry

type dueEntry struct {
	at time.Time
	k  *call
	p  *person // with a nil k
}

func (e dueEntry) stale() bool {
	if e.k == nil {
		return !e.at.Equal(e.p.quietUntil)
	}
	return !e.at.Equal(e.k.due)
}

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop are container/heap's.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(dueEntry)) } //nolint:forcetypeassert // only schedule pushes

// Pop takes the last.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = dueEntry{}
	*h = (*h)[:last]
	return e
}

// deadline is when the clock ends a call as things stand, why, and whose fault that is; zero: never.
func (c *core) deadline(k *call) (at time.Time, r signal.EndReason, by *person) {
	consider := func(t time.Time, reason signal.EndReason, p *person) {
		if at.IsZero() || t.Before(at) {
			at, r, by = t, reason, p
		}
	}
	switch k.phase {
	case ringing:
		consider(k.Started.Add(c.RingTimeout), signal.EndNoAnswer, nil)
		if !k.from.here() {
			consider(k.from.away.Add(c.CallerGoneAfter), signal.EndPeerGone, k.caller)
		}
		switch {
		case k.callee.online():
		case k.awaited():
			consider(k.callee.left.Add(c.PeerGoneAfter), signal.EndPeerGone, k.callee)
		default: // closed by the person: only a page that is being loaded anew is back soon
			consider(k.callee.left.Add(c.CallerGoneAfter), signal.EndOffline, nil)
		}
	case talking:
		if t, p := c.awayTooLong(k); p != nil {
			consider(t, signal.EndPeerGone, p)
		}
	case over:
	}
	return at, r, by
}

// bothAway is for how long a call is kept whose two devices were both cut off: it is more likely that nobody reaches this
// server than that both have vanished at once, and their media does not need us.
const bothAway = 10 * time.Minute

// awayTooLong is when an accepted call ends because a device does not come back, and whose fault that is; nil: both are
// there. While the other says that media flows, one that cannot reach us has not gone.
func (c *core) awayTooLong(k *call) (time.Time, *person) {
	first, last := k.from, k.to
	switch {
	case first.here() && last.here():
		return time.Time{}, nil
	case last.here():
		return later(first.away, k.flows).Add(c.PeerGoneAfter), first.person
	case first.here():
		return later(last.away, k.flows).Add(c.PeerGoneAfter), last.person
	}
	if last.away.Before(first.away) {
		first, last = last, first
	}
	if k.silent() {
		return last.away.Add(max(bothAway, c.PeerGoneAfter)), first.person
	}
	return first.away.Add(c.PeerGoneAfter), first.person
}

// silent says whether both devices of an accepted call were cut off, so that nobody can say how it goes.
func (k *call) silent() bool {
	return k.phase == talking && !k.from.here() && !k.to.here() && k.from.lost && k.to.lost
}

// awaited says whether a device that rang was cut off rather than closed, so that it may well come back.
func (k *call) awaited() bool {
	for d := range k.rung {
		if !d.here() && d.lost {
			return true
		}
	}
	return false
}

// schedule is called whenever a call's deadline may have changed.
func (c *core) schedule(k *call) {
	at, _, _ := c.deadline(k)
	if at.Equal(k.due) {
		return
	}
	if k.due = at; !at.IsZero() {
		heap.Push(&c.due, dueEntry{at: at, k: k})
	}
}

// nextDue says when expire has something to do.
func (c *core) nextDue() (at time.Time, ok bool) {
	c.dropStale()
	if len(c.due) > 0 {
		at = c.due[0].at
	}
	for _, other := range []time.Time{c.nextLeaving(), c.nextRenewal(), c.news.next()} {
		if at.IsZero() || !other.IsZero() && other.Before(at) {
			at = other
		}
	}
	return at, !at.IsZero()
}

// tidyDue drops stale entries when they are the most.
func (c *core) tidyDue() {
	if len(c.due) < 64+2*(len(c.calls)+len(c.people)) {
		return
	}
	c.due = slices.DeleteFunc(c.due, dueEntry.stale)
	heap.Init(&c.due)
}

// expire does what the time has come for.
func (c *core) expire() {
	c.expireLeaving()
	c.expireCalls()
	c.renew()
	if at := c.news.next(); !at.IsZero() && !at.After(c.now) {
		c.tellNews()
	}
}

// expireCalls ends the calls, and the quiet, whose time is up.
func (c *core) expireCalls() {
	for {
		c.dropStale()
		if len(c.due) == 0 || c.due[0].at.After(c.now) {
			return
		}
		k, p := c.due[0].k, c.due[0].p
		heap.Pop(&c.due)
		if k == nil {
			c.setQuiet(Quiet{UserID: p.user.ID}, false)
			continue
		}
		k.due = time.Time{}
		if at, r, by := c.deadline(k); !at.IsZero() && !at.After(c.now) {
			c.end(k, r, by, nil)
		} else {
			c.schedule(k)
		}
	}
}

// dropStale makes the soonest entry a true one.
func (c *core) dropStale() {
	for len(c.due) > 0 && c.due[0].stale() {
		heap.Pop(&c.due)
	}
}
