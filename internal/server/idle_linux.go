package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patient makes a connection that has been accepted a waiter.
func patient(c net.Conn, r *room) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	w := &waitingConn{TCPConn: tcp, raw: raw, room: r}
	if raw.Control(func(fd uintptr) { w.fd = int32(fd) }) != nil { //nolint:gosec // the kernel's are no larger
		return c
	}
	return w
}

// waitingConn is a waiter over TCP.
type waitingConn struct {
	*net.TCPConn
	raw     syscall.RawConn
	room    *room   // nil: there is none
	sleeper sleeper // who waits, or waited last
	fd      int32
	trying  bool // the reader's own

	// The room's, under its lock.
	watched bool          // the descriptor is in its set
	closed  bool          // and the descriptor is somebody else's, or about to be
	until   time.Duration // the read deadline, since the room began; 0: none
}

// Try implements waiter.
func (c *waitingConn) Try(on bool) { c.trying = on }

// Read implements net.Conn.
func (c *waitingConn) Read(p []byte) (n int, err error) {
	if !c.trying || len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	a := attempts.Get().(*attempt) //nolint:forcetypeassert // nothing else is put there
	a.to = p
	failed := c.raw.Read(a.do)
	n, err = a.n, a.err
	a.to = nil
	attempts.Put(a)
	switch {
	case failed != nil:
		return 0, failed // closed, or past the deadline
	case errors.Is(err, unix.EAGAIN):
		return 0, errNothing
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// attempt is a read that does not wait. Its function is made once: every idle socket's every ping needs it.
type attempt struct {
	to  []byte
	n   int
	err error
	do  func(fd uintptr) bool
}

var attempts = sync.Pool{New: func() any {
	a := &attempt{}
	a.do = a.read
	return a
}}

func (a *attempt) read(fd uintptr) bool {
	for {
		if a.n, a.err = unix.Read(int(fd), a.to); !errors.Is(a.err, unix.EINTR) {
			return true
		}
	}
}

// Await implements waiter.
func (c *waitingConn) Await(s sleeper) {
	c.sleeper = s
	if !c.room.enter(c) {
		go c.rest()
	}
}

// rest waits where there is no room, or none for this one. Nothing may be added here that needs a larger stack.
func (c *waitingConn) rest() {
	_ = c.raw.Read(readable)
	go c.sleeper.wake()
}

// readable says whether a read would not wait. The poller alone would not do: it forgets what came before it was asked.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != unix.EAGAIN && err != unix.EINTR
}

// SetReadDeadline implements net.Conn.
func (c *waitingConn) SetReadDeadline(t time.Time) error {
	err := c.TCPConn.SetReadDeadline(t)
	c.room.remind(c, t)
	return err
}

// SetDeadline implements net.Conn.
func (c *waitingConn) SetDeadline(t time.Time) error {
	err := c.TCPConn.SetDeadline(t)
	c.room.remind(c, t)
	return err
}

// Close implements net.Conn.
func (c *waitingConn) Close() error {
	waited := c.room.leave(c)
	err := c.TCPConn.Close()
	if waited {
		go c.sleeper.wake()
	}
	return err
}
