//go:build unix

package server

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// tryLock takes the whole file, without waiting. The lock ends with the process, however it ends.
func tryLock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // descriptors are small
}

// ErrOwner is why root does not work on the folder of another user.
var ErrOwner = errors.New("the data folder belongs to another user")

// mayWrite keeps root from leaving files in a folder whose user could then not read them.
func mayWrite(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || st.Uid == 0 {
		return nil
	}
	name := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return fmt.Errorf(`%w: %s is %s's. Run this as that user, so that its server can read what is written: "runuser -u %s -- visavis-server …"`,
		ErrOwner, dir, name, name)
}
