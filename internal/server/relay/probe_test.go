package relay

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// probe speaks raw STUN, so that it can say what no decent client says.
type probe struct {
	t     testing.TB
	c     net.Conn
	a     account
	realm stun.Realm
	nonce stun.Nonce
	// relayed is where its allocation is.
	relayed netip.AddrPort
	// other gets what arrives while it waits for an answer; nil: nobody.
	other func([]byte)
}

func newProbe(t testing.TB, s *Server, a account) *probe {
	t.Helper()
	return newProbeAt(t, s.Addr(), a)
}

func newProbeAt(t testing.TB, server netip.AddrPort, a account) *probe {
	t.Helper()
	c, err := net.Dial("udp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &probe{t: t, c: c, a: a}
}

// raw is an attribute as it comes.
type raw struct {
	kind  stun.AttrType
	value []byte
}

func (r raw) AddTo(m *stun.Message) error { m.Add(r.kind, r.value); return nil }

var udpTransport = raw{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}

func request(m stun.Method) stun.MessageType { return stun.NewType(m, stun.ClassRequest) }

// xorPeer writes an address in the family it is spelled in: a mapped IPv4 address stays 16 bytes.
func xorPeer(id [stun.TransactionIDSize]byte, a netip.AddrPort) raw {
	ip, family := a.Addr().AsSlice(), byte(1)
	if len(ip) == 16 {
		family = 2
	}
	mask := append([]byte{0x21, 0x12, 0xA4, 0x42}, id[:]...)
	v := append([]byte{0, family, 0, 0}, ip...)
	binary.BigEndian.PutUint16(v[2:], a.Port()^0x2112)
	for i := range ip {
		v[4+i] ^= mask[i]
	}
	return raw{stun.AttrXORPeerAddress, v}
}

func (p *probe) key() stun.MessageIntegrity {
	sum := md5.Sum([]byte(p.a.name + ":" + p.realm.String() + ":" + p.a.password))
	return sum[:]
}

func (p *probe) signed(m stun.Method, id [stun.TransactionIDSize]byte, list ...stun.Setter) []byte {
	all := append([]stun.Setter{stun.NewTransactionIDSetter(id), request(m)}, list...)
	all = append(all, stun.NewUsername(p.a.name), p.realm, p.nonce, p.key())
	return stun.MustBuild(all...).Raw
}

// ask sends and waits for the answer to that transaction.
func (p *probe) ask(b []byte) *stun.Message {
	p.t.Helper()
	buf := make([]byte, 2048)
	for range 10 {
		if _, err := p.c.Write(b); err != nil {
			p.t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Second); ; {
			_ = p.c.SetReadDeadline(deadline)
			n, err := p.c.Read(buf)
			if err != nil {
				break // again
			}
			m := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
			if m.Decode() == nil && string(m.TransactionID[:]) == string(b[8:20]) {
				return m
			}
			if p.other != nil {
				p.other(append([]byte(nil), buf[:n]...))
			}
		}
	}
	p.t.Fatal("no answer")
	return nil
}

// outcome is "ok" or the error code.
func outcome(m *stun.Message) string {
	if m.Type.Class == stun.ClassSuccessResponse {
		return "ok"
	}
	var e stun.ErrorCodeAttribute
	if err := e.GetFrom(m); err != nil {
		return err.Error()
	}
	return fmt.Sprint(int(e.Code))
}

func (p *probe) challenge() {
	p.t.Helper()
	m := p.ask(stun.MustBuild(stun.TransactionID, request(stun.MethodAllocate), udpTransport).Raw)
	if got := outcome(m); got != "401" {
		p.t.Fatalf("a bare Allocate gave %s", got)
	}
	_ = p.realm.GetFrom(m)
	_ = p.nonce.GetFrom(m)
}

func (p *probe) allocate() string {
	p.t.Helper()
	p.challenge()
	m := p.ask(p.signed(stun.MethodAllocate, stun.NewTransactionID(), udpTransport))
	p.noteRelayed(m)
	return outcome(m)
}

func (p *probe) noteRelayed(m *stun.Message) {
	var at stun.XORMappedAddress
	if at.GetFromAs(m, stun.AttrXORRelayedAddress) == nil {
		ip, _ := netip.AddrFromSlice(at.IP)
		p.relayed = netip.AddrPortFrom(ip.Unmap(), uint16(at.Port))
	}
}

func (p *probe) permission(a netip.AddrPort) string {
	p.t.Helper()
	id := stun.NewTransactionID()
	return outcome(p.ask(p.signed(stun.MethodCreatePermission, id, xorPeer(id, a))))
}

func (p *probe) bind(channel uint16, a netip.AddrPort) string {
	p.t.Helper()
	id := stun.NewTransactionID()
	number := raw{stun.AttrChannelNumber, []byte{byte(channel >> 8), byte(channel), 0, 0}}
	return outcome(p.ask(p.signed(stun.MethodChannelBind, id, number, xorPeer(id, a))))
}

func (p *probe) connect(a netip.AddrPort) string {
	p.t.Helper()
	id := stun.NewTransactionID()
	return outcome(p.ask(p.signed(stun.MethodConnect, id, xorPeer(id, a))))
}

func (p *probe) refresh() string {
	p.t.Helper()
	return outcome(p.ask(p.signed(stun.MethodRefresh, stun.NewTransactionID())))
}

// send sends one Send indication, which is not answered.
func (p *probe) send(a netip.AddrPort, data string) {
	p.t.Helper()
	id := stun.NewTransactionID()
	m := stun.MustBuild(stun.NewTransactionIDSetter(id), stun.NewType(stun.MethodSend, stun.ClassIndication),
		xorPeer(id, a), raw{stun.AttrData, []byte(data)})
	if _, err := p.c.Write(m.Raw); err != nil {
		p.t.Fatal(err)
	}
}

func (p *probe) channelData(channel uint16, data string) {
	p.t.Helper()
	b := binary.BigEndian.AppendUint16(nil, channel)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
	if _, err := p.c.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// alive asks a Binding: everything sent before has been handled then, and the listener lives.
func (p *probe) alive() {
	p.t.Helper()
	if got := outcome(p.ask(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)); got != "ok" {
		p.t.Fatalf("Binding: %s", got)
	}
}

// wantRefused tries the address on every path.
func (p *probe) wantRefused(a netip.Addr) {
	p.t.Helper()
	at := netip.AddrPortFrom(a, 53)
	refused := map[string]bool{"403": true, "443": true} // 443: the other address family, RFC 8656, section 9.2
	if got := p.permission(at); !refused[got] {
		p.t.Errorf("CreatePermission %v: %s", a, got)
	}
	if got := p.bind(0x4001, at); !refused[got] {
		p.t.Errorf("ChannelBind %v: %s", a, got)
	}
	if got := p.connect(at); !refused[got] {
		p.t.Errorf("Connect %v: %s", a, got)
	}
}

// leave ends its allocation.
func (p *probe) leave() string {
	p.t.Helper()
	return outcome(p.ask(p.signed(stun.MethodRefresh, stun.NewTransactionID(), raw{stun.AttrLifetime, make([]byte, 4)})))
}

// nextData is the payload of the next Data indication.
func (p *probe) nextData() string {
	p.t.Helper()
	buf := make([]byte, 2048)
	_ = p.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		n, err := p.c.Read(buf)
		if err != nil {
			p.t.Fatal(err)
		}
		m := &stun.Message{Raw: buf[:n]}
		if m.Decode() == nil && m.Type == stun.NewType(stun.MethodData, stun.ClassIndication) {
			data, _ := m.Get(stun.AttrData)
			return string(data)
		}
	}
}
