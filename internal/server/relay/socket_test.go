package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"

	"visavis.example/internal/signal"
)

// troubled is a socket whose reads fail now and then, as sockets of Windows do for datagrams longer than the buffer.
type troubled struct {
	net.PacketConn
	reads, failures int
}

var errMessageSize = errors.New("a message sent on a datagram socket was larger than the buffer")

func (c *troubled) ReadFrom(b []byte) (int, net.Addr, error) {
	if c.reads++; c.reads <= c.failures {
		return len(b), nil, errMessageSize
	}
	return c.PacketConn.ReadFrom(b)
}

func newGuard() *guard { return &guard{book: newBook(netip.MustParseAddr("9.9.9.9"), false)} }

func TestReadErrorsDoNotEndTheListener(t *testing.T) {
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := 0
	s := newSocket(&troubled{PacketConn: udp, failures: 3}, newGuard(), func() { ended++ })
	if _, err := udp.WriteTo([]byte("hello"), udp.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _, err := s.ReadFrom(b)
	if err != nil || string(b[:n]) != "hello" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	_ = s.Close()
	for range 2 {
		if _, _, err := s.ReadFrom(b); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
}

// A socket that fails for ever is not read in a hurry, and closing ends the wait.
func TestReadErrorsAreNotAHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &troubled{failures: 1 << 30}
		s := &socket{PacketConn: c, guard: newGuard(), ended: func() {}, closed: make(chan struct{})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _, _ = s.ReadFrom(make([]byte, 10))
		}()
		time.Sleep(time.Minute)
		close(s.closed)
		<-done
		if c.reads > 1000 {
			t.Errorf("%d reads in a minute", c.reads)
		}
	})
}

func TestReadErrorsDoNotEndAnAllocation(t *testing.T) {
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Add(1)
	b := newBook(netip.MustParseAddr("9.9.9.9"), false)
	r := &relayed{PacketConn: &scripted{PacketConn: udp}, book: b, party: party{"d", "c"}, running: &running, done: make(chan struct{})}
	buf := make([]byte, maxDatagram)
	n, from, err := r.ReadFrom(buf)
	if err != nil || n != 5 || from.String() != "8.8.8.8:53" {
		t.Errorf("%d bytes from %v, %v", n, from, err)
	}
	if got := b.count.dropped.Load(); got != 3 {
		t.Errorf("%d dropped, want the error, the long one and the one of this machine", got)
	}
	r.end()
	r.end()
	if _, _, err := r.ReadFrom(buf); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	running.Wait()
}

// scripted reads an error, a datagram that fills the buffer, one of this machine, and a good one.
type scripted struct {
	net.PacketConn
	step int
}

func (c *scripted) ReadFrom(b []byte) (int, net.Addr, error) {
	peer := &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 53}
	switch c.step++; c.step {
	case 1:
		return len(b), peer, errMessageSize
	case 2:
		return len(b), peer, nil
	case 3:
		return 5, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 53}, nil
	case 4:
		return 5, peer, nil
	}
	return 0, nil, net.ErrClosed
}

func TestAttackOversizeDatagrams(t *testing.T) { onBothPaths(t, oversizeDatagrams) }

func oversizeDatagrams(t *testing.T, portable bool) {
	s := start(t, &Server{Portable: portable})
	call := signal.NewID()
	p, q := newProbe(t, s, join(s, call)), newProbe(t, s, join(s, call))
	for _, x := range []*probe{p, q} {
		if got := x.allocate(); got != "ok" {
			t.Fatal(got)
		}
	}
	if a, b := p.permission(q.relayed), q.permission(p.relayed); a != "ok" || b != "ok" {
		t.Fatal(a, b)
	}
	for _, size := range []int{1600, 1601, 3000, 9000, 65507} {
		if _, err := p.c.Write(make([]byte, size)); err != nil { // to the listener
			t.Fatal(err)
		}
		if _, err := q.c.(*net.UDPConn).Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		sibling := s.book.sibling(call, q.relayed).PacketConn // to a relayed port, from another
		if _, err := sibling.WriteTo(make([]byte, size), net.UDPAddrFromAddrPort(p.relayed)); err != nil {
			t.Fatal(err)
		}
	}
	p.alive()
	q.send(p.relayed, "still here")
	if got := p.nextData(); got != "still here" {
		t.Errorf("got %q", got)
	}
}

// Every attribute that carries an address, with every short length, in every message: nothing falls over. The first is
// what ended servers on older versions of pion (GHSA-34rh-wp3j-6cxc).
func TestAttackTURNCrashPackets(t *testing.T) { onBothPaths(t, crashPackets) }

func crashPackets(t *testing.T, portable bool) {
	s := start(t, &Server{Portable: portable})
	p := newProbe(t, s, join(s, signal.NewID()))
	if got := p.allocate(); got != "ok" {
		t.Fatal(got)
	}
	methods := []stun.Method{
		stun.MethodBinding, stun.MethodAllocate, stun.MethodRefresh, stun.MethodSend, stun.MethodData,
		stun.MethodCreatePermission, stun.MethodChannelBind, stun.MethodConnect, stun.MethodConnectionBind,
	}
	kinds := []stun.AttrType{
		stun.AttrXORPeerAddress, stun.AttrData, stun.AttrChannelNumber, stun.AttrLifetime, stun.AttrRequestedTransport,
		stun.AttrRequestedAddressFamily, stun.AttrEvenPort, stun.AttrReservationToken, stun.AttrConnectionID,
		stun.AttrUsername, stun.AttrRealm, stun.AttrNonce, stun.AttrMessageIntegrity, stun.AttrFingerprint,
	}
	for _, m := range methods {
		for _, kind := range kinds {
			for length := range 9 {
				a := raw{kind, make([]byte, length)}
				id := stun.NewTransactionID()
				for _, class := range []stun.MessageClass{stun.ClassRequest, stun.ClassIndication} {
					b := stun.MustBuild(stun.NewTransactionIDSetter(id), stun.NewType(m, class), a,
						raw{stun.AttrData, []byte("x")})
					_, _ = p.c.Write(b.Raw)
				}
				switch kind {
				case stun.AttrUsername, stun.AttrRealm, stun.AttrNonce, stun.AttrMessageIntegrity, stun.AttrFingerprint:
				default: // what gets past the signature
					_, _ = p.c.Write(p.signed(m, id, a))
				}
			}
			p.alive() // in between, so that no socket's buffer runs over
		}
	}
}
