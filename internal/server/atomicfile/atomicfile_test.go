package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAWholeFileOrTheOldOne(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "it")
	if err := Write(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk full")
	err := Create(path, 0o600, func(f *os.File) error {
		_, _ = f.WriteString("half")
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	check := func(want string, mode os.FileMode) {
		t.Helper()
		b, err := os.ReadFile(path)
		i, serr := os.Stat(path)
		if err != nil || serr != nil || string(b) != want || i.Mode() != mode {
			t.Fatalf("%q, mode %v, %v, %v", b, i.Mode(), err, serr)
		}
		if all, _ := os.ReadDir(dir); len(all) != 1 {
			t.Errorf("left beside it: %v", all)
		}
	}
	check("old", 0o644)
	if err := Write(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("new", 0o600)
	if Write(filepath.Join(dir, "no such folder", "it"), nil, 0o600) == nil {
		t.Error("written where there is no folder")
	}
}
