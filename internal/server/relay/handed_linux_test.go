package relay

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// reuseAddr lets a socket be bound to a port that another connection of this machine has.
func reuseAddr(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) //nolint:gosec // descriptors are small
	})
	if err != nil {
		return err
	}
	return failed
}
