package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/export"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

// do sends a request of this person's and expects a status.
func (g *guest) do(want int, method, path string, body any) answer {
	g.site.t.Helper()
	text := ""
	if body != nil {
		text = string(signal.Encode(body))
	}
	a := g.site.send(method, path, text, "Authorization", "Bearer "+g.token)
	if a.status != want {
		g.site.t.Fatalf("%s: %s %s: %d %s, want %d", g.user.Name, method, path, a.status, a.body, want)
	}
	return a
}

// refusedWith is do with the code of the refusal.
func (g *guest) refusedWith(status int, code, method, path string, body any) {
	g.site.t.Helper()
	if f := g.do(status, method, path, body).failure(); f.Error != code || f.Message == "" {
		g.site.t.Fatalf("%s: %s %s gives %+v, want %s", g.user.Name, method, path, f, code)
	}
}

// again signs the same person in on another device.
func (g *guest) again(device string) *guest {
	g.site.t.Helper()
	a := g.site.send("POST", "/api/login", fmt.Sprintf(`{"name":%q,"password":%q,"device":%q}`, g.user.Name, password, device))
	var in signal.SignedIn
	if err := json.Unmarshal(a.body, &in); a.status != http.StatusOK || err != nil {
		g.site.t.Fatalf("login %s: %d %s", g.user.Name, a.status, a.body)
	}
	return &guest{site: g.site, user: in.User, token: in.Token}
}

func TestSignUpByInvite(t *testing.T) {
	c := config(t.TempDir())
	s := openConfig(t, c)
	anna := s.guest("anna")
	anna.refusedWith(403, signal.ErrForbidden, "POST", "/api/invites", signal.NewInvite{})
	s.close()
	c.SignUp = signal.SignUpInvite
	s = openConfig(t, c)
	anna.site = s

	var info signal.Info
	if err := json.Unmarshal(s.send("GET", "/api/info", "").body, &info); err != nil || info.SignUp || info.SignUpMode != signal.SignUpInvite {
		t.Fatalf("info %+v, %v", info, err)
	}
	var me signal.Me
	if anna.get("/api/me", &me); !me.MayInvite {
		t.Errorf("anna is %+v", me)
	}
	a := s.send("POST", "/api/register", `{"name":"bob","password":"`+password+`"}`)
	if a.status != http.StatusForbidden || a.failure().Error != signal.ErrInviteNeeded {
		t.Errorf("without an invite: %d %s", a.status, a.body)
	}
	var v signal.Invitation
	if err := json.Unmarshal(anna.do(200, "POST", "/api/invites", signal.NewInvite{}).body, &v); err != nil {
		t.Fatal(err)
	}
	if v.URL != s.srv.URL()+"/#invite="+v.Invite || v.Uses != 1 {
		t.Errorf("the invite is %+v", v)
	}
	check := s.send("POST", "/api/invite/check", `{"invite":"`+v.Invite+`"}`)
	var good signal.InviteIsGood
	if err := json.Unmarshal(check.body, &good); err != nil || check.status != 200 || good.By != "anna" || !good.Expires.Equal(v.Expires) {
		t.Errorf("check: %d %s", check.status, check.body)
	}
	body := `{"name":"%s","password":"` + password + `","invite":"` + v.Invite + `"}`
	if a := s.send("POST", "/api/register", fmt.Sprintf(body, "bob")); a.status != http.StatusOK {
		t.Errorf("with it: %d %s", a.status, a.body)
	}
	if a := s.send("POST", "/api/register", fmt.Sprintf(body, "carol")); a.status != http.StatusForbidden || a.failure().Error != signal.ErrInviteInvalid {
		t.Errorf("with it again: %d %s", a.status, a.body)
	}
	if a := s.send("POST", "/api/invite/check", `{"invite":"`+v.Invite+`"}`); a.status != http.StatusNotFound || a.failure().Error != signal.ErrInviteInvalid {
		t.Errorf("check of a used one: %d %s", a.status, a.body)
	}
	var l signal.Invites
	if anna.get("/api/invites", &l); len(l.Invites) != 1 || l.Invites[0].UsesLeft != 0 || len(l.Invites[0].UsedBy) != 1 || l.Invites[0].UsedBy[0] != "bob" {
		t.Errorf("anna's invites: %+v", l)
	}
	anna.refusedWith(400, signal.ErrBadRequest, "POST", "/api/invites", signal.NewInvite{Uses: 100_000})
	anna.do(204, "DELETE", "/api/invites/"+v.ID, nil)
	anna.refusedWith(404, signal.ErrNotFound, "DELETE", "/api/invites/"+v.ID, nil)
	for _, secret := range []string{v.Invite, password} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestSignUpClosed(t *testing.T) {
	s := open(t, func(c *server.Config) { c.SignUp = signal.SignUpClosed })
	a := s.send("POST", "/api/register", `{"name":"bob","password":"`+password+`","invite":"x"}`)
	if a.status != http.StatusForbidden || a.failure().Error != signal.ErrSignUpClosed {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, bad := range []server.Config{{SignUp: "maybe"}, {Inviting: "everybody"}} {
		bad.DataDir = t.TempDir()
		if err := (&server.Server{Config: bad}).Start(t.Context()); err == nil {
			t.Errorf("it starts with %+v", bad)
		}
	}
}

// Attack row 14 on this node: what a session could do ends with it, within a second, also on sockets that are open.
func TestAttackTokenAfterPasswordChange(t *testing.T) {
	s := open(t)
	anna := s.guest("anna")
	for name, end := range map[string]func(here, there *guest){
		"password": func(here, _ *guest) {
			here.do(204, "POST", "/api/password", signal.NewPassword{Old: password, New: "and now another"})
			here.do(204, "POST", "/api/password", signal.NewPassword{Old: "and now another", New: password})
		},
		"one": func(here, _ *guest) {
			var l signal.Sessions
			here.get("/api/sessions", &l)
			for _, n := range l.Sessions {
				if n.Device == "there" {
					here.do(204, "DELETE", "/api/sessions/"+n.ID, nil)
				}
			}
		},
		"others": func(here, _ *guest) { here.do(204, "DELETE", "/api/sessions", nil) },
		"itself": func(_, there *guest) { there.do(204, "POST", "/api/logout", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			here, there := anna.again("here"), anna.again("there")
			one, two := here.phone("one"), there.phone("two")
			start := time.Now()
			end(here, there)
			if code := two.closed(); code != 1008 || time.Since(start) > time.Second {
				t.Errorf("the socket closed with %d after %v", code, time.Since(start))
			}
			if a := s.send("GET", "/api/me", "", "Authorization", "Bearer "+there.token); a.status != http.StatusUnauthorized {
				t.Errorf("its token: %d", a.status)
			}
			if _, status, err := s.dial(http.Header{"Authorization": {"Bearer " + there.token}}, signal.Subprotocol); err == nil || status != 401 {
				t.Errorf("a new socket: %v", err)
			}
			one.must(signal.UserList, "", "", nil) // this one stays
			here.do(204, "DELETE", "/api/sessions?all=1", nil)
			if code := one.closed(); code != 1008 {
				t.Errorf("its own socket closed with %d", code)
			}
		})
	}
}

// More devices than may be signed in: the one unused for longest is out, with its socket.
func TestTooManySessions(t *testing.T) {
	s := open(t, func(c *server.Config) { c.Limits.Accounts.Sessions = 2 })
	anna := s.guest("anna")
	first := anna.phone("first")
	second := anna.again("second")
	kept := second.phone("kept")
	anna.again("third")
	if code := first.closed(); code != 1008 {
		t.Errorf("the first one's socket closed with %d", code)
	}
	anna.do(401, "GET", "/api/me", nil)
	kept.must(signal.UserList, "", "", nil)
}

func TestAttackCallsOfABlockedPerson(t *testing.T) {
	dir := t.TempDir()
	s := openConfig(t, config(dir))
	owner, other := s.guest("owner"), s.guest("other")
	o, x := owner.phone("o"), other.phone("x")
	owner.do(204, "PUT", "/api/blocks/"+other.user.ID, nil)
	if u := decode[signal.UserChange](t, x.push(signal.CodeUserOffline, "")); u.User.ID != owner.user.ID {
		t.Errorf("he hears of %+v", u)
	}
	owner.refusedWith(404, signal.ErrNotFound, "PUT", "/api/blocks/"+signal.NewID(), nil)
	owner.refusedWith(404, signal.ErrNotFound, "PUT", "/api/blocks/echo", nil)
	owner.refusedWith(400, signal.ErrBadRequest, "PUT", "/api/blocks/"+owner.user.ID, nil)

	call := signal.NewID()
	x.must(signal.CallInvite, owner.user.ID, call, signal.Invite{})
	x.ended(call, signal.EndOffline)
	line := decode[signal.ChatMessage](t, x.must(signal.MessageSendTo, owner.user.ID, "", signal.Text{Text: "hello?"}))
	if line.ID == 0 {
		t.Error("his line was not kept")
	}
	// Once more after a restart: it is the same for all of them.
	for round := range 2 {
		if r := other.record(call); r.Reason != signal.EndOffline || r.Peer.Online {
			t.Errorf("he finds %+v", r)
		}
		var calls signal.Calls
		if owner.get("/api/calls", &calls); len(calls.Calls) != 0 {
			t.Errorf("she finds %+v", calls)
		}
		if st := owner.get("/api/calls/"+call, &calls); st != 404 {
			t.Errorf("the call by its id: %d", st)
		}
		for who, want := range map[*phone]int{o: 0, x: 1} {
			with := other.user.ID
			if who == x {
				with = owner.user.ID
			}
			if m := decode[signal.Messages](t, who.must(signal.MessageHistory, "", "", signal.History{With: with})); len(m.Messages) != want {
				t.Errorf("%s reads %+v", who.name, m)
			}
		}
		for _, u := range decode[signal.Users](t, x.must(signal.UserList, "", "", nil)).Users {
			if u.ID == owner.user.ID && u.Online {
				t.Error("he sees her online")
			}
		}
		var b signal.Blocked
		if owner.get("/api/blocks", &b); len(b.Users) != 1 || b.Users[0].ID != other.user.ID || !b.Users[0].Online {
			t.Errorf("she has blocked %+v", b)
		}
		if round == 0 {
			s.close()
			s = openConfig(t, config(dir))
			owner.site, other.site = s, s
			o, x = owner.phone("o"), other.phone("x")
		}
	}
	owner.do(204, "DELETE", "/api/blocks/"+other.user.ID, nil)
	x.push(signal.CodeUserOnline, "")
	invite(x, owner.user, o)
}

func TestDoNotDisturbRoundTrip(t *testing.T) {
	dir := t.TempDir()
	s := openConfig(t, config(dir))
	anna, bob := s.guest("anna"), s.guest("bob")
	a, b := anna.phone("a"), bob.phone("b")
	a.push(signal.CodeUserOnline, "")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	bob.do(204, "PUT", "/api/me/dnd", signal.DND{On: true, Until: &until})
	if u := decode[signal.UserChange](t, a.push(signal.CodeUserOnline, "")); !u.User.DND {
		t.Errorf("anna hears of %+v", u)
	}
	if u := decode[signal.UserChange](t, b.push(signal.CodeUserSelf, "")); !u.User.DND || u.User.ID != bob.user.ID {
		t.Errorf("bob hears of %+v", u)
	}
	bob.refusedWith(400, signal.ErrBadRequest, "PUT", "/api/me/dnd", signal.DND{On: true, Until: &time.Time{}})
	for round := range 2 {
		var me signal.Me
		if bob.get("/api/me", &me); me.DND == nil || !me.DND.On || me.DND.Until == nil || !me.DND.Until.Equal(until) || !me.User.DND {
			t.Errorf("bob is %+v", me)
		}
		call := signal.NewID()
		a.must(signal.CallInvite, bob.user.ID, call, signal.Invite{})
		a.ended(call, signal.EndDoNotDisturb)
		if r := bob.record(call); !r.Missed || r.Reason != signal.EndDoNotDisturb {
			t.Errorf("bob finds %+v", r)
		}
		if r := anna.record(call); r.Missed || !r.Peer.DND {
			t.Errorf("anna finds %+v", r)
		}
		if round == 0 {
			s.close()
			s = openConfig(t, config(dir))
			anna.site, bob.site = s, s
			a, b = anna.phone("a"), bob.phone("b")
			if !b.hello.Self.DND {
				t.Errorf("bob hears that he is %+v", b.hello.Self)
			}
		}
	}
	bob.do(204, "PUT", "/api/me/dnd", signal.DND{})
	invite(a, bob.user, b)
	var me signal.Me
	if bob.get("/api/me", &me); me.DND != nil || me.User.DND {
		t.Errorf("bob is %+v", me)
	}
}

func TestChangesAreLimited(t *testing.T) {
	s := open(t, func(c *server.Config) {
		c.Limits.Accounts.ChangesPerUser = limit.Rate{Burst: 5, Every: time.Hour}
		c.Limits.Accounts.ExportsPerUser = limit.Rate{Burst: 1, Every: time.Hour}
	})
	anna, bob := s.guest("anna"), s.guest("bob")
	for i := range 8 {
		want := 204
		if i >= 5 {
			want = http.StatusTooManyRequests
		}
		if a := anna.do(want, "PUT", "/api/me/dnd", signal.DND{On: i%2 == 0}); want == 429 && a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	// Who has stolen a session cannot keep the person from ending it.
	s.again("anna").do(204, "DELETE", "/api/sessions", nil)
	anna.do(401, "GET", "/api/me", nil)
	bob.do(204, "PUT", "/api/me/dnd", signal.DND{On: true})
	bob.do(200, "GET", "/api/export", nil)
	bob.refusedWith(429, signal.ErrTooMany, "GET", "/api/export", nil)
}

func TestLeave(t *testing.T) {
	s := open(t)
	anna, bob := s.guest("anna"), s.guest("bob")
	a, b := anna.phone("a"), bob.phone("b")
	call := talk(a, b, bob.user)
	b.must(signal.MessageSendTo, anna.user.ID, "", signal.Text{Text: "are you leaving?"})
	anna.refusedWith(403, signal.ErrWrongPassword, "DELETE", "/api/me", signal.Leave{Password: "not mine"})
	anna.do(204, "DELETE", "/api/me", signal.Leave{Password: password})
	b.ended(call, signal.EndHangup)
	if u := decode[signal.UserChange](t, b.push(signal.CodeUserRemoved, "")); u.User.ID != anna.user.ID {
		t.Errorf("bob hears of %+v", u)
	}
	if code := a.closed(); code != 1008 {
		t.Errorf("her socket closed with %d", code)
	}
	anna.do(401, "GET", "/api/me", nil)
	if a := s.send("POST", "/api/login", `{"name":"anna","password":"`+password+`"}`); a.failure().Error != signal.ErrWrongPassword {
		t.Errorf("she signs in: %d %s", a.status, a.body)
	}
	if r := bob.record(call); r.Peer.Name != "Deleted account" || r.Peer.Kind != signal.KindDeleted || r.Reason != signal.EndHangup {
		t.Errorf("bob finds %+v", r)
	}
	m := decode[signal.Messages](t, b.must(signal.MessageHistory, "", "", signal.History{With: anna.user.ID}))
	if len(m.Messages) != 1 {
		t.Errorf("bob reads %+v", m)
	}
	b.refused(signal.ErrNotFound, signal.CallInvite, anna.user.ID, signal.NewID(), signal.Invite{})
	if other := s.guest("anna"); other.user.ID == anna.user.ID {
		t.Error("the new anna is the old one")
	}
}

func TestExportHasEverything(t *testing.T) {
	s := open(t, func(c *server.Config) { c.SignUp = signal.SignUpOpen; c.Inviting = accounts.InvitingPeople })
	anna, bob := s.guest("anna"), s.guest("bob")
	anna.do(204, "PUT", "/api/blocks/"+s.guest("carol").user.ID, nil)
	a, b := anna.phone("a"), bob.phone("b")
	call := talk(a, b, bob.user)
	a.must(signal.CallHangup, "", call, signal.Hangup{})
	b.ended(call, signal.EndHangup)
	next := signal.NewID()
	a.must(signal.CallInvite, bob.user.ID, next, signal.Invite{})
	a.must(signal.CallCancel, "", next, nil)
	const lines = 5
	for i := range lines - 2 {
		a.must(signal.MessageSendTo, bob.user.ID, "", signal.Text{Text: fmt.Sprint("line ", i)})
	}
	a.must(signal.MessageSendToAll, "", "", signal.Text{Text: "to the lobby"})
	b.must(signal.MessageSendTo, anna.user.ID, "", signal.Text{Text: `with "quotes" & <tags>`})
	own := decode[signal.ChatMessage](t, b.must(signal.MessageSendToAll, "", "", signal.Text{Text: "bob's own"}))
	a.must(signal.MessageRead, "", "", signal.Read{ID: own.ID})
	a.unread() // waits for the disk
	res := anna.do(200, "GET", "/api/export", nil)
	if d := res.header.Get("Content-Disposition"); !strings.HasPrefix(d, `attachment; filename="visavis-`) {
		t.Errorf("Content-Disposition %q", d)
	}
	var x struct {
		export.Head
		Calls    []export.Call    `json:"calls"`
		Messages []export.Message `json:"messages"`
	}
	if err := json.Unmarshal(res.body, &x); err != nil {
		t.Fatal(err)
	}
	if x.Format != export.Format || x.Account.Name != "anna" || len(x.Sessions) != 1 || len(x.Blocks) != 1 || x.Blocks[0].Name != "carol" {
		t.Errorf("the head is %+v", x.Head)
	}
	if len(x.Read) != 1 || x.Read[0] != (export.Read{UpTo: own.ID}) {
		t.Errorf("read is %+v", x.Read)
	}
	if len(x.Calls) != 2 || x.Calls[0].ID != next || x.Calls[1].Reason != "hangup" || x.Calls[1].With.Name != "bob" {
		t.Errorf("the calls are %+v", x.Calls)
	}
	if len(x.Messages) != lines || x.Messages[0].Text != "line 0" || x.Messages[lines-1].Text != `with "quotes" & <tags>` || x.Messages[lines-1].From.Name != "bob" {
		t.Errorf("%d messages, the last %+v", len(x.Messages), x.Messages[len(x.Messages)-1])
	}
	for _, secret := range []string{"argon2", anna.token, "bob's own", "sha"} {
		if strings.Contains(string(res.body), secret) {
			t.Errorf("%q is in the export", secret)
		}
	}
}
