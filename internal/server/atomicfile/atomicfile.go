// Package atomicfile writes files that are there as a whole or not at all: readers, and whoever comes after a crash, find
// the old one or the new one. It owns nothing; the server's parts that keep files call it.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write replaces a file by b.
func Write(path string, b []byte, mode os.FileMode) error {
	return Create(path, mode, func(f *os.File) error {
		_, err := f.Write(b)
		return err
	})
}

// Create replaces a file by what write puts into it, when that and the way to the disk succeed.
func Create(path string, mode os.FileMode, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600 until it has what it is to have
	if err != nil {
		return err
	}
	err = write(f)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
