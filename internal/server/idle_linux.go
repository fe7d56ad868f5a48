package server

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// patient makes a connection that has been accepted a waiter.
func patient(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	return &waitingConn{TCPConn: tcp, raw: raw}
}

// waitingConn is a waiter over TCP.
type waitingConn struct {
	*net.TCPConn
	raw    syscall.RawConn
	trying bool // the reader's own
}

// Try implements waiter.
func (c *waitingConn) Try(on bool) { c.trying = on }

// Read implements net.Conn.
func (c *waitingConn) Read(p []byte) (n int, err error) {
	if !c.trying || len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	failed := c.raw.Read(func(fd uintptr) bool {
		for {
			if n, err = unix.Read(int(fd), p); err != unix.EINTR { //nolint:errorlint // a bare errno
				return true
			}
		}
	})
	switch {
	case failed != nil:
		return 0, failed // closed, or past the deadline
	case err == unix.EAGAIN: //nolint:errorlint // a bare errno
		return 0, errNothing
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Wait implements waiter.
func (c *waitingConn) Wait() { _ = c.raw.Read(readable) }

// readable says whether a read would not wait. The poller alone would not do: it forgets what came before it was asked.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != unix.EAGAIN && err != unix.EINTR //nolint:errorlint // bare errnos
}
