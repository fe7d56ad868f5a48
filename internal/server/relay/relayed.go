package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pion/turn/v5"
)

// addresses opens relayed ports for pion. It implements turn.RelayAddressGenerator.
type addresses struct {
	book     *book
	binds    []netip.Addr // for each of book.publics
	min, max uint16
	running  *sync.WaitGroup
	// listen opens a UDP socket; port 0 is any.
	listen func(netip.AddrPort) (net.PacketConn, error)
}

// listenPort is what addresses.listen is without a fast path.
func listenPort(at netip.AddrPort) (net.PacketConn, error) {
	return net.ListenUDP(familyOf(at.Addr()), net.UDPAddrFromAddrPort(at))
}

func familyOf(a netip.Addr) string {
	if a.Is4() {
		return "udp4"
	}
	return "udp6"
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
	which := -1
	for i, a := range g.book.publics {
		if familyOf(a) == c.Network {
			which = i
		}
	}
	if !ok || which < 0 || c.RequestedPort != 0 {
		return nil, nil, errors.New("this kind of allocation is not offered")
	}
	udp, err := g.open(g.binds[which])
	if err != nil {
		return nil, nil, err
	}
	local := addrPort(udp.LocalAddr())
	r := &relayed{
		PacketConn: udp, book: g.book, party: p, local: local, public: netip.AddrPortFrom(g.book.publics[which], local.Port()),
		born: clock(), running: g.running, done: make(chan struct{}),
	}
	if r.local.Addr().IsUnspecified() {
		r.local = netip.AddrPortFrom(loopback(r.public.Addr()), local.Port())
	}
	g.running.Add(1) // pion reads it until it is closed
	if !g.book.enter(r) {
		g.running.Done()
		_ = udp.Close()
		return nil, nil, errors.New("the call has ended")
	}
	return r, net.UDPAddrFromAddrPort(r.public), nil
}

func loopback(family netip.Addr) netip.Addr {
	if family.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

func (g *addresses) open(bind netip.Addr) (net.PacketConn, error) {
	if g.min == 0 {
		return g.listen(netip.AddrPortFrom(bind, 0))
	}
	ports := int(g.max) - int(g.min) + 1
	from := rand.IntN(ports)
	var last error
	for i := range min(ports, relayTries) {
		c, err := g.listen(netip.AddrPortFrom(bind, uint16(int(g.min)+(from+i)%ports)))
		if err == nil {
			return c, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no relay port is free: %w", last)
}

// relayed is the socket of one allocation. pion reads it in one goroutine of its own and writes to it from the one that
// reads the client. Where there is a fast path, both are only about what that leaves over.
type relayed struct {
	net.PacketConn
	book   *book
	party  party
	user   string
	local  netip.AddrPort // where other allocations send to
	public netip.AddrPort // as its client knows it
	last   atomic.Pointer[hop]
	born   int64 // clock
	up     meter // from the client
	down   meter

	running *sync.WaitGroup
	done    chan struct{} // closed by Close
	mu      sync.Mutex
	closed  bool
	gone    bool // pion has let go of it
	reading bool
}

// heard is when the client last sent a packet through it.
func (r *relayed) heard() int64 { return max(r.born, r.up.last()) }

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
		if via, _, ok := r.book.route(r.party.call, at); ok && via.Addr().Is4() == r.public.Addr().Is4() {
			h.via = net.UDPAddrFromAddrPort(via)
		}
		r.last.Store(h)
	}
	count := &r.book.count
	switch {
	case h.via == nil:
		count.refused.Add(1)
		return len(b), nil
	case !r.up.take(len(b), pace(r.book.limits.BitsPerSecond), clock()):
		count.capped.Add(1)
		return len(b), nil
	}
	count.up.add(1, len(b))
	return r.PacketConn.WriteTo(b, h.via)
}

// ReadFrom gives packets of peers. What comes from this machine must come from another allocation of the same call, and
// is shown under that allocation's public address. Only closing ends it: pion would end the allocation.
func (r *relayed) ReadFrom(b []byte) (int, net.Addr, error) {
	if !r.beginRead() {
		return r.over()
	}
	defer r.endRead()
	count := &r.book.count
	for failures := 0; ; {
		n, from, err := r.PacketConn.ReadFrom(b)
		if err != nil { // a datagram longer than the buffer, on Windows
			count.dropped.Add(1)
			if errors.Is(err, net.ErrClosed) || !pause(failures, r.done) {
				return r.over()
			}
			failures++
			continue
		}
		failures = 0
		from, ok := r.peer(addrPort(from))
		switch {
		case !ok || n >= len(b): // the latter is a longer datagram elsewhere: it has been cut off
			count.dropped.Add(1)
		case !r.down.take(n, pace(r.book.limits.BitsPerSecond), clock()):
			count.capped.Add(1)
		default:
			count.down.add(1, n)
			return n, from, nil
		}
	}
}

// over is what pion's reader gets at the end. At an error it deletes the allocation of that client, whichever that is by
// then: when its own has been deleted and the client has made a new one from the same port, that one would go (seen with
// turn v5.1.1). So where pion has closed this one itself, its reader ends here; it has nothing else to do.
func (r *relayed) over() (int, net.Addr, error) {
	r.mu.Lock()
	gone := r.gone
	r.mu.Unlock()
	if gone {
		runtime.Goexit()
	}
	return 0, nil, net.ErrClosed
}

// peer is how a client knows whoever sent from that address; false: nobody it may hear.
func (r *relayed) peer(at netip.AddrPort) (net.Addr, bool) {
	if r.book.isOwn(at.Addr()) || r.book.isPublic(at.Addr()) {
		at = netip.AddrPortFrom(r.public.Addr(), at.Port())
		if r.book.sibling(r.party.call, at) == nil {
			return nil, false
		}
	}
	return net.UDPAddrFromAddrPort(at), true
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

// Close is for pion, when it has deleted the allocation. It gives no error: pion stops closing allocations at the first.
func (r *relayed) Close() error {
	r.mu.Lock()
	r.gone = true
	r.mu.Unlock()
	r.end()
	return nil
}

// end closes the port; pion's reader then deletes the allocation. It may be called more than once.
func (r *relayed) end() {
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
}
