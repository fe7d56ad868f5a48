package relay

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"

	"visavis.example/internal/signal"
)

// Calls end while their parties ask for permissions. Without births this is a data race in pion, and after some hundreds
// of rounds the end of the process.
func TestCallsEndWhilePermissionsAreMade(t *testing.T) {
	s := start(t, &Server{})
	for round := range 300 {
		call := signal.NewID()
		p := newProbe(t, s, join(s, call))
		if got := p.allocate(); got != "ok" {
			t.Fatal(got)
		}
		id := stun.NewTransactionID()
		list := make([]stun.Setter, 0, 60)
		for i := range 60 {
			list = append(list, xorPeer(id, netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, byte(round), 8, byte(i)}), 53)))
		}
		if _, err := p.c.Write(p.signed(stun.MethodCreatePermission, id, list...)); err != nil {
			t.Fatal(err)
		}
		for began, wait := time.Now(), time.Duration(round)*time.Microsecond; time.Since(began) < wait; {
			runtime.Gosched() // to meet it at every stage
		}
		s.EndCall(call)
		p.alive()
		_ = p.c.Close()
	}
}

func TestTheEndWaitsForTheGap(t *testing.T) {
	source := &net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 1000}
	other := &net.TCPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 1000}
	for name, past := range map[string]func(*births){
		"the client's handler":   func(b *births) { b.past(clientOf(source)) },
		"the handler of all UDP": func(b *births) { b.pastAll() },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBirths()
			b.deleted(source, nil, "", "", "", nil, nil) // nothing to wait for
			b.created(source, nil, "", "", "", nil, nil)
			b.created(other, nil, "", "", "", nil, nil)
			var over time.Time
			go func() {
				b.deleted(source, nil, "", "", "", nil, nil)
				over = time.Now()
			}()
			time.Sleep(time.Second)
			b.past(clientOf(other))
			time.Sleep(time.Second)
			if !over.IsZero() {
				t.Errorf("%s: did not wait", name)
			}
			past(b)
			synctest.Wait()
			if over.IsZero() || b.open.Load() != 0 {
				t.Errorf("%s: still waiting", name)
			}
		})
	}
}

// An end that overtakes pion's news of the permission waits for them, and then for the gap's end.
func TestTheEndWaitsForTheNews(t *testing.T) {
	source, peer := &net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 1000}, net.IPv4(8, 8, 8, 8)
	synctest.Test(t, func(t *testing.T) {
		b := newBirths()
		over := make(chan struct{})
		go func() {
			b.deleted(source, nil, "", "", "", nil, peer)
			close(over)
		}()
		time.Sleep(untold / 2)
		b.created(source, nil, "", "", "", nil, peer)
		time.Sleep(time.Second)
		select {
		case <-over:
			t.Fatal("did not wait for the gap's end")
		default:
		}
		b.pastAll()
		<-over
		if len(b.known) != 0 {
			t.Error("remembers a permission that has ended")
		}
		b.deleted(source, nil, "", "", "", nil, peer) // a second end does not wait for ever
	})
}
