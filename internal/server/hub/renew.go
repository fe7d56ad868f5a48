package hub

import (
	"slices"
	"time"

	"visavis.example/internal/signal"
)

// What a device is given for the relay may be captured with its first use, or copied from where it runs, so it is to be
// worthless soon: it makes new allocations for RelayLife only, and a device that renews hears of newer ones after half of
// that, all through the call. A device of before that was known keeps what it was given for as long as a call may last.
const credentialsForAll = 6 * time.Hour

// renewal is when the devices of an accepted call are given newer credentials.
type renewal struct {
	k  *call
	at time.Time
}

// iceServers makes one party's servers of a call, to be used for as long as that party is sure to hear of newer ones.
func (c *core) iceServers(k *call, d *device) []signal.ICEServer {
	life := c.RelayLife
	if !d.renews {
		life = max(life, credentialsForAll)
	}
	return c.relay.ICEServers(d.host, d.person.user.ID, d.id, k.ID, life)
}

// renewLater notes when a call's credentials are half way through. Every call waits for the same time, so the queue is in
// the order of time; those that have ended leave it when their turn comes, or when they are the most.
func (c *core) renewLater(k *call) {
	if len(c.renewals) >= 64+2*len(c.calls) {
		c.renewals = slices.DeleteFunc(c.renewals, func(r renewal) bool { return r.k.phase == over })
	}
	c.renewals = append(c.renewals, renewal{k, c.now.Add(c.RelayLife / 2)})
}

// nextRenewal is when renew has something to do; zero: nothing is planned.
func (c *core) nextRenewal() time.Time {
	if len(c.renewals) == 0 {
		return time.Time{}
	}
	return c.renewals[0].at
}

// renew gives newer credentials to the devices of calls that are half way through theirs. One that is cut off hears of
// them when its session is resumed, and one that is gone is given some when it connects again.
func (c *core) renew() {
	for at := c.nextRenewal(); !at.IsZero() && !at.After(c.now); at = c.nextRenewal() {
		k := c.renewals[0].k
		c.renewals[0] = renewal{}
		if c.renewals = c.renewals[1:]; len(c.renewals) == 0 {
			c.renewals = nil
		}
		if k.phase != talking {
			continue
		}
		for _, d := range []*device{k.from, k.to} {
			if d.renews && d.conn != nil {
				m := push(signal.CallServers, signal.CodeServers, k.ID, signal.Servers{ICEServers: c.iceServers(k, d)})
				m.ToID = d.person.user.ID
				d.conn.Send(m)
			}
		}
		c.renewLater(k)
	}
}
