//go:build amd64 || arm64

package relay

import (
	"encoding/binary"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/pion/stun/v4"
	"golang.org/x/sys/unix"
)

const (
	maxEvents       = 128  // of one look at the epoll set
	perListener     = 64   // datagrams read at once
	perPort         = 16   // the same, of one relayed port, so that none keeps the others waiting
	spins           = 2    // looks at an empty set before the goroutine is parked
	slowFromClients = 1024 // packets that wait for pion at the listener; more are dropped
	slowFromPeers   = 64   // and at one relayed port
)

// plane is a listener with all its relayed ports. One goroutine, run, reads and forwards; others come in with mu only to
// open, close and bind, and to send what pion sends. pion has it as the listener's net.PacketConn, which gives the STUN
// messages.
//
// mu comes before the book's lock, never after it.
type plane struct {
	book     *book
	local    net.Addr
	fd       int  // the listener
	v6       bool // its family
	segments bool // the kernel cuts up trains
	pace     pace
	slow     *queue
	done     chan struct{} // closed by Close

	// The epoll set is nested in Go's poller. A thread that waited in epoll_wait instead was slower than pion: the
	// runtime keeps taking its processor away.
	epoll   int
	file    *os.File
	parking syscall.RawConn

	mu      sync.Mutex
	closed  bool
	clients map[key]*port // by address; only those with channels
	ports   map[int32]*port

	// run's own, used with mu held
	in       *inbox
	up, down *outbox
	events   [maxEvents]unix.EpollEvent
	got      int     // events that were read while parked
	polls    int     // looks left before parking
	more     bool    // the listener may have more to read, of which the set will not tell again
	again    []*port // the same of ports
	spare    []*port
	busy     []*port // that have something to send
	edition  uint64
	now      int64
	tally    tally
}

// tally is what one round adds to the counters.
type tally struct {
	up, down                   struct{ packets, bytes int }
	refused, capped, discarded int
}

// run forwards until Close.
func (p *plane) run() {
	p.in, p.up, p.down = newInbox(), &outbox{segments: p.segments}, &outbox{segments: p.segments}
	for p.round() {
		if p.polls > 0 {
			continue
		}
		// Read looks before it parks and after it was woken. Its events are edges: they come once, and are kept in got.
		if p.parking.Read(func(uintptr) bool { p.got = p.look(); return p.got > 0 }) != nil {
			return // closed
		}
		p.polls = spins
	}
}

// look asks the set for events without waiting, and without telling Go's scheduler (it returns at once).
func (p *plane) look() int {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])), maxEvents, 0, 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// round reads what there is and sends it on; false: closed.
func (p *plane) round() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	n := p.got
	if p.got = 0; n == 0 {
		n = p.look()
	}
	p.now, p.edition = clock(), p.book.edition.Load()
	ports, listener := p.again, p.more
	p.again, p.more = p.spare[:0], false
	worked := n > 0 || listener || len(ports) > 0
	for _, q := range ports {
		p.fromPeers(q)
	}
	for _, e := range p.events[:n] {
		if int(e.Fd) == p.fd {
			listener = true
		} else if q := p.ports[e.Fd]; q != nil {
			p.fromPeers(q)
		}
	}
	p.spare = ports
	if listener {
		p.fromClients()
	}
	p.sendDown()
	p.account()
	if p.polls--; worked {
		p.polls = spins
	}
	return true
}

// fromClients forwards ChannelData of clients and leaves STUN to pion, which would answer nothing else.
func (p *plane) fromClients() {
	p.sendDown() // all slots are free then
	first, end := p.in.recv(p.fd, perListener)
	p.more = end-first == perListener
	for i := first; i < end; i++ {
		b := p.in.data(i)
		switch {
		case len(b) >= channelHeader && len(b) < maxDatagram && b[0]>>6 == 1:
			p.fromClient(i, b)
		case len(b) >= maxDatagram || !stun.IsMessage(b) || !p.slow.offer(b, &p.in.from[i]):
			p.tally.discarded++
		}
	}
	for _, q := range p.busy {
		for _, o := range q.outgoing {
			p.up.add(p.in.data(o.slot)[channelHeader:channelHeader+o.size], o.to)
		}
		q.outgoing = q.outgoing[:0]
		p.up.flush(q.fd)
	}
	p.busy = p.busy[:0]
	p.sendDown()
}

// fromClient finds out where one ChannelData message goes. Those for one port are sent together, in their order.
func (p *plane) fromClient(slot int, b []byte) {
	size := int(binary.BigEndian.Uint16(b[2:]))
	q := p.clients[rawKey(&p.in.from[slot])]
	if q == nil || size > len(b)-channelHeader {
		p.tally.discarded++
		return
	}
	c := q.numbered(binary.BigEndian.Uint16(b))
	switch {
	case c == nil:
		p.tally.discarded++
		return
	case c.via == nil:
		p.tally.refused++
		return
	case !q.owner.up.take(size, p.pace, p.now):
		p.tally.capped++
		return
	}
	p.tally.up.packets++
	p.tally.up.bytes += size
	if c.mate != nil && p.across(slot, size, q, c.mate) {
		return
	}
	if len(q.outgoing) == 0 {
		p.busy = append(p.busy, q)
	}
	q.outgoing = append(q.outgoing, outgoing{slot, size, c.via})
}

// across hands a packet for another allocation of the call straight to that one's client, as if it had gone through both
// sockets; false: that client has no channel for it.
func (p *plane) across(slot, size int, from, to *port) bool {
	if to.closed || to.owner == nil {
		return false
	}
	c := to.from(from.key)
	if c == nil {
		return false
	}
	if !to.owner.down.take(size, p.pace, p.now) {
		p.tally.capped++
		return true
	}
	p.tally.down.packets++
	p.tally.down.bytes += size
	p.down.add(p.in.renumbered(slot, size, c.number), to.client)
	return true
}

// fromPeers frames what peers with a channel have sent, and leaves the rest to pion.
func (p *plane) fromPeers(q *port) {
	if q.closed {
		return
	}
	if p.in.free() < perPort {
		p.sendDown()
	}
	first, end := p.in.recv(q.fd, perPort)
	if end-first == perPort {
		p.again = append(p.again, q)
	}
	for i := first; i < end; i++ {
		b := p.in.data(i)
		if len(b) >= maxDatagram {
			p.tally.discarded++
			continue
		}
		c := q.from(rawKey(&p.in.from[i]))
		switch {
		case c == nil:
			if !q.slow.offer(b, &p.in.from[i]) {
				p.tally.discarded++
			}
		case !q.owner.down.take(len(b), p.pace, p.now):
			p.tally.capped++
		default:
			p.tally.down.packets++
			p.tally.down.bytes += len(b)
			p.down.add(p.in.framed(i, c.number), q.client)
		}
	}
}

// sendDown sends what is for clients; then no slot is in use.
func (p *plane) sendDown() {
	p.down.flush(p.fd)
	p.in.reset()
}

func (p *plane) account() {
	t, count := &p.tally, &p.book.count
	t.discarded += p.up.takeDropped() + p.down.takeDropped()
	if *t == (tally{}) {
		return
	}
	count.up.add(t.up.packets, t.up.bytes)
	count.down.add(t.down.packets, t.down.bytes)
	count.refused.Add(uint64(t.refused))
	count.capped.Add(uint64(t.capped))
	count.dropped.Add(uint64(t.discarded))
	*t = tally{}
}

// ReadFrom gives STUN messages, to pion.
func (p *plane) ReadFrom(b []byte) (int, net.Addr, error) { return p.slow.read(b, p.done) }

// WriteTo sends for pion.
func (p *plane) WriteTo(b []byte, to net.Addr) (int, error) {
	sa, ok := newSockaddr(addrPort(to), p.v6)
	if !ok {
		return 0, net.InvalidAddrError("an address of another family")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, net.ErrClosed
	}
	p.sendOne(p.fd, b, &sa)
	return len(b), nil
}

// sendOne drops what the socket does not take, like outbox.
func (p *plane) sendOne(fd int, b []byte, to *sockaddr) {
	if !send(fd, b, to) {
		p.book.count.dropped.Add(1)
	}
}

// Close ends run and ReadFrom. The relayed ports are closed by those who have them.
func (p *plane) Close() error {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	if !was {
		close(p.done)
		_ = unix.Close(p.fd)
	}
	p.mu.Unlock()
	if !was {
		_ = p.file.Close()
	}
	return nil
}

// LocalAddr implements net.PacketConn.
func (p *plane) LocalAddr() net.Addr { return p.local }

// SetDeadline implements net.PacketConn; pion sets none.
func (p *plane) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn.
func (p *plane) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn.
func (p *plane) SetWriteDeadline(time.Time) error { return nil }
