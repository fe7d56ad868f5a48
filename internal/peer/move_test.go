package peer

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"
)

// mobile is a machine whose addresses come and go. The system sends from route.
type mobile struct {
	transport.Net
	mu    sync.Mutex
	shown []string
	route string
}

func (m *mobile) set(route string, shown ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown, m.route = shown, route
}

func (m *mobile) Interfaces() ([]*transport.Interface, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := transport.NewInterface(net.Interface{Index: 1, MTU: 1500, Name: "eth0", Flags: net.FlagUp | net.FlagMulticast})
	for _, a := range m.shown {
		i.AddAddress(&net.IPNet{IP: net.ParseIP(a), Mask: net.CIDRMask(16, 32)})
	}
	return []*transport.Interface{i}, nil
}

type routed struct {
	net.Conn
	from string
}

func (r routed) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(r.from), 1))
}

func (m *mobile) Dial(network, to string) (net.Conn, error) {
	c, err := m.Net.Dial(network, to)
	if network != "udp" {
		return c, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return routed{c, m.route}, err
}

const (
	wifi, cable = "10.1.2.3", "10.1.7.3"
	elsewhere   = "10.1.2.4"
	stunAt      = "10.1.9.9"
)

// journey is a call between a machine with two networks and another with one.
type journey struct {
	mobile   *mobile
	a, b     *party
	mover    *party
	wifiDead atomic.Bool
	deaf     atomic.Bool  // nobody hears of a move
	byWifi   atomic.Int64 // media either way
	byCable  atomic.Int64
}

func newJourney(t *testing.T, mover string) *journey {
	t.Helper()
	j := &journey{}
	router, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.1.0.0/16", LoggerFactory: logging.NewDefaultLoggerFactory(), MinDelay: 25 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	router.AddChunkFilter(func(c vnet.Chunk) bool {
		by := func(ip string) bool {
			return strings.HasPrefix(c.SourceAddr().String(), ip+":") || strings.HasPrefix(c.DestinationAddr().String(), ip+":")
		}
		media := len(c.UserData()) > 12 && c.UserData()[0]>>6 == 2
		switch {
		case by(wifi) && j.wifiDead.Load(), j.deaf.Load() && tellsOfMove(c.UserData()):
			return false
		case by(wifi) && media:
			j.byWifi.Add(1)
		case by(cable) && media:
			j.byCable.Add(1)
		}
		return true
	})
	nets := startRouter(t, router, []string{wifi, cable}, []string{elsewhere}, []string{stunAt})
	reflect(t, nets[2])
	nets = nets[:2]
	j.mobile = &mobile{Net: nets[0]}
	j.mobile.set(wifi, wifi)
	nets[0] = j.mobile
	if mover == "answerer" {
		slices.Reverse(nets)
	}
	j.a, j.b = newPair(t, func(s *Session) {
		s.IncludeLoopback, s.ICEServers = false, []ICEServer{{URLs: []string{"stun:" + stunAt + ":3478"}}}
	}, nets...)
	call(t, j.a, j.b)
	flows(t, j.a, j.b)
	j.mover = map[string]*party{"offerer": j.a, "answerer": j.b}[mover]
	return j
}

// reflect answers as a STUN server beyond an address translator would: the cable's end looks like 203.0.113.7 from there.
func reflect(t *testing.T, n transport.Net) {
	t.Helper()
	conn, err := n.ListenPacket("udp4", stunAt+":3478")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			m := &stun.Message{Raw: slices.Clone(b[:size])}
			if m.Decode() != nil || !strings.HasPrefix(from.String(), cable+":") {
				continue
			}
			seen := stun.XORMappedAddress{IP: net.IPv4(203, 0, 113, 7), Port: from.(*net.UDPAddr).Port}
			if reply, err := stun.Build(m, stun.BindingSuccess, seen); err == nil {
				_, _ = conn.WriteTo(reply.Raw, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
}

func tellsOfMove(b []byte) bool {
	m := &stun.Message{Raw: slices.Clone(b)}
	if stunType(b) != stunRequest || m.Decode() != nil {
		return false
	}
	_, ok := moveNumber(m)
	return ok
}

// opened waits until there is a way over the cable.
func (j *journey) opened(t *testing.T) {
	t.Helper()
	eventually(t, "a way over the new network", func() bool {
		found := make(chan bool, 1)
		j.mover.box.post(func() {
			found <- j.mover.roam.standby.best(time.Now(), time.Time{}, func(a netip.Addr) bool { return a.String() == cable }) != nil
		})
		return <-found
	})
}

// alone is whether media goes over the one network, and none over the other, for a while.
func alone(one, other *atomic.Int64) bool {
	before, was := one.Load(), other.Load()
	while := time.NewTimer(150 * time.Millisecond)
	<-while.C
	return one.Load() > before+10 && other.Load() == was
}

// onCable waits until media goes over the cable alone, both ways.
func (j *journey) onCable(t *testing.T) {
	t.Helper()
	eventually(t, "media over the new network alone", func() bool { return alone(&j.byCable, &j.byWifi) })
	j.a.eye.again()
	j.b.eye.again()
	flows(t, j.a, j.b)
}

func (j *journey) calm(t *testing.T) {
	t.Helper()
	for _, p := range []*party{j.a, j.b} {
		if has[Disconnected](p) || has[RestartWanted](p) || p.eye.bad > 0 || p.eye.backs > 0 {
			t.Errorf("the move was seen: %d bad pictures", p.eye.bad)
		}
	}
	if n := offers(j.a) + offers(j.b); n != 1 {
		t.Errorf("%d offers", n)
	}
}

// A network appears, and later the first one goes: the way over the new one was kept open, so that a round trip later
// both see each other again, without an offer.
func TestSecondNetworkIsKeptReady(t *testing.T) {
	for _, mover := range []string{"offerer", "answerer"} {
		t.Run(mover, func(t *testing.T) {
			j := newJourney(t, mover)
			j.mobile.set(wifi, wifi, cable)
			j.mover.NetworkChanged(false)
			j.opened(t)
			eventually(t, "its address as others see it is told", func() bool {
				k, _ := find[LocalCandidate](j.mover)
				return strings.Contains(k.Candidate.Candidate, " 203.0.113.7 ") && strings.Contains(k.Candidate.Candidate, "typ srflx raddr "+cable)
			})
			if n := j.byCable.Load(); n > 0 {
				t.Errorf("%d packets of media over the new network, which nobody prefers", n)
			}
			j.mobile.set(cable, cable)
			j.wifiDead.Store(true)
			j.mover.NetworkChanged(false)
			took := nextPicture(t, j.a, j.b)
			t.Logf("pictures on both sides %v after the first network was gone", took.Round(time.Millisecond))
			j.onCable(t)
			j.calm(t)
			if !remeasured(j.a) || !remeasured(j.b) {
				t.Error("the new path is taken for the old one")
			}
		})
	}
}

// The system prefers another network while the first one works: media goes on over that until the other has followed.
func TestPreferredNetworkIsTaken(t *testing.T) {
	for _, mover := range []string{"offerer", "answerer"} {
		t.Run(mover, func(t *testing.T) {
			j := newJourney(t, mover)
			j.mobile.set(cable, wifi, cable)
			j.mover.NetworkChanged(false)
			j.onCable(t)
			j.calm(t)
			j.mobile.set(wifi, wifi) // and back: the cable is pulled
			j.mover.NetworkChanged(false)
			before := j.byWifi.Load()
			eventually(t, "media over the first network again", func() bool { return j.byWifi.Load() > before+50 })
			j.calm(t)
		})
	}
}

// The other side does not know of such moves. One that was a wish is taken back; one that had to be ends in a restart.
func TestMoveThatIsNotFollowed(t *testing.T) {
	for _, mover := range []string{"offerer", "answerer"} {
		t.Run(mover, func(t *testing.T) {
			j := newJourney(t, mover)
			j.deaf.Store(true)
			j.mobile.set(cable, wifi, cable)
			j.mover.NetworkChanged(false)
			eventually(t, "media over the new network", func() bool { return j.byCable.Load() > 0 })
			eventually(t, "media over the first network alone", func() bool { return alone(&j.byWifi, &j.byCable) })
			j.calm(t)
			j.mobile.set(cable, cable)
			j.wifiDead.Store(true)
			j.mover.NetworkChanged(false)
			eventually(t, "another offer", func() bool { return offers(j.a) == 2 })
			j.onCable(t)
		})
	}
}
