package peer

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
)

// detour moves a call to another network of this machine without pion's knowledge: what pion sends by the path that it
// has chosen takes another, and what comes by that looks as if it had come by the first. pion's agent knows no socket
// that is opened later, and an ICE restart, which would, gives the old path up before there is a new one. To the other
// side this is a peer-reflexive candidate (RFC 8445 section 7.3.1.3).
type detour struct {
	carrier *gateConn      // pion's socket
	from    netip.AddrPort // where pion believes the other to be
	by      packetPath
	inbox   chan []byte // what came by a socket that pion does not read; the newest is dropped when it is full
	lively  atomic.Bool // something but checks has come this way: the other has followed
}

const detourInbox = 256 // packets: half a second of picture

// pions is the other's address, for pion.
func (d *detour) pions() net.Addr { return net.UDPAddrFromAddrPort(d.from) }

// starts says whether a packet of pion's is to go this way.
func (d *detour) starts(c *gateConn, to net.Addr) bool {
	p, ok := pathOf(c, to)
	return ok && d.carrier == c && p.to == d.from
}

func (d *detour) isBy(c *gateConn, from net.Addr) bool {
	p, ok := pathOf(c, from)
	return ok && d.by == p
}

func (d *detour) heard(b []byte) {
	if stunType(b) == 0 {
		d.lively.Store(true)
	}
}

// askedBy notes a check that pion will see as if it had come by its own path.
func (d *detour) askedBy(way packetPath, b []byte) {
	if stunType(b) == stunRequest {
		d.carrier.gate.askers.asked(b, way)
	}
}

// take gives a packet that waits for pion.
func (d *detour) take(b []byte) (int, bool) {
	select {
	case waiting := <-d.inbox:
		return copy(b, waiting), true
	default:
		return 0, false
	}
}

// deliver has pion read a packet. It reads the carrier, which has to be woken for that.
func (d *detour) deliver(b []byte) {
	select {
	case d.inbox <- bytes.Clone(b):
	default:
	}
	_ = d.carrier.UDPConn.SetReadDeadline(time.Unix(1, 0))
}

// woken says whether a read has ended because there is something in an inbox, and makes ready for the next.
func (c *gateConn) woken(err error) bool {
	var e net.Error
	if c.ending.Load() || !errors.As(err, &e) || !e.Timeout() {
		return false
	}
	_ = c.UDPConn.SetReadDeadline(time.Time{})
	return !c.ending.Load() // pion may have set its own meanwhile
}

// SetDeadline implements net.PacketConn.
func (c *gateConn) SetDeadline(t time.Time) error {
	c.ending.Store(!t.IsZero())
	return c.UDPConn.SetDeadline(t)
}

// SetReadDeadline implements net.PacketConn.
func (c *gateConn) SetReadDeadline(t time.Time) error {
	c.ending.Store(!t.IsZero())
	return c.UDPConn.SetReadDeadline(t)
}

// bend begins a detour. One that leads by pion's own path is as good as none.
func (g *gate) bend(carrier *gateConn, from netip.AddrPort, by packetPath) {
	d := &detour{carrier: carrier, from: from, by: by, inbox: make(chan []byte, detourInbox)}
	if old := g.detour.Load(); old != nil {
		if old.carrier == carrier {
			d.inbox = old.inbox
		}
		if old.by.conn.done != nil && old.by != by {
			g.prove(old.by, time.Now()) // the other goes on sending there until it has followed
		}
	}
	g.detour.Store(d)
}

// checkNames are what ICE checks are known by (RFC 8445 section 7.1.2).
type checkNames struct {
	username, password string // of those that come to us
}

// maxSpares bounds the sockets beside pion's: one for each address that has none.
const maxSpares = 4

// all gives pion's sockets and the spares.
func (g *gate) all() []*gateConn {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append(append([]*gateConn(nil), g.conns...), g.spares...)
}

// openSpare opens a socket that pion does not know of.
func (g *gate) openSpare(at netip.Addr) (*gateConn, error) {
	network := "udp4"
	if at.Is6() {
		network = "udp6"
	}
	conn, err := g.Net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return nil, err
	}
	c := g.newConn(conn)
	c.done = make(chan struct{})
	g.mu.Lock()
	g.spares = append(g.spares, c)
	g.mu.Unlock()
	go c.pump()
	return c, nil
}

// closeSpares closes some and returns when nobody reads them any more.
func (g *gate) closeSpares(which func(*gateConn) bool) {
	g.mu.Lock()
	var gone []*gateConn
	kept := g.spares[:0:0]
	for _, c := range g.spares {
		if which(c) {
			gone = append(gone, c)
		} else {
			kept = append(kept, c)
		}
	}
	g.spares = kept
	maps.DeleteFunc(g.proven, func(p packetPath, _ time.Time) bool { return slices.Contains(gone, p.conn) })
	g.mu.Unlock()
	for _, c := range gone {
		c.closed.Store(true)
		_ = c.UDPConn.Close()
		<-c.done
	}
}

const pumpPause = 5 * time.Millisecond // after an error, so that one that stays is no load

// pump reads a spare until it is closed.
func (c *gateConn) pump() {
	defer close(c.done)
	b := make([]byte, 2048)
	for {
		n, from, err := c.in.ReadFrom(b)
		if c.closed.Load() || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // some systems tell so of a packet that did not arrive, or that is too long
			time.Sleep(pumpPause)
			continue
		}
		if p, ok := pathOf(c, from); ok {
			c.gate.gotSpare(p, b[:n])
		}
	}
}

// gotSpare takes a packet that came to a spare.
func (g *gate) gotSpare(p packetPath, b []byte) {
	kind := stunType(b)
	if kind == stunSuccess && g.isOurs([transactionIDSize]byte(b[8:20])) {
		g.got(p, b)
		return
	}
	d := g.detour.Load()
	switch {
	case d != nil && d.by == p:
		d.heard(b)
		d.askedBy(p, b)
		d.deliver(b)
	case kind == stunRequest:
		g.answer(p, b)
	case kind == 0 && d != nil && g.isProven(p):
		d.deliver(b)
	}
}

// maxProven bounds the ways into spares that a check with the call's password has come by. The other side may send by any
// of them, for we have answered: before it has followed us elsewhere, or by its own choice, as a browser that has called.
const maxProven = 16

// prove notes a way into a spare. The one that was checked the longest ago makes room.
func (g *gate) prove(p packetPath, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.proven == nil {
		g.proven = map[packetPath]time.Time{}
	}
	g.proven[p] = now
	if len(g.proven) <= maxProven {
		return
	}
	oldest := p
	for q, at := range g.proven {
		if at.Before(g.proven[oldest]) {
			oldest = q
		}
	}
	delete(g.proven, oldest)
}

func (g *gate) isProven(p packetPath) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.proven[p]
	return ok
}

// answer answers a check in pion's place.
func (g *gate) answer(p packetPath, b []byte) {
	names := g.names.Load()
	m := &stun.Message{Raw: bytes.Clone(b)}
	var user stun.Username
	if names == nil || m.Decode() != nil || user.GetFrom(m) != nil || user.String() != names.username {
		return
	}
	integrity := stun.NewShortTermIntegrity(names.password)
	if integrity.Check(m) != nil {
		return
	}
	g.prove(p, time.Now())
	at := stun.XORMappedAddress{IP: p.to.Addr().AsSlice(), Port: int(p.to.Port())}
	if reply, err := stun.Build(m, stun.BindingSuccess, at, integrity, stun.Fingerprint); err == nil {
		_, _ = p.conn.UDPConn.WriteTo(reply.Raw, net.UDPAddrFromAddrPort(p.to))
	}
	if number, ok := moveNumber(m); ok && g.follows(number, p.to, false, nil) {
		g.got(p, b)
	}
}

// attrNomination is the NOMINATION attribute of draft-thatcher-ice-renomination-01 with the number that libwebrtc gave it:
// the path with the highest number counts. With it the side that has moved says which path to follow it to, whichever of
// the two it is; a controlled Chromium obeys, too, and others pass over it.
const attrNomination stun.AttrType = 0xC001

func moveNumber(m *stun.Message) (uint32, bool) {
	b, err := m.Get(attrNomination)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}

// consentFor is how long an answer of an address lets us send there (RFC 7675 section 5.1).
const consentFor = 30 * time.Second

// consent notes that an address has answered a check of ours.
func (g *gate) consent(to netip.AddrPort, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.consents, func(_ netip.AddrPort, at time.Time) bool { return now.Sub(at) > consentFor })
	if g.consents == nil {
		g.consents = map[netip.AddrPort]time.Time{}
	}
	g.consents[to] = now
}

// follows says whether to go where a check says that the other has moved: once for each move, and not before that address
// has answered us. Whoever checks may have made up where from.
func (g *gate) follows(number uint32, to netip.AddrPort, answered bool, across io.Writer) bool {
	if number <= g.obeyed.Load() {
		return false
	}
	g.mu.Lock()
	at, ok := g.consents[to]
	g.mu.Unlock()
	if !answered && (!ok || time.Since(at) > consentFor) {
		g.ask(to, across)
		return false // it says so again
	}
	return g.obeys(number)
}

// obeys is true for the first check of a later move than the last.
func (g *gate) obeys(number uint32) bool {
	last := g.obeyed.Load()
	return number > last && g.obeyed.CompareAndSwap(last, number)
}
