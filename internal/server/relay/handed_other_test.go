//go:build !linux

package relay

import "syscall"

func reuseAddr(_, _ string, _ syscall.RawConn) error { return nil }
