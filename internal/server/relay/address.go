package relay

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// reach says what an address is to the relay.
type reach uint8

const (
	never   reach = iota // special purpose: no peer of a call is there
	private              // a local network: only with LAN, or when signalled on a relay that is private itself
	public
)

// forbidden are the special-purpose ranges of IANA's registries (RFC 6890 and updates) that a host might act on, and
// the addresses at which clouds serve secrets. Whatever carries an IPv4 address inside (mapped, compatible, NAT64,
// 6to4, Teredo, ISATAP) is refused whole, whichever address it carries: no candidate of a real peer looks like that.
// IPv6 outside 2000::/3 is refused in classify.
var forbidden = prefixes(
	"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
	"192.88.99.0/24", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
	"240.0.0.0/4",
	"100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

var (
	privates = prefixes("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
	global6  = netip.MustParsePrefix("2000::/3")
)

func prefixes(list ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(list))
	for i, s := range list {
		p[i] = netip.MustParsePrefix(s)
	}
	return p
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// plain takes an address out of its IPv4-mapped spelling and its zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func classify(a netip.Addr) reach {
	a = plain(a)
	switch {
	case !a.IsValid() || within(forbidden, a):
		return never
	case within(privates, a):
		return private
	case a.Is6() && (!global6.Contains(a) || isatap(a)):
		return never
	}
	return public
}

// isatap finds the interface identifiers 0:5efe:a.b.c.d and 200:5efe:a.b.c.d of RFC 5214, section 6.1.
func isatap(a netip.Addr) bool {
	b := a.As16()
	return b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// ownAddrs are the addresses of this machine, read anew now and then because laptops move.
type ownAddrs struct {
	// foreign are addresses of this machine that stand for others': tests put peers there.
	foreign netip.Prefix

	mu   sync.Mutex
	at   time.Time
	held map[netip.Addr]struct{}
}

func (o *ownAddrs) has(a netip.Addr, now time.Time) bool {
	a = plain(a)
	switch {
	case o.foreign.Contains(a):
		return false
	case a.IsLoopback() || a.IsUnspecified():
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil || now.Sub(o.at) > ownAddrsStale {
		o.at, o.held = now, interfaceAddrs()
	}
	_, own := o.held[a]
	return own
}

func interfaceAddrs() map[netip.Addr]struct{} {
	held := map[netip.Addr]struct{}{}
	list, _ := net.InterfaceAddrs() // none known: the relay's own address and loopback are still guarded
	for _, n := range list {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			held[plain(p.Addr())] = struct{}{}
		}
	}
	return held
}

// addrPort reads the addresses that sockets give; the zero value for others.
func addrPort(a net.Addr) netip.AddrPort {
	if ip, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		p := ip.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// publicAddrs are the addresses of relayed ports, one of each family that there is, IPv4 first: as configured, else where
// it listens, else what faces the internet.
func publicAddrs(configured4, configured6, host netip.Addr) []netip.Addr {
	configured4, configured6 = plain(configured4), plain(configured6)
	if configured4.Is6() { // the one configured address may be of either
		configured4, configured6 = netip.Addr{}, configured4
	}
	if !host.IsUnspecified() && !configured4.IsValid() && !configured6.IsValid() {
		return []netip.Addr{plain(host)}
	}
	var list []netip.Addr
	if host.IsUnspecified() && !configured4.IsValid() && !configured6.IsValid() {
		configured4 = facing("192.0.2.1:9")
	}
	if configured4.IsValid() {
		list = append(list, configured4)
	}
	if host.IsUnspecified() && host.Is6() && !configured6.IsValid() {
		configured6 = facing("[2001:db8::1]:9")
	}
	if configured6.IsValid() {
		list = append(list, configured6)
	}
	if len(list) == 0 {
		list = append(list, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return list
}

// facing is the address that this machine would use towards another; the zero Addr when there is no way or it is one
// that nobody else could reach.
func facing(other string) netip.Addr {
	c, err := net.Dial("udp", other) // sends nothing: asks the routing table
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	if a := addrPort(c.LocalAddr()).Addr(); classify(a) != never {
		return a
	}
	return netip.Addr{}
}

// bindAddr is what relayed ports are opened on: the public address when this machine has it, so that packets leave with
// it; else where it listens (a machine behind a one-to-one NAT); else any.
func bindAddr(public, host netip.Addr) netip.Addr {
	_, here := interfaceAddrs()[public]
	switch {
	case here || public.IsLoopback():
		return public
	case !host.IsUnspecified() && !host.IsLoopback() && host.Is4() == public.Is4():
		return plain(host)
	case public.Is4():
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
