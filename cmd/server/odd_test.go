package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stopAtOnce ends a server as soon as it says that it listens.
type stopAtOnce struct{ stop func() }

func (s stopAtOnce) Write(b []byte) (int, error) {
	s.stop()
	return len(b), nil
}

// TestOddValuesOfFlags gives every flag what makes no sense: the server says what is wrong, or starts and stops; it never
// hangs and never shows its insides. Nothing here leads out of this machine: domains are asked for at a port where nobody is.
func TestOddValuesOfFlags(t *testing.T) {
	deep := filepath.Join(t.TempDir(), "a", "b", "c")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep) // where files are that a name without a folder makes
	started := 0
	newOptions().flags.VisitAll(func(f *flag.Flag) {
		for _, odd := range []string{"\x00\xff", strings.Repeat("x", 70_000), "-1", "99999999999999999999", "[::1", "%n NaN /dev/null"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			var problems bytes.Buffer
			code := run(ctx, []string{
				"serve", "--listen", "127.0.0.1:0", "--turn-listen", "127.0.0.1:0", "--data", t.TempDir(), "--acme-directory", "https://127.0.0.1:1/",
				"--" + f.Name + "=" + odd,
			}, noEnv, stopAtOnce{cancel}, &problems)
			hung := context.Cause(ctx) == context.DeadlineExceeded //nolint:errorlint // as context says it
			cancel()
			says := problems.String()
			if hung || code == exitOK && strings.Contains(says, "panic") || strings.Contains(says, "goroutine ") || strings.Contains(says, ".go:") {
				t.Errorf("--%s=%.40q: %d, hung %v: %.2000s", f.Name, odd, code, hung, says)
			}
			if code != exitOK && !strings.Contains("\n"+says, "\nvisavis-server: ") {
				t.Errorf("--%s=%.40q: %d, and it does not say why: %.2000s", f.Name, odd, code, says)
			}
			if code == exitOK {
				started++
			}
		}
	})
	t.Logf("%d were taken", started)
}
