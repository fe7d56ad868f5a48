package peer

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// outsider is a socket that says that the other has moved to it. It knows the call's passwords, as the other does.
type outsider struct {
	net.PacketConn
	names, key, peersKey string
	number               uint32
	answers              atomic.Bool // checks
	checks, media        atomic.Int64
}

// newOutsider is against p, which is on a relay of its own.
func newOutsider(t *testing.T, p *party) (o *outsider, relayed net.Addr) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil {
		t.Fatal(err)
	}
	ours, key := iceCredentials(p.pc.CurrentLocalDescription().SDP)
	theirs, peersKey := iceCredentials(p.pc.CurrentRemoteDescription().SDP)
	o = &outsider{PacketConn: conn, names: ours + ":" + theirs, key: key, peersKey: peersKey}
	done := make(chan struct{})
	go o.read(done)
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return o, &net.UDPAddr{IP: net.ParseIP(pair.Local.Address), Port: int(pair.Local.Port)}
}

func (o *outsider) read(done chan struct{}) {
	defer close(done)
	b := make([]byte, 2048)
	for {
		n, from, err := o.ReadFrom(b)
		if err != nil {
			return
		}
		switch stunType(b[:n]) {
		case 0:
			o.media.Add(1)
		case stunRequest:
			o.checks.Add(1)
			m := &stun.Message{Raw: bytes.Clone(b[:n])}
			at := stun.XORMappedAddress{IP: from.(*net.UDPAddr).IP, Port: from.(*net.UDPAddr).Port}
			if !o.answers.Load() {
				_, _ = o.WriteTo(b[:n], from) // an echo is no consent
			} else if m.Decode() == nil {
				reply, _ := stun.Build(m, stun.BindingSuccess, at, stun.NewShortTermIntegrity(o.peersKey), stun.Fingerprint)
				_, _ = o.WriteTo(reply.Raw, from)
			}
		}
	}
}

// moves says so.
func (o *outsider) moves(t *testing.T, to net.Addr, offerer bool) {
	t.Helper()
	o.number++
	role := stun.AttrICEControlling
	if offerer {
		role = stun.AttrICEControlled
	}
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(o.names),
		stun.RawAttribute{Type: role, Value: []byte{0, 0, 0, 0, 0, 0, 0, 1}},
		stun.RawAttribute{Type: stun.AttrPriority, Value: binary.BigEndian.AppendUint32(nil, sparePriority)},
		stun.RawAttribute{Type: attrNomination, Value: binary.BigEndian.AppendUint32(nil, o.number)},
		stun.NewShortTermIntegrity(o.key), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.WriteTo(m.Raw, to); err != nil {
		t.Fatal(err)
	}
}

// Whoever sends across a relay of its own follows a move, too, but only to an address that answers. Else the other could
// aim the call's media at anybody whose address it can send from.
func TestFollowerOnARelayAsksFirst(t *testing.T) {
	udp, tcp := newRelay(t)
	for _, c := range []struct {
		name, url string
		offerer   bool // is the follower
	}{{"offerer by datagrams", udp, true}, {"offerer by a stream", tcp, true}, {"answerer", udp, false}} {
		t.Run(c.name, func(t *testing.T) {
			a, b := newPair(t, func(s *Session) {
				if s.Offerer == c.offerer {
					s.RelayOnly, s.ICEServers = true, []ICEServer{{URLs: []string{c.url}, Username: "u", Credential: "secret"}}
				}
			})
			call(t, a, b)
			flows(t, a, b)
			follower := map[bool]*party{true: a, false: b}[c.offerer]
			o, relayed := newOutsider(t, follower)
			again := time.NewTicker(moveEvery)
			defer again.Stop()
			eventually(t, "the follower has asked", func() bool {
				<-again.C
				o.moves(t, relayed, c.offerer)
				return o.checks.Load() >= 3
			})
			if n := o.media.Load(); n > 0 {
				t.Fatalf("%d packets of media to who has not answered", n)
			}
			o.answers.Store(true)
			eventually(t, "media at the new address", func() bool {
				<-again.C
				o.moves(t, relayed, c.offerer)
				return o.media.Load() > 0
			})
		})
	}
}

// An answer is found in whatever a relay has wrapped it in, once and for its check alone.
func TestAnswersAcrossARelay(t *testing.T) {
	var got []netip.AddrPort
	a := &across{got: func(to netip.AddrPort, _ []byte) { got = append(got, to) }}
	to := netip.MustParseAddrPort("203.0.113.1:9")
	check := func() *stun.Message {
		m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	answer := func(m *stun.Message) []byte {
		reply, err := stun.Build(m, stun.BindingSuccess, stun.NewShortTermIntegrity("secret"), stun.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		return reply.Raw
	}
	first, second := check(), check()
	a.heard(answer(first))
	if !a.expects(first.TransactionID, to, time.Now()) || !a.expects(second.TransactionID, to, time.Now()) {
		t.Fatal("refused")
	}
	good := answer(first)
	for _, b := range [][]byte{
		nil, good[:len(good)-1], good[:12], good[8:], first.Raw, answer(check()),
		bytes.Replace(good, []byte{0x21, 0x12, 0xa4, 0x42}, []byte{0x21, 0x12, 0xa4, 0x43}, 1),
	} {
		a.heard(b)
	}
	if len(got) > 0 {
		t.Errorf("%d answers of what is none", len(got))
	}
	data := append([]byte{0x40, 0, 0, byte(len(good))}, good...) // channel data
	a.heard(data)
	a.heard(data)
	if len(got) != 1 || got[0] != to {
		t.Errorf("%v", got)
	}
	wrapped, err := stun.Build(stun.NewType(stun.MethodData, stun.ClassIndication), stun.TransactionID,
		stun.RawAttribute{Type: stun.AttrXORPeerAddress, Value: make([]byte, 8)},
		stun.RawAttribute{Type: stun.AttrData, Value: answer(second)})
	if err != nil {
		t.Fatal(err)
	}
	a.heard(append([]byte("the end of something else"), wrapped.Raw...))
	if len(got) != 2 || a.waiting.Load() != 0 {
		t.Errorf("%v, and %d wait", got, a.waiting.Load())
	}
	for range 10 * maxAcross {
		a.expects(check().TransactionID, to, time.Now())
	}
	if len(a.asked) != maxAcross || !a.expects(first.TransactionID, to, time.Now().Add(2*acrossLife)) || len(a.asked) != 1 {
		t.Errorf("%d wait for an answer", len(a.asked))
	}
}
