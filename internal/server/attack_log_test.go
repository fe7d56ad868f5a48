package server_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// TestAttackSecretsInLogs lets people do what can be done, at an address of their own, and reads what was logged: secrets
// are in no log, and addresses of people not in one at the usual level.
func TestAttackSecretsInLogs(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
		t.Run(level.String(), func(t *testing.T) {
			log := &journal{}
			s := open(t, realLimits, func(c *server.Config) {
				c.TURNListen, c.MetricsListen = "127.0.0.1:0", "127.0.0.1:0"
				c.EchoRingFor = time.Millisecond
				c.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
			})
			secrets := live(s.from("127.1.33.7"))
			s.close()
			said := log.String()
			for _, secret := range secrets {
				if len(secret) >= 4 && strings.Contains(said, secret) {
					t.Errorf("%q is in the log:\n%s", secret, said)
				}
			}
			if level == slog.LevelInfo {
				own := strings.NewReplacer(s.srv.URL(), "", s.srv.TURNAddr().String(), "", s.srv.MetricsAddr().String(), "")
				for line := range strings.Lines(own.Replace(said)) {
					if found := address.FindString(line); found != "" {
						t.Errorf("an address is in the log: %s in %s", found, line)
					}
				}
			}
			if !strings.Contains(said, "call ended") || !strings.Contains(said, "signed in") {
				t.Errorf("there is next to nothing in the log:\n%s", said)
			}
		})
	}
}

// address finds IPv4 addresses, and IPv6 ones of at least three groups.
var address = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b|\b[0-9a-f]{1,4}(:[0-9a-f]{0,4}){3,7}\b`)

// live does what people do and what strangers try, and gives every secret that was in it.
func live(s *site) (secrets []string) {
	t := s.t
	a, b := s.guest("alice"), s.guest("bob")
	secrets = append(secrets, "127.1.33.7", a.token, a.token[4:], b.token[4:], password)
	for _, wrong := range []string{"my wrong secret", "another wrong one", "Summer of 2026", "a fourth", "a fifth", "a sixth, too many"} {
		s.login("alice", wrong, "X-Forwarded-For", "203.0.113.99", "Authorization", "Bearer vc1_madeup"+wrong[:3])
		secrets = append(secrets, wrong)
	}
	cookie := cookieIn(t, s.send("POST", "/api/login", js(signal.Register{Name: "bob", Password: password, Cookie: true})))
	secrets = append(secrets, cookie, strings.TrimPrefix(cookie, "__Host-visavis=vc1_"), "203.0.113.99", "madeup")
	s.send("POST", "/api/login", "{broken", "Content-Type", "text/plain")
	s.send("GET", "/api/me?token="+b.token, "")
	alice, bob := a.phone("a"), b.phone("b")
	call := invite(alice, b.user, bob)
	in := decode[signal.Accepted](t, bob.must(signal.CallAccept, "", call, signal.Accept{Video: true}))
	alice.push(signal.CodeAccepted, call)
	if len(in.ICEServers) != 1 || in.ICEServers[0].Credential == "" {
		t.Fatalf("no relay: %+v", in)
	}
	alice.must(signal.MessageOffer, "", call, signal.SDP{SDP: "v=0\r\na=ice-pwd:sdpsecret\r\na=candidate:1 1 udp 1 203.0.113.78 9 typ host\r\n"})
	alice.must(signal.MessageCandidate, "", call, signal.Candidate{Candidate: "candidate:1 1 udp 1 203.0.113.77 9 typ host"})
	alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: "between us"})
	alice.refused(signal.ErrBadRequest, signal.MessageOffer, "", call, signal.SDP{SDP: "not an sdp with secrets"})
	alice.must(signal.CallReport, "", call, signal.Report{Path: signal.PathRelay, SetupMs: 5})
	alice.must(signal.CallHangup, "", call, signal.Hangup{})
	bob.ended(call, signal.EndHangup)
	secrets = append(secrets, brokenOffers(t, alice)...)
	alice.pour([]byte("\x81\x85\x00\x00\x00\x00{\xffpwd"))
	secrets = append(secrets, in.ICEServers[0].Credential, "sdpsecret", "203.0.113.77", "203.0.113.78", "between us", "sdp with secrets")
	for _, table := range []string{"users", "sessions"} {
		for _, text := range texts(t, s.database(), table) {
			if len(text) == 64 || strings.HasPrefix(text, "$argon2id$") {
				secrets = append(secrets, text)
			}
		}
	}
	b.do(204, "POST", "/api/password", signal.NewPassword{Old: password, New: "a newer fine one"})
	secrets = append(secrets, "a newer fine one")
	if out := s.send("POST", "/api/logout", "", "Authorization", "Bearer "+a.token); out.status != http.StatusNoContent {
		t.Fatalf("logout: %d", out.status)
	}
	alice.closed()
	bob.cut()
	return secrets
}

// brokenOffers calls Echo with descriptions that it cannot take, whose libraries say in their errors what they have read.
func brokenOffers(t *testing.T, caller *phone) (secrets []string) {
	t.Helper()
	const (
		session = "v=0\r\no=- 1 1 IN IP4 203.0.113.80\r\ns=-\r\nt=0 0\r\n"
		audio   = session + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 203.0.113.80\r\na=mid:0\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\na=setup:actpass\r\n"
		keys    = "a=ice-ufrag:echoufrag\r\na=ice-pwd:echopassword0123456789abc\r\n"
	)
	for _, offer := range []string{
		"v=0\r\no=- 1 1 IN IP4 203.0.113.80 echopassword\r\nx=203.0.113.80\r\n",
		session + "m=audio 203.0.113.80 echopassword\r\n",
		audio + keys + "a=candidate:1 1 udp echopassword 203.0.113.80 9 typ host\r\na=fingerprint:sha-256 echopassword\r\n",
		audio + keys + "a=candidate:1 1 udp 1 203.0.113.80 9 typ echopassword\r\na=fingerprint:sha-256 " + strings.Repeat("AA:", 31) + "AA\r\n",
		audio + keys + "a=fingerprint:echopassword 203.0.113.80\r\n",
		audio + "a=ice-ufrag:echoufrag\r\na=ice-pwd:echopassword\r\na=extmap:echopassword 203.0.113.80\r\na=fingerprint:sha-256 " + strings.Repeat("AA:", 31) + "AA\r\n",
	} {
		call := signal.NewID()
		caller.must(signal.CallInvite, "echo", call, signal.Invite{})
		caller.push(signal.CodeAccepted, call)
		caller.must(signal.MessageOffer, "", call, signal.SDP{SDP: offer})
		if _, err := caller.wait(func(e signal.Envelope) bool {
			return e.CallID == call && (e.Code == signal.CodeEnded || e.Code == signal.CodeAnswer)
		}); err != nil {
			t.Fatal(err)
		}
		// If it was answered:
		caller.ask(signal.MessageCandidate, "", call, signal.Candidate{Candidate: "candidate:1 1 udp echopassword 203.0.113.80 9 typ host"})
		caller.ask(signal.CallHangup, "", call, signal.Hangup{})
	}
	return []string{"echopassword", "203.0.113.80", "echoufrag"}
}

// Who does not take a large export is given up, and the log says whose it was but not where: the error of a socket names
// both its ends.
func TestABrokenOffExportNamesNoAddress(t *testing.T) {
	s := open(t, plain, func(c *server.Config) { c.Limits.ReplyWait = time.Second })
	g := s.guest("alice")
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(s.srv.DataDir, "visavis.db"))+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
		INSERT INTO messages (room, from_id, to_id, text, sent_ms) SELECT 'x', ?1, ?1, printf('%.2000c', 'x'), i FROM n`, g.user.ID); err != nil {
		t.Fatal(err)
	}
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.1.34.7")}}
	c, err := dial.DialContext(t.Context(), "tcp", s.srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET /api/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", g.token); err != nil {
		t.Fatal(err)
	}
	s.until("it is given up", func() bool { return strings.Contains(s.log.String(), "export broken off") })
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "export broken off") && (strings.Contains(line, "127.1.34.7") || !strings.Contains(line, g.user.ID)) {
			t.Errorf("the log says %s", line)
		}
	}
}

// TestReadyAndMetrics reads what somebody who watches a server reads.
func TestReadyAndMetrics(t *testing.T) {
	s := open(t, func(c *server.Config) { c.MetricsListen, c.TURNListen = "127.0.0.1:0", "127.0.0.1:0" })
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := s.send("GET", path, ""); a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"status"`)) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	b.phone("b2")
	s.login("alice", "not this one")
	s.login("alice", password)
	call := talk(alice, bob, b.user)
	want := func(name string, v float64) {
		t.Helper()
		if got := s.metric(name); got != v {
			t.Errorf("%s is %v, want %v", name, got, v)
		}
	}
	want("visavis_users", 3)
	want("visavis_users_online", 2)
	want("visavis_devices_online", 3)
	want("visavis_sockets", 3)
	want("visavis_calls_talking", 1)
	want("visavis_calls_ringing", 0)
	want("visavis_sign_ins_total", 1)
	want("visavis_sign_ups_total", 2)
	want("visavis_password_hashes_total", 4)
	want("visavis_password_hashes_waiting", 0)
	want("visavis_relay_allocations", 0)
	want(`visavis_http_refused_total{code="wrong_password"}`, 1)
	want("visavis_journal_failing", 0)
	alice.must(signal.CallReport, "", call, signal.Report{Path: signal.PathDirect, SetupMs: 120})
	bob.must(signal.CallReport, "", call, signal.Report{Path: signal.PathDirect, SetupMs: 420})
	alice.must(signal.CallHangup, "", call, signal.Hangup{})
	bob.ended(call, signal.EndHangup)
	missed := invite(alice, b.user, bob)
	alice.must(signal.CallCancel, "", missed, nil)
	bob.ended(missed, signal.EndCancelled)
	want(`visavis_calls_ended_total{reason="hangup"}`, 1)
	want(`visavis_calls_ended_total{reason="cancelled"}`, 1)
	want(`visavis_calls_ended_total{reason="busy"}`, 0)
	want(`visavis_calls_path_total{path="direct"}`, 1)
	want(`visavis_call_setup_seconds_bucket{le="0.3"}`, 0)
	want(`visavis_call_setup_seconds_bucket{le="0.5"}`, 1)
	want("visavis_call_setup_seconds_count", 1)
	want("visavis_call_duration_seconds_count", 1)
	want("visavis_calls_talking", 0)
	if v := s.metric("go_goroutines"); v < 5 {
		t.Errorf("%v goroutines", v)
	}
}

// TestMetricsAreDocumented compares what is shown with docs/operating.md.
func TestMetricsAreDocumented(t *testing.T) {
	s := open(t, func(c *server.Config) { c.MetricsListen, c.TURNListen = "127.0.0.1:0", "127.0.0.1:0" })
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`visavis_[a-z_]+[a-z]`)
	documented := map[string]bool{}
	for _, name := range named.FindAllString(string(page), -1) {
		documented[name] = true
	}
	shown := map[string]bool{}
	for line := range strings.Lines(s.metrics()) {
		if f := strings.Fields(line); len(f) > 2 && f[1] == "TYPE" && strings.HasPrefix(f[2], "visavis_") {
			shown[f[2]] = true
		}
	}
	for name := range shown {
		if !documented[name] {
			t.Errorf("%s is not in docs/operating.md", name)
		}
	}
	for name := range documented {
		if !shown[name] {
			t.Errorf("docs/operating.md has %s, which is not shown", name)
		}
	}
}
