package relay

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// book is what the relay knows: the calls that go on, their allocations, and who has how many. The sockets and pion ask
// it on every request and on every change of destination. One mutex guards it, held for map look-ups only.
type book struct {
	publics []netip.Addr // of relayed ports: one address for each family there is, IPv4 first
	lan     bool
	own     ownAddrs
	limits  Limits
	births  *births
	count   counters
	// edition grows with every change that may turn a permitted destination into a refused one or the reverse.
	edition atomic.Uint64

	mu      sync.Mutex
	closed  bool
	calls   map[string]*callEntry
	ports   map[netip.AddrPort]*relayed // by public address
	clients map[client]*guest
	perIP   map[netip.Addr]int
	verdict map[client]stun.ErrorCode // see misdirected
	swept   time.Time
}

// callEntry is one call that has credentials.
type callEntry struct {
	expires time.Time // of the longest credentials
	held    bool      // it rings: packets stay between the call's own allocations
	users   map[string]string
	joined  map[string]int // how many devices of each user have been in it
	peers   map[netip.Addr]struct{}
	relayed map[*relayed]struct{}
	granted map[[stun.TransactionIDSize]byte]client // Allocate requests that have succeeded
}

// client is the far end of an allocation's 5-tuple. A client may use one port for UDP and TCP.
type client struct {
	tcp bool
	at  netip.AddrPort
}

func clientOf(a net.Addr) client {
	_, tcp := a.(*net.TCPAddr)
	return client{tcp, addrPort(a)}
}

// guest is a client that has an allocation. For a moment it may have two: pion makes a new one before it tells of the old
// one's end.
type guest struct {
	party
	allocations           int
	permissions, channels int
}

func newBook(public netip.Addr, lan bool) *book {
	return &book{
		publics: []netip.Addr{public}, lan: lan, limits: DefaultLimits, births: newBirths(),
		calls: map[string]*callEntry{}, ports: map[netip.AddrPort]*relayed{}, clients: map[client]*guest{},
		perIP: map[netip.Addr]int{}, verdict: map[client]stun.ErrorCode{},
	}
}

func (b *book) join(callID, deviceID, userID string, expires time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweepLocked(time.Now())
	c := b.callLocked(callID)
	if _, known := c.users[deviceID]; !known {
		c.joined[userID]++
	}
	c.users[deviceID] = userID
	if expires.After(c.expires) {
		c.expires = expires
	}
}

func (b *book) callLocked(callID string) *callEntry {
	c := b.calls[callID]
	if c == nil {
		c = &callEntry{
			users: map[string]string{}, joined: map[string]int{}, peers: map[netip.Addr]struct{}{},
			relayed: map[*relayed]struct{}{}, granted: map[[stun.TransactionIDSize]byte]client{},
		}
		b.calls[callID] = c
	}
	return c
}

// hold begins or ends the time in which a call's packets stay between its own allocations.
func (b *book) hold(callID string, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.calls[callID]; c != nil || held {
		c = b.callLocked(callID)
		c.held = held
		if c.expires.IsZero() {
			c.expires = time.Now().Add(time.Minute) // its credentials are about to be made
		}
		b.edition.Add(1)
	}
}

func (b *book) isHeld(callID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.calls[callID]
	return c != nil && c.held
}

func (b *book) owns(p party, at netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.ports[netip.AddrPortFrom(at.Addr().Unmap(), at.Port())]
	return r != nil && r.party == p
}

// dismiss takes one device out of a call.
func (b *book) dismiss(callID, deviceID string) {
	b.mu.Lock()
	var theirs []*relayed
	if c := b.calls[callID]; c != nil {
		delete(c.users, deviceID)
		for r := range c.relayed {
			if r.party.device == deviceID {
				theirs = append(theirs, r)
			}
		}
	}
	b.edition.Add(1)
	b.mu.Unlock()
	closeAll(theirs)
}

// closeAll must not run under the lock: a closing allocation takes itself out of the book.
func closeAll(list []*relayed) {
	for _, r := range list {
		r.end()
	}
}

// sweepLocked forgets calls that nobody ended: no credentials left, no allocation left.
func (b *book) sweepLocked(now time.Time) {
	if now.Sub(b.swept) < time.Minute {
		return
	}
	b.swept = now
	for id, c := range b.calls {
		if c.expires.Before(now) && len(c.relayed) == 0 {
			delete(b.calls, id)
		}
	}
}

func (b *book) live(p party) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.userLocked(p)
	return ok
}

func (b *book) userLocked(p party) (userID string, ok bool) {
	if c := b.calls[p.call]; c != nil && !b.closed {
		userID, ok = c.users[p.device]
	}
	return userID, ok
}

func (b *book) allowPeer(callID string, a netip.Addr) {
	a = plain(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.calls[callID]; c != nil && classify(a) == private && len(c.peers) < b.limits.Peers {
		c.peers[a] = struct{}{}
		b.edition.Add(1)
	}
}

func (b *book) endCall(callID string) {
	b.mu.Lock()
	var theirs []*relayed
	if c := b.calls[callID]; c != nil {
		for r := range c.relayed {
			theirs = append(theirs, r)
		}
	}
	delete(b.calls, callID)
	b.edition.Add(1)
	b.mu.Unlock()
	closeAll(theirs)
}

func (b *book) close() {
	b.mu.Lock()
	b.closed = true
	b.edition.Add(1)
	all := make([]*relayed, 0, len(b.ports))
	for _, r := range b.ports {
		all = append(all, r)
	}
	b.mu.Unlock()
	closeAll(all)
}

func (b *book) allocations() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ports)
}

// enter adds an allocation, unless its call has ended meanwhile.
func (b *book) enter(r *relayed) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	user, ok := b.userLocked(r.party)
	if !ok || b.deviceHasLocked(r.party) >= b.mostLocked(r.party) {
		return false
	}
	r.user = user
	b.ports[r.public] = r
	b.calls[r.party.call].relayed[r] = struct{}{}
	b.edition.Add(1)
	return true
}

func (b *book) leave(r *relayed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ports[r.public] == r {
		delete(b.ports, r.public)
	}
	if c := b.calls[r.party.call]; c != nil {
		delete(c.relayed, r)
	}
	b.edition.Add(1)
}

// events are what pion tells of its allocations. It holds locks of its own meanwhile; nothing here waits for it, except
// births.
func (b *book) events() turn.EventHandler {
	return turn.EventHandler{
		OnAllocationCreated: b.created, OnAllocationDeleted: b.deleted,
		OnPermissionCreated: b.permitted, OnPermissionDeleted: b.withdrawn,
		OnChannelCreated: b.bound, OnChannelDeleted: b.unbound,
	}
}

func (b *book) created(source, _ net.Addr, _, userID, _ string, _ net.Addr, _ int) {
	p, _ := parseParty(userID)
	c := clientOf(source)
	b.mu.Lock()
	defer b.mu.Unlock()
	g := &guest{party: p, allocations: 1}
	if old := b.clients[c]; old != nil {
		g.allocations += old.allocations
	}
	b.clients[c] = g
	b.perIP[c.at.Addr()]++
}

func (b *book) deleted(source, _ net.Addr, _, _, _ string) {
	c := clientOf(source)
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.clients[c]
	if g == nil {
		return
	}
	if g.allocations--; g.allocations == 0 {
		delete(b.clients, c)
	}
	if b.perIP[c.at.Addr()]--; b.perIP[c.at.Addr()] <= 0 {
		delete(b.perIP, c.at.Addr())
	}
}

func (b *book) permitted(source, listener net.Addr, protocol, userID, realm string, relay net.Addr, peer net.IP) {
	b.tally(source, func(g *guest) { g.permissions++ })
	b.births.created(source, listener, protocol, userID, realm, relay, peer)
}

func (b *book) withdrawn(source, listener net.Addr, protocol, userID, realm string, relay net.Addr, peer net.IP) {
	b.tally(source, func(g *guest) { g.permissions = max(0, g.permissions-1) })
	b.births.deleted(source, listener, protocol, userID, realm, relay, peer)
}

// bound and unbound also tell the fast path, where there is one.
func (b *book) bound(source, _ net.Addr, _, _, _ string, relay, peer net.Addr, number uint16) {
	b.tally(source, func(g *guest) { g.channels++ })
	if f, r := b.fast(relay); f != nil {
		f.bind(r, source, number, addrPort(peer))
	}
}

func (b *book) unbound(source, _ net.Addr, _, _, _ string, relay, _ net.Addr, number uint16) {
	b.tally(source, func(g *guest) { g.channels = max(0, g.channels-1) })
	if f, _ := b.fast(relay); f != nil {
		f.unbind(source, number)
	}
}

func (b *book) tally(source net.Addr, change func(*guest)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g := b.clients[clientOf(source)]; g != nil {
		change(g)
	}
}

// channelled is a relayed port whose channels may be carried past pion.
type channelled interface {
	bind(r *relayed, client net.Addr, number uint16, peer netip.AddrPort)
	unbind(client net.Addr, number uint16)
}

func (b *book) fast(relay net.Addr) (channelled, *relayed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.ports[addrPort(relay)]
	if r == nil {
		return nil, nil
	}
	f, _ := r.PacketConn.(channelled)
	return f, r
}

func (b *book) hasAllocation(c client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.clients[c]
	return ok
}
