package peer

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// askForStamps has the kernel say when each packet came (SO_TIMESTAMPNS, socket(7)).
func askForStamps(c net.PacketConn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	var refused error
	err = raw.Control(func(fd uintptr) { refused = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	return err == nil && refused == nil
}

const stampSize = 16 // of two numbers; systems of 32 bits have it smaller, and do without

// stampOf reads the kernel's word; now, if there is none. It counts by the wall clock, which may have been set meanwhile.
func stampOf(control []byte, now time.Time) time.Time {
	for len(control) > 0 {
		head, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if head.Level == unix.SOL_SOCKET && head.Type == unix.SCM_TIMESTAMPNS && len(data) == stampSize {
			at := time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
			if age := now.Round(0).Sub(at); age >= 0 && age < arrivalLife {
				return now.Add(-age)
			}
		}
		control = rest
	}
	return now
}
