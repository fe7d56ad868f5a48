package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// fuzzedPassword is in no seed: nobody who tries words deletes the account with which everything is tried.
const fuzzedPassword = "known to nobody else"

// fuzzed is a server for a fuzz target, over plain HTTP, and somebody who is signed in.
func fuzzed(f *testing.F) (srv *server.Server, client *http.Client, token string) {
	f.Helper()
	c := config(f.TempDir())
	c.HTTP, c.Logger = true, slog.New(slog.DiscardHandler)
	noMessageLimit(&c)
	// Else all but the first of what is tried would only find out that it is too much.
	c.Limits.Accounts.ChangesPerUser, c.Limits.Accounts.InvitesPerNet = c.Limits.Messages, c.Limits.Messages
	srv = &server.Server{Config: c}
	if err := srv.Start(context.Background()); err != nil {
		f.Fatal(err)
	}
	client = &http.Client{Transport: &http.Transport{}, Timeout: patience}
	f.Cleanup(func() { client.CloseIdleConnections(); srv.Close() })
	res, err := client.Post(srv.URL()+"/api/register", "application/json", strings.NewReader(`{"name":"alice","password":"`+fuzzedPassword+`"}`))
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	var in signal.SignedIn
	if err := json.NewDecoder(res.Body).Decode(&in); err != nil || in.Token == "" {
		f.Fatal("register: ", res.Status, err)
	}
	return srv, client, in.Token
}

// addresses of the API that take a body or a part of the address.
var addresses = []string{
	"POST /api/register", "POST /api/login", "POST /api/logout", "GET /api/me", "GET /api/info", "GET /api/calls?before=%s", "GET /api/calls?limit=%s",
	"GET /api/calls/%s", "GET /%s", "GET /api/%s", "POST /api/password", "POST /api/invites", "POST /api/invite/check", "PUT /api/me/dnd",
	"PUT /api/blocks/%s", "DELETE /api/blocks/%s", "DELETE /api/sessions", "DELETE /api/sessions/%s", "DELETE /api/invites/%s", "DELETE /api/me", "GET /api/export",
}

// FuzzHTTP sends any body, any part of an address and any authorization to every address of the API: each is answered,
// every refusal with a code and a text, and none of them is the server's fault.
func FuzzHTTP(f *testing.F) {
	srv, client, token := fuzzed(f)
	for i := range addresses {
		for _, s := range []string{
			`{"name":"bob","password":"a fine password"}`, `{`, `[]`, "\xff", `{"name":"a","name":5}`, `{"name":"' OR 1=1--","password":"x","device":"\u0000"}`,
			`{"uses":9223372036854775807,"days":-1}`, `{"on":true,"until":"2026-13-45T99:99:99Z"}`, `{"old":"a fine password","new":"a fine password"}`,
		} {
			f.Add(uint8(i), s, "Bearer "+token)
		}
	}
	f.Add(uint8(5), "../../etc/passwd", "Basic eDp4")
	f.Add(uint8(3), "", "Bearer vc1_"+strings.Repeat("A", 43))
	f.Cleanup(func() { // before the server ends
		r, err := http.NewRequest("GET", srv.URL()+"/api/me", nil)
		if err != nil {
			f.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(r)
		if err != nil {
			f.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != http.StatusOK {
			f.Errorf("who did all that is not signed in any more: %d", res.StatusCode)
		}
	})
	f.Fuzz(func(t *testing.T, which uint8, text, auth string) {
		method, path, _ := strings.Cut(addresses[int(which)%len(addresses)], " ")
		if strings.Contains(path, "%s") {
			path = fmt.Sprintf(path, pathEscape(text))
		}
		r, err := http.NewRequest(method, srv.URL()+path, strings.NewReader(text))
		if err != nil {
			return
		}
		if which > 127 {
			auth = "Bearer " + token
		}
		if path == "/api/logout" && strings.Contains(auth, token) {
			return // what comes after would be a stranger's
		}
		r.Header.Set("Authorization", auth)
		res, err := client.Do(r)
		if err != nil {
			if strings.Contains(err.Error(), "invalid header") {
				return // the client does not send it
			}
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode >= 500 {
			t.Fatalf("%s %s with %q: %d %s", method, path, text, res.StatusCode, b)
		}
		var why signal.Failure
		api := strings.HasPrefix(res.Request.URL.Path, "/api/") // dots may have led out of it
		if res.StatusCode >= 400 && api && (json.Unmarshal(b, &why) != nil || why.Error == "" || why.Message == "") {
			t.Fatalf("%s %s with %q: %d %s", method, path, text, res.StatusCode, b)
		}
	})
}

// pathEscape keeps slashes and dots, which a path may have.
func pathEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c == '/' || c == '.' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// FuzzSocket sends any bytes after the upgrade, as somebody who has connected: frames that are none, messages that are
// none, and messages. The server ends the socket and goes on.
func FuzzSocket(f *testing.F) {
	srv, client, token := fuzzed(f)
	files, err := filepath.Glob("../signal/testdata/*.request.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden requests: ", err)
	}
	var all []byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame(0x81, b))
		all = append(all, frame(0x81, b)...)
	}
	f.Add(all)
	f.Add(append(frame(0x01, []byte(`{"method":`)), append(frame(0x89, []byte("ping")), frame(0x80, []byte(`"User/List"}`))...)...))
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(frame(0x88, []byte{3, 0xe8}))
	f.Add(frame(0x88, []byte{0}))
	f.Add([]byte{0x81, 5, 'h', 'e', 'l', 'l', 'o'})
	hello := frame(0x81, []byte(`{"method":"User/Connect","data":{"deviceId":"0123456789abcdefghijkl"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := websocket.Dialer{Subprotocols: []string{signal.Subprotocol}}
		conn, res, err := d.Dial("ws"+strings.TrimPrefix(srv.URL(), "http")+"/ws", http.Header{"Authorization": {"Bearer " + token}})
		if err != nil {
			if res != nil && res.StatusCode == http.StatusTooManyRequests {
				return // earlier ones are still ending
			}
			t.Fatal(err)
		}
		_ = res.Body.Close()
		raw := conn.NetConn()
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(patience))
		if _, err := raw.Write(append(bytes.Clone(hello), b...)); err == nil {
			if tcp, ok := raw.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
		}
		if _, err := io.Copy(io.Discard, raw); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // as it comes from the socket
				t.Fatalf("the socket stays open after %q", b)
			}
		}
		alive, err := client.Get(srv.URL() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer alive.Body.Close()
		if _, err := io.Copy(io.Discard, alive.Body); err != nil || alive.StatusCode != http.StatusOK {
			t.Fatalf("after %q: %d, %v", b, alive.StatusCode, err)
		}
	})
}
