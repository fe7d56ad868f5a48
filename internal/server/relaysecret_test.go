package server

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestRelaySecretIsKept(t *testing.T) {
	dir := t.TempDir()
	first, err := relaySecret(dir)
	if err != nil || len(first) != relaySecretSize {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	if again, err := relaySecret(dir); err != nil || !bytes.Equal(again, first) {
		t.Errorf("another one at the second start, %v", err)
	}
	name := filepath.Join(dir, relaySecretFile)
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("its file: %v, %v", fi, err)
	}
	if err := os.Truncate(name, 5); err != nil {
		t.Fatal(err)
	}
	if other, err := relaySecret(dir); err != nil || len(other) != relaySecretSize || bytes.Equal(other, first) {
		t.Errorf("after its file was cut off: %d bytes, %v", len(other), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	if _, err := relaySecret(filepath.Join(dir, "missing")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
