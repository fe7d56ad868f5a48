package relay

import (
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
)

// quietAfter is for how long nothing may have come from a client before its allocation gives way to a new one of the same
// device. A device that changes networks cannot take its allocations back, and they live for minutes; one in use carries
// a connectivity check every few seconds (RFC 7675, section 5.1).
const quietAfter = 10 * time.Second

// withinQuota is pion's question before an allocation; false is answered with 486. Two requests of one source at the
// same instant over different connections may both pass the limit of the source; the limit of the device is asked
// again, exactly, in enter.
func (b *book) withinQuota(userID, _ string, source net.Addr) bool {
	p, ok := parseParty(userID)
	if !ok {
		return false
	}
	quiet, room := b.roomFor(p, addrPort(source).Addr())
	if quiet == nil {
		return room
	}
	quiet.end()
	return true
}

// roomFor says whether there is room, or which allocation may be ended to make some.
func (b *book) roomFor(p party, source netip.Addr) (quiet *relayed, room bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.perIP[source] >= b.limits.PerAddress:
		return nil, false
	case b.deviceHasLocked(p) < b.mostLocked(p):
		return nil, true
	}
	oldest := clock() - int64(quietAfter)
	user, _ := b.userLocked(p)
	for _, r := range b.ports {
		if r.party.device == p.device && r.user == user && r.heard() < oldest {
			quiet, oldest = r, r.heard()
		}
	}
	return quiet, false
}

// deviceHasLocked counts over all calls, and by user, so that nobody can use up another's quota by taking its device id.
func (b *book) deviceHasLocked(p party) (n int) {
	user, _ := b.userLocked(p)
	for _, r := range b.ports {
		if r.party.device == p.device && r.user == user {
			n++
		}
	}
	return n
}

// mostLocked: a device that rings several at once may be connected with each of them.
func (b *book) mostLocked(p party) int {
	others := 0
	if c := b.calls[p.call]; c != nil {
		for user, devices := range c.joined {
			if user != c.users[p.device] {
				others += devices
			}
		}
	}
	return b.limits.PerDevice * max(1, others)
}

// maxGranted is how many Allocate requests are remembered for one call.
const maxGranted = 256

// granted notes the transaction of an Allocate request that has succeeded.
func (b *book) granted(id [stun.TransactionIDSize]byte, to client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.clients[to]
	if g == nil {
		return
	}
	c := b.calls[g.call]
	if c == nil {
		return
	}
	if len(c.granted) >= maxGranted {
		clear(c.granted) // only a party of the call makes that many, and it can allocate without replaying
	}
	c.granted[id] = to
}

// replayed says whether that Allocate request has succeeded for somebody else: it was captured on its way, and is worth
// nothing from elsewhere. pion's nonce is not bound to an address, so that its signature is right.
func (b *book) replayed(m *stun.Message, from client) bool {
	var name stun.Username
	if name.GetFrom(m) != nil {
		return false
	}
	_, p, ok := parseUsername(name.String())
	if !ok {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.calls[p.call]
	if c == nil {
		return false
	}
	at, known := c.granted[m.TransactionID]
	return known && at != from
}

// misdirected says whether a request that is not for a new allocation has one to go to that is its own. pion answers
// nothing if not; RFC 8656, section 5, wants 437 when there is none and 441 when it is somebody else's. The answer that
// pion gives instead (400) follows at once, from the same goroutine, and verdictOn mends it.
func (b *book) misdirected(p party, from client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.clients[from]
	switch {
	case g == nil:
		b.verdict[from] = stun.CodeAllocMismatch
	case g.party != p:
		b.verdict[from] = stun.CodeWrongCredentials
	default:
		return false
	}
	return true
}

// verdictOn gives, once, the code that an error for that client should have; 0: the one it has.
func (b *book) verdictOn(to client) stun.ErrorCode {
	b.mu.Lock()
	defer b.mu.Unlock()
	code := b.verdict[to]
	delete(b.verdict, to)
	return code
}

// mayHaveMore holds an allocation to its permissions and channels. What it has it may refresh, while it has not reached
// the limit of channels: pion does not say which of the two it asks for.
func (b *book) mayHaveMore(g guest, source client, peer netip.Addr) bool {
	if g.channels >= b.limits.Channels {
		return false
	}
	return g.permissions < b.limits.Permissions || b.births.has(source, peer)
}
