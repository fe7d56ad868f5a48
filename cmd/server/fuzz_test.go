package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzConfiguration reads any text as a configuration file: it is taken, or refused with the file's name and, for what is
// wrong in a line, its number. What is taken means the same when it is read again, and when every setting that can say
// what it is is written out.
func FuzzConfiguration(f *testing.F) {
	b, err := os.ReadFile(sample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	var on strings.Builder // every setting at once
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") && strings.Contains(line, " = ") {
			on.WriteString(line[1:])
		}
	}
	f.Add(on.String())
	for _, text := range []string{
		"", "\ufeff", "=", " = ", "a=b", "listen = \"", "listen = \"a\" b", "listen = a #", "lan = yes\r\nlan=no", "\x00", "#", "config = x",
		"limit-chat-lines = 9223372036854775807 then 1 per 9223372036854775807ns", "limit-body-size = 16777216 KB", "turn-ports = 0-65536",
		"public-ip = ::ffff:1.2.3.4, 1.2.3.4", "trusted-proxies = ::/0", "domain = ,", "log = \u2028", "ping-every = 1e9h", "limit-relay-bandwidth =  mbit/s",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	n := 0
	f.Fuzz(func(t *testing.T, text string) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n, ".conf"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(path) }()
		o, err := readOptions(path)
		if err != nil {
			says := err.Error()
			if !strings.Contains(says, path) || strings.Contains(says, ".go:") || len(says) > 2*len(text)+1000 {
				t.Errorf("%.200q: it says %.2000q", text, says)
			}
			return
		}
		again, err := readOptions(path)
		if err != nil || fmt.Sprintf("%+v", again.config) != fmt.Sprintf("%+v", o.config) {
			t.Fatalf("%.200q is read as %+v, and then as %+v, %v", text, o.config, again.config, err)
		}
		for _, l := range o.config.Limits.List() {
			if v := l.Value.String(); l.Value.Set(v) != nil {
				t.Errorf("%.200q: %s shows %q, and does not take it", text, l.Name, v)
			}
		}
	})
}
