package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/turn/v5"
)

// addresses opens relayed ports for pion. It implements turn.RelayAddressGenerator.
type addresses struct {
	book     *book
	bind     netip.Addr
	min, max uint16
	running  *sync.WaitGroup
}

var errNoTCPRelay = errors.New("TCP allocations (RFC 6062) are not offered")

// Validate implements turn.RelayAddressGenerator.
func (g *addresses) Validate() error { return nil }

// AllocateListener implements turn.RelayAddressGenerator.
func (g *addresses) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCPRelay
}

// AllocateConn implements turn.RelayAddressGenerator.
func (g *addresses) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, errNoTCPRelay
}

// AllocatePacketConn opens one relayed port. pion asks without a user for EVEN-PORT, by opening and closing up to 128
// ports; no ICE agent uses that, and it is refused.
func (g *addresses) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	p, ok := parseParty(c.UserID)
	family := "udp6"
	if g.bind.Is4() {
		family = "udp4"
	}
	if !ok || c.Network != family || c.RequestedPort != 0 {
		return nil, nil, errors.New("this kind of allocation is not offered")
	}
	udp, err := g.open(family)
	if err != nil {
		return nil, nil, err
	}
	port := addrPort(udp.LocalAddr()).Port()
	r := &relayed{
		PacketConn: udp, book: g.book, party: p, port: port, local: addrPort(udp.LocalAddr()),
		running: g.running, done: make(chan struct{}),
	}
	if r.local.Addr().IsUnspecified() {
		r.local = netip.AddrPortFrom(loopback(g.bind), port)
	}
	g.running.Add(1) // pion reads it until it is closed
	if !g.book.enter(r) {
		g.running.Done()
		_ = udp.Close()
		return nil, nil, errors.New("the call has ended")
	}
	return r, net.UDPAddrFromAddrPort(netip.AddrPortFrom(g.book.public, port)), nil
}

func loopback(family netip.Addr) netip.Addr {
	if family.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

func (g *addresses) open(family string) (*net.UDPConn, error) {
	if g.min == 0 {
		return net.ListenUDP(family, net.UDPAddrFromAddrPort(netip.AddrPortFrom(g.bind, 0)))
	}
	ports := int(g.max) - int(g.min) + 1
	from := rand.IntN(ports)
	var last error
	for i := range min(ports, relayTries) {
		port := uint16(int(g.min) + (from+i)%ports)
		c, err := net.ListenUDP(family, net.UDPAddrFromAddrPort(netip.AddrPortFrom(g.bind, port)))
		if err == nil {
			return c, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no relay port is free: %w", last)
}

// relayed is the socket of one allocation. pion reads it in one goroutine of its own and writes to it from the one that
// reads the client.
type relayed struct {
	net.PacketConn
	book  *book
	party party
	user  string
	port  uint16
	local netip.AddrPort // where other allocations send to
	last  atomic.Pointer[hop]

	running *sync.WaitGroup
	done    chan struct{} // closed by Close
	mu      sync.Mutex
	closed  bool
	reading bool
}

// hop is the last destination and what the book said about it.
type hop struct {
	to      netip.AddrPort
	via     *net.UDPAddr // nil: refused
	edition uint64
}

// WriteTo sends to where the call may send, and quietly drops the rest, as a network would.
func (r *relayed) WriteTo(b []byte, to net.Addr) (int, error) {
	at, edition := addrPort(to), r.book.edition.Load()
	h := r.last.Load()
	if h == nil || h.to != at || h.edition != edition {
		h = &hop{to: at, edition: edition}
		if via, ok := r.book.route(r.party.call, at); ok {
			h.via = net.UDPAddrFromAddrPort(via)
		}
		r.last.Store(h)
	}
	if h.via == nil {
		r.book.refused.Add(1)
		return len(b), nil
	}
	return r.PacketConn.WriteTo(b, h.via)
}

// ReadFrom gives packets of peers. What comes from this machine must come from another allocation of the same call, and
// is shown under that allocation's public address. Only closing ends it: pion would end the allocation.
func (r *relayed) ReadFrom(b []byte) (int, net.Addr, error) {
	if !r.beginRead() {
		return 0, nil, net.ErrClosed
	}
	defer r.endRead()
	for failures := 0; ; {
		n, from, err := r.PacketConn.ReadFrom(b)
		switch {
		case err != nil: // a datagram longer than the buffer, on Windows
			r.book.dropped.Add(1)
			if errors.Is(err, net.ErrClosed) || !pause(failures, r.done) {
				return 0, nil, net.ErrClosed
			}
			failures++
			continue
		case n >= len(b): // the same elsewhere: it has been cut off
			r.book.dropped.Add(1)
			continue
		}
		failures = 0
		if at := addrPort(from); r.book.own.has(at.Addr(), now()) || at.Addr() == r.book.public {
			if r.book.sibling(r.party.call, at.Port()) == nil {
				r.book.dropped.Add(1)
				continue
			}
			from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.book.public, at.Port()))
		}
		return n, from, nil
	}
}

// beginRead and endRead find out when pion's reader has seen the end.
func (r *relayed) beginRead() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reading = !r.closed
	return r.reading
}

func (r *relayed) endRead() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reading = false
	if r.closed {
		r.running.Done()
	}
}

// Close may be called more than once, by pion and by the book. It gives no error: pion stops closing allocations at
// the first.
func (r *relayed) Close() error {
	r.mu.Lock()
	was := r.closed
	r.closed = true
	if !was && !r.reading {
		r.running.Done()
	}
	r.mu.Unlock()
	if !was {
		close(r.done)
		_ = r.PacketConn.Close()
		r.book.leave(r)
	}
	return nil
}
