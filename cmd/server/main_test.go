package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"visavis.example/internal/server"
)

// asServer makes this test's program the server itself, for tests that need a process.
const asServer = "VISAVIS_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

func noEnv(string) (string, bool) { return "", false }

// buffer is output that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestServeUntilToldToStop(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	var problems buffer
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--turn-listen", "127.0.0.1:0", "--data", dir}, noEnv, in, &problems)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("it says nothing: %s", problems.String())
	}
	url, ok := strings.CutPrefix(lines.Text(), "listening ")
	if !ok || !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Fatalf("the first line is %q", lines.Text())
	}
	var rest []string
	for len(rest) < 4 && lines.Scan() {
		rest = append(rest, lines.Text())
	}
	if all := strings.Join(rest, "\n"); !strings.Contains(all, "fingerprint ") || !strings.Contains(all, "cert.pem") || !strings.Contains(all, "relay") || !strings.Contains(all, "for the app "+url+"#fp=") {
		t.Fatalf("it says\n%s", all)
	}
	b, err := os.ReadFile(filepath.Join(dir, server.StateFile))
	var st server.State
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil || st.URL != url || st.Version != version || st.TURN == "" {
		t.Fatalf("state %+v, %v", st, err)
	}
	var healthy, sick buffer
	if got := run(ctx, []string{"health", "--data", dir}, noEnv, &healthy, &sick); got != exitOK || healthy.String() != "healthy "+url+"\n" {
		t.Fatalf("health: %d, %s%s", got, healthy.String(), sick.String())
	}

	// A second one on the same folder says why it does not start.
	var second buffer
	if got := run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--turn-listen", "none", "--data", dir}, noEnv, io.Discard, &second); got != exitFailed || !strings.Contains(second.String(), "another server uses this data folder") {
		t.Errorf("the second: %d, %s", got, second.String())
	}
	stop()
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d: %s", got, problems.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "visavis.db-wal")); err == nil {
		t.Error("the database was not closed")
	}
	if got := run(t.Context(), []string{"health", "--data", dir}, noEnv, io.Discard, &sick); got != exitFailed || !strings.Contains(sick.String(), "no server runs on") {
		t.Errorf("health without a server: %d, %s", got, sick.String())
	}
}

func TestFlagsAndEnvironment(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{
			"VISAVIS_LISTEN": "127.0.0.1:1111", "VISAVIS_TURN_LISTEN": "127.0.0.1:2222", "VISAVIS_LAN": "true",
			"VISAVIS_PUBLIC_IP": "198.51.100.1", "VISAVIS_TURN_PORTS": "50000-50100", "VISAVIS_DATA": "",
		}[name]
		return v, ok
	}
	o, err := parse([]string{"--listen", "127.0.0.1:3333"}, env, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c := o.config
	if c.Listen != "127.0.0.1:3333" || c.TURNListen != "127.0.0.1:2222" || !c.LAN || c.PublicIP.String() != "198.51.100.1" ||
		c.PortMin != 50000 || c.PortMax != 50100 || c.DataDir != server.DefaultDataDir {
		t.Errorf("config %+v", c)
	}
	if o, err = parse(nil, noEnv, io.Discard); err != nil || o.config.Listen != ":8443" || o.config.TURNListen != ":3478" || o.config.HTTP {
		t.Errorf("defaults %+v, %v", o.config, err)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, exitOK, "visavis-server serve"},
		{[]string{"help"}, exitOK, "visavis-server serve"},
		{[]string{"version"}, exitOK, version},
		{[]string{"serve", "--help"}, exitOK, "VISAVIS_TURN_LISTEN"},
		{[]string{"fly"}, exitUsage, `no command "fly"`},
		{[]string{"serve", "--fly"}, exitUsage, "fly"},
		{[]string{"serve", "here"}, exitUsage, `"here"`},
		{[]string{"serve", "--public-ip", "x"}, exitUsage, "not an IP address"},
		{[]string{"serve", "--turn-ports", "9-5"}, exitUsage, "MIN-MAX"},
		{[]string{"serve", "--log", "loud"}, exitUsage, "loud"},
		{[]string{"serve", "--listen", "nowhere"}, exitFailed, "HOST:PORT"},
	} {
		var out, problems bytes.Buffer
		args := c.args
		if len(args) > 1 && args[0] == "serve" && c.code == exitFailed {
			args = append(args, "--data", t.TempDir())
		}
		if code := run(t.Context(), args, noEnv, &out, &problems); code != c.code || !strings.Contains(out.String()+problems.String(), c.says) {
			t.Errorf("%v: %d, %s%s", c.args, code, out.String(), problems.String())
		}
	}
	env := func(name string) (string, bool) { return "soon", name == "VISAVIS_LAN" }
	var problems bytes.Buffer
	if code := run(t.Context(), []string{"serve"}, env, io.Discard, &problems); code != exitUsage || !strings.Contains(problems.String(), "VISAVIS_LAN") {
		t.Errorf("bad environment: %d, %s", code, problems.String())
	}
}
