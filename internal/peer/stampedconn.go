package peer

import (
	"net"
	"time"
)

// stampedConn is a socket that says when its packets came.
type stampedConn struct {
	net.PacketConn
	log     *arrivalLog
	message messageReader // nil: the system tells nothing, and they came when they are read
	control [64]byte      // for whoever reads: one goroutine
}

// messageReader is what Go's UDP sockets have.
type messageReader interface {
	ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
}

func newStampedConn(c net.PacketConn, log *arrivalLog) *stampedConn {
	s := &stampedConn{PacketConn: c, log: log}
	if r, ok := c.(messageReader); ok && askForStamps(c) {
		s.message = r
	}
	return s
}

// ReadFrom implements net.PacketConn.
func (s *stampedConn) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	if s.message == nil {
		if n, from, err = s.PacketConn.ReadFrom(b); err == nil {
			s.log.saw(b[:n], time.Now())
		}
		return n, from, err
	}
	n, told, _, at, err := s.message.ReadMsgUDP(b, s.control[:])
	if err != nil {
		return n, nil, err
	}
	s.log.saw(b[:n], stampOf(s.control[:told], time.Now()))
	return n, at, nil
}
