package server_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

func TestRestartKeepsSessionsChatAndCalls(t *testing.T) {
	c := config(t.TempDir())
	s := openConfig(t, c)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	over := talk(alice, bob, b.user)
	alice.must(signal.CallHangup, "", over, signal.Hangup{})
	alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: "still there?"})
	alice.must(signal.MessageSendToAll, "", "", signal.Text{Text: "good morning"})
	running := talk(alice, bob, b.user)
	fingerprint := s.srv.Fingerprint()
	s.srv.Close()
	for _, p := range []*phone{alice, bob} {
		if code := p.closed(); code != 1012 {
			t.Errorf("%s's socket was closed with %d, want 1012", p.name, code)
		}
	}

	s = openConfig(t, c)
	if s.srv.Fingerprint() != fingerprint {
		t.Error("the certificate has changed")
	}
	a.site, b.site = s, s
	alice, bob = a.phone("a"), b.phone("b")
	if alice.hello.CallID != running || bob.hello.CallID != running {
		t.Errorf("the call that went on is %q and %q, want %q", alice.hello.CallID, bob.hello.CallID, running)
	}
	if r := a.record(running); r.Ended != nil || r.Accepted == nil {
		t.Errorf("the call that goes on is on record as %+v", r)
	}
	if r := a.record(over); r.Reason != signal.EndHangup {
		t.Errorf("the call before is on record as %+v", r)
	}
	m := decode[signal.Messages](t, bob.must(signal.MessageHistory, "", "", signal.History{With: a.user.ID}))
	if len(m.Messages) != 1 || m.Messages[0].Text != "still there?" || m.Messages[0].FromName != "alice" {
		t.Errorf("bob's chat with alice is %+v", m.Messages)
	}
	m = decode[signal.Messages](t, bob.must(signal.MessageHistory, "", "", signal.History{}))
	if len(m.Messages) != 1 || m.Messages[0].Text != "good morning" {
		t.Errorf("the lobby is %+v", m.Messages)
	}
	bob.must(signal.CallHangup, "", running, signal.Hangup{})
	alice.ended(running, signal.EndHangup)
}

func TestStoppingEndsWhatRings(t *testing.T) {
	c := config(t.TempDir())
	s := openConfig(t, c)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	call := invite(alice, b.user, bob)
	s.srv.Close()
	for _, p := range []*phone{alice, bob} {
		p.ended(call, signal.EndServerStopped)
		if code := p.closed(); code != 1012 {
			t.Errorf("%s's socket was closed with %d, want 1012", p.name, code)
		}
	}
	s = openConfig(t, c)
	a.site, b.site = s, s
	if r := b.record(call); r.Reason != signal.EndServerStopped || !r.Missed {
		t.Fatalf("bob reads %+v", r)
	}
}

func TestTwoServersOnOneFolder(t *testing.T) {
	s := open(t)
	second := &server.Server{Config: config(s.srv.DataDir)}
	err := second.Start(t.Context())
	if !errors.Is(err, server.ErrInUse) || !strings.Contains(err.Error(), "--data") {
		t.Fatalf("the second server: %v", err)
	}
	s.guest("alice") // the first lives on
}

func TestPortTaken(t *testing.T) {
	s := open(t, func(c *server.Config) { c.TURNListen = "127.0.0.1:0" })
	c := config(t.TempDir())
	c.Listen = s.srv.Addr().String()
	if err := (&server.Server{Config: c}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another program uses "+c.Listen) || !strings.Contains(err.Error(), "--listen") {
		t.Fatalf("the site's port: %v", err)
	}
	c.Listen, c.TURNListen = "127.0.0.1:0", s.srv.TURNAddr().String()
	if err := (&server.Server{Config: c}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another program uses "+c.TURNListen) || !strings.Contains(err.Error(), "--turn-listen") {
		t.Fatalf("the relay's port: %v", err)
	}
	// What failed has left nothing behind: the same folder works with free ports.
	c.TURNListen = "127.0.0.1:0"
	openConfig(t, c).guest("alice")
}

func TestBadConfigurations(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*server.Config){
		"HOST:PORT":        func(c *server.Config) { c.Listen = "somewhere" },
		"loopback only":    func(c *server.Config) { c.HTTP, c.Listen = true, "0.0.0.0:0" },
		"come together":    func(c *server.Config) { c.CertFile = file },
		"certificate":      func(c *server.Config) { c.CertFile, c.KeyFile = file, file },
		"one or the other": func(c *server.Config) { c.HTTP, c.CertFile, c.KeyFile = true, file, file },
		"data folder":      func(c *server.Config) { c.DataDir = file },
		"no such host":     func(c *server.Config) { c.Listen = "no-such-host.invalid:0" },
		"are not a range":  func(c *server.Config) { c.TURNListen, c.PortMin = "127.0.0.1:0", 5 },
		"relay address":    func(c *server.Config) { c.TURNListen = "nowhere" },
	} {
		c := config(t.TempDir())
		change(&c)
		s := &server.Server{Config: c}
		if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) && !(want == "no such host" && strings.Contains(err.Error(), "lookup")) {
			t.Errorf("want an error about %q, got: %v", want, err)
			s.Close()
		}
	}
}

func TestOwnCertificateAndStateFile(t *testing.T) {
	s := open(t)
	c := config(t.TempDir())
	c.CertFile, c.KeyFile = s.srv.CertFile(), filepath.Join(filepath.Dir(s.srv.CertFile()), "key.pem")
	own := openConfig(t, c)
	own.guest("alice")
	if own.srv.Fingerprint() != s.srv.Fingerprint() || len(s.srv.Fingerprint()) != 95 {
		t.Errorf("fingerprints %q and %q", own.srv.Fingerprint(), s.srv.Fingerprint())
	}
	b, err := os.ReadFile(filepath.Join(c.DataDir, server.StateFile))
	var st server.State
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil || st.URL != own.srv.URL() || st.PID != os.Getpid() || st.Certificate != c.CertFile || st.Listen != own.srv.Addr().String() || st.TURN != "" {
		t.Errorf("state file %+v, %v", st, err)
	}
	own.close()
	if _, err := os.Stat(filepath.Join(c.DataDir, server.StateFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end the state file is there: %v", err)
	}
	for _, f := range []string{c.KeyFile, filepath.Join(s.srv.DataDir, "visavis.db")} {
		if fi, err := os.Stat(f); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, fi.Mode(), err)
		}
	}
}

func TestPlainHTTPOnLoopback(t *testing.T) {
	s := open(t, func(c *server.Config) { c.HTTP = true })
	if !strings.HasPrefix(s.srv.URL(), "http://127.0.0.1:") || s.srv.CertFile() != "" {
		t.Fatalf("it is at %s with %q", s.srv.URL(), s.srv.CertFile())
	}
	g := s.guest("alice")
	g.phone("a").must(signal.UserList, "", "", nil)
	a := s.send("POST", "/api/login", `{"name":"alice","password":"`+password+`","cookie":true}`)
	if c := a.header.Get("Set-Cookie"); !strings.HasPrefix(c, "visavis=vc1_") || strings.Contains(c, "Secure") || !strings.Contains(c, "HttpOnly") {
		t.Fatalf("cookie %q", c)
	}
}

func TestHealthAndUnknownPages(t *testing.T) {
	s := open(t)
	if a := s.send("GET", "/healthz", ""); a.status != http.StatusOK || !strings.Contains(string(a.body), `"ok"`) {
		t.Errorf("healthz: %d %s", a.status, a.body)
	}
	if a := s.send("GET", "/", ""); a.status != http.StatusOK || !strings.Contains(string(a.body), "<html") {
		t.Errorf("the page: %d", a.status)
	}
	for path, want := range map[string]int{"/api/nothing": 404, "/api": 404, "/nothing": 404, "/../../etc/passwd": 404, "/%2e%2e%2fetc/passwd": 404} {
		if a := s.send("GET", path, ""); a.status != want && a.status != 400 {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	a := s.send("DELETE", "/api/login", "")
	if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" || a.failure().Error == "" {
		t.Errorf("DELETE /api/login: %d %s", a.status, a.body)
	}
	if a := s.send("GET", "/api/info", ""); !strings.Contains(string(a.body), `"protocol":"visavis.1"`) || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("info: %s", a.body)
	}
}

func TestListensOnEveryInterface(t *testing.T) {
	s := open(t, func(c *server.Config) { c.Listen = ":0" })
	if !strings.HasPrefix(s.srv.URL(), "https://localhost:") {
		t.Fatalf("it is at %s", s.srv.URL())
	}
	s.guest("alice")
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strings.TrimPrefix(s.srv.URL(), "https://localhost:")), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
