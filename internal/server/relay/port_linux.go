//go:build amd64 || arm64

package relay

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// port is the socket of one relayed port on the fast path. pion has it, behind relayed, as a net.PacketConn that gives
// what came from peers without a channel.
type port struct {
	plane *plane
	fd    int
	local netip.AddrPort
	v6    bool
	slow  *queue
	done  chan struct{} // closed by Close

	// With plane.mu held. Nil and zero until the first channel is bound.
	closed   bool
	owner    *relayed
	client   *sockaddr
	at       key // of the client
	key      key // of this port, as other allocations see it
	channels []*channel
	edition  uint64 // of the book, when the channels' ways were asked for
	stale    bool   // they must be asked for again
	outgoing []outgoing
}

// channel is one binding of RFC 8656, section 12: a number on the client's side, a peer on the other. There are few
// (Limits.Channels), so that looking through them is quick.
type channel struct {
	number uint16
	peer   netip.AddrPort
	via    *sockaddr // where the peer's packets are really sent; nil: the call may not send there. Replaced, never changed
	wire   key       // the same, as the peer's packets come from
	mate   *port     // the peer, when it is another relayed port of this plane
}

// outgoing is a packet on its way to a peer.
type outgoing struct {
	slot, size int
	to         *sockaddr
}

// bind implements channelled.
func (q *port) bind(owner *relayed, client net.Addr, number uint16, peer netip.AddrPort) {
	p := q.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.closed {
		return
	}
	if q.owner == nil {
		at := addrPort(client)
		sa, ok := newSockaddr(at, p.v6)
		if !ok {
			return // pion's listener would not have heard it
		}
		q.owner, q.client, q.at, q.key = owner, &sa, keyOf(at), keyOf(owner.local)
		p.clients[q.at] = q
	}
	q.channels = append(q.channels, &channel{number: number, peer: peer})
	q.stale = true
}

// unbind implements channelled. It may come late, when the port has become another client's.
func (q *port) unbind(client net.Addr, number uint16) {
	q.plane.mu.Lock()
	defer q.plane.mu.Unlock()
	if q.at != keyOf(addrPort(client)) {
		return
	}
	for i, c := range q.channels {
		if c.number == number {
			q.channels = append(q.channels[:i], q.channels[i+1:]...)
			return
		}
	}
}

// numbered and from find a channel; nil: there is none.
func (q *port) numbered(number uint16) *channel {
	q.askWays()
	for _, c := range q.channels {
		if c.number == number {
			return c
		}
	}
	return nil
}

func (q *port) from(wire key) *channel {
	if q.owner == nil {
		return nil
	}
	q.askWays()
	for _, c := range q.channels {
		if c.wire == wire && c.via != nil {
			return c
		}
	}
	return nil
}

// askWays asks the book where the channels lead, when that may have changed.
func (q *port) askWays() {
	if !q.stale && q.edition == q.plane.edition {
		return
	}
	q.stale, q.edition = false, q.plane.edition
	for _, c := range q.channels {
		via, mate, ok := q.owner.book.route(q.owner.party.call, c.peer)
		c.via, c.mate, c.wire = nil, nil, key{}
		if !ok || via.Addr().Is4() != q.owner.public.Addr().Is4() {
			continue
		}
		if sa, ok := newSockaddr(via, q.v6); ok {
			c.via, c.wire = &sa, keyOf(via)
		}
		if mate == nil {
			continue
		}
		if m, fast := mate.PacketConn.(*port); fast && m.plane == q.plane {
			c.mate = m
		}
	}
}

// ReadFrom implements net.PacketConn.
func (q *port) ReadFrom(b []byte) (int, net.Addr, error) { return q.slow.read(b, q.done) }

// WriteTo implements net.PacketConn.
func (q *port) WriteTo(b []byte, to net.Addr) (int, error) {
	sa, ok := newSockaddr(addrPort(to), q.v6)
	if !ok {
		return 0, net.InvalidAddrError("an address of another family")
	}
	q.plane.mu.Lock()
	defer q.plane.mu.Unlock()
	if q.closed {
		return 0, net.ErrClosed
	}
	q.plane.sendOne(q.fd, b, &sa)
	return len(b), nil
}

// Close implements net.PacketConn. The plane's goroutine cannot be using the descriptor meanwhile.
func (q *port) Close() error {
	p := q.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.closed {
		return net.ErrClosed
	}
	q.closed = true
	close(q.done)
	delete(p.ports, int32(q.fd))
	if p.clients[q.at] == q {
		delete(p.clients, q.at)
	}
	_ = unix.Close(q.fd) // which takes it out of the set
	return nil
}

// LocalAddr implements net.PacketConn.
func (q *port) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(q.local) }

// SetDeadline implements net.PacketConn; pion sets none.
func (q *port) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn.
func (q *port) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn.
func (q *port) SetWriteDeadline(time.Time) error { return nil }

// queue holds copies of what is left for pion. It drops what comes when it is full.
type queue struct {
	waiting chan left
	spare   sync.Pool
}

type left struct {
	b    *[maxDatagram]byte
	n    int
	from net.Addr
}

func newQueue(room int) *queue {
	return &queue{waiting: make(chan left, room), spare: sync.Pool{New: func() any { return new([maxDatagram]byte) }}}
}

// offer is false when there was no room.
func (u *queue) offer(b []byte, from *unix.RawSockaddrInet6) bool {
	if len(u.waiting) == cap(u.waiting) { // only one goroutine offers
		return false
	}
	buf, _ := u.spare.Get().(*[maxDatagram]byte)
	u.waiting <- left{buf, copy(buf[:], b), rawUDPAddr(from)}
	return true
}

func (u *queue) read(b []byte, done <-chan struct{}) (int, net.Addr, error) {
	select {
	case l := <-u.waiting:
		n := copy(b, l.b[:l.n])
		u.spare.Put(l.b)
		return n, l.from, nil
	case <-done:
		return 0, nil, net.ErrClosed
	}
}
