package lossylink

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Realtime puts this whole process under SCHED_FIFO by executing itself anew, so that packets leave on time on a busy
// machine. All threads must have it, the Go runtime's own too (with one alone, priority inversion stalled it by 70-150 ms),
// and only a program that begins with it has it everywhere. It returns when that is done or not allowed. Call it first in
// main.
func Realtime() error {
	const done = "LOSSYLINK_REALTIME"
	if os.Getenv(done) != "" {
		return os.Unsetenv(done)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 10}
	if err := unix.SchedSetAttr(0, a, 0); err != nil {
		return fmt.Errorf("SCHED_FIFO: %w", err)
	}
	return unix.Exec(exe, os.Args, append(os.Environ(), done+"=1"))
}
