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

// The Go client's side of the account API against the real server, from sign-up to the end.
func TestAccountAPI(t *testing.T) {
	s := open(t, func(c *server.Config) { c.SignUp = signal.SignUpInvite })
	address, err := signal.ParseAddress(s.srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	api := signal.NewAPI(address, s.tls)
	defer api.Close()
	ctx := t.Context()
	v := s.operate(admin.Request{Command: admin.InviteCreate, Invite: admin.NewInvite{Uses: 2}}).Invite
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wants := func(code string, err error) {
		t.Helper()
		if !signal.IsCode(err, code) {
			t.Fatalf("%v, want %s", err, code)
		}
	}
	enter := func(name string) (signal.User, string) {
		t.Helper()
		in, err := api.Register(ctx, signal.Register{Name: name, Password: password, Device: name + "'s", Invite: v.Invite})
		must(err)
		return in.User, in.Token
	}
	good, err := api.CheckInvite(ctx, v.Invite)
	must(err)
	if good.By != "" || !good.Expires.Equal(v.Expires) {
		t.Errorf("the invite is %+v", good)
	}
	anna, token := enter("anna")
	bob, _ := enter("bob")
	_, err = api.Register(ctx, signal.Register{Name: "carol", Password: password, Invite: v.Invite})
	wants(signal.ErrInviteInvalid, err)
	_, err = api.CheckInvite(ctx, v.Invite)
	wants(signal.ErrInviteInvalid, err)

	own, err := api.CreateInvite(ctx, token, signal.NewInvite{Uses: 5})
	must(err)
	list, err := api.Invites(ctx, token)
	must(err)
	if len(list.Invites) != 1 || list.Invites[0].ID != own.ID || list.Invites[0].UsesLeft != 5 {
		t.Errorf("invites %+v", list)
	}
	must(api.RevokeInvite(ctx, token, own.ID))
	wants(signal.ErrNotFound, api.RevokeInvite(ctx, token, own.ID))

	must(api.Block(ctx, token, bob.ID))
	blocked, err := api.Blocks(ctx, token)
	must(err)
	if len(blocked.Users) != 1 || blocked.Users[0].Name != "bob" {
		t.Errorf("blocked %+v", blocked)
	}
	must(api.Unblock(ctx, token, bob.ID))
	wants(signal.ErrNotFound, api.Block(ctx, token, signal.NewID()))

	until := time.Now().Add(time.Hour)
	must(api.SetDND(ctx, token, signal.DND{On: true, Until: &until}))
	me, err := api.Account(ctx, token)
	must(err)
	if me.User.ID != anna.ID || !me.MayInvite || me.DND == nil || me.DND.Until.Sub(until).Abs() > time.Millisecond {
		t.Errorf("anna is %+v", me)
	}
	must(api.SetDND(ctx, token, signal.DND{}))

	in, err := api.Login(ctx, signal.Register{Name: "anna", Password: password, Device: "tablet"})
	must(err)
	sessions, err := api.Sessions(ctx, token)
	must(err)
	for _, n := range sessions.Sessions {
		if !n.Current {
			must(api.EndSession(ctx, token, n.ID))
		}
	}
	_, err = api.Me(ctx, in.Token)
	wants(signal.ErrUnauthorized, err)
	must(api.EndSessions(ctx, token, false))
	wants(signal.ErrWrongPassword, api.ChangePassword(ctx, token, signal.NewPassword{Old: "no", New: "quite another"}))
	must(api.ChangePassword(ctx, token, signal.NewPassword{Old: password, New: "quite another"}))

	var b bytes.Buffer
	must(api.Export(ctx, token, &b))
	var x struct {
		Account struct{ Name string }
	}
	if err := json.Unmarshal(b.Bytes(), &x); err != nil || x.Account.Name != "anna" {
		t.Errorf("export %s, %v", b.String(), err)
	}
	wants(signal.ErrUnauthorized, api.Export(ctx, in.Token, &b))
	wants(signal.ErrWrongPassword, api.DeleteAccount(ctx, token, signal.Leave{Password: password}))
	must(api.DeleteAccount(ctx, token, signal.Leave{Password: "quite another", Lines: true}))
	_, err = api.Account(ctx, token)
	wants(signal.ErrUnauthorized, err)
}
