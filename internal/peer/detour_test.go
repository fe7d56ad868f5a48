package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// mute is a socket that keeps what is written.
type mute struct {
	placed
	wrote [][]byte
}

func (m *mute) WriteTo(b []byte, _ net.Addr) (int, error) {
	m.wrote = append(m.wrote, bytes.Clone(b))
	return len(b), nil
}
func (*mute) SetReadDeadline(time.Time) error { return nil }

func move(t *testing.T, user, password string, number uint32) []byte {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(user),
		stun.RawAttribute{Type: attrNomination, Value: binary.BigEndian.AppendUint32(nil, number)},
		stun.NewShortTermIntegrity(password), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

// A socket that anybody can send to answers, and follows, whoever knows the call's password; and each move once.
func TestSpareHeedsTheOtherAlone(t *testing.T) {
	socket := &mute{placed: placed{addr: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1001}}}
	followed := 0
	g := &gate{got: func(packetPath, []byte) { followed++ }}
	p := wayFrom(&gateConn{UDPConn: socket, gate: g, done: make(chan struct{})}, "203.0.113.1:9")
	asked := 0
	g.ask = func(to netip.AddrPort, _ io.Writer) {
		if asked++; to != p.to {
			t.Errorf("asks %v", to)
		}
	}
	g.gotSpare(p, move(t, "us:them", "secret of the call", 1)) // no names yet
	g.names.Store(&checkNames{"us:them", "secret of the call"})
	other, _ := stun.Build(stun.BindingSuccess, stun.TransactionID, stun.Fingerprint)
	for _, b := range [][]byte{
		nil,
		{0},
		bytes.Repeat([]byte{0xff}, 1500), other.Raw,
		move(t, "us:them", "secret of another", 2), move(t, "us:others", "secret of the call", 2),
		move(t, "us:them", "secret of the call", 2)[:40],
	} {
		g.gotSpare(p, b)
	}
	if len(socket.wrote) > 0 || followed > 0 || asked > 0 {
		t.Errorf("%d answers, %d moves for strangers", len(socket.wrote), followed)
	}
	g.gotSpare(p, move(t, "us:them", "secret of the call", 3))
	g.consent(wayFrom(p.conn, "203.0.113.66:9").to, time.Now()) // another's
	g.consent(p.to, time.Now().Add(-2*consentFor))
	g.gotSpare(p, move(t, "us:them", "secret of the call", 3))
	if followed > 0 || asked != 2 {
		t.Errorf("%d moves to where nobody has answered, which was asked %d times", followed, asked)
	}
	socket.wrote = socket.wrote[2:]
	g.consent(p.to, time.Now())
	for _, number := range []uint32{3, 3, 2, 4} {
		g.gotSpare(p, move(t, "us:them", "secret of the call", number))
	}
	if len(socket.wrote) != 4 || followed != 2 {
		t.Errorf("%d answers and %d moves for four checks, of which two were new", len(socket.wrote), followed)
	}
	reply := &stun.Message{Raw: socket.wrote[0]}
	var seen stun.XORMappedAddress
	if reply.Decode() != nil || stun.NewShortTermIntegrity("secret of the call").Check(reply) != nil || seen.GetFrom(reply) != nil || seen.String() != "203.0.113.1:9" {
		t.Errorf("answered %v", reply)
	}
}

// A nomination without a number is ICE's own: pion heeds it of who controls ICE, by paths that it has checked, and nothing
// else does. It moves nobody, neither by a spare nor against pion's will.
func TestUseCandidateIsNoMove(t *testing.T) {
	socket := &mute{placed: placed{addr: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1001}}}
	g := &gate{got: func(packetPath, []byte) { t.Error("it is followed") }, ask: func(netip.AddrPort, io.Writer) { t.Error("its address is asked") }}
	g.names.Store(&checkNames{"us:them", "secret of the call"})
	p := wayFrom(&gateConn{UDPConn: socket, gate: g, done: make(chan struct{})}, "203.0.113.1:9")
	for _, role := range []stun.AttrType{stun.AttrICEControlling, stun.AttrICEControlled} {
		m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername("us:them"),
			stun.RawAttribute{Type: role, Value: []byte{0, 0, 0, 0, 0, 0, 0, 1}},
			stun.RawAttribute{Type: stun.AttrUseCandidate}, stun.NewShortTermIntegrity("secret of the call"), stun.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		g.gotSpare(p, m.Raw)
		if g.agrees(m, p.to, true, nil) {
			t.Error("pion is told to follow it")
		}
	}
	if len(socket.wrote) != 2 {
		t.Errorf("%d answers", len(socket.wrote))
	}
}

// What comes for pion faster than it reads is dropped, not kept.
func TestDetourIsBounded(t *testing.T) {
	socket := &mute{placed: placed{addr: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1001}}}
	g := &gate{}
	carrier := &gateConn{UDPConn: socket, gate: g}
	p := wayFrom(&gateConn{UDPConn: socket, gate: g, done: make(chan struct{})}, "203.0.113.1:9")
	g.bend(carrier, wayFrom(carrier, "203.0.113.1:8").to, p)
	media := []byte{0x80, 96, 0, 0}
	for n := range 2 * detourInbox {
		media[3] = byte(n)
		g.gotSpare(p, media)
		g.gotSpare(wayFrom(p.conn, "203.0.113.66:9"), []byte{0x80, 97, 0, 0}) // a stranger's
	}
	b := make([]byte, 1500)
	d := g.detour.Load()
	for n := range detourInbox {
		if size, ok := d.take(b); !ok || size != 4 || b[1] != 96 || b[3] != byte(n) {
			t.Fatalf("packet %d: %v, %v", n, b[:size], ok)
		}
	}
	if _, ok := d.take(b); ok || !d.lively.Load() {
		t.Error("more was kept than there is room for, or nothing was heard")
	}
}

// The other sends by any way into a spare whose check was answered: pion reads that as if it had come by its own path. It
// is no sign that a move was followed.
func TestSpareTakesMediaOfProvenWays(t *testing.T) {
	socket := &mute{placed: placed{addr: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1001}}}
	g := &gate{got: func(packetPath, []byte) {}, ask: func(netip.AddrPort, io.Writer) {}}
	g.names.Store(&checkNames{"us:them", "secret of the call"})
	carrier := &gateConn{UDPConn: socket, gate: g}
	own := wayFrom(carrier, "203.0.113.1:8")
	g.bend(carrier, own.to, own)
	spare := &gateConn{UDPConn: socket, gate: g, done: make(chan struct{})}
	p, stranger := wayFrom(spare, "203.0.113.1:9"), wayFrom(spare, "203.0.113.66:9")
	b := make([]byte, 1500)
	arrives := func(p packetPath) bool {
		g.gotSpare(p, []byte{0x80, 96, 0, 0})
		_, ok := g.detour.Load().take(b)
		return ok
	}
	g.gotSpare(stranger, move(t, "us:them", "secret of another", 1))
	if arrives(p) || arrives(stranger) {
		t.Error("takes media of a way that nobody has proven")
	}
	g.gotSpare(p, move(t, "us:them", "secret of the call", 1))
	if !arrives(p) || arrives(stranger) || g.detour.Load().lively.Load() {
		t.Error("not the proven way's media alone, or it is taken for a move's")
	}
	later := wayFrom(spare, "203.0.113.2:9")
	g.bend(carrier, own.to, later) // a move there
	g.bend(carrier, own.to, own)   // and back
	if !arrives(later) {
		t.Error("what the other still sends by the way that was left is dropped")
	}
	for n := range 10 * maxProven {
		g.prove(wayFrom(spare, fmt.Sprintf("203.0.113.3:%d", n+1)), time.Now().Add(time.Duration(n)*time.Second))
	}
	if len(g.proven) > maxProven || arrives(p) {
		t.Errorf("%d proven ways are kept", len(g.proven))
	}
}

// flaky is a socket that tells of errors before it reads.
type flaky struct {
	mute
	errs    int
	packets chan []byte
}

func (f *flaky) ReadFrom(b []byte) (int, net.Addr, error) {
	if f.errs > 0 {
		f.errs--
		return 0, nil, errors.New("a message was larger than the buffer")
	}
	p, ok := <-f.packets
	if !ok {
		return 0, nil, errors.New("closed")
	}
	return copy(b, p), &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 9}, nil
}

func (f *flaky) Close() error {
	close(f.packets)
	return nil
}

// Errors do not make a spare deaf; it is read until it is closed.
func TestSpareOutlivesErrors(t *testing.T) {
	socket := &flaky{errs: 20, packets: make(chan []byte, 1)}
	socket.placed = placed{addr: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1001}}
	g := &gate{arrivals: &arrivalLog{}}
	c := g.newConn(socket)
	c.done = make(chan struct{})
	g.spares = []*gateConn{c}
	carrier := &gateConn{UDPConn: &mute{placed: socket.placed}, gate: g}
	p := wayFrom(c, "203.0.113.1:9")
	g.bend(carrier, p.to, p)
	go c.pump()
	socket.packets <- []byte{0x80, 96, 0, 0}
	eventually(t, "a packet", func() bool { return len(g.detour.Load().inbox) == 1 })
	g.closeSpares(func(*gateConn) bool { return true })
	if len(g.all()) > 0 {
		t.Error("it is still there")
	}
}

// incoming is a socket with packets to read.
type incoming struct {
	mute
	packets [][]byte
	from    netip.AddrPort
}

func (c *incoming) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(c.packets) == 0 {
		return 0, nil, net.ErrClosed
	}
	p := c.packets[0]
	c.packets = c.packets[1:]
	return copy(b, p), net.UDPAddrFromAddrPort(c.from), nil
}

// While a detour stands, a check is answered by the way that it came by, and only that: who asked by pion's own path would
// take it for dead. What pion sends of itself takes the detour.
func TestAnswersGoWhereTheCheckCameFrom(t *testing.T) {
	at := func(port int) placed { return placed{addr: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: port}} }
	own := &incoming{mute: mute{placed: at(1001)}, from: netip.MustParseAddrPort("203.0.113.1:8")}
	aside, later := &mute{placed: at(1002)}, &mute{placed: at(1003)}
	g := &gate{arrivals: &arrivalLog{}, got: func(packetPath, []byte) {}}
	g.open()
	carrier := g.newConn(own)
	spare := func(c *mute) packetPath {
		return wayFrom(&gateConn{UDPConn: c, gate: g, done: make(chan struct{})}, "203.0.113.9:8")
	}
	g.bend(carrier, own.from, spare(aside))
	buf := make([]byte, 1500)
	asks := func(by *incoming) {
		t.Helper()
		check := move(t, "us:them", "secret of the call", 1)
		if by != nil {
			by.packets = append(by.packets, check)
		} else {
			g.gotSpare(g.detour.Load().by, check)
		}
		if n, from, err := carrier.ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], check) || from.String() != own.from.String() {
			t.Fatalf("pion read %d bytes from %v: %v", n, from, err)
		}
	}
	says := func(kind stun.MessageType) {
		t.Helper()
		m := &stun.Message{TransactionID: [stun.TransactionIDSize]byte(buf[8:20]), Type: kind}
		m.WriteHeader()
		if _, err := carrier.WriteTo(m.Raw, net.UDPAddrFromAddrPort(own.from)); err != nil {
			t.Fatal(err)
		}
	}
	sent := func(what string, direct, detour, second int) {
		t.Helper()
		if len(own.wrote) != direct || len(aside.wrote) != detour || len(later.wrote) != second {
			t.Errorf("%s: %d by pion's own path, %d and %d by detours", what, len(own.wrote), len(aside.wrote), len(later.wrote))
		}
		own.wrote, aside.wrote, later.wrote = nil, nil, nil
	}
	asks(own)
	says(stun.BindingSuccess)
	sent("answer to a check by pion's own path", 1, 0, 0)
	asks(own)
	says(stun.BindingError)
	sent("refusal of one", 1, 0, 0)
	says(stun.BindingError)
	sent("another one, to nobody's check", 0, 1, 0)
	asks(nil)
	says(stun.BindingRequest)
	sent("check of pion's", 0, 1, 0)
	g.bend(carrier, own.from, spare(later))
	says(stun.BindingSuccess)
	sent("answer to a check by the detour of before", 0, 1, 0)
	asks(nil)
	says(stun.BindingSuccess)
	sent("answer to a check by the detour", 0, 0, 1)
	for range 3 * askersKept {
		asks(own)
	}
	g.forget()
	says(stun.BindingSuccess)
	sent("answer after the end of the detour", 1, 0, 0)
}
