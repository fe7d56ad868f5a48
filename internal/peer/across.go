package peer

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
)

// across asks addresses across a relay of ours whether they agree to be sent to (RFC 7675). pion writes there, but keeps
// the answers to checks of its own alone, and one that controls ICE makes none any more once it has chosen. So what comes
// from the relay is looked through while an answer is missing: whatever it is wrapped in, an indication, channel data or a
// piece of a stream (RFC 8656), it has the number of a check, which nobody knows but who got it.
type across struct {
	got func(to netip.AddrPort, b []byte) // what may be an answer; must not block

	asking  atomic.Bool // a check is being written
	waiting atomic.Int32
	mu      sync.Mutex
	asked   map[[transactionIDSize]byte]acrossAsk
}

type acrossAsk struct {
	to netip.AddrPort
	at time.Time
}

// maxAcross bounds the checks that wait for an answer: more are asked when those have waited for acrossLife.
const (
	maxAcross  = 64
	acrossLife = 3 * time.Second
)

// expects notes a check; false: there are too many.
func (a *across) expects(id [transactionIDSize]byte, to netip.AddrPort, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for old, ask := range a.asked {
		if now.Sub(ask.at) > acrossLife {
			delete(a.asked, old)
		}
	}
	ok := len(a.asked) < maxAcross
	if ok {
		if a.asked == nil {
			a.asked = map[[transactionIDSize]byte]acrossAsk{}
		}
		a.asked[id] = acrossAsk{to, now}
	}
	a.waiting.Store(int32(len(a.asked)))
	return ok
}

// heard looks for answers in what a relay sent.
func (a *across) heard(b []byte) {
	if a.waiting.Load() == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, ask := range a.asked {
		i := bytes.Index(b, id[:])
		if time.Since(ask.at) > acrossLife {
			delete(a.asked, id)
		} else if m, ok := messageAt(b, i-8); ok && stunType(m) == stunSuccess {
			delete(a.asked, id)
			a.got(ask.to, bytes.Clone(m))
		}
	}
	a.waiting.Store(int32(len(a.asked)))
}

// messageAt is the STUN message that begins there.
func messageAt(b []byte, i int) ([]byte, bool) {
	if i < 0 || len(b)-i < stunHeader {
		return nil, false
	}
	b = b[i:]
	size := stunHeader + int(binary.BigEndian.Uint16(b[2:]))
	if size > len(b) {
		return nil, false
	}
	return b[:size], true
}

func (a *across) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = nil
	a.waiting.Store(0)
}

// relaySocket is a way to a relay by datagrams.
type relaySocket struct {
	net.PacketConn
	across *across
}

// ReadFrom implements net.PacketConn.
func (s *relaySocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.PacketConn.ReadFrom(b)
	if err == nil {
		s.across.heard(b[:n])
	}
	return n, from, err
}

// relayStream is one by a stream. An answer that two reads have a part of is missed; the other says again that it has
// moved, and is asked again.
type relayStream struct {
	net.Conn
	across *across
}

// Read implements net.Conn.
func (s *relayStream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.across.heard(b[:max(n, 0)])
	return n, err
}

// askAcross asks an address for its consent; never blocks.
func (s *Session) askAcross(to netip.AddrPort, by io.Writer) {
	if !s.hold.gate.across.asking.CompareAndSwap(false, true) {
		return // it says so again
	}
	s.box.post(func() {
		now := time.Now()
		m, err := s.check(false, sparePriority)
		if err != nil || s.talk.over || s.hold.on || !s.hold.gate.across.expects(m.TransactionID, to, now) {
			s.hold.gate.across.asking.Store(false)
			return
		}
		s.wg.Go(func() { // a relay may have to be asked for its permission first
			_, _ = by.Write(m.Raw)
			s.hold.gate.across.asking.Store(false)
		})
	})
}

// answeredAcross takes the answer.
func (s *Session) answeredAcross(to netip.AddrPort, b []byte) {
	remote := s.pc.CurrentRemoteDescription()
	m := &stun.Message{Raw: b}
	if remote == nil || m.Decode() != nil {
		return
	}
	if _, password := iceCredentials(remote.SDP); stun.NewShortTermIntegrity(password).Check(m) == nil {
		s.hold.gate.consent(to, time.Now())
	}
}
