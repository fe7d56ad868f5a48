package server_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
)

// Root's commands leave no file that the server could not read.
func TestRootDoesNotWriteIntoOthersFolders(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a folder away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 1, -1); err != nil {
		t.Fatal(err)
	}
	_, err := server.OpenOffline(t.Context(), dir, "1", accounts.Work{}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, server.ErrOwner) || !strings.Contains(err.Error(), "runuser -u ") {
		t.Errorf("a command: %v", err)
	}
	if _, _, err := server.Restore(t.Context(), dir, bytes.NewReader(nil), time.Now()); !errors.Is(err, server.ErrOwner) {
		t.Errorf("a restore: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}
