package relay

import (
	"net"
	"net/netip"
	"testing"

	"github.com/pion/stun/v4"

	"visavis.example/internal/signal"
)

// A relay with addresses of both families gives IPv4 to who does not ask (RFC 8656, section 7.2) and each to who does,
// whichever family it came by.
func TestBothFamilies(t *testing.T) { onBothPaths(t, bothFamilies) }

func bothFamilies(t *testing.T, portable bool) {
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 on this machine")
	} else {
		_ = c.Close()
	}
	four, six := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	s := start(t, &Server{Listen: "[::]:0", PublicIP: four, PublicIP6: six, Portable: portable})
	if got := s.PublicAddrs(); len(got) != 2 || got[0] != four || got[1] != six {
		t.Errorf("public addresses %v", got)
	}
	call := signal.NewID()
	for from, to := range map[netip.Addr]netip.Addr{four: six, six: four} {
		var pair []*probe
		for _, at := range []netip.Addr{from, to} {
			p := newProbeAt(t, netip.AddrPortFrom(at, s.Addr().Port()), join(s, call))
			if got := p.allocateIn(to); got != "ok" {
				t.Fatalf("from %v in the family of %v: %s", at, to, got)
			}
			if got := p.relayed.Addr(); got != to {
				t.Errorf("relayed at %v, want %v", got, to)
			}
			pair = append(pair, p)
		}
		p, q := pair[0], pair[1]
		if a, b := p.bind(0x4001, q.relayed), q.bind(0x4002, p.relayed); a != "ok" || b != "ok" {
			t.Fatal(a, b)
		}
		p.channelData(0x4001, "hello")
		if n, err := received(q, receiveQuiet); n != 5 || err != nil {
			t.Errorf("by %v: %d bytes, %v", to, n, err)
		}
		if got := p.permission(netip.AddrPortFrom(from, 9)); got != "443" {
			t.Errorf("a permission for the other family: %s", got)
		}
	}
	p := newProbeAt(t, netip.AddrPortFrom(six, s.Addr().Port()), join(s, call))
	if got := p.allocate(); got != "ok" || p.relayed.Addr() != four {
		t.Errorf("without asking: %s, %v", got, p.relayed)
	}
}

// allocateIn asks for the family of an address.
func (p *probe) allocateIn(like netip.Addr) string {
	p.t.Helper()
	p.challenge()
	family := byte(2)
	if like.Is4() {
		family = 1
	}
	m := p.ask(p.signed(stun.MethodAllocate, stun.NewTransactionID(), udpTransport, raw{stun.AttrRequestedAddressFamily, []byte{family, 0, 0, 0}}))
	p.noteRelayed(m)
	return outcome(m)
}

func TestPublicAddrs(t *testing.T) {
	none, four, six := netip.Addr{}, netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2a00:77::1")
	loop4, loop6 := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	for _, c := range []struct {
		name             string
		first, six, host netip.Addr
		want             []netip.Addr
	}{
		{"both given", four, six, loop4, []netip.Addr{four, six}},
		{"one given", four, none, netip.IPv4Unspecified(), []netip.Addr{four}},
		{"IPv6 given as the one", six, none, loop4, []netip.Addr{six}},
		{"IPv4 in IPv6's spelling", netip.MustParseAddr("::ffff:9.9.9.9"), none, netip.IPv4Unspecified(), []netip.Addr{four}},
		{"where it listens", none, none, loop4, []netip.Addr{loop4}},
		{"where it listens, IPv6", none, none, loop6, []netip.Addr{loop6}},
	} {
		got := publicAddrs(c.first, c.six, c.host)
		if len(got) != len(c.want) || got[0] != c.want[0] || got[len(got)-1] != c.want[len(c.want)-1] {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for _, a := range publicAddrs(none, none, netip.IPv6Unspecified()) {
		if !a.IsLoopback() && classify(a) == never {
			t.Errorf("found %v, where nobody is", a)
		}
	}
}
