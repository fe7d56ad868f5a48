package hub

import (
	"time"

	"visavis.example/internal/signal"
)

const (
	// restoreWithin is how long ago an earlier run may have said that it is alive for its accepted calls to go on: longer
	// than anybody talks over a server that is away, shorter than a server that was forgotten.
	restoreWithin = 12 * time.Hour
	// comesBack is what the devices of such a call have beside PeerGoneAfter: clients let up to 15 s pass between two tries.
	comesBack = 15 * time.Second
)

// restore takes up a call that an earlier run left without an end. An accepted call most likely goes on between its two
// devices, whose media does not need us: they have some time to come back. If neither does, the call ended with that run.
// Every other call is over.
func (c *core) restore(r Record, alive time.Time) {
	k := &call{
		Record: r, phase: talking, caller: c.people[r.Caller], callee: c.people[r.Callee], left: alive,
		rung: map[*device]bool{}, paths: map[*device]signal.Path{},
		answer:  signal.Accept{Video: r.Video},
		offered: r.Path != "" || r.SetupMs > 0, // else the caller may not even know that it was accepted
	}
	known := k.caller != nil && k.callee != nil && c.calls[r.ID] == nil
	free := known && !k.callee.many() && k.caller.call == nil && k.callee.call == nil
	if !free || r.Accepted.IsZero() || c.now.Sub(alive) > restoreWithin {
		if r.Accepted.IsZero() {
			alive = r.Started.Add(c.RingTimeout)
		}
		r.Ended = k.lastSeen(alive, c.now)
		r.Reason = string(signal.EndServerStopped)
		c.journal.SaveCall(r)
		return
	}
	k.from = c.awaited(k.caller, r.CallerDevice)
	k.to = c.awaited(k.callee, r.CalleeDevice)
	c.calls[k.ID], k.caller.call, k.callee.call = k, k, k
	for _, d := range []*device{k.from, k.to} {
		c.iceServers(k, d) // so that the relay knows them, and what they were given by the earlier run is good again
	}
	c.schedule(k)
	c.renewLater(k)
	c.log.Info("call restored", "call", k.ID)
}

// lastSeen is a time at which the call may have ended: not after now nor before it began.
func (k *call) lastSeen(alive, now time.Time) time.Time {
	return later(earlier(alive, now), later(k.Started, k.Accepted))
}

func (c *core) awaited(p *person, id string) *device {
	d := &device{id: id, person: p, away: c.now.Add(comesBack)}
	p.devices[id] = d
	return d
}
