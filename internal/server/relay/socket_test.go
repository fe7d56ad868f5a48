package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
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

func TestReadErrorsDoNotEndTheListener(t *testing.T) {
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := 0
	s := newSocket(&troubled{PacketConn: udp, failures: 3}, newBirths(), func() { ended++ })
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
		s := &socket{PacketConn: c, births: newBirths(), ended: func() {}, closed: make(chan struct{})}
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
	if got := b.dropped.Load(); got != 3 {
		t.Errorf("%d dropped, want the error, the long one and the one of this machine", got)
	}
	_ = r.Close()
	_ = r.Close()
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

func TestOversizeDatagrams(t *testing.T) {
	s := start(t, &Server{})
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
		sibling := s.book.sibling(call, q.relayed.Port()).PacketConn // to a relayed port, from another
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
func TestCrashPackets(t *testing.T) {
	s := start(t, &Server{})
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

func TestRefusalsPerSource(t *testing.T) {
	var r refusals
	challenge := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassErrorResponse),
		stun.CodeUnauthorized, stun.NewNonce("n"), stun.NewRealm(realm)).Raw
	at := time.Unix(1000, 0)
	count := func(from string, n int, now time.Time) (passed int) {
		for range n {
			if _, ok := r.pass(challenge, netip.MustParseAddr(from), now); ok {
				passed++
			}
		}
		return passed
	}
	if n := count("8.8.8.8", 10_000, at); n != refusalsASec {
		t.Errorf("%d of 10000 answered", n)
	}
	if n := count("8.8.4.4", 5, at); n != 5 {
		t.Errorf("another source: %d of 5", n)
	}
	if n := count("8.8.8.8", 100, at.Add(500*time.Millisecond)); n != refusalsASec/2 {
		t.Errorf("half a second later: %d", n)
	}
	if n := count("2a00::1", 10, at) + count("2a00::ffff", 10, at); n != refusalsASec {
		t.Errorf("one IPv6 network: %d", n)
	}
	if n := count("127.0.0.1", 100, at); n != 100 {
		t.Errorf("loopback: %d of 100", n)
	}
	success := stun.MustBuild(stun.TransactionID, stun.BindingSuccess).Raw
	if _, ok := r.pass(success, netip.MustParseAddr("8.8.8.8"), at); !ok {
		t.Error("a success was held back")
	}
	if _, ok := r.pass([]byte{0x41, 0x10, 0, 0}, netip.MustParseAddr("8.8.8.8"), at); !ok {
		t.Error("ChannelData was held back")
	}
}

func TestRefusalsTableIsBounded(t *testing.T) {
	r := refusals{left: map[netip.Prefix]bucket{}}
	at := time.Unix(1000, 0)
	for i := range maxSources {
		if !r.take(netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}), at) {
			t.Fatal(i)
		}
	}
	if r.take(netip.MustParseAddr("8.8.8.8"), at) {
		t.Error("one source too many was answered")
	}
	if !r.take(netip.MustParseAddr("8.8.8.8"), at.Add(time.Second)) || len(r.left) != 1 {
		t.Errorf("%d sources remembered after a quiet second", len(r.left))
	}
}

// The 401 that asks for credentials must not be much longer than what provokes it.
func TestChallengeDoesNotAmplify(t *testing.T) {
	s := start(t, &Server{})
	p := newProbe(t, s, account{})
	b := stun.MustBuild(stun.TransactionID, request(stun.MethodAllocate), udpTransport).Raw
	if m := p.ask(b); float64(len(m.Raw)) > 2.5*float64(len(b)) {
		t.Errorf("%d bytes for %d", len(m.Raw), len(b))
	}
}

func TestMendForbidden(t *testing.T) {
	id := stun.TransactionID
	refusal := stun.MustBuild(id, channelBindError, stun.CodeUnauthorized).Raw
	m := stun.Message{Raw: mendForbidden(refusal)}
	if err := m.Decode(); err != nil || outcome(&m) != "403" || !bytes.Equal(m.TransactionID[:], refusal[8:20]) {
		t.Errorf("%s, %v", outcome(&m), err)
	}
	challenge := stun.MustBuild(id, channelBindError, stun.CodeUnauthorized, stun.NewNonce("n")).Raw
	if !bytes.Equal(mendForbidden(challenge), challenge) {
		t.Error("a challenge was changed")
	}
}

// serve gives bytes to a stream and collects the frames pion would see.
func serve(t *testing.T, b []byte) (frames [][]byte, err error) {
	t.Helper()
	near, far := net.Pipe()
	l := newListener(nil, newBook(netip.MustParseAddr("9.9.9.9"), false), &sync.WaitGroup{})
	s := l.admit(near)
	go func() {
		for len(b) > 0 { // in pieces, as TCP may
			n := min(len(b), 7)
			if _, err := far.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
		_ = far.Close()
	}()
	defer func() { _ = s.Close(); _ = far.Close() }()
	for buf := make([]byte, maxDatagram); ; {
		n, err := s.Read(buf)
		if err != nil {
			return frames, err
		}
		frames = append(frames, append([]byte(nil), buf[:n]...))
	}
}

func TestFrames(t *testing.T) {
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("x")).Raw
	data := []byte{0x40, 0x01, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0}
	got, err := serve(t, bytes.Join([][]byte{binding, data, binding, data}, nil))
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if len(got) != 4 || !bytes.Equal(got[0], binding) || !bytes.Equal(got[1], data) || !bytes.Equal(got[2], binding) {
		t.Errorf("%d frames: %x", len(got), got)
	}
	for name, b := range map[string][]byte{
		"HTTP":             []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS":              {0x16, 3, 1, 0, 100},
		"a wrong cookie":   {0, 1, 0, 0},
		"an odd length":    {0, 1, 0, 3, 0x21, 0x12, 0xa4, 0x42},
		"a high channel":   {0x50, 0, 0, 0},
		"the old channels": {0x7f, 0xff, 0, 0},
		"a long message":   {0, 1, 6, 0x40, 0x21, 0x12, 0xa4, 0x42},
		"long data":        {0x40, 1, 6, 0x40},
		// 65516 and the header of 20 make 65536, which is 0 where lengths have 16 bits.
		"an overflow":         {0, 1, 0xff, 0xec, 0x21, 0x12, 0xa4, 0x42},
		"an overflow of data": {0x40, 1, 0xff, 0xfd},
	} {
		got, err := serve(t, append(b, make([]byte, 100)...))
		if !errors.Is(err, errNotTURN) && !errors.Is(err, errTooLong) || len(got) > 0 {
			t.Errorf("%s: %d frames, %v", name, len(got), err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
	f.Add([]byte{0x40, 0x01, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0})
	f.Add([]byte{0, 1, 0xff, 0xec, 0x21, 0x12, 0xa4, 0x42})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < channelHeader {
			return
		}
		size, err := frameSize(b)
		length := int(binary.BigEndian.Uint16(b[2:]))
		if err == nil && (size < channelHeader+length || size > stunHeader+length || size%4 != 0) {
			t.Errorf("%x: %d bytes", b[:4], size)
		}
	})
}

// Who opens a connection and says nothing, or stops half-way, is not waited for.
func TestSilentStreamsEnd(t *testing.T) {
	for name, b := range map[string]string{"silence": "", "half a frame": "\x00\x01\x00\x08\x21\x12\xa4\x42"} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			s := newListener(nil, newBook(netip.MustParseAddr("9.9.9.9"), false), &sync.WaitGroup{}).admit(near)
			defer s.Close()
			go func() { _, _ = far.Write([]byte(b)) }()
			began := time.Now()
			_, err := s.Read(make([]byte, maxDatagram))
			if !isTimeout(err) || time.Since(began) != firstFrameIn {
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
		})
	}
}

// A client that does not read does not hold up the relay for long.
func TestSlowStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		s := newListener(nil, newBook(netip.MustParseAddr("9.9.9.9"), false), &sync.WaitGroup{}).admit(near)
		defer s.Close()
		began := time.Now()
		if _, err := s.Write([]byte("hello")); !isTimeout(err) || time.Since(began) != writeWithin {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := s.Write([]byte("hello")); err == nil {
			t.Error("written after half a frame")
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	s := start(t, &Server{})
	open := make([]net.Conn, 0, maxPerIP)
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	ask := func(c net.Conn) error {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write(binding); err != nil {
			return err
		}
		_, err := c.Read(make([]byte, 100))
		return err
	}
	dialTCP := func() net.Conn {
		c, err := net.Dial("tcp", s.TCPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range maxPerIP {
		c := dialTCP()
		open = append(open, c)
		if err := ask(c); err != nil {
			t.Fatal(err)
		}
	}
	c := dialTCP()
	defer c.Close()
	if err := ask(c); err == nil || isTimeout(err) {
		t.Errorf("one connection too many: %v", err)
	}
	_ = open[0].Close()
	for deadline := time.Now().Add(10 * time.Second); ; { // the place is free once the relay has noticed
		again := dialTCP()
		err := ask(again)
		_ = again.Close()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// failing is a listener that fails, then is closed.
type failing struct {
	net.Listener
	left int
}

func (l *failing) Accept() (net.Conn, error) {
	if l.left--; l.left >= 0 {
		return nil, errors.New("too many open files")
	}
	return nil, net.ErrClosed
}

func TestAcceptErrorsDoNotEndTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &failing{left: 5}
		l := newListener(inner, nil, nil)
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || inner.left >= 0 {
			t.Errorf("%v with %d errors left", err, inner.left)
		}
	})
}
