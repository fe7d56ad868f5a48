package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"visavis.example/internal/testkit"
)

// TestBadCommandLines runs the client with what people get wrong: each must say what is wrong and end with the right code
// before anybody is called.
func TestBadCommandLines(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	bob := s.answer("bob")
	text := s.Path("letter.y4m")
	s.must(os.WriteFile(text, []byte("Dear Bob,\n"), 0o600))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	nobody := closed.Addr().String()
	s.must(closed.Close())
	stranger := &testkit.Stage{Dir: t.TempDir(), Bin: bin}
	other, err := stranger.Server(s.ctx)
	s.must(err)
	t.Cleanup(other.Close)

	here := []string{"--server", s.srv.URL, "--ca", s.srv.CA, "--user", "alice"}
	for name, c := range map[string]struct {
		args     []string
		password string
		code     int
		says     string
	}{
		"no such command":      {[]string{"dial"}, testkit.Password, 2, "dial"},
		"no such flag":         {append([]string{"call", "bob", "--loud"}, here...), testkit.Password, 2, "loud"},
		"call whom":            {append([]string{"call"}, here...), testkit.Password, 2, "whom"},
		"odd size":             {append([]string{"call", "bob", "--size", "big"}, here...), testkit.Password, 2, "--size"},
		"camera is a letter":   {append([]string{"call", "bob", "--camera", "file:" + text}, here...), testkit.Password, 2, "letter.y4m"},
		"sound is a letter":    {append([]string{"call", "bob", "--microphone", "file:" + text}, here...), testkit.Password, 2, "letter.y4m"},
		"camera is not there":  {append([]string{"call", "bob", "--camera", "file:" + s.Path("none.y4m")}, here...), testkit.Password, 2, "none.y4m"},
		"wrong password":       {append([]string{"call", "bob"}, here...), "not the password", 3, "assword"},
		"server is not there":  {[]string{"call", "bob", "--server", nobody, "--user", "alice"}, testkit.Password, 3, "reach"},
		"unknown certificate":  {[]string{"call", "bob", "--server", s.srv.URL, "--user", "alice"}, testkit.Password, 3, "ertificate"},
		"another certificate":  {[]string{"call", "bob", "--server", s.srv.URL, "--ca", other.CA, "--user", "alice"}, testkit.Password, 3, "ertificate"},
		"plain http elsewhere": {[]string{"call", "bob", "--server", "http://192.0.2.1", "--user", "alice"}, testkit.Password, 3, "http"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := testkit.Start(name, filepath.Join(bin, "visavis"), []string{
				"VISAVIS_PASSWORD=" + c.password, "XDG_CONFIG_HOME=" + t.TempDir(), "DISPLAY=", "WAYLAND_DISPLAY=", "DBUS_SESSION_BUS_ADDRESS=",
			}, c.args...)
			s.must(err)
			defer p.Close()
			code, err := p.Exit(s.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if code != c.code || !strings.Contains(p.Errors(), c.says) {
				t.Errorf("ended with %d, want %d, and said %q, want something with %q", code, c.code, p.Errors(), c.says)
			}
			if strings.Contains(p.Errors(), "goroutine ") {
				t.Error("it panicked")
			}
		})
	}
	for _, e := range bob.Events() {
		if e.Event == "incoming" {
			t.Error("bob was called all the same")
		}
	}
}

// TestBadServerStarts starts servers that cannot work.
func TestBadServerStarts(t *testing.T) {
	s := newScene(t, nil)
	address := strings.TrimPrefix(s.srv.URL, "https://")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"port is taken":         {[]string{"--listen", address, "--turn-listen", "127.0.0.1:0", "--data", t.TempDir()}, 1, "in use"},
		"folder is taken":       {[]string{"--listen", "127.0.0.1:0", "--turn-listen", "127.0.0.1:0", "--data", s.srv.Data}, 1, "another server"},
		"plain HTTP to all":     {[]string{"--http", "--listen", "0.0.0.0:0", "--turn-listen", "127.0.0.1:0", "--data", t.TempDir()}, 1, "loopback"},
		"no such certificate":   {[]string{"--cert", "none.pem", "--key", "none.pem", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, 1, "none.pem"},
		"address is no address": {[]string{"--listen", "here", "--data", t.TempDir()}, 1, "here"},
		"no such flag":          {[]string{"--loud"}, 2, "loud"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(s.ctx, filepath.Join(bin, "visavis-server"), append([]string{"serve"}, c.args...)...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
				t.Errorf("ended with %v, want %d, and said %q, want something with %q", err, c.code, out, c.says)
			}
		})
	}
}
