package relay

import (
	"net"
	"testing"

	"visavis.example/internal/signal"
)

// pion makes a client's new allocation before it tells of the end of its old one.
func TestTheOldEndsAfterTheNewBegan(t *testing.T) {
	b := newGuard().book
	from := &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 1000}
	old, fresh := party{"device-0123456789", "call-0123456789abc"}, party{"device-0123456789", "call-zyxwvutsrqponm"}
	b.created(from, nil, "", old.String(), "", nil, 0)
	b.permitted(from, nil, "", "", "", nil, net.IPv4(9, 9, 9, 8))
	b.births.pastAll()
	b.created(from, nil, "", fresh.String(), "", nil, 0)
	b.withdrawn(from, nil, "", "", "", nil, net.IPv4(9, 9, 9, 8))
	b.deleted(from, nil, "", "", "")
	c := clientOf(from)
	if g := b.clients[c]; g == nil || g.party != fresh || g.permissions != 0 {
		t.Errorf("the new allocation's client is %+v", g)
	}
	if n := b.perIP[c.at.Addr()]; n != 1 {
		t.Errorf("%d allocations of its address", n)
	}
	b.deleted(from, nil, "", "", "")
	if len(b.clients) != 0 || len(b.perIP) != 0 {
		t.Errorf("%d clients, %d addresses are left", len(b.clients), len(b.perIP))
	}
}

// A client gives its allocation up and makes another from the same port. pion's reader of the first, which notices its end
// late, deletes by the client's address: it must not find the second.
func TestANewAllocationOutlivesTheOldOnesReader(t *testing.T) { onBothPaths(t, allocateAnew) }

func allocateAnew(t *testing.T, portable bool) {
	s := start(t, &Server{Portable: portable})
	p := newProbe(t, s, join(s, signal.NewID()))
	for round := range 300 {
		if got := p.allocate(); got != "ok" {
			t.Fatalf("round %d: %s", round, got)
		}
		p.alive()
		if got := p.refresh(); got != "ok" {
			t.Fatalf("round %d: the new allocation is gone: %s", round, got)
		}
		if got := p.leave(); got != "ok" {
			t.Fatalf("round %d: %s", round, got)
		}
	}
}
