package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestForwardedFor(t *testing.T) {
	proxies, err := ParseProxies("127.0.0.1, 10.0.0.0/8,2001:db8:1::/48")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Config: Config{TrustedProxies: proxies}}
	for _, c := range []struct {
		from string
		says []string
		want string
	}{
		{"198.51.100.7:5", nil, "198.51.100.7"},
		{"198.51.100.7:5", []string{"203.0.113.9"}, "198.51.100.7"}, // a stranger's word
		{"127.0.0.1:5", nil, "127.0.0.1"},
		{"127.0.0.1:5", []string{""}, "127.0.0.1"},
		{"127.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"[::ffff:127.0.0.1]:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"127.0.0.1:5", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"127.0.0.1:5", []string{"[2001:db8::9]:4711"}, "2001:db8::9"},
		{"127.0.0.1:5", []string{"2001:db8::9"}, "2001:db8::9"},
		{"127.0.0.1:5", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		// What the client itself wrote comes before what the proxies added, and counts for nothing.
		{"127.0.0.1:5", []string{"192.0.2.1, 203.0.113.9"}, "203.0.113.9"},
		{"127.0.0.1:5", []string{"192.0.2.1", "203.0.113.9"}, "203.0.113.9"},
		{"127.0.0.1:5", []string{"192.0.2.1, 203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
		{"[2001:db8:1::1]:5", []string{"203.0.113.9, 10.1.2.3, 10.9.9.9"}, "203.0.113.9"},
		// Nobody but proxies, or nonsense: the farthest that can be believed.
		{"127.0.0.1:5", []string{"10.5.5.5, 10.1.2.3"}, "10.5.5.5"},
		{"127.0.0.1:5", []string{"unknown, 10.1.2.3"}, "10.1.2.3"},
		{"127.0.0.1:5", []string{"203.0.113.9, nonsense"}, "127.0.0.1"},
		{"127.0.0.1:5", []string{"fe80::1%eth0"}, "fe80::1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.from
		for _, h := range c.says {
			r.Header.Add("X-Forwarded-For", h)
		}
		got := ""
		s.behindProxies(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = remote(r).String() })).
			ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("from %s with %q: %s, want %s", c.from, c.says, got, c.want)
		}
	}
}

func TestStrangersHeadersAreTakenAway(t *testing.T) {
	s := &Server{}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-Proto", "https")
	s.behindProxies(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if forwardedHTTPS(r) {
			t.Error("a stranger's X-Forwarded-Proto is believed")
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestParseProxies(t *testing.T) {
	for _, bad := range []string{"proxy.example", "10.0.0.0/33", "0.0.0.0/0", "::/0", "127.0.0.1;::1"} {
		if p, err := ParseProxies(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, p)
		}
	}
	if p, err := ParseProxies(" "); err != nil || len(p) != 0 {
		t.Errorf("nobody: %v, %v", p, err)
	}
}
