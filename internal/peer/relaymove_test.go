package peer

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/transport/v4/stdnet"
)

// A call by a relay of ours cannot move beside it: when its network is gone it restarts at once, and nothing is left that
// beats for ever.
func TestMoveFromARelay(t *testing.T) {
	url, _ := newRelay(t)
	a, b := newPair(t, func(s *Session) {
		s.RelayOnly = true
		s.ICEServers = []ICEServer{{URLs: []string{url}, Username: "u", Credential: "secret"}}
	})
	call(t, a, b)
	flows(t, a, b)
	at := netip.MustParseAddr("127.0.0.1")
	type state struct{ hurry, wish bool }
	after := func(lost bool) state {
		found := make(chan state, 1)
		a.box.post(func() {
			r := &a.roam
			r.lostAt, r.gone, r.wish = time.Now(), lost, at
			a.moveTo(wayFrom(socketAt("127.0.0.1:9"), "127.0.0.1:9"), lost, time.Now())
			found <- state{!r.lostAt.IsZero(), r.wish.IsValid()}
		})
		return <-found
	}
	if s := after(false); s.hurry || s.wish || offers(a) > 1 {
		t.Errorf("after a wish: %+v, %d offers", s, offers(a))
	}
	if s := after(true); s.hurry || s.wish {
		t.Errorf("after a loss: %+v", s)
	}
	eventually(t, "another offer", func() bool { return offers(a) == 2 })
	nextPicture(t, a, b)
}

// onRelay is a call by a relay of ours, from a machine whose networks come and go.
func onRelay(t *testing.T, url string, held bool) (m *mobile, a, b *party) {
	t.Helper()
	n, err := stdnet.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	m = &mobile{Net: n}
	m.set(wifi, wifi)
	a, b = newPair(t, func(s *Session) {
		s.RelayOnly, s.Held = true, held
		s.ICEServers = []ICEServer{{URLs: []string{url}, Username: "u", Credential: "secret"}}
	}, m, m)
	call(t, a, b)
	eventually(t, "connected", func() bool { return ready(a) && ready(b) })
	return m, a, b
}

// done waits until a session has done what it was told before.
func (p *party) done() {
	did := make(chan struct{})
	p.box.post(func() { close(did) })
	<-did
}

// A relay knows us by the address that its packets come from (RFC 8656 section 5). A socket for datagrams is bound to none:
// when the system prefers another network, what it sends is nobody's, though the network of before is still there, and what
// comes still comes. So another path is sought at once. A stream keeps its address.
func TestRelayIsLostWithTheRoute(t *testing.T) {
	udp, tcp := newRelay(t)
	for _, c := range []struct {
		name, url string
		lost      bool
	}{{"datagrams", udp, true}, {"stream", tcp, false}} {
		t.Run(c.name, func(t *testing.T) {
			m, a, b := onRelay(t, c.url, false)
			flows(t, a, b)
			m.set(wifi, wifi, elsewhere) // another network, which is not preferred
			a.NetworkChanged(false)
			a.done()
			if offers(a) != 1 || has[Disconnected](a) {
				t.Fatal("a path that stands was given up")
			}
			m.set(cable, wifi, cable)
			a.NetworkChanged(false)
			if !c.lost {
				a.done()
				if offers(a) != 1 || has[Disconnected](a) {
					t.Fatal("a path that stands was given up")
				}
				return
			}
			eventually(t, "another offer", func() bool { return offers(a) == 2 })
			nextPicture(t, a, b)
			a.eye.again()
			b.eye.again()
			flows(t, a, b)
			a.NetworkChanged(false)
			a.done()
			if offers(a) != 2 {
				t.Errorf("%d offers: the new path was given up, too", offers(a))
			}
		})
	}
}

// What was connected while it rings is of no use any more when the network is another at the accept: it says so in time,
// and the call begins anew.
func TestHeldSessionLosesItsNetwork(t *testing.T) {
	udp, _ := newRelay(t)
	for name, change := range map[string]func(*mobile){
		"address": func(m *mobile) { m.set(wifi, cable) },
		"route":   func(m *mobile) { m.set(cable, wifi, cable) },
	} {
		t.Run(name, func(t *testing.T) {
			m, a, b := onRelay(t, udp, true)
			m.set(wifi, wifi, elsewhere)
			a.NetworkChanged(false)
			b.NetworkChanged(true)
			a.done()
			b.done()
			if has[Failed](a) || has[Failed](b) {
				t.Fatal("a connection that stands was given up")
			}
			change(m)
			a.NetworkChanged(false)
			b.NetworkChanged(false)
			a.done()
			b.done()
			if !has[Failed](a) || !has[Failed](b) {
				t.Error("it will be used after the accept")
			}
		})
	}
}
