package relay

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// births closes a gap in pion. Its AddPermission puts a permission where the end of the allocation finds it, tells
// OnPermissionCreated, and only then gives it the timer that the end of the allocation stops: an allocation that ends in
// between (EndCall, its lifetime) makes a nil dereference in a goroutine of pion's, and the whole server dies of it. A
// client that asks for short lifetimes and many permissions can find the gap by trying (seen with turn v5.1.1).
//
// So the end waits, in OnPermissionDeleted, which comes before the timer is stopped, until the goroutine that handles
// the client has come out of the gap: it has when it next asks or does anything of ours. In the gap it takes no lock, so
// that waiting for it under pion's locks cannot block both.
type births struct {
	open    atomic.Int32 // len(clients), to pass by without the lock
	mu      sync.Mutex
	over    *sync.Cond
	clients map[client]struct{} // whose handler is in the gap
	known   map[birth]struct{}  // permissions that pion has told of
}

// birth is one permission.
type birth struct {
	of   client
	peer netip.Addr
}

func birthOf(c client, peer net.IP) birth {
	a, _ := netip.AddrFromSlice(peer)
	return birth{c, a.Unmap()}
}

// untold bounds the wait for news of a permission that is being ended and was not told of: its handler is a few
// instructions before created. A permission whose own timer and whose allocation end it at once is ended twice, and then
// no news will come.
const untold = 50 * time.Millisecond

func newBirths() *births {
	b := &births{clients: map[client]struct{}{}, known: map[birth]struct{}{}}
	b.over = sync.NewCond(&b.mu)
	return b
}

// created is pion's OnPermissionCreated.
func (b *births) created(source, _ net.Addr, _, _, _ string, _ net.Addr, peer net.IP) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := clientOf(source)
	b.clients[c] = struct{}{}
	b.known[birthOf(c, peer)] = struct{}{}
	b.doneLocked()
}

// past is said by the handler of that client.
func (b *births) past(c client) {
	if b.open.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.clients, c)
	b.doneLocked()
}

// pastAll is said by the one handler of all UDP clients.
func (b *births) pastAll() {
	if b.open.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.clients {
		if !c.tcp {
			delete(b.clients, c)
		}
	}
	b.doneLocked()
}

func (b *births) doneLocked() {
	b.open.Store(int32(len(b.clients)))
	b.over.Broadcast()
}

// has says whether the client has that permission.
func (b *births) has(c client, peer netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, has := b.known[birth{c, peer}]
	return has
}

// deleted is pion's OnPermissionDeleted.
func (b *births) deleted(source, _ net.Addr, _, _, _ string, _ net.Addr, peer net.IP) {
	c := clientOf(source)
	p := birthOf(c, peer)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.awaitLocked(p)
	delete(b.known, p)
	for {
		if _, in := b.clients[c]; !in {
			return
		}
		b.over.Wait()
	}
}

// awaitLocked waits until pion has told of p, but not for longer than untold.
func (b *births) awaitLocked(p birth) {
	if _, told := b.known[p]; told {
		return
	}
	late := false
	t := time.AfterFunc(untold, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		late = true
		b.over.Broadcast()
	})
	defer t.Stop()
	for !late {
		if _, told := b.known[p]; told {
			return
		}
		b.over.Wait()
	}
}
