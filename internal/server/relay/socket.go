package relay

import (
	"errors"
	"net"
	"sync"
	"time"
)

// socket is the UDP listener as pion sees it. pion's loop ends at the first error of a read; on Windows a datagram
// longer than the buffer and a peer's "port unreachable" are such errors. Here only Close ends it.
type socket struct {
	net.PacketConn
	local  net.Addr
	guard  *guard
	ended  func()
	end    sync.Once
	closed chan struct{}
	shut   sync.Once
}

func newSocket(c net.PacketConn, g *guard, ended func()) *socket {
	return &socket{PacketConn: c, local: c.LocalAddr(), guard: g, ended: ended, closed: make(chan struct{})}
}

// LocalAddr is asked by pion for every packet.
func (s *socket) LocalAddr() net.Addr { return s.local }

// ReadFrom implements net.PacketConn.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	s.guard.book.births.pastAll()
	for failures := 0; ; {
		n, from, err := s.PacketConn.ReadFrom(b)
		switch {
		case err == nil && s.guard.admits(b[:n], clientOf(from)):
			return n, from, nil
		case err == nil:
			failures = 0
			continue
		case errors.Is(err, net.ErrClosed) || !pause(failures, s.closed):
			s.end.Do(s.ended)
			return 0, nil, net.ErrClosed
		}
		failures++
		s.guard.book.count.dropped.Add(1)
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
	out, ok := s.guard.answers(b, clientOf(to))
	if !ok {
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
