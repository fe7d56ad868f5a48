package peer

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"
)

// nextPicture is how long it takes until both see a new picture of the other.
func nextPicture(t *testing.T, a, b *party) time.Duration {
	t.Helper()
	began := time.Now()
	x, y := a.eye.present.Load(), b.eye.present.Load()
	eventually(t, "new pictures", func() bool { return a.eye.present.Load() > x && b.eye.present.Load() > y })
	return time.Since(began)
}

func offers(p *party) int {
	_, n := find[Offer](p)
	return n
}

// A line that is dead for five seconds brings the picture back with its first packets: nobody has given the path up.
func TestBlackout(t *testing.T) {
	l, nets := newLine(t, 25*time.Millisecond, 0, 0)
	a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, nets...)
	call(t, a, b)
	flows(t, a, b)
	l.dead.Store(true)
	dead := time.After(5 * time.Second)
	eventually(t, "Disconnected", func() bool { return has[Disconnected](a) && has[Disconnected](b) })
	<-dead
	l.dead.Store(false)
	took := nextPicture(t, a, b)
	t.Logf("first pictures on both sides %v after the line is back", took.Round(time.Millisecond))
	if took > 2*time.Second { // 0.7 s on a machine that has nothing else to do
		t.Error("too late")
	}
	if n := offers(a) + offers(b); n > 1 {
		t.Errorf("%d offers", n)
	}
	eventually(t, "Connected again", func() bool {
		_, n := find[Connected](a)
		_, m := find[Connected](b)
		return n >= 2 && m >= 2
	})
	if has[Failed](a) || has[Failed](b) {
		t.Error("Failed was said")
	}
}

// Only this path is dead, and the server says so: another one is found, whoever asks, and when both do at once.
func TestAnotherPathIsSought(t *testing.T) {
	for name, who := range map[string]func(a, b *party) []*party{
		"by the offerer":  func(a, _ *party) []*party { return []*party{a} },
		"by the answerer": func(_, b *party) []*party { return []*party{b} },
		"by both":         func(a, b *party) []*party { return []*party{b, a} },
	} {
		t.Run(name, func(t *testing.T) {
			l, nets := newLine(t, 5*time.Millisecond, 0, 0)
			a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, nets...)
			call(t, a, b)
			flows(t, a, b)
			l.dead.Store(true)
			eventually(t, "Disconnected", func() bool { return has[Disconnected](a) && has[Disconnected](b) })
			for _, p := range who(a, b) {
				p.Restart(false)
			}
			eventually(t, "another offer", func() bool { return offers(a) > 1 })
			l.dead.Store(false)
			nextPicture(t, a, b)
			a.eye.again()
			b.eye.again()
			flows(t, a, b)
			if offers(a) > 2 || offers(b) > 0 {
				t.Errorf("%d and %d offers", offers(a), offers(b))
			}
		})
	}
}

// A browser that was called offers its restart itself; who answers it keeps the DTLS role.
func TestRestartOfTheOtherKind(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	b.box.post(func() { b.wentDown(); b.sendOffer(true) })
	eventually(t, "an answer", func() bool { return has[Answer](a) })
	if e, _ := find[Answer](a); !strings.Contains(e.SDP, "a=setup:passive") || strings.Contains(e.SDP, "a=setup:active") {
		t.Errorf("answers as another DTLS role: %s", e.SDP)
	}
	nextPicture(t, a, b)
	a.eye.again()
	b.eye.again()
	flows(t, a, b)
}

// A machine wakes: a path that still carries is kept, a dead one is given up long before it looks silent.
func TestWakeFromSleep(t *testing.T) {
	l, nets := newLine(t, 5*time.Millisecond, 0, 0)
	a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, nets...)
	call(t, a, b)
	flows(t, a, b)
	a.NetworkChanged(true)
	looked := make(chan time.Time, 1)
	eventually(t, "a has looked for life", func() bool {
		a.box.post(func() { looked <- a.roam.wokeAt })
		return (<-looked).IsZero()
	})
	if offers(a) > 1 || has[Disconnected](a) {
		t.Error("a living path was given up")
	}
	l.dead.Store(true)
	eventually(t, "silence", func() bool { return !a.heard.since(time.Now().Add(-100 * time.Millisecond)) })
	woke := time.Now()
	a.NetworkChanged(true)
	eventually(t, "another offer", func() bool { return offers(a) == 2 })
	t.Logf("offered %v after waking", time.Since(woke).Round(time.Millisecond))
	l.dead.Store(false)
	nextPicture(t, a, b)
	a.eye.again()
	b.eye.again()
	flows(t, a, b)
}

// After a restart the relay may be found first. It is a beginning only: the direct path is looked for beside it.
func TestDirectPathAfterARestart(t *testing.T) {
	udp, _ := newRelay(t)
	a, b, taps := heldPair(t, udp)
	eventually(t, "connected while it rings", func() bool { return ready(a) && ready(b) })
	var shut atomic.Bool
	for _, tap := range taps {
		tap.loses = func([]byte) bool { return shut.Load() }
	}
	b.Release()
	a.Release()
	goes := func(relay bool, restarts int) bool {
		x, n := find[Connected](a)
		y, m := find[Connected](b)
		return n > restarts && m > restarts && x.Relay == relay && y.Relay == relay
	}
	eventually(t, "a direct path", func() bool { return goes(false, 0) })
	shut.Store(true)
	a.Restart(true)
	eventually(t, "the relay", func() bool { return goes(true, 1) })
	shut.Store(false)
	eventually(t, "a direct path again", func() bool { return goes(false, 2) })
	a.eye.again()
	b.eye.again()
	flows(t, a, b)
	if offers(a)+offers(b) != 2 {
		t.Errorf("%d offers", offers(a)+offers(b))
	}
}

// roaming is a machine with one network at a time.
type roaming struct {
	transport.Net
	nets [2]transport.Net
	now  atomic.Int32
}

func (r *roaming) at() transport.Net { return r.nets[r.now.Load()] }
func (r *roaming) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	return r.at().ListenUDP(network, at)
}

func (r *roaming) ListenPacket(network, at string) (net.PacketConn, error) {
	return r.at().ListenPacket(network, at)
}
func (r *roaming) Interfaces() ([]*transport.Interface, error) { return r.at().Interfaces() }
func (r *roaming) InterfaceByName(name string) (*transport.Interface, error) {
	return r.at().InterfaceByName(name)
}

// A machine leaves one network for another, offerer or answerer: the picture is back soon after the system says so.
func TestNetworkChange(t *testing.T) {
	for _, mover := range []string{"offerer", "answerer"} {
		t.Run(mover, func(t *testing.T) {
			router, err := vnet.NewRouter(&vnet.RouterConfig{
				CIDR: "10.1.0.0/16", LoggerFactory: logging.NewDefaultLoggerFactory(), MinDelay: 25 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			var gone atomic.Bool
			router.AddChunkFilter(func(c vnet.Chunk) bool {
				old := func(a net.Addr) bool { return strings.HasPrefix(a.String(), "10.1.2.3:") }
				return !gone.Load() || !old(c.SourceAddr()) && !old(c.DestinationAddr())
			})
			nets := startRouter(t, router, []string{"10.1.2.3"}, []string{"10.1.7.3"}, []string{"10.1.2.4"})
			r := &roaming{Net: nets[0], nets: [2]transport.Net{nets[0], nets[1]}}
			pair := []transport.Net{r, nets[2]}
			if mover == "answerer" {
				slices.Reverse(pair)
			}
			a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, pair...)
			call(t, a, b)
			flows(t, a, b)
			if remeasured(a) || remeasured(b) {
				t.Error("there was one path only")
			}
			moved := map[string]*party{"offerer": a, "answerer": b}[mover]

			moved.NetworkChanged(false) // of something else: nothing happens
			gone.Store(true)
			r.now.Store(1)
			moved.NetworkChanged(false)
			took := nextPicture(t, a, b)
			t.Logf("pictures on both sides %v after the change was noticed", took.Round(time.Millisecond))
			if took > 3*time.Second { // 1.5 s on a machine that has nothing else to do
				t.Error("too late")
			}
			a.eye.again()
			b.eye.again()
			flows(t, a, b)
			if !remeasured(a) || !remeasured(b) {
				t.Error("the new path is taken for the old one")
			}
			if n := offers(a); n != 1 { // the old network's end was heard of, so the new one was tried beside it
				t.Errorf("%d offers", n)
			}
		})
	}
}

func TestUsableAddresses(t *testing.T) {
	var list []net.Addr
	for _, a := range []string{"127.0.0.1/8", "192.168.1.2/24", "fe80::1/64", "2001:db8::1/64", "::1/128"} {
		ip, n, _ := net.ParseCIDR(a)
		list = append(list, &net.IPNet{IP: ip, Mask: n.Mask})
	}
	want := []netip.Addr{netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("2001:db8::1")}
	if got := usable(list); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := missing(want, want[:1]); !slices.Equal(got, want[1:]) {
		t.Errorf("%v", got)
	}
}
