//go:build amd64 || arm64

package relay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// The portable path is the oracle of the fast one: whatever clients and peers do, the same packets come out of both.

// world is a relay with two calls of two clients each, and peers that stand for the internet. Clients 0 and 1 are in the
// first call. Everything in it has the same name in two worlds, although ports differ.
type world struct {
	t        testing.TB
	s        *Server
	calls    [2]string
	devices  [4]string
	clients  []*probe
	peers    []net.PacketConn
	heard    [4][][]byte // of each client, while it waited for an answer
	siblings bool
	marking  net.PacketConn // a peer that no step names; see handled
	markers  uint64         // sent
}

// newWorld makes one on a family's loopback. With peers that are other hosts there (IPv6 has only one address, so that
// they cannot be beside allocations of the same call).
func newWorld(t testing.TB, portable, v6 bool) *world {
	t.Helper()
	w := &world{t: t, siblings: !v6, calls: [2]string{signal.NewID(), signal.NewID()}}
	s := &Server{Portable: portable, Limits: Limits{BitsPerSecond: 1 << 40}, foreign: netip.MustParsePrefix("127.9.0.0/16")}
	at := "127.9.0.1:0"
	if v6 {
		s.Listen, s.PublicIP, s.foreign, at = "[::1]:0", netip.MustParseAddr("2a00:77::1"), netip.MustParsePrefix("::1/128"), "[::1]:0"
	}
	w.s = start(t, s)
	for range 4 {
		c, err := net.ListenPacket("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		w.peers = append(w.peers, c)
	}
	w.peers, w.marking = w.peers[:3], w.peers[3]
	for i := range w.devices {
		w.devices[i] = signal.NewID()
		w.clients = append(w.clients, newProbe(t, w.s, account{}))
		w.clients[i].other = func(b []byte) { w.heard[i] = append(w.heard[i], b) }
		w.join(i)
	}
	return w
}

// join makes an allocation for a client that has none.
func (w *world) join(i int) string {
	p := w.clients[i]
	p.a.name, p.a.password = w.s.Credentials(w.devices[i], w.devices[i], w.calls[i/2], time.Minute)
	return p.allocate()
}

// place is where packets may be sent: the peers, then the clients' relayed ports, then odd ones.
func (w *world) place(n int) netip.AddrPort {
	relayed := 0
	if w.siblings {
		relayed = len(w.clients)
	}
	switch n %= len(w.peers) + relayed + 2; {
	case n < len(w.peers):
		return addrPort(w.peers[n].LocalAddr())
	case n < len(w.peers)+relayed:
		return w.clients[n-len(w.peers)].relayed
	case n == len(w.peers)+relayed:
		return netip.AddrPortFrom(w.clients[0].relayed.Addr(), 9) // a port of the relay's that is nobody's
	}
	return netip.MustParseAddrPort("10.9.9.9:9") // private
}

// name is the place's in both worlds.
func (w *world) name(a netip.AddrPort) string {
	for i, p := range w.peers {
		if addrPort(p.LocalAddr()) == a {
			return fmt.Sprint("peer ", i)
		}
	}
	for i, p := range w.clients {
		if p.relayed.Port() == a.Port() {
			return fmt.Sprint("relayed ", i)
		}
	}
	return a.String()
}

// step is one thing that happens, with numbers that say whom to and how much.
type step struct {
	what, who, to, size byte
	data                []byte
}

// do gives what the relay answers, if it does.
func (w *world) do(x step) string {
	i := int(x.who) % len(w.clients)
	p, call := w.clients[i], w.calls[i/2]
	to := w.place(int(x.to))
	switch x.what % 16 {
	default: // most of it: media
		w.channelData(p, 0x4000+uint16(x.to)%8, x)
	case 1:
		return p.bind(0x4000+uint16(x.to)%8, to)
	case 2:
		return p.permission(to)
	case 3:
		p.send(to, string(x.data))
	case 4, 5, 6:
		if _, err := w.peers[int(x.to)%len(w.peers)].WriteTo(x.data, net.UDPAddrFromAddrPort(w.target(p))); err != nil {
			w.t.Fatal(err)
		}
	case 7:
		_, _ = p.c.Write(append([]byte{0x40 | x.size>>4, x.size, x.to, x.who}, x.data...)) // hardly ever right
	case 8:
		w.s.HoldCall(call)
	case 9:
		w.s.OpenCall(call)
	case 10:
		return w.again(i, x)
	}
	return ""
}

// again ends something and begins it anew.
func (w *world) again(i int, x step) string {
	p, call := w.clients[i], w.calls[i/2]
	switch x.size % 4 {
	case 0:
		return p.leave() + " " + w.join(i)
	case 1:
		w.s.Leave(call, w.devices[i])
		return w.joinLater(i)
	case 2:
		w.s.EndCall(call)
		return w.joinLater(i) + " " + w.joinLater(i^1)
	}
	// What is sent now goes nowhere: not to its old port, which may become another's.
	was := p.leave()
	p.relayed = netip.AddrPortFrom(p.relayed.Addr(), 1)
	return was
}

// joinLater is for when the relay has closed the allocation: pion's reader notices that a moment later, and until then
// says that there is one (437).
func (w *world) joinLater(i int) string {
	for {
		if got := w.join(i); got != "437" {
			return got
		}
	}
}

// target is where peers send to reach a client: its relayed port, on this machine.
func (w *world) target(p *probe) netip.AddrPort {
	if a := p.relayed.Addr(); a.Is4() {
		return p.relayed
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), p.relayed.Port())
}

// channelData sends one datagram, or a train of equal ones with a shorter one behind.
func (w *world) channelData(p *probe, number uint16, x step) {
	n := 1
	if x.size%4 == 0 {
		n = 12
	}
	for i := range n {
		data := x.data
		if i == n-1 && n > 1 {
			data = data[:len(data)/2]
		}
		b := binary.BigEndian.AppendUint16(nil, number)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
		if x.size%3 == 0 {
			b = append(b, make([]byte, x.size%8)...) // padded, and more than padded
		}
		_, _ = p.c.Write(b)
	}
}

// play does the same in both worlds and compares after every few steps (what they send has to fit into the sockets' buffers),
// and before those that change who may do what.
func play(t testing.TB, fast, portable *world, steps []step) {
	t.Helper()
	var since []step
	for n, x := range steps {
		media := x.what%16 != 1 && x.what%16 != 2 && x.what%16 < 8 || x.what%16 > 10
		if !media && len(since) > 0 || n%3 == 2 {
			settle(t, fast, portable, since)
			since = nil
		}
		if a, b := fast.do(x), portable.do(x); a != b {
			t.Fatalf("%s: the fast path answers %q, the portable %q", describe(append(since, x)), a, b)
		}
		if media {
			since = append(since, x)
		}
	}
	settle(t, fast, portable, since)
}

// sizes of payloads: none, small, all paddings, a video packet, and around the longest that is relayed.
var sizes = []int{0, 1, 2, 3, 4, 160, 1199, 1200, 1500, maxDatagram - channelHeader - 1, maxDatagram - channelHeader, maxDatagram - 1, maxDatagram, 2000}

// usual are the kinds of steps as often as they are to happen.
var usual = []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x04\x04\x04\x04\x04\x04\x04\x04\x01\x01\x01\x01\x01\x01\x02\x03\x03\x07\x07\x08\x09\x09\x0a")

func randomSteps(r *rand.Rand, n int) []step {
	list := make([]step, n)
	for i := range list {
		x := step{what: usual[r.IntN(len(usual))], who: byte(r.IntN(4)), to: byte(r.IntN(9)), size: byte(r.IntN(256))}
		x.data = make([]byte, sizes[r.IntN(len(sizes))])
		for j := range x.data {
			x.data[j] = byte(r.Uint32())
		}
		list[i] = x
	}
	return list
}

func TestSamePacketsOnBothPaths(t *testing.T) {
	for _, family := range []string{"IPv4", "IPv6"} {
		t.Run(family, func(t *testing.T) {
			if c, err := net.ListenPacket("udp6", "[::1]:0"); family == "IPv6" && err != nil {
				t.Skip("no IPv6 on this machine")
			} else if err == nil {
				_ = c.Close()
			}
			fast, portable := newWorld(t, false, family == "IPv6"), newWorld(t, true, family == "IPv6")
			if _, ok := fast.s.udp.PacketConn.(*plane); !ok {
				t.Fatal("this machine has no fast path")
			}
			var steps []step
			for who := range byte(4) { // channels to everything there is, then anything
				for to := range byte(7) {
					steps = append(steps, step{what: 1, who: who, to: to})
				}
			}
			play(t, fast, portable, append(steps, randomSteps(rand.New(rand.NewPCG(1, 2)), 2000)...))
			if n := fast.s.Stats(); n.UpPackets < 200 || n.DownPackets < fast.markers+100 {
				t.Errorf("hardly anything was relayed: %+v", n)
			}
		})
	}
}

// FuzzPaths plays what the fuzzer thinks of in both worlds.
func FuzzPaths(f *testing.F) {
	fast, portable := newWorld(f, false, false), newWorld(f, true, false)
	f.Add([]byte{1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 5, 4, 0, 1, 3})
	f.Add([]byte{2, 0, 1, 0, 3, 0, 1, 9, 10, 0, 0, 2, 8, 0, 0, 0, 0, 0, 1, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		fast.use(t)
		portable.use(t)
		var steps []step
		for ; len(b) >= 4 && len(steps) < 12; b = b[4:] {
			steps = append(steps, step{b[0], b[1], b[2], b[3], b[:min(len(b), sizes[int(b[3])%len(sizes)])]})
		}
		play(t, fast, portable, steps)
	})
}

func (w *world) use(t testing.TB) {
	w.t = t
	for _, p := range w.clients {
		p.t = t
	}
}

// In one direction, order is kept whatever the batches are.
func TestTheFastPathKeepsOrder(t *testing.T) {
	w := newWorld(t, false, false)
	p, peer := w.clients[0], w.peers[0]
	if got := p.bind(0x4000, addrPort(peer.LocalAddr())); got != "ok" {
		t.Fatal(got)
	}
	const rounds, burst = 50, 20
	buf, frame := make([]byte, 2048), make([]byte, channelHeader+1200)
	copy(frame, []byte{0x40, 0, 1200 >> 8, 1200 & 0xff})
	for round := range rounds {
		for i := range burst {
			binary.BigEndian.PutUint32(frame[channelHeader:], uint32(round*burst+i))
			if _, err := p.c.Write(frame); err != nil {
				t.Fatal(err)
			}
			if _, err := peer.WriteTo(frame[channelHeader:], net.UDPAddrFromAddrPort(p.relayed)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range burst {
			want := uint32(round*burst + i)
			_ = peer.SetReadDeadline(time.Now().Add(10 * time.Second))
			if n, _, err := peer.ReadFrom(buf); err != nil || n != 1200 || binary.BigEndian.Uint32(buf) != want {
				t.Fatalf("at the peer: %d bytes, %v, number %d; want %d", n, err, binary.BigEndian.Uint32(buf), want)
			}
			_ = p.c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if n, err := p.c.Read(buf); err != nil || n != len(frame) || binary.BigEndian.Uint32(buf[channelHeader:]) != want {
				t.Fatalf("at the client: %d bytes, %v, number %d; want %d", n, err, binary.BigEndian.Uint32(buf[channelHeader:]), want)
			}
		}
	}
	p.alive() // the last round is counted
	if n := w.s.Stats(); n.UpPackets != rounds*burst || n.DownPackets != rounds*burst || n.Dropped != 0 {
		t.Errorf("%+v", n)
	}
}

// A channel whose time is over is gone from the fast path too.
func TestAnEndedChannelCarriesNothing(t *testing.T) {
	w := newWorld(t, false, false)
	p, peer := w.clients[0], w.peers[0]
	if got := p.bind(0x4000, addrPort(peer.LocalAddr())); got != "ok" {
		t.Fatal(got)
	}
	r := w.s.book.sibling(w.calls[0], p.relayed)
	w.s.book.unbound(p.c.LocalAddr(), nil, "", "", "", net.UDPAddrFromAddrPort(p.relayed), nil, 0x4000) // pion's timer
	p.channelData(0x4000, "late")
	p.alive()
	_ = peer.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _, err := peer.ReadFrom(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n := r.book.count.dropped.Load(); n != 1 {
		t.Errorf("%d dropped", n)
	}
}
