package accounts

import (
	"bytes"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server/limit"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

func register(name string) signal.Register {
	return signal.Register{Name: name, Password: "long enough", Device: "test"}
}

func TestSignUpModes(t *testing.T) {
	ctx := t.Context()
	a, clock := start(t, cheap)
	a.SignUp = signal.SignUpClosed
	if _, _, err := a.Register(ctx, register("anna"), home); code(err) != signal.ErrSignUpClosed {
		t.Errorf("closed: %v", err)
	}
	if _, err := a.Add(ctx, "anna", "long enough"); err != nil {
		t.Fatalf("the operator: %v", err)
	}
	if a.MayInvite() {
		t.Error("people may invite where nobody can come in")
	}
	a.SignUp = signal.SignUpInvite
	// Whether a name is taken is nothing for strangers.
	for _, name := range []string{"anna", "bob", "x", "admin"} {
		if _, _, err := a.Register(ctx, register(name), home); code(err) != signal.ErrInviteNeeded {
			t.Errorf("%s without an invite: %v", name, err)
		}
		r := register(name)
		r.Invite = "made up"
		if _, _, err := a.Register(ctx, r, home); code(err) != signal.ErrInviteInvalid {
			t.Errorf("%s with a bad invite: %v", name, err)
		}
	}
	anna, err := a.Named(ctx, "Anna")
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.CreateInvite(ctx, anna.ID, signal.NewInvite{Uses: 2, Days: 3})
	if err != nil || v.Uses != 2 || v.Expires.Sub(clock.Now()) != 3*24*time.Hour || signal.CheckID("invite", v.Invite) != nil {
		t.Fatalf("invite %+v, %v", v, err)
	}
	for _, file := range []string{a.Store.Path, a.Store.Path + "-wal"} {
		if b, err := os.ReadFile(file); err == nil && (bytes.Contains(b, []byte(v.Invite)) || strings.HasSuffix(file, "-wal") && !bytes.Contains(b, []byte(hashToken(v.Invite)))) {
			t.Errorf("%s has the invite itself, or not its hash", file)
		}
	}
	if good, err := a.CheckInvite(ctx, v.Invite, home); err != nil || good.By != "anna" || !good.Expires.Equal(v.Expires) {
		t.Errorf("check: %+v, %v", good, err)
	}
	r := register("bob")
	r.Invite, r.Name = v.Invite, "anna"
	if _, _, err := a.Register(ctx, r, home); code(err) != signal.ErrNameTaken {
		t.Errorf("a taken name with an invite: %v", err)
	}
	for _, name := range []string{"bob", "carol"} {
		r.Name = name
		if _, _, err := a.Register(ctx, r, home); err != nil {
			t.Errorf("%s with an invite: %v", name, err)
		}
	}
	r.Name = "dora"
	if _, _, err := a.Register(ctx, r, home); code(err) != signal.ErrInviteInvalid {
		t.Errorf("a used invite: %v", err)
	}
	if l, err := a.Invites(ctx, anna.ID); err != nil || len(l.Invites) != 1 || l.Invites[0].UsesLeft != 0 || len(l.Invites[0].UsedBy) != 2 {
		t.Errorf("anna's invites: %+v, %v", l, err)
	}
	late, err := a.CreateInvite(ctx, anna.ID, signal.NewInvite{})
	if err != nil {
		t.Fatal(err)
	}
	clock.pass(8 * 24 * time.Hour)
	r.Invite = late.Invite
	if _, _, err := a.Register(ctx, r, home); code(err) != signal.ErrInviteInvalid {
		t.Errorf("an expired invite: %v", err)
	}
	a.Inviting = InvitingAdmin
	if _, err := a.CreateInvite(ctx, anna.ID, signal.NewInvite{}); code(err) != signal.ErrForbidden {
		t.Errorf("anna invites where only the operator may: %v", err)
	}
	if _, err := a.CreateInvite(ctx, "", signal.NewInvite{}); err != nil {
		t.Errorf("the operator: %v", err)
	}
}

func TestInviteLimits(t *testing.T) {
	ctx := t.Context()
	a, clock := start(t, cheap)
	a.SignUp, a.Limits.InvitesPerUser = signal.SignUpInvite, 2
	a.inviteCheck.Rate = limit.Rate{Burst: 3, Every: time.Minute}
	u, err := a.Add(ctx, "anna", "long enough")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := a.CreateInvite(ctx, u.ID, signal.NewInvite{Days: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.CreateInvite(ctx, u.ID, signal.NewInvite{}); code(err) != signal.ErrTooMany {
		t.Errorf("a third: %v", err)
	}
	clock.pass(25 * time.Hour)
	if _, err := a.CreateInvite(ctx, u.ID, signal.NewInvite{}); err != nil {
		t.Errorf("after they have expired: %v", err)
	}
	for _, n := range []signal.NewInvite{{Uses: -1}, {Uses: signal.MaxInviteUses + 1}, {Days: -1}, {Days: signal.MaxInviteDays + 1}} {
		if _, err := a.CreateInvite(ctx, u.ID, n); code(err) != signal.ErrBadRequest {
			t.Errorf("%+v: %v", n, err)
		}
	}
	guess := func(from netip.Addr) error {
		_, err := a.CheckInvite(ctx, signal.NewID(), from)
		return err
	}
	for range 3 {
		if err := guess(home); code(err) != signal.ErrInviteInvalid {
			t.Errorf("a guess: %v", err)
		}
	}
	if err := guess(home); code(err) != signal.ErrTooMany {
		t.Errorf("too many guesses: %v", err)
	}
	if err := guess(away); code(err) != signal.ErrInviteInvalid {
		t.Errorf("from elsewhere: %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, cheap)
	_, here, err := a.Register(ctx, register("anna"), home)
	if err != nil {
		t.Fatal(err)
	}
	_, there, err := a.Login(ctx, register("anna"), away)
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Authenticate(ctx, here)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.ChangePassword(ctx, s, signal.NewPassword{Old: "not this", New: "another one"}, home); code(err) != signal.ErrWrongPassword {
		t.Errorf("wrong: %v", err)
	}
	if err := a.ChangePassword(ctx, s, signal.NewPassword{Old: "long enough", New: "anna"}, home); code(err) != signal.ErrBadPassword {
		t.Errorf("bad: %v", err)
	}
	if _, err := a.Authenticate(ctx, there); err != nil {
		t.Errorf("a failed change signed the other out: %v", err)
	}
	if err := a.ChangePassword(ctx, s, signal.NewPassword{Old: "long enough", New: "another one"}, home); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(ctx, here); err != nil {
		t.Errorf("this session: %v", err)
	}
	if _, err := a.Authenticate(ctx, there); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("the other: %v", err)
	}
	if _, _, err := a.Login(ctx, register("anna"), home); code(err) != signal.ErrWrongPassword {
		t.Errorf("the old password: %v", err)
	}
	// Guesses through a stolen session are limited like those at the door.
	wrong := 0
	for range 20 {
		if err := a.ChangePassword(ctx, s, signal.NewPassword{Old: "a guess"}, home); code(err) == signal.ErrWrongPassword {
			wrong++
		}
	}
	if wrong > DefaultLimits.LoginPerAccountAndNet.Burst {
		t.Errorf("%d guesses were answered", wrong)
	}
}

func TestSessionsListedAndEnded(t *testing.T) {
	ctx := t.Context()
	a, clock := start(t, cheap)
	_, token, err := a.Register(ctx, register("anna"), home)
	if err != nil {
		t.Fatal(err)
	}
	r := register("anna")
	r.Device = "tablet"
	_, other, err := a.Login(ctx, r, home)
	if err != nil {
		t.Fatal(err)
	}
	clock.pass(2 * time.Hour)
	s, err := a.Authenticate(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.Sessions(ctx, s)
	if err != nil || len(l.Sessions) != 2 || !l.Sessions[0].Current || l.Sessions[1].Current || l.Sessions[1].Device != "tablet" ||
		l.Sessions[0].ID == l.Sessions[1].ID || !l.Sessions[0].Used.Equal(clock.Now()) {
		t.Fatalf("sessions %+v, %v", l, err)
	}
	if _, err := a.Authenticate(ctx, tokenPrefix+l.Sessions[0].ID); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("the id as a token: %v", err)
	}
	_, bobs, err := a.Register(ctx, register("bob"), home)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := a.Authenticate(ctx, bobs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.EndSession(ctx, bob, l.Sessions[1].ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("bob ends anna's: %v", err)
	}
	if id, err := a.EndSession(ctx, s, l.Sessions[1].ID); err != nil || id != hashToken(other) {
		t.Errorf("ended %q, %v", id, err)
	}
	if _, err := a.Authenticate(ctx, other); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("the ended one: %v", err)
	}
	if err := a.EndSessions(ctx, s, true); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(ctx, token); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("this one: %v", err)
	}
	if _, err := a.Authenticate(ctx, bobs); err != nil {
		t.Errorf("bob's: %v", err)
	}
	clock.pass(IdleLife + time.Second)
	if l, err := a.Sessions(ctx, bob); err != nil || len(l.Sessions) != 0 {
		t.Errorf("idle ones are listed: %+v, %v", l, err)
	}
}

func TestDisabled(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, cheap)
	_, token, err := a.Register(ctx, register("anna"), home)
	if err != nil {
		t.Fatal(err)
	}
	u, err := a.Named(ctx, "ANNA")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Disable(ctx, u, true); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(ctx, token); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("her session: %v", err)
	}
	if _, _, err := a.Login(ctx, register("anna"), home); code(err) != signal.ErrDisabled {
		t.Errorf("the right password: %v", err)
	}
	r := register("anna")
	r.Password = "not the one"
	if _, _, err := a.Login(ctx, r, home); code(err) != signal.ErrWrongPassword {
		t.Errorf("a wrong password: %v", err)
	}
	if err := a.Disable(ctx, u, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Login(ctx, register("anna"), home); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for _, name := range []string{"nobody", "echo", "", "\x00"} {
		if _, err := a.Named(ctx, name); code(err) != signal.ErrNotFound {
			t.Errorf("%q is found: %v", name, err)
		}
	}
}

func TestDNDThatEnds(t *testing.T) {
	ctx := t.Context()
	a, clock := start(t, cheap)
	p, err := a.Add(ctx, "anna", "long enough")
	if err != nil {
		t.Fatal(err)
	}
	now := func() *signal.DND {
		t.Helper()
		u, err := a.Store.User(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return a.DND(u)
	}
	if d := now(); d != nil {
		t.Errorf("at first: %+v", d)
	}
	until := clock.Now().Add(time.Hour)
	if _, err := a.SetDND(ctx, p.ID, signal.DND{On: true, Until: &until}); err != nil {
		t.Fatal(err)
	}
	if d := now(); d == nil || !d.On || d.Until == nil || !d.Until.Equal(until) {
		t.Errorf("for an hour: %+v", d)
	}
	clock.pass(time.Hour)
	if d := now(); d != nil {
		t.Errorf("after the hour: %+v", d)
	}
	for _, bad := range []time.Time{clock.Now(), clock.Now().Add(-time.Second), clock.Now().Add(2 * signal.MaxDND)} {
		if _, err := a.SetDND(ctx, p.ID, signal.DND{On: true, Until: &bad}); code(err) != signal.ErrBadRequest {
			t.Errorf("until %v: %v", bad, err)
		}
	}
	if _, err := a.SetDND(ctx, p.ID, signal.DND{On: true}); err != nil {
		t.Fatal(err)
	}
	if d := now(); d == nil || d.Until != nil {
		t.Errorf("without an end: %+v", d)
	}
}

// Attack row 44: names that look like another's, in one alphabet each so that mixing is not what gives them away.
func TestLookalikeNamesAreTaken(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, cheap)
	a.register.Rate = limit.Rate{Burst: 1000, Every: time.Millisecond}
	for _, name := range []string{"Coco", "anna", "Петр", "hope", "jörg"} {
		if _, _, err := a.Register(ctx, register(name), home); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, why := range map[string]string{
		"сосо":       "Cyrillic",
		"СОСО":       "Cyrillic capitals",
		"ΑΝΝΑ":       "Greek capitals",
		"ｃｏｃｏ":       "full width",
		"coCO":       "case",
		"һоре":       "Cyrillic",
		"jo\u0308rg": "another spelling of the same letters",
		"петр":       "case of another alphabet",
	} {
		if _, _, err := a.Register(ctx, register(name), home); code(err) != signal.ErrNameTaken {
			t.Errorf("%s (%s): %v", name, why, err)
		}
	}
	for _, name := range []string{"аdmin", "ЕСНО", "гооt", "сoco", "ϹΟϹΟ"} { // reserved in disguise, and alphabets mixed
		if _, _, err := a.Register(ctx, register(name), home); code(err) != signal.ErrBadName {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"Вера", "Ἑλένη", "Наташа", "田中", "annA2"} {
		if _, _, err := a.Register(ctx, register(name), home); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Names taken by an earlier version, which did not note what they look like, are protected too.
func TestLooksOfOldNames(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, cheap)
	if err := a.Store.AddUser(ctx, store.User{ID: "old", Name: "Coco", NameKey: "coco", Kind: "person", Password: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := a.Start(ctx); err != nil {
		t.Fatal(err)
	}
	var r *Refused
	if _, _, err := a.Register(ctx, register("сосо"), home); !errors.As(err, &r) || r.Status != http.StatusConflict {
		t.Errorf("%v", err)
	}
}
