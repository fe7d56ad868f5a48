package relay

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"visavis.example/internal/signal"
)

// The attacks on TURN of the attack list, rows 31 to 39, are the tests of this package whose names begin with
// TestAttack: here, and beside what they attack.

// onBothPaths runs a test with the fast path, where there is one, and without.
func onBothPaths(t *testing.T, f func(t *testing.T, portable bool)) {
	t.Helper()
	for name, portable := range map[string]bool{"fast": false, "portable": true} {
		t.Run(name, func(t *testing.T) { f(t, portable) })
	}
}

// Row 35: one device asks for 300 allocations.
func TestAttackTURNQuota(t *testing.T) {
	s := start(t, &Server{})
	call := signal.NewID()
	a := join(s, call)
	join(s, call) // whom it calls
	granted := 0
	for range 300 {
		switch got := newProbe(t, s, a).allocate(); got {
		case "ok":
			granted++
		case "486":
		default:
			t.Fatal(got)
		}
	}
	if granted != 4 || s.Allocations() != 4 {
		t.Errorf("%d allocations were granted, and %d are there; want 4", granted, s.Allocations())
	}
}

// A person who rings three devices at once is connected with each of them; the devices themselves are not.
func TestQuotaWithSeveralRingingDevices(t *testing.T) {
	s := start(t, &Server{})
	call := signal.NewID()
	caller := join(s, call)
	name, password := s.Credentials("bob", signal.NewID(), call, time.Minute)
	s.Credentials("bob", signal.NewID(), call, time.Minute)
	s.Credentials("bob", signal.NewID(), call, time.Minute)
	for who, want := range map[account]int{caller: 12, {name, password}: 4} {
		granted := 0
		for range want + 3 {
			if newProbe(t, s, who).allocate() == "ok" {
				granted++
			}
		}
		if granted != want {
			t.Errorf("%d allocations, want %d", granted, want)
		}
	}
}

// A device that has changed networks twice has left allocations behind, which it cannot reach any more.
func TestAQuietAllocationGivesWay(t *testing.T) {
	s := start(t, &Server{})
	a := join(s, signal.NewID())
	var first *probe
	for range 4 {
		p := newProbe(t, s, a)
		if got := p.allocate(); got != "ok" {
			t.Fatal(got)
		}
		if first == nil {
			first = p
		}
	}
	if got := newProbe(t, s, a).allocate(); got != "486" {
		t.Errorf("while all are new: %s", got)
	}
	s.book.mu.Lock()
	s.book.ports[first.relayed].born -= int64(quietAfter + time.Second)
	s.book.mu.Unlock()
	if got := newProbe(t, s, a).allocate(); got != "ok" {
		t.Errorf("when one was quiet: %s", got)
	}
	if n := s.Allocations(); n != 4 {
		t.Errorf("%d allocations", n)
	}
	if got := newProbe(t, s, a).allocate(); got != "486" {
		t.Errorf("one more: %s", got)
	}
}

// Row 36: a captured Allocate, sent again from elsewhere, gives the thief nothing, while it still answers its sender.
func TestAttackReplayedAllocate(t *testing.T) {
	s := start(t, &Server{})
	call := signal.NewID()
	victim := newProbe(t, s, join(s, call))
	victim.challenge()
	b := victim.signed(stun.MethodAllocate, stun.NewTransactionID(), udpTransport)
	if got := outcome(victim.ask(b)); got != "ok" {
		t.Fatal(got)
	}
	for range 5 {
		thief := newProbe(t, s, account{victim.a.name, "guess"})
		thief.realm, thief.nonce = victim.realm, victim.nonce
		if _, err := thief.c.Write(b); err != nil {
			t.Fatal(err)
		}
		thief.alive()
		if got := thief.permission(netip.MustParseAddrPort("8.8.8.8:53")); got != "437" {
			t.Errorf("CreatePermission by the thief: %s", got)
		}
	}
	if n := s.Allocations(); n != 1 {
		t.Errorf("%d allocations", n)
	}
	if got := outcome(victim.ask(b)); got != "ok" {
		t.Errorf("sent again by its sender: %s", got)
	}
	s.EndCall(call)
	thief := newProbe(t, s, victim.a)
	thief.realm, thief.nonce = victim.realm, victim.nonce
	if got := outcome(thief.ask(b)); got != "400" {
		t.Errorf("after the call: %s", got)
	}
}

// Row 37: another party of the call cannot take over an allocation, whose 5-tuple it would have to forge for that.
func TestAttackTakingOverAnAllocation(t *testing.T) {
	s := start(t, &Server{})
	call := signal.NewID()
	p := newProbe(t, s, join(s, call))
	if got := p.allocate(); got != "ok" {
		t.Fatal(got)
	}
	owner := p.a
	p.a = join(s, call)
	if got := p.leave(); got != "441" {
		t.Errorf("Refresh by another: %s", got)
	}
	if got := p.permission(netip.MustParseAddrPort("8.8.8.8:53")); got != "441" {
		t.Errorf("CreatePermission by another: %s", got)
	}
	if got := p.bind(0x4000, netip.MustParseAddrPort("8.8.8.8:53")); got != "441" {
		t.Errorf("ChannelBind by another: %s", got)
	}
	p.a = owner
	if got := p.refresh(); got != "ok" {
		t.Errorf("the owner's allocation: %s", got)
	}
	none := newProbe(t, s, owner)
	none.challenge()
	if got := none.refresh(); got != "437" {
		t.Errorf("Refresh without an allocation: %s", got)
	}
}

// Row 38: 10 000 requests with one forged source. Most are not answered, and no answer is much longer than its request.
func TestAttack401Reflection(t *testing.T) {
	w := &wire{in: make(chan datagram, 16), out: make(chan []byte, 1024), closed: make(chan struct{})}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{}
	if err := s.serve(w, tcp); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	began := time.Now()
	size := 0
	for i := range 10_000 {
		b := stun.MustBuild(stun.TransactionID, request(stun.MethodAllocate), udpTransport).Raw
		size = len(b)
		w.in <- datagram{b, &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 1024 + i}}
	}
	last := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	w.in <- datagram{last, &net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 1}}
	answers := 0
	for b := range w.out {
		if string(b[8:20]) == string(last[8:20]) {
			break
		}
		answers++
		if float64(len(b)) > 2.5*float64(size) {
			t.Errorf("%d bytes for %d", len(b), size)
		}
	}
	most := float64(DefaultLimits.Refusals) * (1 + time.Since(began).Seconds())
	if float64(answers) > most || answers == 0 {
		t.Errorf("%d answers, want at most %.0f", answers, most)
	}
}

// pairOf gives two clients of one call with channels to each other.
func pairOf(t *testing.T, s *Server, call string) (p, q *probe) {
	t.Helper()
	p, q = newProbe(t, s, join(s, call)), newProbe(t, s, join(s, call))
	for _, x := range []*probe{p, q} {
		if got := x.allocate(); got != "ok" {
			t.Fatal(got)
		}
	}
	if a, b := p.bind(0x4000, q.relayed), q.bind(0x4000, p.relayed); a != "ok" || b != "ok" {
		t.Fatal(a, b)
	}
	return p, q
}

const receiveQuiet = 300 * time.Millisecond

// received counts the payload that arrives until nothing has for a while.
func received(p *probe, quiet time.Duration) (bytes int, err error) {
	for buf := make([]byte, 2048); ; {
		_ = p.c.SetReadDeadline(time.Now().Add(quiet))
		n, err := p.c.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return bytes, nil
		case err != nil:
			return bytes, err
		case n >= 4 && buf[0]>>6 == 1:
			bytes += int(binary.BigEndian.Uint16(buf[2:]))
		}
	}
}

// Row 39, first half: as much as goes, through one allocation. What comes out is its rate.
func TestAttackRelayBandwidth(t *testing.T) { onBothPaths(t, relayBandwidth) }

func relayBandwidth(t *testing.T, portable bool) {
	s := start(t, &Server{Portable: portable, Limits: Limits{BitsPerSecond: floodRate}})
	p, q := pairOf(t, s, signal.NewID())
	data := string(make([]byte, 1000))
	flood(t, s, q, func() int {
		p.channelData(0x4000, data)
		return len(data)
	})
}

// The same from outside: a peer that floods somebody's relayed port.
func TestAttackFloodedRelayedPort(t *testing.T) { onBothPaths(t, floodedPort) }

func floodedPort(t *testing.T, portable bool) {
	peer, err := net.ListenPacket("udp4", "127.9.0.1:0")
	if err != nil {
		t.Skip("this system has one loopback address: ", err)
	}
	defer peer.Close()
	s := start(t, &Server{
		Portable: portable, Limits: Limits{BitsPerSecond: floodRate}, foreign: netip.MustParsePrefix("127.9.0.0/16"),
	})
	p, _ := pairOf(t, s, signal.NewID())
	if got := p.bind(0x4001, addrPort(peer.LocalAddr())); got != "ok" {
		t.Fatal(got)
	}
	data := make([]byte, 1000)
	flood(t, s, p, func() int {
		n, _ := peer.WriteTo(data, net.UDPAddrFromAddrPort(p.relayed))
		return n
	})
}

const floodRate = 4_000_000 // bits a second of an allocation

// flood sends for a while, and looks at what comes out at q.
func flood(t *testing.T, s *Server, q *probe, send func() int) {
	t.Helper()
	began := time.Now()
	sent := 0
	over := make(chan int)
	go func() {
		n, err := received(q, receiveQuiet)
		if err != nil {
			t.Error(err)
		}
		over <- n
	}()
	for time.Since(began) < 700*time.Millisecond {
		sent += send()
	}
	took := time.Since(began)
	got := <-over
	most := floodRate / 8 * (took + meterDepth).Seconds() * 1.1
	if float64(sent) < 3*most {
		t.Skipf("this machine sent %d bytes only, which is no attack", sent)
	}
	if float64(got) > most || float64(got) < most/3 {
		t.Errorf("%d of %d bytes came through, want about %.0f", got, sent, most)
	}
	if n := s.Stats(); n.Capped == 0 || float64(n.UpBytes) > most || float64(n.DownBytes) > most {
		t.Errorf("counted %+v, want less than %.0f bytes each way", n, most)
	}
}

// Row 39, second half: whoever goes on sending after the call has nothing to send through, at once.
func TestAttackRelayAfterHangUp(t *testing.T) { onBothPaths(t, relayAfterHangUp) }

func relayAfterHangUp(t *testing.T, portable bool) {
	s := start(t, &Server{Portable: portable})
	call := signal.NewID()
	p, q := pairOf(t, s, call)
	p.channelData(0x4000, "during the call")
	if n, err := received(q, receiveQuiet); n != len("during the call") || err != nil {
		t.Fatalf("%d bytes during the call, %v", n, err)
	}
	s.EndCall(call)
	if n := s.Allocations(); n != 0 {
		t.Errorf("%d allocations are left", n)
	}
	for range 20 {
		p.channelData(0x4000, "after the call")
	}
	p.alive()
	if n, err := received(q, 100*time.Millisecond); n != 0 || err != nil {
		t.Errorf("%d bytes after the call, %v", n, err)
	}
	if n := s.Stats().UpPackets; n != 1 {
		t.Errorf("%d packets were relayed, want the one of the call", n)
	}
	if got := p.refresh(); got != "400" {
		t.Errorf("Refresh: %s", got)
	}
	again := newProbe(t, s, p.a)
	if got := again.allocate(); got != "400" {
		t.Errorf("Allocate with the call's credentials: %s", got)
	}
}

// An allocation cannot be made to hold any number of permissions and channels, each of which is a timer and a map entry.
func TestPermissionsAndChannelsAreBounded(t *testing.T) {
	s := start(t, &Server{PublicIP: netip.MustParseAddr("9.9.9.9")})
	p := newProbe(t, s, join(s, signal.NewID()))
	if got := p.allocate(); got != "ok" {
		t.Fatal(got)
	}
	peer := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, byte(i >> 8), byte(i)}), 53)
	}
	for i := range DefaultLimits.Permissions {
		if got := p.permission(peer(i)); got != "ok" {
			t.Fatalf("permission %d: %s", i, got)
		}
	}
	if got := p.permission(peer(1000)); got != "403" {
		t.Errorf("one permission too many: %s", got)
	}
	if got := p.permission(peer(0)); got != "ok" {
		t.Errorf("one that it has: %s", got)
	}
	for i := range DefaultLimits.Channels {
		if got := p.bind(uint16(0x4000+i), netip.AddrPortFrom(peer(0).Addr(), uint16(1000+i))); got != "ok" {
			t.Fatalf("channel %d: %s", i, got)
		}
	}
	if got := p.bind(0x4fff, netip.AddrPortFrom(peer(0).Addr(), 2000)); got != "403" {
		t.Errorf("one channel too many: %s", got)
	}
}
