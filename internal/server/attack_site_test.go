package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

var injections = []string{
	"' OR 1=1--", `" OR ""="`, `'; DROP TABLE users; --`, `"; DROP TABLE sessions; --`, `x'); DELETE FROM messages; --`, "\\", "\\'", "%", "_", "?", "?1", ":a", "$1",
	"nul\x00nul", "1; ATTACH DATABASE 'x.db' AS x", "' UNION SELECT password FROM users --", "＇ OR 1=1", "ʼ; --", "/*", "--", "NULL", "0x27", "a\u2028b",
}

// TestAttackSQLInjection puts SQL into every field of the HTTP API. SQLite is the only database there is.
func TestAttackSQLInjection(t *testing.T) {
	s := open(t)
	a := s.guest("alice")
	db := s.database()
	before := tables(t, db)
	users, sessions := 0, 0
	for i, evil := range injections {
		if st := s.send("POST", "/api/register", js(signal.Register{Name: evil, Password: password})).status; st == http.StatusOK && evil == "0x27" {
			users, sessions = users+1, sessions+1 // which may be a name
		} else if st != http.StatusBadRequest {
			t.Errorf("a name of %q: %d", evil, st)
		}
		if st := s.login(evil, evil).status; st != http.StatusUnauthorized {
			t.Errorf("signing in as %q: %d", evil, st)
		}
		if st := s.login("alice", evil).status; st != http.StatusUnauthorized {
			t.Errorf("signing in with %q: %d", evil, st)
		}
		in := signal.Register{Name: fmt.Sprint("person", i), Password: "long enough " + evil, Device: evil}
		switch r := s.send("POST", "/api/register", js(in)); {
		case r.status == http.StatusOK:
			users, sessions = users+1, sessions+1
			if st := s.login(in.Name, in.Password).status; st != http.StatusOK {
				t.Errorf("the password %q cannot be used: %d", in.Password, st)
			}
			sessions++
		case r.status != http.StatusBadRequest || r.failure().Error != signal.ErrBadPassword:
			t.Errorf("a password with %q: %d %s", evil, r.status, r.body)
		}
		for _, path := range []string{"/api/calls/" + url.PathEscape(evil), "/api/calls?before=" + url.QueryEscape(evil), "/api/calls?limit=" + url.QueryEscape(evil)} {
			if r := s.send("GET", path, "", "Authorization", "Bearer "+a.token); r.status < 400 || r.status >= 500 {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
		at := url.PathEscape(evil)
		for path, body := range map[string]any{
			"PUT /api/blocks/" + at: nil, "DELETE /api/sessions/" + at: nil, "DELETE /api/invites/" + at: nil,
			"POST /api/password": signal.NewPassword{Old: evil, New: "another fine one"}, "POST /api/invite/check": map[string]string{"invite": evil},
			"DELETE /api/me": map[string]string{"password": evil}, "PUT /api/me/dnd": map[string]string{"until": evil},
		} {
			method, path, _ := strings.Cut(path, " ")
			if r := s.send(method, path, js(body), "Authorization", "Bearer "+a.token); r.status < 400 || r.status >= 500 {
				t.Errorf("%s %s: %d %s", method, path, r.status, r.body)
			}
		}
		if st := s.send("GET", "/api/me", "", "Cookie", "__Host-visavis=vc1_"+url.QueryEscape(evil)).status; st != http.StatusUnauthorized {
			t.Errorf("a session of %q: %d", evil, st)
		}
	}
	mega := strings.Repeat("'", 1<<20)
	for _, path := range []string{"/api/login", "/api/register"} {
		if st := s.send("POST", path, js(signal.Register{Name: mega, Password: mega})).status; st != http.StatusRequestEntityTooLarge {
			t.Errorf("%s with a megabyte: %d", path, st)
		}
	}
	want := maps.Clone(before)
	want["users"], want["sessions"] = want["users"]+users, want["sessions"]+sessions
	if got := tables(t, db); !maps.Equal(got, want) {
		t.Errorf("the tables have %v rows, want %v", got, want)
	}
	if users < len(injections)/2 {
		t.Errorf("only %d of %d odd passwords were taken", users, len(injections))
	}
}

// TestAttackSQLInjectionOnTheSocket does the same with every field of messages.
func TestAttackSQLInjectionOnTheSocket(t *testing.T) {
	s := open(t, noMessageLimit)
	a, b := s.guest("alice"), s.guest("bob")
	alice := a.phone("a")
	db := s.database()
	before := tables(t, db)
	var kept []string
	for _, evil := range injections {
		if e := alice.ask(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: evil}); e.Code == signal.CodeOK {
			kept = append(kept, evil)
		} else if !strings.Contains(evil, "\x00") {
			t.Errorf("a line of %q is refused: %s", evil, e.Message)
		}
		for _, m := range []signal.Method{signal.MessageSendTo, signal.CallInvite} {
			if e := alice.ask(m, evil, signal.NewID(), map[string]any{"text": "x"}); e.Code != signal.CodeError {
				t.Errorf("%s to %q is taken", m, evil)
			}
		}
		for _, m := range []signal.Method{signal.CallInvite, signal.CallAccept, signal.CallHangup, signal.MessageOffer} {
			if e := alice.ask(m, b.user.ID, evil, map[string]any{"sdp": "v=0"}); e.Code != signal.CodeError {
				t.Errorf("%s of call %q is taken", m, evil)
			}
		}
		if m := decode[signal.Messages](t, alice.must(signal.MessageHistory, "", "", signal.History{With: evil})); len(m.Messages) > 0 {
			t.Errorf("history with %q: %+v", evil, m)
		}
		alice.refused(signal.ErrUnknownMethod, signal.Method("x"+evil), "", "", nil)
	}
	m := decode[signal.Messages](t, alice.must(signal.MessageHistory, "", "", signal.History{With: b.user.ID, Limit: signal.MaxHistory}))
	if len(m.Messages) != len(kept) {
		t.Fatalf("%d lines are read back of %d", len(m.Messages), len(kept))
	}
	for i, l := range m.Messages {
		if l.Text != kept[i] {
			t.Errorf("%q is read back as %q", kept[i], l.Text)
		}
	}
	want := maps.Clone(before)
	want["messages"] += len(kept)
	if got := tables(t, db); !maps.Equal(got, want) {
		t.Errorf("the tables have %v rows, want %v", got, want)
	}
}

// TestAttackRequestFlood asks again and again with a good session: each answer would read the disk. Others are served, the
// person's own other devices among them, and so are the flooder's socket and the way out.
func TestAttackRequestFlood(t *testing.T) {
	const most = 20
	s := open(t, func(c *server.Config) {
		c.Limits.Accounts.RequestsPerSession = limit.Rate{Burst: most, Every: time.Hour}
	})
	m, b := s.guest("mallory"), s.guest("bob")
	mallory := m.phone("m")
	paths := []string{"/api/calls?limit=200", "/api/calls/" + signal.NewID(), "/api/me", "/api/sessions", "/api/blocks", "/api/invites", "/api/export"}
	answered := 0
	for i := range 100 {
		a := m.site.send("GET", paths[i%len(paths)], "", "Authorization", "Bearer "+m.token)
		if a.status == http.StatusOK || a.status == http.StatusNotFound {
			answered++
			continue
		}
		if wait, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != http.StatusTooManyRequests || a.failure().Error != signal.ErrTooMany || err != nil || wait < 1 {
			t.Fatalf("%s: %d, Retry-After %q, %s", paths[i%len(paths)], a.status, a.header.Get("Retry-After"), a.body)
		}
	}
	if answered > most {
		t.Errorf("%d requests were answered, at most %d may", answered, most)
	}
	b.do(http.StatusOK, "GET", "/api/me", nil)
	s.again("mallory").do(http.StatusOK, "GET", "/api/me", nil)
	mallory.must(signal.UserList, "", "", nil)
	m.do(http.StatusNoContent, "POST", "/api/logout", nil)
	if code := mallory.closed(); code != 1008 {
		t.Errorf("the socket of who has signed out closed with %d", code)
	}
}

func TestAttackPathTraversal(t *testing.T) {
	s := open(t)
	for _, path := range []string{
		"/../../../../etc/passwd", "/js/../../../etc/passwd", "/%2e%2e%2f%2e%2e%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%5c..%5cwindows/win.ini",
		"/static//etc/passwd", "//etc/passwd", "/etc/passwd%00.js", "/js/main.js%00", "/%c0%ae%c0%ae/etc/passwd", "/./.../etc/passwd", "/visavis.db", "/../visavis.db",
		"/../data/tls/key.pem", "/js/", "/static/", "/.git/config", "/api/../../etc/passwd", "/api/calls/../../../etc/passwd", "/api/calls/..%2f..%2fetc%2fpasswd",
		"/debug/pprof/", "/metrics", "/server.json", "/..;/etc/passwd", "/~root/", "/file:///etc/passwd", "http://127.0.0.1/etc/passwd",
	} {
		at := path
		for range 3 { // to where it redirects, if it does
			res, body := s.rawRequest("GET " + at + " HTTP/1.1\r\nHost: " + s.srv.Addr().String() + "\r\nConnection: close\r\n\r\n")
			if strings.Contains(body, "root:") || strings.Contains(body, "PRIVATE KEY") || strings.Contains(body, "SQLite") {
				t.Fatalf("%s gives %.200s", path, body)
			}
			if res.StatusCode >= 300 && res.StatusCode < 400 {
				if at = res.Header.Get("Location"); !strings.HasPrefix(at, "/") || strings.HasPrefix(at, "//") {
					t.Fatalf("%s leads to %q", path, at)
				}
				continue
			}
			if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %d %.100s", path, res.StatusCode, body)
			}
			break
		}
	}
}

// TestAttackTokenInTheAddress stands where the table of attacks has tickets in addresses: this server has none, because
// nothing is ever authorised by an address, which proxies log and browsers remember.
func TestAttackTokenInTheAddress(t *testing.T) {
	s := open(t)
	g := s.guest("alice")
	for _, query := range []string{"token", "access_token", "ticket", "authorization", "session", "__Host-visavis"} {
		if st := s.socketStatus("/ws?"+query+"="+g.token, nil, signal.Subprotocol); st != http.StatusUnauthorized {
			t.Errorf("a socket with ?%s=: %d", query, st)
		}
		if a := s.send("GET", "/api/me?"+query+"="+g.token, ""); a.status != http.StatusUnauthorized {
			t.Errorf("me with ?%s=: %d", query, a.status)
		}
	}
	if st := s.socketStatus("/ws", nil, signal.Subprotocol, g.token); st != http.StatusUnauthorized {
		t.Errorf("a socket with the token as a protocol: %d", st)
	}
	if st := s.socketStatus("/ws", http.Header{"Authorization": {"Bearer " + g.token}}, signal.Subprotocol); st != http.StatusSwitchingProtocols {
		t.Errorf("a socket with the header: %d", st)
	}
}

func TestAttackMetricsOnTheSite(t *testing.T) {
	s := open(t, func(c *server.Config) { c.MetricsListen = "127.0.0.1:0" })
	if !s.srv.MetricsAddr().Addr().IsLoopback() {
		t.Fatalf("metrics are at %v", s.srv.MetricsAddr())
	}
	g := s.guest("alice")
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars", "/api/metrics", "/debug/"} {
		for _, h := range []string{"", "Bearer " + g.token} {
			if a := s.send("GET", path, "", "Authorization", h); a.status != http.StatusNotFound {
				t.Errorf("%s: %d %.100s", path, a.status, a.body)
			}
		}
	}
	for _, everywhere := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		c := config(t.TempDir())
		c.MetricsListen = everywhere
		bad := &server.Server{Config: c}
		if err := bad.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("metrics at %s: %v", everywhere, err)
			bad.Close()
		}
	}
}

// TestAttackForwardedForSpoofByAnybody dodges limits with what proxies write about addresses.
func TestAttackForwardedForSpoofByAnybody(t *testing.T) {
	s := open(t, realLimits)
	s.guest("alice")
	reached := 0
	for i := range 40 {
		other := fmt.Sprintf("198.51.%d.7", i)
		a := s.login("alice", "wrong one", "X-Forwarded-For", other+", 127.0.0.1", "X-Real-IP", other, "Forwarded", "for="+other, "True-Client-IP", other,
			"CF-Connecting-IP", other, "X-Client-IP", other, "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http")
		if a.status == http.StatusUnauthorized {
			reached++
			continue
		}
		limited(t, a)
	}
	if reached > 8 {
		t.Errorf("%d of 40 guesses reached the hash", reached)
	}
}

// TestAttackHostHeader sends a made-up Host, which must not reach anybody else.
func TestAttackHostHeader(t *testing.T) {
	s := open(t, func(c *server.Config) { c.TURNListen = "127.0.0.1:0" })
	a, b := s.guest("alice"), s.guest("bob")
	alice := a.phone("a")
	conn, _, err := s.dial(http.Header{"Authorization": {"Bearer " + b.token}, "Host": {"evil.example"}}, signal.Subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	bob := newPhone(t, "bob", conn)
	bob.connect("b")
	call := invite(alice, b.user, bob)
	in := decode[signal.Accepted](t, bob.must(signal.CallAccept, "", call, signal.Accept{}))
	if u := strings.Join(in.ICEServers[0].URLs, " "); !strings.Contains(u, "evil.example") {
		t.Fatalf("bob, who came by evil.example, is sent to %s", u) // or the test tests nothing
	}
	if e := alice.push(signal.CodeAccepted, call); strings.Contains(string(e.Data), "evil.example") {
		t.Errorf("alice is sent where bob's header says: %s", e.Data)
	}
	for _, h := range []string{"evil.example", "evil.example:443", "a b", "<script>", strings.Repeat("x", 5000), "[::1", ""} {
		for _, path := range []string{"/", "/api/info", "/api/me"} {
			res, body := s.rawRequest("GET " + path + " HTTP/1.1\r\nHost: " + h + "\r\nConnection: close\r\n\r\n")
			if strings.Contains(body, "evil.example") || strings.Contains(body, "<script>") || res.Header.Get("Location") != "" || res.StatusCode >= 500 {
				t.Errorf("Host %.20q, %s: %d %v %.100s", h, path, res.StatusCode, res.Header, body)
			}
		}
	}
}

func TestAttackHomoglyphNames(t *testing.T) {
	s := open(t)
	s.guest("alice")
	s.guest("müller")
	for name, want := range map[string]string{
		"Alice": signal.ErrNameTaken, "ALICE": signal.ErrNameTaken, "ａｌｉｃｅ": signal.ErrNameTaken, "Müller": signal.ErrNameTaken, "mu\u0308ller": signal.ErrNameTaken,
		"  alice ": signal.ErrNameTaken,
		"аlice":    signal.ErrBadName, "alicе": signal.ErrBadName, "αlice": signal.ErrBadName, "ali\u200bce": signal.ErrBadName, "alice\u202e": signal.ErrBadName,
		"al\u00adice": signal.ErrBadName, "аdmin": signal.ErrBadName, "ADMIN": signal.ErrBadName, "ｅｃｈｏ": signal.ErrBadName, "Εcho": signal.ErrBadName,
		"𝐚𝐥𝐢𝐜𝐞": signal.ErrBadName, "ﬁona": signal.ErrBadName,
	} {
		if a := s.send("POST", "/api/register", js(signal.Register{Name: name, Password: password})); a.status < 400 || a.failure().Error != want {
			t.Errorf("%q: %d %s, want %s", name, a.status, a.body, want)
		}
	}
}
