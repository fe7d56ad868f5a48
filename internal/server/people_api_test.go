package server_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/admin"
	"visavis.example/internal/signal"
)

// accountAPI is the Go client's side of the account API, and somebody who uses it.
type accountAPI struct {
	*signal.API
	t     *testing.T
	self  signal.User
	token string
}

func (a *accountAPI) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *accountAPI) wants(code string, err error) {
	a.t.Helper()
	if !signal.IsCode(err, code) {
		a.t.Fatalf("%v, want %s", err, code)
	}
}

// The Go client's side of the account API against the real server, from sign-up to the end.
func TestAccountAPI(t *testing.T) {
	s := open(t, func(c *server.Config) { c.SignUp = signal.SignUpInvite })
	address, err := signal.ParseAddress(s.srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	anna := &accountAPI{API: signal.NewAPI(address, s.tls), t: t}
	defer anna.Close()
	bob := anna.signUp(s.operate(admin.Request{Command: admin.InviteCreate, Invite: admin.NewInvite{Uses: 2}}).Invite)
	anna.invites()
	anna.blocks(bob)
	anna.notDisturbed()
	ended := anna.sessions()
	anna.changesPassword()
	anna.exports(ended)
	anna.leaves()
}

// signUp uses up an invite for two.
func (a *accountAPI) signUp(v *signal.Invitation) (bob signal.User) {
	a.t.Helper()
	ctx := a.t.Context()
	enter := func(name string) (signal.User, string) {
		a.t.Helper()
		in, err := a.Register(ctx, signal.Register{Name: name, Password: password, Device: name + "'s", Invite: v.Invite})
		a.must(err)
		return in.User, in.Token
	}
	good, err := a.CheckInvite(ctx, v.Invite)
	a.must(err)
	if good.By != "" || !good.Expires.Equal(v.Expires) {
		a.t.Errorf("the invite is %+v", good)
	}
	a.self, a.token = enter("anna")
	bob, _ = enter("bob")
	_, err = a.Register(ctx, signal.Register{Name: "carol", Password: password, Invite: v.Invite})
	a.wants(signal.ErrInviteInvalid, err)
	_, err = a.CheckInvite(ctx, v.Invite)
	a.wants(signal.ErrInviteInvalid, err)
	return bob
}

func (a *accountAPI) invites() {
	a.t.Helper()
	ctx := a.t.Context()
	own, err := a.CreateInvite(ctx, a.token, signal.NewInvite{Uses: 5})
	a.must(err)
	list, err := a.Invites(ctx, a.token)
	a.must(err)
	if len(list.Invites) != 1 || list.Invites[0].ID != own.ID || list.Invites[0].UsesLeft != 5 {
		a.t.Errorf("invites %+v", list)
	}
	a.must(a.RevokeInvite(ctx, a.token, own.ID))
	a.wants(signal.ErrNotFound, a.RevokeInvite(ctx, a.token, own.ID))
}

func (a *accountAPI) blocks(bob signal.User) {
	a.t.Helper()
	ctx := a.t.Context()
	a.must(a.Block(ctx, a.token, bob.ID))
	blocked, err := a.Blocks(ctx, a.token)
	a.must(err)
	if len(blocked.Users) != 1 || blocked.Users[0].Name != "bob" {
		a.t.Errorf("blocked %+v", blocked)
	}
	a.must(a.Unblock(ctx, a.token, bob.ID))
	a.wants(signal.ErrNotFound, a.Block(ctx, a.token, signal.NewID()))
}

func (a *accountAPI) notDisturbed() {
	a.t.Helper()
	ctx := a.t.Context()
	until := time.Now().Add(time.Hour)
	a.must(a.SetDND(ctx, a.token, signal.DND{On: true, Until: &until}))
	me, err := a.Account(ctx, a.token)
	a.must(err)
	if me.User.ID != a.self.ID || !me.MayInvite || me.DND == nil || me.DND.Until.Sub(until).Abs() > time.Millisecond {
		a.t.Errorf("anna is %+v", me)
	}
	a.must(a.SetDND(ctx, a.token, signal.DND{}))
}

// another is anna's password later on.
const another = "quite another"

func (a *accountAPI) changesPassword() {
	a.t.Helper()
	ctx := a.t.Context()
	a.wants(signal.ErrWrongPassword, a.ChangePassword(ctx, a.token, signal.NewPassword{Old: "no", New: another}))
	a.must(a.ChangePassword(ctx, a.token, signal.NewPassword{Old: password, New: another}))
}

// sessions ends others one by one and all at once; it gives the token of one that has ended.
func (a *accountAPI) sessions() (ended string) {
	a.t.Helper()
	ctx := a.t.Context()
	in, err := a.Login(ctx, signal.Register{Name: "anna", Password: password, Device: "tablet"})
	a.must(err)
	sessions, err := a.Sessions(ctx, a.token)
	a.must(err)
	for _, n := range sessions.Sessions {
		if !n.Current {
			a.must(a.EndSession(ctx, a.token, n.ID))
		}
	}
	_, err = a.Me(ctx, in.Token)
	a.wants(signal.ErrUnauthorized, err)
	a.must(a.EndSessions(ctx, a.token, false))
	return in.Token
}

func (a *accountAPI) exports(ended string) {
	a.t.Helper()
	ctx := a.t.Context()
	var b bytes.Buffer
	a.must(a.Export(ctx, a.token, &b))
	var x struct {
		Account struct{ Name string }
	}
	if err := json.Unmarshal(b.Bytes(), &x); err != nil || x.Account.Name != "anna" {
		a.t.Errorf("export %s, %v", b.String(), err)
	}
	a.wants(signal.ErrUnauthorized, a.Export(ctx, ended, &b))
}

func (a *accountAPI) leaves() {
	a.t.Helper()
	ctx := a.t.Context()
	a.wants(signal.ErrWrongPassword, a.DeleteAccount(ctx, a.token, signal.Leave{Password: password}))
	a.must(a.DeleteAccount(ctx, a.token, signal.Leave{Password: another, Lines: true}))
	_, err := a.Account(ctx, a.token)
	a.wants(signal.ErrUnauthorized, err)
}
