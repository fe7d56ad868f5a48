package relay

import (
	"net"
	"sync"
)

// Serve takes over a connection that was accepted elsewhere, such as one to the site's port, mostly inside TLS, whose
// client turned out to speak STUN. It returns at once, and the relay closes the connection. Its addresses must be
// *net.TCPAddr. The limits of TCP clients hold for all together, whichever port they came to.
func (s *Server) Serve(c net.Conn) {
	if h, ok := s.site.Listener.(*handed); !ok || !h.give(c) {
		_ = c.Close()
	}
}

// handed is a listener of what it is given.
type handed struct {
	at     net.Addr
	conns  chan net.Conn
	closed chan struct{}
	shut   sync.Once
}

func newHanded(at net.Addr) *handed {
	return &handed{at: at, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give waits only for pion's loop, which does nothing but start a goroutine for each connection.
func (h *handed) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		return false
	}
}

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handed) Close() error {
	h.shut.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handed) Addr() net.Addr { return h.at }
