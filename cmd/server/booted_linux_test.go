package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUnderABootedSystemd installs the server with "setup" on a machine made of namespaces, whose first process is a real
// systemd: see scripts/booted.sh for what is looked at.
func TestUnderABootedSystemd(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a machine of namespaces")
	}
	program := filepath.Join(os.Getenv("VISAVIS_BIN"), "visavis-server")
	if !filepath.IsAbs(program) {
		program = filepath.Join(t.TempDir(), "visavis-server")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../scripts/booted.sh", program)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) } // it tidies up
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() == 77:
		t.Skipf("%s", out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
