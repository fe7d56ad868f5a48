//go:build unix

package server

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes the whole file, without waiting. The lock ends with the process, however it ends.
func tryLock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // descriptors are small
}
