package door

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// crowd is who stands in the door. When it is full, who has waited longest makes room: an attacker who opens connections
// and says nothing keeps nobody out, and whoever speaks is through in a moment. Of the longest waiting it is one of the
// address that has most of them, so that one who floods does it at his own cost.
type crowd struct {
	most int

	mu     sync.Mutex
	closed bool
	queue  list.List // of *guest, oldest first
	places map[net.Conn]*list.Element
	from   map[netip.Addr]int
}

type guest struct {
	conn net.Conn
	from netip.Addr
}

// sample is how many of the longest waiting are compared.
const sample = 16

// enter gives the new one a place; false once the door is closed.
func (c *crowd) enter(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.places == nil {
		c.places, c.from = map[net.Conn]*list.Element{}, map[netip.Addr]int{}
	}
	if c.queue.Len() >= c.most {
		c.makeRoomLocked()
	}
	g := &guest{conn, sourceOf(conn)}
	c.places[conn] = c.queue.PushBack(g)
	c.from[g.from]++
	return true
}

func (c *crowd) makeRoomLocked() {
	var worst *list.Element
	e := c.queue.Front()
	for i := 0; e != nil && i < sample; i++ {
		if worst == nil || c.from[guestOf(e).from] > c.from[guestOf(worst).from] {
			worst = e
		}
		e = e.Next()
	}
	if worst != nil {
		_ = guestOf(worst).conn.Close() // its goroutine notices
		c.removeLocked(worst)
	}
}

func guestOf(e *list.Element) *guest {
	g, _ := e.Value.(*guest) // nothing else is in the list
	return g
}

func (c *crowd) removeLocked(e *list.Element) {
	g := guestOf(e)
	c.queue.Remove(e)
	delete(c.places, g.conn)
	if c.from[g.from]--; c.from[g.from] <= 0 {
		delete(c.from, g.from)
	}
}

// leave gives the place back.
func (c *crowd) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.places[conn]; e != nil {
		c.removeLocked(e)
	}
}

// close turns everybody away.
func (c *crowd) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.places {
		_ = conn.Close()
	}
}

// sourceOf is the network that a connection comes from: an IPv4 address, or a /64, of which one person has all.
func sourceOf(c net.Conn) netip.Addr {
	t, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := t.AddrPort().Addr().Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
