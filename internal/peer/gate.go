package peer

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4"
)

// gate is the network between pion and the machine's. For a connection that is made while it rings, the sockets of our
// own addresses ask STUN servers what they look like from outside until it is opened, and send and take nothing else: pion
// would try them against the other's relay. The sockets to TURN servers are not these and pass. Afterwards it shows ICE
// checks to the pathFinder, which pion's agent has no place for, and moves a call to another network: see detour.
type gate struct {
	transport.Net
	arrivals *arrivalLog

	got func(p packetPath, b []byte) // a check, or the answer to one of ours; borrows b and must not block
	// ask checks an address that has to answer first, across a relay of ours or, nil, from our own sockets; must not block.
	ask func(to netip.AddrPort, across io.Writer)

	opened atomic.Bool
	detour atomic.Pointer[detour]
	askers askers
	across across
	names  atomic.Pointer[checkNames]
	obeyed atomic.Uint32                           // the number of the last move of the other's that was followed
	chosen atomic.Pointer[packetPath]              // pion is to use it
	agreed atomic.Pointer[[transactionIDSize]byte] // of a check that came by the chosen path
	taken  atomic.Pointer[packetPath]              // the chosen path, once the other side sends by it, too

	mu     sync.Mutex
	conns  []*gateConn
	spares []*gateConn
	ours   map[[transactionIDSize]byte]time.Time // checks whose answers are not pion's
	told   map[packetPath]struct{}               // paths that a check has come by
	proven map[packetPath]time.Time              // ways into spares, and the last good check by them

	consents map[netip.AddrPort]time.Time // what has answered a check of ours, and when
}

const (
	transactionIDSize = 12
	maxPaths          = 24 // that are tried beside pion's
	maxChecks         = 512
	checkLife         = 10 * time.Second // nothing that answers does so later
)

// packetPath is from one of our sockets to an address of the other's.
type packetPath struct {
	conn *gateConn
	to   netip.AddrPort
}

// gateConn is one socket.
type gateConn struct {
	transport.UDPConn
	in     *stampedConn // the same, to read from
	gate   *gate
	ending atomic.Bool   // pion has set a deadline of its own
	closed atomic.Bool   // of a spare
	done   chan struct{} // of a spare: nobody reads it any more
}

func (g *gate) open() { g.opened.Store(true) }

// ListenUDP implements transport.Net: pion opens host and server-reflexive candidates with it, and nothing else.
func (g *gate) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	c, err := g.Net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	own := g.newConn(c)
	g.mu.Lock()
	g.conns = append(g.conns, own)
	g.mu.Unlock()
	return own, nil
}

// ListenPacket implements transport.Net: pion opens the way to a relay with it.
func (g *gate) ListenPacket(network, at string) (net.PacketConn, error) {
	c, err := g.Net.ListenPacket(network, at)
	if err != nil {
		return nil, err
	}
	return &relaySocket{newStampedConn(c, g.arrivals), &g.across}, nil
}

func (g *gate) newConn(c transport.UDPConn) *gateConn {
	return &gateConn{UDPConn: c, in: newStampedConn(c, g.arrivals), gate: g}
}

// at is the socket's address.
func (c *gateConn) at() netip.Addr {
	at, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return at.AddrPort().Addr().Unmap().WithZone("")
}

// sockets gives those of pion's that are open.
func (g *gate) sockets() []*gateConn {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*gateConn(nil), g.conns...)
}

// Close implements net.PacketConn.
func (c *gateConn) Close() error {
	c.gate.mu.Lock()
	for i, o := range c.gate.conns {
		if o == c {
			c.gate.conns = append(c.gate.conns[:i], c.gate.conns[i+1:]...)
			break
		}
	}
	c.gate.mu.Unlock()
	return c.UDPConn.Close()
}

// WriteTo implements net.PacketConn.
func (c *gateConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if !c.gate.opened.Load() && !(stunType(b) == stunRequest && !hasUsername(b)) {
		return len(b), nil
	}
	if way, ok := c.gate.askers.way(b); ok {
		return way.conn.UDPConn.WriteTo(b, net.UDPAddrFromAddrPort(way.to))
	}
	if d := c.gate.detour.Load(); d != nil && d.starts(c, to) {
		return d.by.conn.UDPConn.WriteTo(b, net.UDPAddrFromAddrPort(d.by.to))
	}
	return c.UDPConn.WriteTo(b, to)
}

// ReadFrom implements net.PacketConn.
func (c *gateConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		d := c.gate.detour.Load()
		if d != nil && d.carrier == c {
			if n, ok := d.take(b); ok {
				return n, d.pions(), nil
			}
		}
		n, from, err := c.in.ReadFrom(b)
		d = c.gate.detour.Load()
		switch {
		case err != nil && c.woken(err):
		case err != nil:
			return n, from, err
		case c.gate.keeps(c, b[:n], from):
		case d != nil && d.isBy(c, from):
			d.heard(b[:n])
			d.askedBy(d.by, b[:n])
			return n, d.pions(), nil
		case d != nil && d.starts(c, from):
			d.askedBy(packetPath{c, d.from}, b[:n])
			return n, from, nil
		default:
			return n, from, nil
		}
	}
}

// keeps says whether a packet is not for pion.
func (g *gate) keeps(c *gateConn, b []byte, from net.Addr) bool {
	kind := stunType(b)
	if !g.opened.Load() {
		return kind != stunSuccess && kind != stunError
	}
	chosen := g.chosen.Load()
	if kind != stunRequest && kind != stunSuccess {
		if kind == 0 && chosen != nil && g.taken.Load() != chosen {
			if p, ok := pathOf(c, from); ok && p == *chosen {
				g.taken.Store(chosen)
			}
		}
		return false
	}
	p, ok := pathOf(c, from)
	if !ok {
		return false
	}
	id := [transactionIDSize]byte(b[8:20])
	if kind == stunRequest {
		if chosen != nil && *chosen == p {
			g.agreed.Store(&id)
		}
		if g.isNews(p) {
			g.got(p, b)
		}
		return false
	}
	mine := g.isOurs(id)
	if mine {
		g.got(p, b)
	}
	return mine
}

// isOurs says whether the answer to that check is not for pion; once.
func (g *gate) isOurs(id [transactionIDSize]byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ours := g.ours[id]
	delete(g.ours, id)
	return ours
}

func pathOf(c *gateConn, from net.Addr) (p packetPath, ok bool) {
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return p, false
	}
	at := udp.AddrPort()
	return packetPath{c, netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}, true
}

// isNews is true for the first check that comes by a path.
func (g *gate) isNews(p packetPath) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, old := g.told[p]; old || len(g.told) >= maxPaths {
		return false
	}
	if g.told == nil {
		g.told = map[packetPath]struct{}{}
	}
	g.told[p] = struct{}{}
	return true
}

// expects notes a check of ours. What nobody has answered for long makes room.
func (g *gate) expects(id [transactionIDSize]byte, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ours == nil {
		g.ours = map[[transactionIDSize]byte]time.Time{}
	}
	if len(g.ours) >= maxChecks {
		for old, at := range g.ours {
			if now.Sub(at) > checkLife {
				delete(g.ours, old)
			}
		}
	}
	if len(g.ours) >= maxChecks {
		return false
	}
	g.ours[id] = now
	return true
}

// agrees is pion's question at each check that it has found good: whether to use this path from now on. answered: pion has
// checked the path itself, which one that controls ICE does no more once it has chosen. across: writes by it, if it begins at
// a relay of ours.
func (g *gate) agrees(m *stun.Message, to netip.AddrPort, answered bool, across io.Writer) bool {
	if number, ok := moveNumber(m); ok {
		return g.follows(number, to, answered, across)
	}
	agreed := g.agreed.Load()
	return agreed != nil && *agreed == m.TransactionID
}

// forget makes ready for other paths with other names: pion restarts.
func (g *gate) forget() {
	g.detour.Store(nil)
	g.names.Store(nil)
	g.chosen.Store(nil)
	g.taken.Store(nil)
	g.agreed.Store(nil)
	g.askers.forget()
	g.across.forget()
	g.closeSpares(func(*gateConn) bool { return true })
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ours, g.told, g.proven, g.consents = nil, nil, nil, nil
}

// STUN messages as far as they are told apart here (RFC 8489 section 5).
const (
	stunRequest  = 0x0001
	stunSuccess  = 0x0101
	stunError    = 0x0111
	stunHeader   = 20
	stunMagic    = 0x2112A442
	stunUsername = 0x0006
)

// stunType gives 0 for what is not STUN.
func stunType(b []byte) uint16 {
	if len(b) < stunHeader || binary.BigEndian.Uint32(b[4:]) != stunMagic {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// hasUsername tells ICE's checks from questions to a STUN server.
func hasUsername(b []byte) bool {
	for b = b[stunHeader:]; len(b) >= 4; {
		kind, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:])+3)&^3
		if kind == stunUsername {
			return true
		}
		b = b[min(4+size, len(b)):]
	}
	return false
}
