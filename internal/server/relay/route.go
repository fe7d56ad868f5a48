package relay

import (
	"net"
	"net/netip"
	"time"
)

// public is the address of relayed ports of a family; the zero Addr when there are none.
func (b *book) public(is4 bool) netip.Addr {
	for _, a := range b.publics {
		if a.Is4() == is4 {
			return a
		}
	}
	return netip.Addr{}
}

func (b *book) isPublic(a netip.Addr) bool { return a.IsValid() && a == b.public(a.Is4()) }

// permits is pion's question at CreatePermission, ChannelBind and Connect. It is not told the port, so the relay's own
// address passes here and its ports are looked at in route.
func (b *book) permits(source net.Addr, peer net.IP) bool {
	c := clientOf(source)
	b.births.past(c)
	a, ok := netip.AddrFromSlice(peer)
	if !ok {
		return false
	}
	a = plain(a)
	b.mu.Lock()
	known := b.clients[c]
	var g guest
	if known != nil {
		g = *known
	}
	b.mu.Unlock()
	return known != nil && b.mayHaveMore(g, c, a) && (b.isPublic(a) || b.mayReach(g.call, a))
}

// mayReach says whether allocations of a call may talk to a peer that is not another relayed port.
func (b *book) mayReach(callID string, a netip.Addr) bool {
	a = plain(a)
	if b.isHeld(callID) || b.isPublic(a) || !b.public(a.Is4()).IsValid() || b.isOwn(a) {
		return false
	}
	if b.own.foreign.Contains(a) {
		return true
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

func (b *book) isOwn(a netip.Addr) bool { return b.own.has(a, time.Now()) }

// signalled: see Server.AllowPeer for why this needs a relay that is private itself.
func (b *book) signalled(callID string, a netip.Addr) bool {
	if p := b.public(a.Is4()); classify(p) != private && !p.IsLoopback() {
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
// the same call (mate), or to the destination itself, or nowhere.
func (b *book) route(callID string, to netip.AddrPort) (via netip.AddrPort, mate *relayed, ok bool) {
	to = netip.AddrPortFrom(plain(to.Addr()), to.Port())
	if b.isPublic(to.Addr()) {
		if mate = b.sibling(callID, to); mate != nil {
			return mate.local, mate, true
		}
		return netip.AddrPort{}, nil, false
	}
	return to, nil, to.Port() != 0 && b.mayReach(callID, to.Addr())
}

// sibling is the allocation of that call at that public address.
func (b *book) sibling(callID string, at netip.AddrPort) *relayed {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.ports[at]; r != nil && r.party.call == callID {
		return r
	}
	return nil
}
