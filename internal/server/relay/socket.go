package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
)

// socket is the UDP listener as pion sees it. pion's loop ends at the first error of a read; on Windows a datagram
// longer than the buffer and a peer's "port unreachable" are such errors. Here only Close ends it.
type socket struct {
	net.PacketConn
	local    net.Addr
	births   *births
	refusals refusals
	dropped  atomic.Uint64
	ended    func()
	end      sync.Once
	closed   chan struct{}
	shut     sync.Once
}

func newSocket(c net.PacketConn, b *births, ended func()) *socket {
	return &socket{PacketConn: c, local: c.LocalAddr(), births: b, ended: ended, closed: make(chan struct{})}
}

// LocalAddr is asked by pion for every packet.
func (s *socket) LocalAddr() net.Addr { return s.local }

// ReadFrom implements net.PacketConn.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	s.births.pastAll()
	for failures := 0; ; failures++ {
		n, from, err := s.PacketConn.ReadFrom(b)
		switch {
		case err == nil:
			return n, from, nil
		case errors.Is(err, net.ErrClosed) || !pause(failures, s.closed):
			s.end.Do(s.ended)
			return 0, nil, net.ErrClosed
		}
		s.dropped.Add(1)
	}
}

// pause waits after errors that come in a row, 1 ms more each time and 100 ms at most; false: closed meanwhile.
func pause(failures int, closed <-chan struct{}) bool {
	t := time.NewTimer(time.Duration(min(failures, 100)) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-closed:
		return false
	}
}

// WriteTo implements net.PacketConn.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	if isResponse(b) { // not data, which another goroutine of pion's sends
		s.births.past(clientOf(to))
	}
	out, ok := s.refusals.pass(b, addrPort(to).Addr(), now())
	if !ok {
		s.dropped.Add(1)
		return len(b), nil
	}
	if _, err := s.PacketConn.WriteTo(out, to); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close implements net.PacketConn.
func (s *socket) Close() error {
	s.shut.Do(func() { close(s.closed) })
	return s.PacketConn.Close()
}

// refusals limits STUN errors to each source, so that a forged source address is not flooded with our 401s and nobody
// guesses at speed. Loopback cannot be forged from outside and is not limited: tests and proxies come from there.
type refusals struct {
	mu   sync.Mutex
	left map[netip.Prefix]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxSources bounds the table; when it is full, those who have been quiet for a second are forgotten, and if that is
// nobody, nobody new is answered.
const maxSources = 1 << 16

// pass looks at what pion sends: false when it is one error too many. It also mends the answer to a ChannelBind to a
// peer that is not permitted, which RFC 8656, section 12.2, wants to be a 403 and pion makes a 401.
func (r *refusals) pass(b []byte, to netip.Addr, now time.Time) ([]byte, bool) {
	if !isSTUNError(b) {
		return b, true
	}
	if !to.IsLoopback() && !r.take(to, now) {
		return nil, false
	}
	return mendForbidden(b), true
}

func (r *refusals) take(to netip.Addr, now time.Time) bool {
	bits := 32
	if to.Is6() {
		bits = 64
	}
	source, err := to.Prefix(bits)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		r.left = map[netip.Prefix]bucket{}
	}
	u, known := r.left[source]
	if !known {
		if len(r.left) >= maxSources && !r.forgetLocked(now) {
			return false
		}
		u = bucket{refusalsASec, now}
	}
	u.tokens = min(refusalsASec, u.tokens+now.Sub(u.at).Seconds()*refusalsASec)
	u.at = now
	ok := u.tokens >= 1
	if ok {
		u.tokens--
	}
	r.left[source] = u
	return ok
}

func (r *refusals) forgetLocked(now time.Time) bool {
	for source, u := range r.left {
		if now.Sub(u.at) >= time.Second {
			delete(r.left, source)
		}
	}
	return len(r.left) < maxSources
}

// isResponse and isSTUNError read the class in the message type: 0b10 is a success and 0b11 an error, RFC 8489, section 5.
func isResponse(b []byte) bool { return stun.IsMessage(b) && b[0]&0x01 != 0 }

func isSTUNError(b []byte) bool {
	return isResponse(b) && b[1]&0x10 != 0
}

var channelBindError = stun.NewType(stun.MethodChannelBind, stun.ClassErrorResponse)

func mendForbidden(b []byte) []byte {
	m := stun.Message{Raw: b}
	var code stun.ErrorCodeAttribute
	if m.Decode() != nil || m.Type != channelBindError || m.Contains(stun.AttrNonce) ||
		code.GetFrom(&m) != nil || code.Code != stun.CodeUnauthorized {
		return b
	}
	mended, err := stun.Build(&m, channelBindError, stun.CodeForbidden)
	if err != nil {
		return b
	}
	return mended.Raw
}

func now() time.Time { return time.Now() }
