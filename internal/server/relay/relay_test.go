package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t testing.TB, s *Server) *Server {
	t.Helper()
	if s.Listen == "" {
		s.Listen = "127.0.0.1:0"
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// account is one device in one call.
type account struct{ name, password string }

func join(s *Server, call string) account {
	name, password := s.Credentials(signal.NewID(), signal.NewID(), call, time.Minute)
	return account{name, password}
}

// dial connects pion's TURN client, "udp" or "tcp".
func dial(t testing.TB, s *Server, network string, a account) *turn.Client {
	t.Helper()
	at := s.Addr()
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	}
	var pc net.PacketConn
	if network == "tcp" {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		pc = turn.NewSTUNConn(c)
	} else {
		c, err := net.ListenPacket("udp", net.JoinHostPort(at.Addr().String(), "0"))
		if err != nil {
			t.Fatal(err)
		}
		pc = c
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: at.String(), Conn: pc, Username: a.name, Password: a.password, LoggerFactory: quiet{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); _ = pc.Close() })
	return c
}

func allocate(t testing.TB, c *turn.Client) net.PacketConn {
	t.Helper()
	r, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// talk sends both ways between two relayed addresses.
func talk(t *testing.T, a, b net.PacketConn) {
	t.Helper()
	// A packet to somebody who has not permitted the sender yet may be lost, as it should be.
	if _, err := a.WriteTo([]byte("knock"), b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	for _, way := range [][2]net.PacketConn{{b, a}, {a, b}} {
		if _, err := way[0].WriteTo([]byte("hello"), way[1].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, way[1], way[0].LocalAddr()); got != "hello" {
			t.Fatalf("got %q", got)
		}
	}
}

// receive gives the next packet that is not a knock.
func receive(t *testing.T, r net.PacketConn, from net.Addr) string {
	t.Helper()
	buf := make([]byte, 2000)
	_ = r.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		n, sender, err := r.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if sender.String() != from.String() {
			t.Fatalf("from %v, want %v", sender, from)
		}
		if string(buf[:n]) != "knock" {
			return string(buf[:n])
		}
	}
}

func TestTwoPartiesTalk(t *testing.T) {
	for _, ways := range []string{"udp-udp", "tcp-tcp", "udp-tcp"} {
		t.Run(ways, func(t *testing.T) {
			s := start(t, &Server{})
			call := signal.NewID()
			one, other, _ := strings.Cut(ways, "-")
			a, b := allocate(t, dial(t, s, one, join(s, call))), allocate(t, dial(t, s, other, join(s, call)))
			talk(t, a, b)
			if n := s.Allocations(); n != 2 {
				t.Errorf("%d allocations", n)
			}
		})
	}
}

func TestListensOnEveryKindOfAddress(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	for listen, public := range map[string]netip.Addr{
		"127.0.0.1:0": {}, "0.0.0.0:0": loopback, "[::]:0": loopback, ":0": loopback,
	} {
		t.Run(listen, func(t *testing.T) {
			s := start(t, &Server{Listen: listen, PublicIP: public})
			if s.Addr().Port() == 0 || s.TCPAddr().Port() != s.Addr().Port() {
				t.Errorf("UDP %v, TCP %v", s.Addr(), s.TCPAddr())
			}
			call := signal.NewID()
			a, b := allocate(t, dial(t, s, "udp", join(s, call))), allocate(t, dial(t, s, "tcp", join(s, call)))
			if got := addrPort(a.LocalAddr()).Addr(); got != loopback {
				t.Errorf("relayed at %v", got)
			}
			talk(t, a, b)
		})
	}
}

// A machine behind a one-to-one NAT listens on any address and is known by one that is not its own: two allocations of
// a call still reach each other, without leaving the machine.
func TestPublicAddressOfANAT(t *testing.T) {
	public := netip.MustParseAddr("198.51.100.7")
	s := start(t, &Server{Listen: "0.0.0.0:0", PublicIP: public})
	call := signal.NewID()
	a, b := allocate(t, dial(t, s, "udp", join(s, call))), allocate(t, dial(t, s, "udp", join(s, call)))
	if got := addrPort(a.LocalAddr()).Addr(); got != public {
		t.Errorf("relayed at %v", got)
	}
	talk(t, a, b)
}

func TestIPv6(t *testing.T) {
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 on this machine")
	} else {
		_ = c.Close()
	}
	s := start(t, &Server{Listen: "[::1]:0"})
	p := newProbe(t, s, join(s, signal.NewID()))
	if got := p.allocate(); got != "ok" {
		t.Fatal(got)
	}
	if got := p.relayed.Addr(); got != netip.IPv6Loopback() {
		t.Errorf("relayed at %v", got)
	}
	for _, address := range forbiddenForms {
		if a := netip.MustParseAddr(address); a.Is6() && !a.Is4In6() && a != netip.IPv6Loopback() {
			p.wantRefused(a)
		}
	}
}

func TestURLs(t *testing.T) {
	s := start(t, &Server{})
	port := fmt.Sprint(s.Addr().Port())
	if got, want := strings.Join(s.URLs("turn.example"), " "),
		"stun:turn.example:"+port+" turn:turn.example:"+port+"?transport=udp turn:turn.example:"+port+"?transport=tcp"; got != want {
		t.Error(got)
	}
	if got := s.URLs("2001:db8::1")[0]; got != "stun:[2001:db8::1]:"+port {
		t.Error(got)
	}
}

func TestStartRefuses(t *testing.T) {
	taken := start(t, &Server{})
	for name, s := range map[string]*Server{
		"a port that is taken": {Listen: taken.Addr().String()},
		"no port":              {Listen: "127.0.0.1"},
		"half a port range":    {Listen: "127.0.0.1:0", PortMin: 5000},
		"a range backwards":    {Listen: "127.0.0.1:0", PortMin: 5000, PortMax: 4000},
		"a foreign address":    {Listen: "192.0.2.1:0"},
	} {
		if err := s.Start(); err == nil {
			s.Close()
			t.Error("started with", name)
		}
		s.Close() // does nothing
	}
}

func TestPortRange(t *testing.T) {
	// Find two ports that are free next to each other.
	var from uint16
	for from == 0 {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := addrPort(c.LocalAddr()).Port()
		_ = c.Close()
		if d, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port+1)); err == nil {
			_ = d.Close()
			from = port
		}
	}
	s := start(t, &Server{PortMin: from, PortMax: from + 1})
	call := signal.NewID()
	for range 2 {
		r := allocate(t, dial(t, s, "udp", join(s, call)))
		if p := addrPort(r.LocalAddr()).Port(); p != from && p != from+1 {
			t.Errorf("port %d is not in %d-%d", p, from, from+1)
		}
	}
	if _, err := dial(t, s, "udp", join(s, call)).Allocate(); err == nil {
		t.Error("a third allocation from two ports")
	}
}

// An address is a device's while it has the allocation, and nobody else's.
func TestWhoOwnsARelayedPort(t *testing.T) {
	s := start(t, &Server{})
	call, other, device := signal.NewID(), signal.NewID(), signal.NewID()
	name, password := s.Credentials(signal.NewID(), device, call, time.Minute)
	r := allocate(t, dial(t, s, "udp", account{name, password}))
	at := addrPort(r.LocalAddr())
	if !s.Owns(call, device, at) || !s.Owns(call, device, netip.AddrPortFrom(netip.AddrFrom16(at.Addr().As16()), at.Port())) {
		t.Error("its own is not")
	}
	if s.Owns(other, device, at) || s.Owns(call, other, at) || s.Owns(call, device, netip.AddrPortFrom(at.Addr(), at.Port()^1)) || s.Owns(call, device, netip.AddrPort{}) {
		t.Error("somebody else's is")
	}
	s.EndCall(call)
	if s.Owns(call, device, at) {
		t.Error("still after the call")
	}
}

// Closing while clients are busy ends everything; goleak watches.
func TestCloseEndsAllocations(t *testing.T) {
	s := start(t, &Server{})
	call := signal.NewID()
	r := allocate(t, dial(t, s, "tcp", join(s, call)))
	allocate(t, dial(t, s, "udp", join(s, call)))
	s.Close()
	if n := s.Allocations(); n != 0 {
		t.Errorf("%d allocations left", n)
	}
	c, err := net.ListenPacket("udp4", r.LocalAddr().String())
	if err != nil {
		t.Fatalf("the relayed port is still taken: %v", err)
	}
	_ = c.Close()
	if _, err := net.Dial("tcp", s.TCPAddr().String()); err == nil {
		t.Error("still accepts TCP")
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
