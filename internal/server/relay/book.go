package relay

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"
)

// book is what the relay knows: the calls that go on, their allocations, and who has how many. The sockets and pion ask
// it on every request and on every change of destination. One mutex guards it, held for map look-ups only.
type book struct {
	public netip.Addr // of relayed ports
	lan    bool
	own    ownAddrs
	// edition grows with every change that may turn a permitted destination into a refused one or the reverse.
	edition atomic.Uint64
	refused atomic.Uint64 // packets that were not relayed because of where they would go
	dropped atomic.Uint64 // packets to relayed ports that were too long or came from this machine's other ports
	births  *births

	mu      sync.Mutex
	closed  bool
	calls   map[string]*callEntry
	ports   map[uint16]*relayed
	clients map[client]party
	perIP   map[netip.Addr]int
	swept   time.Time
}

// callEntry is one call that has credentials.
type callEntry struct {
	expires time.Time // of the longest credentials
	held    bool      // it rings: packets stay between the call's own allocations
	users   map[string]string
	peers   map[netip.Addr]struct{}
	relayed map[*relayed]struct{}
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

func newBook(public netip.Addr, lan bool) *book {
	return &book{
		public: public, lan: lan, births: newBirths(),
		calls: map[string]*callEntry{}, ports: map[uint16]*relayed{}, clients: map[client]party{},
		perIP: map[netip.Addr]int{},
	}
}

func (b *book) join(callID, deviceID, userID string, expires time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweepLocked(time.Now())
	c := b.callLocked(callID)
	c.users[deviceID] = userID
	if expires.After(c.expires) {
		c.expires = expires
	}
}

func (b *book) callLocked(callID string) *callEntry {
	c := b.calls[callID]
	if c == nil {
		c = &callEntry{users: map[string]string{}, peers: map[netip.Addr]struct{}{}, relayed: map[*relayed]struct{}{}}
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
	for _, r := range theirs {
		_ = r.Close()
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
	if c := b.calls[callID]; c != nil && classify(a) == private && len(c.peers) < maxPeers {
		c.peers[a] = struct{}{}
		b.edition.Add(1)
	}
}

func (b *book) endCall(callID string) {
	b.mu.Lock()
	c := b.calls[callID]
	delete(b.calls, callID)
	b.edition.Add(1)
	b.mu.Unlock()
	if c != nil {
		c.close()
	}
}

// close must not run under the lock: a closing allocation takes itself out of the book.
func (c *callEntry) close() {
	for r := range c.relayed {
		_ = r.Close()
	}
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
	for _, r := range all {
		_ = r.Close()
	}
}

func (b *book) allocations() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ports)
}

// withinQuota is pion's question before an allocation; false is answered with 486. Two requests of one source at the
// same instant over different connections may both pass the limit of the source; the limit of the device is asked
// again, exactly, in enter.
func (b *book) withinQuota(userID, _ string, source net.Addr) bool {
	p, ok := parseParty(userID)
	b.mu.Lock()
	defer b.mu.Unlock()
	return ok && b.deviceHasLocked(p) < maxPerDevice && b.perIP[addrPort(source).Addr()] < maxPerIP
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

// enter adds an allocation, unless its call has ended meanwhile.
func (b *book) enter(r *relayed) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	user, ok := b.userLocked(r.party)
	if !ok || b.deviceHasLocked(r.party) >= maxPerDevice {
		return false
	}
	r.user = user
	b.ports[r.port] = r
	b.calls[r.party.call].relayed[r] = struct{}{}
	b.edition.Add(1)
	return true
}

func (b *book) leave(r *relayed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ports[r.port] == r {
		delete(b.ports, r.port)
	}
	if c := b.calls[r.party.call]; c != nil {
		delete(c.relayed, r)
	}
	b.edition.Add(1)
}

func (b *book) events() turn.EventHandler {
	return turn.EventHandler{
		OnAllocationCreated: b.created, OnAllocationDeleted: b.deleted,
		OnPermissionCreated: b.births.created, OnPermissionDeleted: b.births.deleted,
	}
}

// created and deleted are pion's events; they tell which client has which allocation.
func (b *book) created(source, _ net.Addr, _, userID, _ string, _ net.Addr, _ int) {
	p, _ := parseParty(userID)
	c := clientOf(source)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clients[c] = p
	b.perIP[c.at.Addr()]++
}

func (b *book) deleted(source, _ net.Addr, _, _, _ string) {
	c := clientOf(source)
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.clients[c]; !ok {
		return
	}
	delete(b.clients, c)
	if b.perIP[c.at.Addr()]--; b.perIP[c.at.Addr()] <= 0 {
		delete(b.perIP, c.at.Addr())
	}
}

func (b *book) hasAllocation(c client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.clients[c]
	return ok
}

// permits is pion's question at CreatePermission, ChannelBind and Connect. It is not told the port, so the relay's own
// address passes here and its ports are looked at in route.
func (b *book) permits(source net.Addr, peer net.IP) bool {
	b.births.past(clientOf(source))
	a, ok := netip.AddrFromSlice(peer)
	if !ok {
		return false
	}
	b.mu.Lock()
	p, ok := b.clients[clientOf(source)]
	b.mu.Unlock()
	return ok && (plain(a) == b.public || b.mayReach(p.call, a))
}

// mayReach says whether allocations of a call may talk to a peer that is not another relayed port.
func (b *book) mayReach(callID string, a netip.Addr) bool {
	a = plain(a)
	if b.isHeld(callID) || a == b.public || a.Is4() != b.public.Is4() || b.own.has(a, time.Now()) {
		return false
	}
	switch classify(a) {
	case public:
		return true
	case private:
		return b.lan || b.signalled(callID, a)
	case never:
	}
	return false
}

// signalled: see Server.AllowPeer for why this needs a relay that is private itself.
func (b *book) signalled(callID string, a netip.Addr) bool {
	if classify(b.public) != private && !b.public.IsLoopback() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.calls[callID]; c != nil {
		_, ok := c.peers[a]
		return ok
	}
	return false
}

// route gives where a packet of a call to that destination is really sent: to the local end of another allocation of
// the same call, or to the destination itself, or nowhere.
func (b *book) route(callID string, to netip.AddrPort) (netip.AddrPort, bool) {
	if plain(to.Addr()) == b.public {
		if r := b.sibling(callID, to.Port()); r != nil {
			return r.local, true
		}
		return netip.AddrPort{}, false
	}
	return to, to.Port() != 0 && b.mayReach(callID, to.Addr())
}

// sibling is the allocation of that call on that port.
func (b *book) sibling(callID string, port uint16) *relayed {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.ports[port]; r != nil && r.party.call == callID {
		return r
	}
	return nil
}
