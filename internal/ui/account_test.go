package ui

import (
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/widget"
)

// buttons gives all buttons in sight under o, by their words.
func buttons(o fyne.CanvasObject) map[string]*widget.Button {
	all := map[string]*widget.Button{}
	var walk func(fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() {
			return
		}
		switch o := o.(type) {
		case *widget.Button:
			all[o.Text()] = o
		case *fyne.Container:
			for _, inner := range o.Objects {
				walk(inner)
			}
		}
	}
	walk(o)
	return all
}

func onAccount(t *testing.T) (*window, *fake, *accountPage) {
	t.Helper()
	s := signedIn()
	withAccount(&s)
	w, f := open(t, 1100, 700, s)
	w.main.openAccount()
	asked(t, f, "load account")
	return w, f, w.main.account
}

func TestAccountPassword(t *testing.T) {
	w, f, p := onAccount(t)
	test.Tap(p.change)
	asked(t, f)
	if w.win.Canvas().Focused() != fyne.Focusable(p.old) {
		t.Error("the missing password is not pointed out")
	}
	p.old.SetText("old words")
	p.fresh.SetText("new words")
	p.fresh.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	asked(t, f, "password old words new words")
	f.set(func(s *app.Snapshot) {
		s.Account.Said = app.Outcome{Step: app.StepPassword, Text: "The password is wrong.", Failed: true}
	})
	if p.outcomes[app.StepPassword].Text() != "The password is wrong." || p.old.Text == "" {
		t.Error("nothing is said, or what was typed is lost")
	}
	f.set(func(s *app.Snapshot) {
		s.Account.Said = app.Outcome{Step: app.StepPassword, Text: "Your password is changed."}
	})
	if p.old.Text != "" || p.fresh.Text != "" || p.outcomes[app.StepPassword].Text() != "Your password is changed." {
		t.Error("passwords stay on the screen")
	}
}

func TestAccountSessions(t *testing.T) {
	_, f, p := onAccount(t)
	rows := p.sessions.root.Objects
	if len(rows) != 3 || len(buttons(rows[0])) != 0 || !strings.Contains(p.sessions.key, "Last active yesterday") {
		t.Fatalf("%d rows: %q", len(rows), p.sessions.key)
	}
	test.Tap(buttons(rows[1])["Sign out"])
	all := buttons(p.root)
	test.Tap(buttons(p.content)["Sign out the others"])
	test.Tap(buttons(p.content)["Sign out everywhere"])
	asked(t, f, "end session s2", "end other sessions", "sign out everywhere")
	f.set(func(s *app.Snapshot) { s.Account.Sessions = s.Account.Sessions[:1] })
	if buttons(p.content)["Sign out the others"] != nil || len(p.sessions.root.Objects) != 1 {
		t.Error("offered without others", all)
	}
}

func TestAccountInvites(t *testing.T) {
	w, f, p := onAccount(t)
	all := buttons(p.content)
	test.Tap(all["Make an invitation link"])
	test.Tap(all["Copy"])
	test.Tap(buttons(p.invites.root.Objects[0])["Revoke"])
	asked(t, f, "invite", "revoke i1")
	link := "https://calls.example.org/#invite=Zq3-xw_81kLmPqRsTuVwXyZ012"
	if got := w.app.Clipboard().Content(); got != link {
		t.Errorf("copied %q", got)
	}
	p.link.SetText("something else")
	if p.link.Text != link {
		t.Error("the link can be changed")
	}
	if len(buttons(p.invites.root.Objects[1])) != 0 {
		t.Error("what is over can be revoked")
	}
	f.set(func(s *app.Snapshot) { s.Account.MayInvite, s.Account.NewInvite = false, "" })
	if p.inviteCard.Visible() || p.linkRow.Visible() {
		t.Error("offered to who may not")
	}
}

func TestBlocking(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	w.main.openChat("bob")
	p := w.main.chat
	f.take()
	test.Tap(p.block)
	asked(t, f)
	if !p.bar.root.Visible() || !strings.Contains(p.bar.note.Text(), "Bob") {
		t.Fatal("not asked first")
	}
	test.Tap(p.bar.no)
	if p.bar.root.Visible() {
		t.Error("the question stays")
	}
	test.Tap(p.block)
	w.main.openChat("maria")
	if p.bar.root.Visible() {
		t.Error("the question went to another chat")
	}
	w.main.openChat("bob")
	f.take()
	test.Tap(p.block)
	test.Tap(p.bar.yes)
	asked(t, f, "block bob")

	f.set(func(s *app.Snapshot) {
		s.Account.Blocked = []signal.User{{ID: "bob", Name: "Bob", Kind: signal.KindPerson}}
		s.People[0].Blocked = true
	})
	if p.head.state.Text() != "Blocked" || p.phone.Visible() || p.video.Visible() || p.block.Visible() || p.view.foot.Visible() {
		t.Error("somebody who is blocked can be called or written to")
	}
	row := w.main.side.people.Row(1).(*personRow)
	if row.sub.Text() != "Blocked" || row.phone.Visible() || row.camera.Visible() {
		t.Error("the row:", row.sub.Text())
	}
	test.Tap(p.bar.yes)
	asked(t, f, "unblock bob")
	w.main.openAccount()
	test.Tap(buttons(w.main.account.blocked.root)["Unblock"])
	asked(t, f, "load account", "unblock bob")
	w.main.openChat(lobby)
	if p.bar.root.Visible() || !p.view.foot.Visible() {
		t.Error("the lobby is blocked")
	}
}

func TestDoNotDisturb(t *testing.T) {
	w, f, p := onAccount(t)
	b := w.main.side
	test.Tap(b.moon)
	p.dnd.SetSelected(dndHour)
	p.dnd.SetSelected(dndTomorrow)
	asked(t, f, "dnd true", "dnd true until 14 13:00", "dnd true until 15 08:00")
	f.set(func(s *app.Snapshot) { s.Self.DND, s.Account.DNDUntil = true, noon.Add(60*60*1e9) })
	if b.state.Text() != "Do not disturb until 13:00" || !b.moon.On() || p.dnd.Selected != "Until 13:00" {
		t.Error("not seen:", b.state.Text(), b.moon.On(), p.dnd.Selected)
	}
	asked(t, f) // showing is not choosing
	test.Tap(b.moon)
	p.dnd.SetSelected(dndOff)
	asked(t, f, "dnd false", "dnd false")
	f.set(func(s *app.Snapshot) { s.People[2].DND = true })
	w.main.openChat("maria")
	if got := w.main.chat.head.state.Text(); got != "Do not disturb" {
		t.Error("Maria:", got)
	}
}

func TestDeletingTheAccount(t *testing.T) {
	w, f, p := onAccount(t)
	if p.leaving.Visible() {
		t.Fatal("asked at once")
	}
	all := buttons(p.content)
	test.Tap(all["Save a copy"])
	test.Tap(all["Delete my account"])
	all = buttons(p.content)
	test.Tap(all["Delete for ever"])
	asked(t, f, "export") // without a password nothing happens
	p.password.SetText("secret words")
	p.lines.SetChecked(true)
	test.Tap(all["Delete for ever"])
	asked(t, f, "delete secret words true")
	test.Tap(all["Keep it"])
	if p.leaving.Visible() || p.password.Text != "" {
		t.Error("the question or the password stays")
	}
	test.Tap(buttons(p.content)["Delete my account"])
	p.password.SetText("secret words")
	f.set(func(s *app.Snapshot) { *s = app.Snapshot{Settings: s.Settings} })
	if p.password.Text != "" || p.leaving.Visible() || !w.signIn.root.Visible() {
		t.Error("something is left for the next person")
	}
}

func TestInvitationLink(t *testing.T) {
	w, f := open(t, 700, 800, app.Snapshot{})
	p := w.signIn
	p.server.SetText("https://calls.example.org:8443/#fp=AB:CD&invite=Zq3-xw")
	if p.server.Text != "https://calls.example.org:8443#fp=AB:CD" || p.invite.Text != "Zq3-xw" || !p.signingUp() || !p.inviteBox.Visible() {
		t.Fatalf("%q %q", p.server.Text, p.invite.Text)
	}
	if w.win.Canvas().Focused() != fyne.Focusable(p.name) {
		t.Error("the cursor is not at the name")
	}
	if got := f.take(); !slices.Contains(got, `look up https://calls.example.org:8443#fp=AB:CD "Zq3-xw"`) {
		t.Errorf("asked %q", got)
	}
	f.set(func(s *app.Snapshot) {
		s.Door = app.Door{Server: p.server.Text, Invite: "Zq3-xw", Mode: signal.SignUpInvite, Good: true, By: "Bob", Expires: noon.Add(25 * 60 * 60 * 1e9)}
	})
	if got := p.door.Text(); got != "Bob has invited you. The invitation is good until tomorrow at 13:00." {
		t.Error(got)
	}
	p.name.SetText("anna")
	p.password.SetText("secret words")
	test.Tap(p.submit)
	asked(t, f, `sign up https://calls.example.org:8443#fp=AB:CD anna secret words "Zq3-xw"`)
	f.set(func(s *app.Snapshot) { s.Door.Good, s.Door.Bad = false, true })
	if got := p.door.Text(); !strings.Contains(got, "not good any more") {
		t.Error(got)
	}
}

func TestWhoMaySignUp(t *testing.T) {
	w, f := open(t, 700, 800, app.Snapshot{Settings: app.Settings{Server: "calls.example.org"}})
	p := w.signIn
	door := func(m signal.SignUpMode) {
		f.set(func(s *app.Snapshot) { s.Door = app.Door{Server: "calls.example.org", Mode: m} })
	}
	door(signal.SignUpClosed)
	if p.door.Visible() || p.inviteBox.Visible() {
		t.Error("said to somebody who only signs in")
	}
	p.mode.Select(1)
	if !p.door.Visible() || p.inviteBox.Visible() || !p.submit.Disabled() {
		t.Error("closed, and nothing says so")
	}
	p.mode.Select(0)
	if p.submit.Disabled() {
		t.Error("closed for new accounts, and nobody can sign in")
	}
	p.mode.Select(1)
	door(signal.SignUpOpen)
	if p.door.Visible() || p.inviteBox.Visible() || p.submit.Disabled() {
		t.Error("open, and an invitation is asked for")
	}
	door(signal.SignUpInvite)
	if !p.door.Visible() || !p.inviteBox.Visible() {
		t.Error("by invitation, and nothing asks for one")
	}
	p.focus()
	if w.win.Canvas().Focused() != fyne.Focusable(p.invite) {
		t.Error("the cursor is not at the invitation")
	}
	p.server.SetText("other.example.org")
	p.show(w.snap)
	if p.door.Visible() {
		t.Error("said of another server")
	}
}
