package relay

import (
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"visavis.example/internal/signal"
)

// wire is a UDP socket in memory: packets are written to it by a test and what the relay answers comes back in order.
type wire struct {
	net.PacketConn // never used
	in             chan datagram
	out            chan []byte
	closed         chan struct{}
}

type datagram struct {
	b    []byte
	from net.Addr
}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-w.in:
		return copy(b, d.b), d.from, nil
	case <-w.closed:
		return 0, nil, net.ErrClosed
	}
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case w.out <- append([]byte(nil), b...):
	case <-w.closed:
	}
	return len(b), nil
}

func (w *wire) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3478} }

func (w *wire) Close() error { close(w.closed); return nil }

// wireClient is one source of packets on a wire; it makes a probe of it.
type wireClient struct {
	net.Conn // never used
	w        *wire
	at       net.Addr
}

func (c *wireClient) Write(b []byte) (int, error) { c.w.in <- datagram{b, c.at}; return len(b), nil }

func (c *wireClient) SetReadDeadline(time.Time) error { return nil }

func (c *wireClient) Read(b []byte) (int, error) { return copy(b, <-c.w.out), nil }

// FuzzListener sends packets into the listener: as a stranger, as the owner of an allocation, and as requests whose
// signature is right, so that everything behind the signature is reached too. It must go on answering.
func FuzzListener(f *testing.F) {
	w := &wire{in: make(chan datagram, 16), out: make(chan []byte, 1024), closed: make(chan struct{})}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{Secret: []byte("secret")}
	if err := s.serve(w, tcp); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	owner := &probe{
		c: &wireClient{w: w, at: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 1000}},
		a: join(s, signal.NewID()),
	}
	stranger := &probe{c: &wireClient{w: w, at: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 1001}}}
	owner.t, stranger.t = f, f
	owner.challenge()

	for _, seed := range seeds() {
		for who := range byte(3) {
			f.Add(who, seed)
		}
	}
	f.Fuzz(func(t *testing.T, who byte, b []byte) {
		owner.t, stranger.t = t, t
		if len(b) > maxDatagram {
			return
		}
		owner.ask(owner.signed(stun.MethodAllocate, stun.NewTransactionID(), udpTransport)) // there already, mostly
		switch who % 3 {
		case 0:
			_, _ = stranger.c.Write(b)
		case 1:
			_, _ = owner.c.Write(b)
		case 2:
			if signed := resign(owner, b); signed != nil {
				_, _ = owner.c.Write(signed)
			}
		}
		owner.alive()
		stranger.alive()
	})
}

// resign gives a message the account and signature of the probe; nil when there is no message in it.
func resign(p *probe, b []byte) []byte {
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if m.Decode() != nil {
		return nil
	}
	list := []stun.Setter{stun.NewTransactionIDSetter(m.TransactionID), m.Type}
	for _, a := range m.Attributes {
		switch a.Type {
		case stun.AttrUsername, stun.AttrRealm, stun.AttrNonce, stun.AttrMessageIntegrity, stun.AttrFingerprint:
		default:
			list = append(list, raw{a.Type, a.Value})
		}
	}
	signed, err := stun.Build(append(list, stun.NewUsername(p.a.name), p.realm, p.nonce, p.key())...)
	if err != nil {
		return nil
	}
	return signed.Raw
}

func seeds() [][]byte {
	id := stun.NewTransactionIDSetter([stun.TransactionIDSize]byte{1, 2, 3})
	list := [][]byte{{}, {0}, {0x40, 0, 0, 0}, {0x40, 1, 0, 9, 'x'}, {0x40, 1, 0, 1, 'x', 0, 0, 0}, make([]byte, 20)}
	peer4, peer6 := make([]byte, 8), make([]byte, 20)
	peer4[1], peer6[1] = 1, 2
	channel := raw{stun.AttrChannelNumber, []byte{0x40, 1, 0, 0}}
	for _, m := range []stun.Method{
		stun.MethodBinding, stun.MethodAllocate, stun.MethodRefresh, stun.MethodSend, stun.MethodCreatePermission,
		stun.MethodChannelBind, stun.MethodConnect, stun.MethodConnectionBind,
	} {
		for _, class := range []stun.MessageClass{stun.ClassRequest, stun.ClassIndication} {
			for _, peer := range [][]byte{nil, peer4, peer6} {
				list = append(list, stun.MustBuild(id, stun.NewType(m, class), raw{stun.AttrXORPeerAddress, peer}, channel,
					raw{stun.AttrData, []byte("x")}).Raw)
			}
		}
	}
	return append(list,
		stun.MustBuild(id, request(stun.MethodAllocate), udpTransport, raw{stun.AttrEvenPort, []byte{0x80}}).Raw,
		stun.MustBuild(id, request(stun.MethodAllocate), udpTransport, raw{stun.AttrRequestedAddressFamily, []byte{2}}).Raw,
		stun.MustBuild(id, request(stun.MethodRefresh), raw{stun.AttrLifetime, []byte{0, 0, 0, 0}}).Raw,
		stun.MustBuild(id, request(stun.MethodConnectionBind), raw{stun.AttrConnectionID, []byte{0, 0, 0, 1}}).Raw)
}
