//go:build linux || darwin

package doctor

import "golang.org/x/sys/unix"

// diskSpace is what somebody who is not root may still use.
func diskSpace(dir string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Space{}, err
	}
	size := uint64(s.Bsize) //nolint:gosec // sizes are positive
	return Space{Bytes: s.Bavail * size, Files: s.Ffree, AllFiles: s.Files}, nil
}
