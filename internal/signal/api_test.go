package signal

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for typed, want := range map[string]string{
		"call.example.org":           "https://call.example.org:8443",
		" call.example.org:9000 ":    "https://call.example.org:9000",
		"https://call.example.org":   "https://call.example.org:443",
		"https://call.example.org/":  "https://call.example.org:443",
		"HTTPS://192.0.2.7:1":        "https://192.0.2.7:1",
		"::1":                        "https://[::1]:8443",
		"[2001:db8::1]:99":           "https://[2001:db8::1]:99",
		"http://127.0.0.1:8080":      "http://127.0.0.1:8080",
		"http://localhost":           "http://localhost:80",
		"http://[::1]:8080":          "http://[::1]:8080",
		"http://call.example.org":    "", // plain and not here
		"http://127.0.0.1.evil.test": "",
		"ftp://call.example.org":     "",
		"call.example.org/path":      "",
		"user@call.example.org":      "",
		"call.example.org:0":         "",
		"call.example.org:99999":     "",
		"call.example.org:http":      "",
		"two words":                  "",
		"":                           "",
		"https://":                   "",
	} {
		a, err := ParseAddress(typed)
		switch {
		case want == "" && !IsCode(err, ErrBadAddress):
			t.Errorf("%q: %+v, %v", typed, a, err)
		case want != "" && (err != nil || a.Base() != want):
			t.Errorf("%q: %q, %v; want %q", typed, a.Base(), err, want)
		case want != "" && a.Socket() != "ws"+strings.TrimPrefix(want, "http")+"/ws":
			t.Errorf("%q: socket %q", typed, a.Socket())
		}
	}
}

func TestPlaces(t *testing.T) {
	for typed, want := range map[string]string{
		"call.example.org":         "https://call.example.org:443 https://call.example.org:8443",
		" 192.0.2.7 ":              "https://192.0.2.7:443 https://192.0.2.7:8443",
		"2001:db8::1":              "https://[2001:db8::1]:443 https://[2001:db8::1]:8443",
		"[2001:db8::1]":            "https://[2001:db8::1]:443 https://[2001:db8::1]:8443",
		"call.example.org:8443":    "https://call.example.org:8443",
		"https://call.example.org": "https://call.example.org:443",
		"http://127.0.0.1":         "http://127.0.0.1:80",
		"two words":                "",
	} {
		var got []string
		for _, p := range Places(typed) {
			if a, err := ParseAddress(p); err == nil {
				got = append(got, a.Base())
			}
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("%q: %q, want %q", typed, all, want)
		}
	}
}

func apiFor(t *testing.T, server, ca string) *API {
	t.Helper()
	addr, err := ParseAddress(server)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := Trust(ca)
	if err != nil {
		t.Fatal(err)
	}
	api := NewAPI(addr, conf)
	t.Cleanup(api.Close)
	return api
}

func jsonReply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestAPI(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/info", jsonReply(200, `{"name":"Visavis","protocol":"visavis.1"}`))
	mux.HandleFunc("POST /api/register", jsonReply(409, `{"error":"name_taken","message":"That name is taken."}`))
	mux.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) != `{"name":"anna","password":"pw","device":"d"}` {
			t.Errorf("body %s", b)
		}
		jsonReply(200, `{"user":{"id":"u1","name":"anna"},"token":"vc1_x"}`)(w, r)
	})
	mux.HandleFunc("POST /api/logout", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer vc1_x" {
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /api/me", jsonReply(200, `{"user":{"id":"u1","name":"anna"}}`))
	mux.HandleFunc("GET /api/calls", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "before=c2&limit=5" {
			t.Errorf("query %q", r.URL.RawQuery)
		}
		jsonReply(200, `{"calls":[{"id":"c1"}],"more":true}`)(w, r)
	})
	mux.HandleFunc("GET /api/calls/{id}", jsonReply(404, `{"error":"not_found"}`))
	s := httptest.NewServer(mux)
	defer s.Close()
	a, ctx := apiFor(t, s.URL, ""), t.Context()

	if info, err := a.Info(ctx); err != nil || info.Name != "Visavis" {
		t.Errorf("info %+v, %v", info, err)
	}
	if _, err := a.Register(ctx, Register{}); !IsCode(err, ErrNameTaken) || err.Error() != "That name is taken." {
		t.Errorf("register: %v", err)
	}
	in, err := a.Login(ctx, Register{Name: "anna", Password: "pw", Device: "d"})
	if err != nil || in.Token != "vc1_x" || in.User.ID != "u1" {
		t.Errorf("login %+v, %v", in, err)
	}
	if err := a.Logout(ctx, in.Token); err != nil {
		t.Errorf("logout: %v", err)
	}
	if u, err := a.Me(ctx, in.Token); err != nil || u.Name != "anna" {
		t.Errorf("me %+v, %v", u, err)
	}
	if c, err := a.Calls(ctx, in.Token, "c2", 5); err != nil || len(c.Calls) != 1 || !c.More {
		t.Errorf("calls %+v, %v", c, err)
	}
	if _, err := a.Call(ctx, in.Token, "../me"); !IsCode(err, ErrNotFound) {
		t.Errorf("call: %v", err)
	}
}

// What answers but is no Visavis server must be called that, and a password must not follow a redirect.
func TestNotAVisavisServer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"page":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello") },
		"other API": jsonReply(200, `{"ok":true}`),
		"404":       http.NotFound,
		"bad JSON":  jsonReply(500, `{`),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Error("followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(h)
			defer s.Close()
			a := apiFor(t, s.URL, "")
			if _, err := a.Login(t.Context(), Register{}); !IsCode(err, ErrNotVisavis) {
				t.Errorf("login: %v", err)
			}
			if _, err := a.Info(t.Context()); !IsCode(err, ErrNotVisavis) {
				t.Errorf("info: %v", err)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(jsonReply(200, `{"protocol":"visavis.1"}`))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	print := Fingerprint(s.Certificate())

	_, err := apiFor(t, s.URL, "").Info(t.Context())
	if !IsCode(err, ErrCertificate) || !strings.Contains(err.Error(), print) || len(print) != 95 {
		t.Errorf("untrusted: %v", err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := apiFor(t, s.URL, ca).Info(t.Context()); err != nil {
		t.Errorf("trusted: %v", err)
	}
	other := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // not in the test certificate
	if _, err := apiFor(t, other, ca).Info(t.Context()); !IsCode(err, ErrCertificate) || !strings.Contains(err.Error(), "another name") {
		t.Errorf("other name: %v", err)
	}

	c := &Client{URL: "wss" + strings.TrimPrefix(s.URL, "https"), Connect: Connect{DeviceID: me}}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if e := <-c.Events(); !IsCode(e.Err, ErrCertificate) {
		t.Errorf("socket: %v", e.Err)
	}
	if _, err := Trust(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file is trusted")
	}
	if err := os.WriteFile(ca, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Trust(ca); err == nil {
		t.Error("a file without a certificate is trusted")
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "https://" + l.Addr().String()
	_ = l.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for url, code := range map[string]string{
		gone: ErrUnreachable,
		strings.Replace(plain.URL, "http://", "https://", 1): ErrNotVisavis,
	} {
		if _, err := apiFor(t, url, "").Info(t.Context()); !IsCode(err, code) {
			t.Errorf("%s: %v, want %s", url, err, code)
		} else {
			t.Log(err)
		}
	}
}
