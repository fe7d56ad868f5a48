package server_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
)

// guesses tries to sign in 25 times, each time under another name, and says how often it was told to wait. On a machine
// that takes seconds for that, one more is free every three: that many count as refused.
func guesses(t *testing.T, s *site, from func(n int) string) (refused int) {
	t.Helper()
	start := time.Now()
	defer func() {
		if 0 < refused && refused < 5 {
			refused = min(5, refused+int(time.Since(start)/(3*time.Second)))
		}
	}()
	for n := range 25 {
		body := fmt.Sprintf(`{"name":"nobody%d","password":"not a password"}`, n)
		a := s.send("POST", "/api/login", body, "X-Forwarded-For", from(n))
		switch a.status {
		case http.StatusTooManyRequests:
			refused++
		case http.StatusUnauthorized:
		default:
			t.Fatalf("guess %d: %d %s", n, a.status, a.body)
		}
	}
	return refused
}

// Row 43 of the attacks: X-Forwarded-For from anybody but a named proxy dodges no limit.
func TestAttackForwardedForSpoof(t *testing.T) {
	limits := func(c *server.Config) { c.Limits.Accounts = accounts.Limits{} }
	each := func(n int) string { return fmt.Sprintf("203.0.%d.7", n) }
	one := func(int) string { return "203.0.113.7" }

	if n := guesses(t, open(t, limits), each); n != 5 {
		t.Errorf("a guesser who says that he is many is told to wait %d times of 25, want 5", n)
	}
	proxied := func(c *server.Config) {
		limits(c)
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	if n := guesses(t, open(t, proxied), each); n != 0 {
		t.Errorf("25 people behind the proxy are taken for one: %d told to wait", n)
	}
	if n := guesses(t, open(t, proxied), one); n != 5 {
		t.Errorf("one guesser behind the proxy is told to wait %d times, want 5", n)
	}
	// What he writes himself stands before what the proxy adds.
	if n := guesses(t, open(t, proxied), func(n int) string { return each(n) + ", " + one(n) }); n != 5 {
		t.Errorf("one guesser behind the proxy who says that he is many: %d, want 5", n)
	}
}

func TestCookiesBehindAProxyThatSpeaksHTTPS(t *testing.T) {
	for _, c := range []struct {
		trusted bool
		want    string
	}{{true, "__Host-visavis=vc1_"}, {false, "visavis=vc1_"}} {
		s := open(t, func(conf *server.Config) {
			conf.HTTP = true
			if c.trusted {
				conf.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			}
		})
		s.guest("alice")
		a := s.send("POST", "/api/login", `{"name":"alice","password":"`+password+`","cookie":true}`, "X-Forwarded-Proto", "https")
		cookie := a.header.Get("Set-Cookie")
		if !strings.HasPrefix(cookie, c.want) || strings.Contains(cookie, "Secure") != c.trusted {
			t.Errorf("trusted %v: %q", c.trusted, cookie)
		}
		if !c.trusted {
			continue
		}
		pair, _, _ := strings.Cut(cookie, ";")
		if a := s.send("GET", "/api/me", "", "Cookie", pair, "X-Forwarded-Proto", "https"); a.status != http.StatusOK {
			t.Errorf("with that cookie: %d %s", a.status, a.body)
		}
	}
}
