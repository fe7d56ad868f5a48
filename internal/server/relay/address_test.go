package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// forbiddenForms are addresses no allocation may talk to whatever was signalled or allowed.
var forbiddenForms = []string{
	"127.0.0.1", "127.255.0.9", "0.0.0.0", "0.1.2.3", "169.254.169.254", "192.0.0.192", "192.0.2.1", "198.18.0.1",
	"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "100.100.100.200",
	"168.63.129.16",
	"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:255.255.255.255",
	"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::",
	"2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "fe80::1", "fec0::1", "ff02::1",
	"fd00:ec2::254", "5f00::1", "2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:808:808", "4000::1",
}

var privateForms = []string{
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255",
	"::ffff:10.1.2.3", "::ffff:192.168.1.1", "fc00::1", "fd12::1",
}

var publicForms = []string{"8.8.8.8", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "2a00:1450:4001::1", "2620:4f::1"}

func TestClassify(t *testing.T) {
	for want, list := range map[reach][]string{never: forbiddenForms, private: privateForms, public: publicForms} {
		for _, s := range list {
			if got := classify(netip.MustParseAddr(s)); got != want {
				t.Errorf("%s: %d, want %d", s, got, want)
			}
		}
	}
	if classify(netip.Addr{}) != never {
		t.Error("the zero address")
	}
	if classify(netip.MustParseAddr("fe80::1%eth0")) != never {
		t.Error("a zone")
	}
}

// Every special address, in every spelling, on every path, for a relay in the internet: nothing opens them, neither an
// operator's LAN switch nor a candidate.
func TestAttackRelayToSpecialAddresses(t *testing.T) {
	s := start(t, &Server{Listen: "127.0.0.1:0", PublicIP: netip.MustParseAddr("9.9.9.9"), LAN: true})
	call := signal.NewID()
	p := newProbe(t, s, join(s, call))
	if got := p.allocate(); got != "ok" {
		t.Fatal(got)
	}
	for _, a := range forbiddenForms {
		s.AllowPeer(call, netip.MustParseAddr(a))
		p.wantRefused(netip.MustParseAddr(a))
		p.send(netip.AddrPortFrom(netip.MustParseAddr(a), 53), "a Send indication")
	}
	p.alive()
	if n := s.Stats().UpPackets; n != 0 {
		t.Errorf("%d Send indications were relayed", n)
	}
	if got := p.permission(netip.MustParseAddrPort("8.8.8.8:53")); got != "ok" {
		t.Errorf("CreatePermission 8.8.8.8: %s", got)
	}
	if got := p.permission(netip.MustParseAddrPort("10.0.0.1:53")); got != "ok" {
		t.Errorf("CreatePermission 10.0.0.1 with LAN: %s", got)
	}
}

// This machine's own addresses are not peers, even where they are public or private ones.
func TestOwnAddressesAreRefused(t *testing.T) {
	s := start(t, &Server{Listen: "127.0.0.1:0", PublicIP: netip.MustParseAddr("10.99.0.1"), LAN: true})
	call := signal.NewID()
	p := newProbe(t, s, join(s, call))
	if got := p.allocate(); got != "ok" {
		t.Fatal(got)
	}
	for a := range interfaceAddrs() {
		s.AllowPeer(call, a)
		p.wantRefused(a)
		if a.Is4() {
			p.wantRefused(netip.AddrFrom16(a.As16())) // mapped
		}
	}
}

func TestPrivateAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		public    string
		lan       bool
		signalled bool
		want      bool
	}{
		"a relay in the internet":                        {"9.9.9.9", false, false, false},
		"a relay in the internet, signalled":             {"9.9.9.9", false, true, false},
		"a relay in the internet that serves a LAN":      {"9.9.9.9", true, false, true},
		"a relay in a LAN":                               {"10.99.0.1", false, false, false},
		"a relay in a LAN, signalled":                    {"10.99.0.1", false, true, true},
		"a relay on loopback, signalled":                 {"127.0.0.1", false, true, true},
		"a relay on loopback":                            {"127.0.0.1", false, false, false},
		"a relay with a private address and LAN allowed": {"10.99.0.1", true, false, true},
	} {
		b := newBook(netip.MustParseAddr(c.public), c.lan)
		call, other := signal.NewID(), signal.NewID()
		for _, id := range []string{call, other} {
			b.join(id, signal.NewID(), "anna", time.Now().Add(time.Minute))
		}
		for _, form := range privateForms {
			a := netip.MustParseAddr(form)
			if a.Is6() && !a.Is4In6() {
				continue // the relay is IPv4
			}
			if c.signalled {
				b.allowPeer(call, a)
			}
			if got := b.mayReach(call, a); got != c.want {
				t.Errorf("%s: %s: %v", name, form, got)
			}
			if b.mayReach(other, a) != c.lan {
				t.Errorf("%s: %s reached from another call", name, form)
			}
		}
	}
}

func TestSignalledAddressesAreBounded(t *testing.T) {
	b := newBook(netip.MustParseAddr("10.99.0.1"), false)
	call := signal.NewID()
	b.allowPeer(call, netip.MustParseAddr("10.0.0.1")) // unknown call: nothing is kept
	b.join(call, signal.NewID(), "anna", time.Now().Add(time.Minute))
	for i := range 2 * DefaultLimits.Peers {
		b.allowPeer(call, netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}))
	}
	if n := len(b.calls[call].peers); n != DefaultLimits.Peers {
		t.Errorf("%d addresses", n)
	}
}

// The relay's own address is open for other allocations of the same call only. Here it is loopback, where everything
// else of this machine listens too.
func TestOtherPortsOfTheHostAreUnreachable(t *testing.T) {
	s := start(t, &Server{})
	call := signal.NewID()
	p, sibling := newProbe(t, s, join(s, call)), newProbe(t, s, join(s, call))
	stranger := newProbe(t, s, join(s, signal.NewID()))
	for _, q := range []*probe{p, sibling, stranger} {
		if got := q.allocate(); got != "ok" {
			t.Fatal(got)
		}
	}
	victim, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	at := addrPort(victim.LocalAddr())
	for _, to := range []netip.AddrPort{at, stranger.relayed, s.Addr(), sibling.relayed} {
		if got := p.permission(to); got != "ok" {
			t.Fatalf("permission for the relay's own address: %s", got)
		}
	}
	_ = stranger.permission(p.relayed)
	_ = sibling.permission(p.relayed)

	mapped := netip.AddrPortFrom(netip.AddrFrom16(at.Addr().As16()), at.Port())
	p.send(at, "send")
	p.send(mapped, "send, mapped")
	if got := p.bind(0x4001, at); got != "ok" { // the port is not known to pion's permission handler
		t.Errorf("ChannelBind: %s", got)
	}
	p.channelData(0x4001, "channel")
	p.send(stranger.relayed, "to another call")
	p.send(sibling.relayed, "to the other party")
	p.alive() // all that has been handled
	if n := s.book.count.refused.Load(); n != 4 {
		t.Errorf("%d packets refused, want 4", n)
	}
	_ = victim.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _, err := victim.ReadFrom(make([]byte, 100)); !isTimeout(err) {
		t.Errorf("the victim got %d bytes, %v", n, err)
	}
	if got := sibling.nextData(); got != "to the other party" {
		t.Errorf("the other party got %q", got)
	}

	// And inwards: another program of this machine cannot speak to the party through the permission for the address.
	if _, err := victim.WriteTo([]byte("psst"), net.UDPAddrFromAddrPort(p.relayed)); err != nil {
		t.Fatal(err)
	}
	sibling.send(p.relayed, "hello back")
	if got := p.nextData(); got != "hello back" {
		t.Errorf("the party got %q", got)
	}
}

// What a permission let through is looked at again for every new destination, because permissions live for minutes.
func TestRoute(t *testing.T) {
	b := newBook(netip.MustParseAddr("10.99.0.1"), false)
	call := signal.NewID()
	b.join(call, signal.NewID(), "anna", time.Now().Add(time.Minute))
	b.allowPeer(call, netip.MustParseAddr("10.0.0.1"))
	for to, want := range map[string]bool{
		"8.8.8.8:53": true, "8.8.8.8:0": false, "127.0.0.1:53": false, "169.254.169.254:80": false, "10.0.0.1:53": true,
		"10.0.0.2:53": false, "10.99.0.1:53": false, "[::ffff:10.99.0.1]:53": false, "[2a00:1450::1]:53": false,
		"[::ffff:8.8.8.8]:53": true,
	} {
		at := netip.MustParseAddrPort(to)
		if via, _, ok := b.route(call, at); ok != want || ok && via != netip.AddrPortFrom(at.Addr().Unmap(), at.Port()) {
			t.Errorf("%s: %v by %v", to, ok, via)
		}
	}
	b.endCall(call)
	if _, _, ok := b.route(call, netip.MustParseAddrPort("10.0.0.1:53")); ok {
		t.Error("signalled addresses outlive the call")
	}
}
