package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"visavis.example/internal/signal"
)

func TestBadRegistrations(t *testing.T) {
	s := open(t)
	s.guest("alice")
	body := func(name, password string) string {
		b, err := json.Marshal(signal.Register{Name: name, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for what, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"taken":            {body("Alice", password), 409, signal.ErrNameTaken},
		"reserved":         {body("Echo", password), 400, signal.ErrBadName},
		"short name":       {body("x", password), 400, signal.ErrBadName},
		"injection":        {body("Robert'); DROP TABLE users;--", password), 400, signal.ErrBadName},
		"nul":              {body("bob\x00", password), 400, signal.ErrBadName},
		"right to left":    {body("bob\u202e", password), 400, signal.ErrBadName},
		"short password":   {body("bob", "1234567"), 400, signal.ErrBadPassword},
		"common password":  {body("bob", "password1"), 400, signal.ErrBadPassword},
		"device too long":  {`{"name":"bob","password":"` + password + `","device":"` + strings.Repeat("x", 65) + `"}`, 400, signal.ErrBadRequest},
		"empty":            {``, 400, signal.ErrBadRequest},
		"not JSON":         {`name=bob`, 400, signal.ErrBadRequest},
		"a list":           {`[]`, 400, signal.ErrBadRequest},
		"null":             {`null`, 400, signal.ErrBadName},
		"wrong type":       {`{"name":5}`, 400, signal.ErrBadRequest},
		"trailing garbage": {body("bob", password) + `{"again":1}`, 400, signal.ErrBadRequest},
		"not UTF-8":        {"{\"name\":\"b\xffb\",\"password\":\"" + password + "\"}", 400, signal.ErrBadRequest},
		"deep":             {strings.Repeat("[", 12_000), 400, signal.ErrBadRequest},
		"too long":         {body("bob", strings.Repeat("x", 17<<10)), 413, signal.ErrBadRequest},
	} {
		a := s.send("POST", "/api/register", c.body)
		if f := a.failure(); a.status != c.status || f.Error != c.code || f.Message == "" {
			t.Errorf("%s: %d %s, want %d %s", what, a.status, a.body, c.status, c.code)
		}
	}
	if a := s.send("POST", "/api/register", `{"name":"O'Brien","password":"'; DROP TABLE users; --","later":{"x":1}}`); a.status != http.StatusOK {
		t.Errorf("an apostrophe and an unknown field: %d %s", a.status, a.body)
	}
	l := decode[signal.Users](t, s.guest("zoe").phone("z").must(signal.UserList, "", "", nil))
	if len(l.Users) != 3 { // alice, O'Brien, Echo
		t.Errorf("the roster is %+v", l.Users)
	}
}

func TestCookies(t *testing.T) {
	s := open(t)
	s.guest("alice")
	a := s.send("POST", "/api/login", `{"name":"alice","password":"`+password+`","cookie":true}`)
	raw := a.header.Get("Set-Cookie")
	cookies, err := http.ParseSetCookie(raw)
	if err != nil || cookies.Name != "__Host-visavis" || !cookies.HttpOnly || !cookies.Secure || cookies.SameSite != http.SameSiteStrictMode ||
		cookies.Path != "/" || cookies.Domain != "" || cookies.MaxAge <= 0 {
		t.Fatalf("cookie %q, %v", raw, err)
	}
	if strings.Contains(string(a.body), "vc1_") {
		t.Errorf("the token is in the page's reach: %s", a.body)
	}
	cookie := cookies.Name + "=" + cookies.Value
	var me signal.SignedIn
	if a := s.send("GET", "/api/me", "", "Cookie", cookie); a.status != 200 || json.Unmarshal(a.body, &me) != nil || me.User.Name != "alice" {
		t.Errorf("me: %d %s", a.status, a.body)
	}
	// A session that was there before signing in is not used again.
	again := s.send("POST", "/api/login", `{"name":"alice","password":"`+password+`","cookie":true}`, "Cookie", cookie)
	if again.header.Get("Set-Cookie") == raw {
		t.Error("a second login gives the same session")
	}
	cookie = cookieIn(t, again)
	// Other sites' pages cannot act with it.
	for _, h := range [][2]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"}} {
		if a := s.send("POST", "/api/logout", "", "Cookie", cookie, h[0], h[1]); a.status != http.StatusForbidden || a.failure().Error == "" {
			t.Errorf("logout with %s: %d %s", h, a.status, a.body)
		}
	}
	out := s.send("POST", "/api/logout", "", "Cookie", cookie, "Origin", s.srv.URL())
	if out.status != http.StatusNoContent || !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %q", out.status, out.header.Get("Set-Cookie"))
	}
	for _, path := range []string{"/api/me", "/api/calls", "/api/calls/" + signal.NewID()} {
		if a := s.send("GET", path, "", "Cookie", cookie); a.status != http.StatusUnauthorized || a.failure().Error != signal.ErrUnauthorized {
			t.Errorf("%s after logout: %d %s", path, a.status, a.body)
		}
	}
	for _, h := range []string{"Bearer", "Bearer x", "Basic YWxpY2U6eA==", "Bearer vc1_" + strings.Repeat("A", 43)} {
		if a := s.send("GET", "/api/me", "", "Authorization", h); a.status != http.StatusUnauthorized {
			t.Errorf("me with %q: %d", h, a.status)
		}
	}
}

func TestAttackCrossSiteWebSocketHijacking(t *testing.T) {
	s := open(t)
	g := s.guest("alice")
	a := s.send("POST", "/api/login", `{"name":"alice","password":"`+password+`","cookie":true}`)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	own := s.srv.URL()
	for _, c := range []struct {
		what   string
		header http.Header
		proto  string
		want   int
	}{
		{"own page", http.Header{"Cookie": {cookie}, "Origin": {own}}, signal.Subprotocol, 101},
		{"token without a page", http.Header{"Authorization": {"Bearer " + g.token}}, signal.Subprotocol, 101},
		{"token on own page", http.Header{"Authorization": {"Bearer " + g.token}, "Origin": {own}}, signal.Subprotocol, 101},
		{"cookie without origin", http.Header{"Cookie": {cookie}}, signal.Subprotocol, 403},
		{"other site", http.Header{"Cookie": {cookie}, "Origin": {"https://evil.example"}}, signal.Subprotocol, 403},
		{"null", http.Header{"Cookie": {cookie}, "Origin": {"null"}}, signal.Subprotocol, 403},
		{"other scheme", http.Header{"Cookie": {cookie}, "Origin": {"http" + strings.TrimPrefix(own, "https")}}, signal.Subprotocol, 403},
		{"other port", http.Header{"Cookie": {cookie}, "Origin": {"https://127.0.0.1:1"}}, signal.Subprotocol, 403},
		{"subdomain", http.Header{"Cookie": {cookie}, "Origin": {strings.Replace(own, "127", "a.127", 1)}}, signal.Subprotocol, 403},
		{"token on other site", http.Header{"Authorization": {"Bearer " + g.token}, "Origin": {"https://evil.example"}}, signal.Subprotocol, 403},
		{"nobody", http.Header{"Origin": {own}}, signal.Subprotocol, 401},
		{"other protocol", http.Header{"Authorization": {"Bearer " + g.token}}, "chat", 400},
		{"token in the address", nil, signal.Subprotocol, 401},
	} {
		conn, status, err := s.dial(c.header, c.proto)
		if err == nil {
			_ = conn.Close()
		}
		if status != c.want {
			t.Errorf("%s: %d, %v; want %d", c.what, status, err, c.want)
		}
	}
}
