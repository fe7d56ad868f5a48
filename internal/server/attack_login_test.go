package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/admin"
	"visavis.example/internal/signal"
)

// limited checks a refusal of somebody who asks too often.
func limited(t *testing.T, a answer) {
	t.Helper()
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 60 || a.failure().Error != signal.ErrTooMany {
		t.Fatalf("%d, Retry-After %q, %s", a.status, a.header.Get("Retry-After"), a.body)
	}
}

func TestAttackPasswordBruteForce(t *testing.T) {
	s := open(t, realLimits)
	s.guest("alice")
	guesser := s.from("127.1.7.1")
	reached := 0
	for i := range 100 {
		switch a := guesser.login("alice", fmt.Sprint("wrong guess ", i)); a.status {
		case http.StatusUnauthorized:
			reached++
		default:
			limited(t, a)
		}
	}
	if reached > 8 {
		t.Errorf("%d of 100 guesses reached the hash, at most 8 may", reached)
	}
	if a := s.login("alice", password); a.status != http.StatusOK {
		t.Errorf("alice herself, from elsewhere: %d %s", a.status, a.body)
	}
}

func TestAttackPasswordSpraying(t *testing.T) {
	s := open(t, realLimits)
	start, reached := time.Now(), 0
	// Two addresses of one network are one stranger.
	for i, there := 0, []*site{s.from("127.1.8.1"), s.from("127.1.8.2")}; i < 500; i++ {
		switch a := there[i%2].login(fmt.Sprint("person", i), "Summer of 2026"); a.status {
		case http.StatusUnauthorized:
			reached++
		default:
			limited(t, a)
		}
	}
	if most := 20 + int(time.Since(start)/(3*time.Second)) + 1; reached > most {
		t.Errorf("%d of 500 names were tried, at most %d may", reached, most)
	}
	if a := s.from("127.1.9.1").login("person1", "Summer of 2026"); a.status != http.StatusUnauthorized {
		t.Errorf("somebody on another network: %d %s", a.status, a.body)
	}
}

func TestAttackUsernameEnumerationByText(t *testing.T) {
	s := open(t)
	s.guest("alice")
	known := s.login("alice", "not this one")
	for what, a := range map[string]answer{
		"unknown":      s.login("nobody", "not this one"),
		"no name":      s.login("", "not this one"),
		"no such name": s.login("' OR 1=1--", "' OR 1=1--"),
		"a contact":    s.login("Echo", ""),
		"long":         s.login(strings.Repeat("x", 4000), "not this one"),
		"no password":  s.login("alice", ""),
		"padded":       s.login("alice", "not this one "),
	} {
		if a.status != http.StatusUnauthorized || a.failure().Error != signal.ErrWrongPassword || string(a.body) != string(known.body) {
			t.Errorf("%s: %d %s, but for a known name %d %s", what, a.status, a.body, known.status, known.body)
		}
		if h, want := slices.Sorted(maps.Keys(a.header)), slices.Sorted(maps.Keys(known.header)); !slices.Equal(h, want) {
			t.Errorf("%s: headers %v, but for a known name %v", what, h, want)
		}
	}
	if a := s.login("ALICE", password); a.status != http.StatusOK {
		t.Errorf("the right password: %d %s", a.status, a.body)
	}
	// Where not everybody may sign up, signing up does not tell either.
	for _, mode := range []signal.SignUpMode{signal.SignUpInvite, signal.SignUpClosed} {
		dir := t.TempDir()
		first := openConfig(t, config(dir))
		first.guest("alice")
		first.close()
		c := config(dir)
		c.SignUp = mode
		s := openConfig(t, c)
		for _, invite := range []string{"", "made up"} {
			body := func(name string) string { return js(signal.Register{Name: name, Password: password, Invite: invite}) }
			taken, free := s.send("POST", "/api/register", body("alice")), s.send("POST", "/api/register", body("nobody"))
			if taken.status != http.StatusForbidden || taken.status != free.status || string(taken.body) != string(free.body) {
				t.Errorf("%s, invite %q: %d %s for a name that is taken, %d %s for a free one", mode, invite, taken.status, taken.body, free.status, free.body)
			}
		}
	}
}

func TestAttackUsernameEnumerationByTiming(t *testing.T) {
	if racing {
		t.Skip("the race detector makes reading a row from the database ten times as slow; scripts/test.sh runs this without it")
	}
	s := open(t, func(c *server.Config) { c.Passwords = accounts.Work{MemoryKiB: 5120, Passes: 1} })
	s.guest("alice")
	var p float64
	var apart time.Duration
	for range 3 { // a machine that is busy with other things gets three tries
		took := map[string][]time.Duration{}
		for i := range 200 {
			name := []string{"alice", "nobody"}[i%2]
			start := time.Now()
			s.login(name, "not this one")
			took[name] = append(took[name], time.Since(start))
		}
		p = mannWhitney(took["alice"], took["nobody"])
		apart = (median(took["alice"]) - median(took["nobody"])).Abs()
		if p > 0.01 || apart < 2*time.Millisecond {
			return
		}
	}
	t.Errorf("known and unknown names are answered %v apart, p = %v", apart, p)
}

func TestAttackWeakPasswords(t *testing.T) {
	s := open(t)
	n := 0
	register := func(password string) answer {
		n++
		return s.send("POST", "/api/register", js(signal.Register{Name: fmt.Sprint("person", n), Password: password}))
	}
	for _, weak := range []string{"", "1234567", "seven77", "password", "PassWord", "Password1", "12345678", "qwertyuiop", "iloveyou1", "aaaaaaaaaaaaaaaa"} {
		if a := register(weak); a.status != http.StatusBadRequest || a.failure().Error != signal.ErrBadPassword {
			t.Errorf("%q: %d %s", weak, a.status, a.body)
		}
	}
	for _, good := range []string{strings.Repeat("long one", 8), strings.Repeat("long one", 16), "Grüße aus Köln", "密码可以是任何文字的", "🦊 jumps over", "        x"} {
		a := register(good)
		if a.status != http.StatusOK {
			t.Errorf("%q: %d %s", good, a.status, a.body)
			continue
		}
		if a := s.login(fmt.Sprint("person", n), good); a.status != http.StatusOK {
			t.Errorf("signing in with %q: %d %s", good, a.status, a.body)
		}
		if a := s.login(fmt.Sprint("person", n), good[:len(good)-1]); a.status != http.StatusUnauthorized {
			t.Errorf("signing in with a part of %q: %d", good, a.status)
		}
	}
}

// cookieIn gives "name=value" of the session cookie that an answer sets.
func cookieIn(t *testing.T, a answer) string {
	t.Helper()
	c, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if a.status != http.StatusOK || err != nil {
		t.Fatalf("%d %s, cookie %v", a.status, a.body, err)
	}
	return c.Name + "=" + c.Value
}

func TestAttackSessionFixation(t *testing.T) {
	s := open(t)
	s.guest("alice")
	s.guest("mallory")
	enter := func(name, cookie string) string {
		a := s.send("POST", "/api/login", js(signal.Register{Name: name, Password: password, Cookie: true}), "Cookie", cookie)
		return cookieIn(t, a)
	}
	who := func(cookie string) string {
		a := s.send("GET", "/api/me", "", "Cookie", cookie)
		var me signal.SignedIn
		if a.status == http.StatusOK {
			_ = json.Unmarshal(a.body, &me)
		}
		return me.User.Name
	}
	made := "__Host-visavis=vc1_" + strings.Repeat("A", 43)
	if got := enter("alice", made); got == made || who(got) != "alice" || who(made) != "" {
		t.Errorf("a made-up cookie: alice gets %q, and it is %q's", got, who(made))
	}
	planted := enter("mallory", "")
	if got := enter("alice", planted); got == planted || who(got) != "alice" {
		t.Errorf("alice signs in over mallory's session and gets %q", got)
	}
	if name := who(planted); name != "" {
		t.Errorf("the session that was there before is still %s's", name)
	}
	// A wrong password changes nothing.
	mine := enter("alice", "")
	s.send("POST", "/api/login", js(signal.Register{Name: "alice", Password: "not this one", Cookie: true}), "Cookie", mine)
	if who(mine) != "alice" {
		t.Error("a wrong password ends the session")
	}
}

func TestAttackTokenAfterLogout(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	call := talk(alice, bob, b.user)
	in := s.login("alice", password)
	var signed signal.SignedIn
	if err := json.Unmarshal(in.body, &signed); err != nil {
		t.Fatal(err)
	}
	second := (&guest{site: s, user: a.user, token: signed.Token}).phone("second")
	start := time.Now()
	if out := s.send("POST", "/api/logout", "", "Authorization", "Bearer "+a.token); out.status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", out.status, out.body)
	}
	if code := alice.closed(); code != 1008 {
		t.Errorf("the open socket was closed with %d, want 1008", code)
	}
	if waited := time.Since(start); waited > time.Second {
		t.Errorf("the open socket was closed after %v", waited)
	}
	if end := bob.ended(call, signal.EndHangup); end.ByID != a.user.ID {
		t.Errorf("the call was ended by %q", end.ByID)
	}
	for _, path := range []string{"/api/me", "/api/calls", "/api/calls/" + call} {
		if st := a.get(path, nil); st != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, st)
		}
	}
	if st := s.socketStatus("/ws", http.Header{"Authorization": {"Bearer " + a.token}}, signal.Subprotocol); st != http.StatusUnauthorized {
		t.Errorf("a new socket: %d", st)
	}
	second.must(signal.UserList, "", "", nil)
}

func TestAttackTokenAfterDisabling(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	call := talk(alice, bob, b.user)
	start := time.Now()
	s.operate(admin.Request{Command: admin.UserDisable, Name: "alice"})
	if code := alice.closed(); code != 1008 || time.Since(start) > time.Second {
		t.Errorf("the open socket was closed with %d after %v", code, time.Since(start))
	}
	bob.push(signal.CodeEnded, call)
	if st := a.get("/api/me", nil); st != http.StatusUnauthorized {
		t.Errorf("the token: %d", st)
	}
	if st := s.socketStatus("/ws", http.Header{"Authorization": {"Bearer " + a.token}}, signal.Subprotocol); st != http.StatusUnauthorized {
		t.Errorf("a new socket: %d", st)
	}
	if r := s.login("alice", password); r.status < 400 || r.status >= 500 {
		t.Errorf("signing in again: %d %s", r.status, r.body)
	}
}

func TestAttackTokensFromTheDatabase(t *testing.T) {
	s := open(t)
	a := s.guest("alice")
	s.login("alice", password)
	s.send("POST", "/api/login", js(signal.Register{Name: "alice", Password: password, Cookie: true}))
	db := s.database()
	tried := 0
	for table := range tables(t, db) {
		for _, stolen := range texts(t, db, table) {
			for _, token := range []string{stolen, "vc1_" + stolen} {
				if strings.ContainsAny(token, "\r\n\x00") || len(token) > 4000 {
					continue
				}
				tried++
				for _, h := range [][2]string{{"Authorization", "Bearer " + token}, {"Cookie", "__Host-visavis=" + token}} {
					if st := s.send("GET", "/api/me", "", h[0], h[1]).status; st != http.StatusUnauthorized {
						t.Errorf("%q of table %s: %d", stolen, table, st)
					}
				}
			}
			if len(stolen) >= 8 && len(stolen) <= 128 && s.login("alice", stolen).status == http.StatusOK {
				t.Errorf("%q of table %s is a password", stolen, table)
			}
			if strings.Contains(stolen, a.token[4:]) || strings.Contains(stolen, password) {
				t.Errorf("table %s keeps %q", table, stolen)
			}
		}
	}
	if tried < 20 {
		t.Fatalf("only %d values were there to try", tried)
	}
}
