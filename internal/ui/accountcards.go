package ui

import (
	"fmt"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynewidget "fyne.io/fyne/v2/widget"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// For how long nobody may ring.
const (
	dndOff      = "Off: people can ring me"
	dndHour     = "For one hour"
	dndTomorrow = "Until tomorrow at 08:00"
	dndAlways   = "Until I turn it off"
)

func (p *accountPage) newDND() fyne.CanvasObject {
	p.dnd = fynewidget.NewSelect([]string{dndOff, dndHour, dndTomorrow, dndAlways}, func(chosen string) {
		if p.quiet {
			return
		}
		now := p.w.now()
		switch chosen {
		case dndOff:
			p.w.cmd.SetDND(false, time.Time{})
		case dndHour:
			p.w.cmd.SetDND(true, now.Add(time.Hour))
		case dndTomorrow:
			y, m, d := now.AddDate(0, 0, 1).Date()
			p.w.cmd.SetDND(true, time.Date(y, m, d, 8, 0, 0, 0, now.Location()))
		case dndAlways:
			p.w.cmd.SetDND(true, time.Time{})
		}
	})
	return card("Do not disturb", explained("Nobody can ring you on any of your devices. You see afterwards who called."), p.dnd, p.outcome(app.StepDND))
}

func (p *accountPage) showDND(s app.Snapshot) {
	shown := dndOff
	switch {
	case s.Self.DND && s.Account.DNDUntil.IsZero():
		shown = dndAlways
	case s.Self.DND:
		shown = "Until " + moment(s.Account.DNDUntil, p.w.now())
	}
	if p.dnd.Selected != shown {
		p.dnd.Selected = shown
		p.dnd.Refresh()
	}
}

func (p *accountPage) newPassword() fyne.CanvasObject {
	p.old, p.fresh = widget.NewPasswordField("Current password"), widget.NewPasswordField("New password")
	send := func() {
		switch {
		case p.old.Text == "":
			p.w.win.Canvas().Focus(p.old)
		case p.fresh.Text == "":
			p.w.win.Canvas().Focus(p.fresh)
		default:
			p.w.cmd.ChangePassword(p.old.Text, p.fresh.Text)
		}
	}
	p.old.OnSubmitted = func(string) { send() }
	p.fresh.OnSubmitted = func(string) { send() }
	p.change = widget.NewButton("Change password", "", widget.Quiet, send)
	return card("Password", p.old, p.fresh, explained("At least 8 characters. Your other devices will be signed out."),
		container.New(leading{}, p.change), p.outcome(app.StepPassword))
}

func (p *accountPage) newSessions() fyne.CanvasObject {
	p.sessions = newAccountRows()
	p.others = widget.NewButton("Sign out the others", "", widget.Quiet, p.w.cmd.EndOtherSessions)
	all := widget.NewButton("Sign out everywhere", "sign-out", widget.Risky, p.w.cmd.SignOutEverywhere)
	return card("Where you are signed in", p.sessions.root, container.New(leading{}, line(8, p.others, all)), p.outcome(app.StepSessions))
}

func (p *accountPage) showSessions(s app.Snapshot) bool {
	var rows []accountRow
	others := false
	for _, session := range s.Account.Sessions {
		name := session.Device
		if name == "" {
			name = "A device without a name"
		}
		r := accountRow{icon: "device", title: name, note: "This device"}
		if !session.Current {
			others = true
			r.note, r.button = lastUsed(session.Used, p.w.now()), "Sign out"
			r.tapped = func() { p.w.cmd.EndSession(session.ID) }
		}
		rows = append(rows, r)
	}
	was := p.others.Visible()
	setVisible(p.others, others)
	return p.sessions.set(rows) || was != others
}

func (p *accountPage) newInvites() fyne.CanvasObject {
	p.link = widget.NewSearchField("")
	p.link.OnChanged = func(text string) { // can be marked and copied, not changed
		if text != p.w.snap.Account.NewInvite && text != "" {
			p.link.SetText(p.w.snap.Account.NewInvite)
		}
	}
	copied := widget.NewButton("Copy", "", widget.Quiet, nil)
	copied.OnTapped = func() { p.w.app.Clipboard().SetContent(p.link.Text) }
	p.linkRow = column(8, stretch(8, p.link, p.link, copied), explained("Send it to one person. It is shown only now, and good for one account."))
	p.linkRow.Hide()
	p.invites = newAccountRows()
	create := widget.NewButton("Make an invitation link", "link", widget.Quiet, p.w.cmd.CreateInvite)
	return card("Invite somebody", p.linkRow, p.invites.root, container.New(leading{}, create), p.outcome(app.StepInvite))
}

func (p *accountPage) showInvites(s app.Snapshot) bool {
	var rows []accountRow
	now := p.w.now()
	for _, i := range s.Account.Invites {
		over := i.UsesLeft == 0 || i.Expires.Before(now)
		r := accountRow{icon: "link", title: "Not used yet", note: "Good until " + moment(i.Expires, now)}
		if over {
			r.title, r.note = "Expired", "Not good any more"
		} else {
			r.button, r.tapped = "Revoke", func() { p.w.cmd.RevokeInvite(i.ID) }
		}
		if len(i.UsedBy) > 0 {
			r.title = "Used by " + strings.Join(i.UsedBy, ", ")
		}
		rows = append(rows, r)
	}
	may, fresh := s.Account.MayInvite, s.Account.NewInvite != ""
	changed := p.inviteCard.Visible() != may || p.linkRow.Visible() != fresh
	setVisible(p.inviteCard, may)
	setVisible(p.linkRow, fresh)
	if p.link.Text != s.Account.NewInvite {
		p.link.SetText(s.Account.NewInvite)
	}
	return p.invites.set(rows) || changed
}

func (p *accountPage) newBlocked() fyne.CanvasObject {
	p.blocked = newAccountRows()
	p.nobody = explained("You have blocked nobody. You can block somebody from their chat.")
	return card("Blocked people", p.blocked.root, p.nobody, p.outcome(app.StepBlock))
}

func (p *accountPage) showBlocked(s app.Snapshot) bool {
	var rows []accountRow
	for _, u := range s.Account.Blocked {
		rows = append(rows, accountRow{icon: "block", title: nameOf(u), button: "Unblock", tapped: func() { p.w.cmd.Unblock(u.ID) }})
	}
	setVisible(p.nobody, len(rows) == 0)
	return p.blocked.set(rows)
}

func (p *accountPage) newData() fyne.CanvasObject {
	save := widget.NewButton("Save a copy", "save", widget.Quiet, p.w.cmd.Export)
	leave := widget.NewButton("Delete my account", "trash", widget.Risky, func() {
		p.askLeave(true)
		p.w.win.Canvas().Focus(p.password)
	})
	p.password = widget.NewPasswordField("Your password")
	send := func() {
		if p.password.Text == "" {
			p.w.win.Canvas().Focus(p.password)
			return
		}
		p.w.cmd.DeleteAccount(p.password.Text, p.lines.Checked)
	}
	p.password.OnSubmitted = func(string) { send() }
	p.lines = fynewidget.NewCheck("Also take away what I wrote to others", nil)
	warning := widget.NewNote(theme.ToneText)
	warning.Bold = true
	warning.SetText("Your name, password, devices and settings are deleted on the server. " +
		"Calls and messages stay with the people they were with, without your name. This cannot be undone.")
	keep := widget.NewButton("Keep it", "", widget.Quiet, func() { p.askLeave(false) })
	gone := widget.NewButton("Delete for ever", "", widget.Red, send)
	p.leaving = column(12, warning, p.password, framed(p.lines), container.New(leading{}, line(8, keep, gone)), p.outcome(app.StepDelete))
	p.leaving.Hide()
	return card("Your data", explained("The server keeps your name, your calls and your messages. Save a copy, or delete your account."),
		container.New(leading{}, line(8, save, leave)), p.outcome(app.StepExport), p.leaving)
}

// askLeave shows or hides the question that comes before an account is deleted.
func (p *accountPage) askLeave(on bool) {
	p.password.SetText("")
	p.lines.SetChecked(false)
	if p.leaving.Visible() != on {
		setVisible(p.leaving, on)
		p.relayout()
	}
}

// invitedWords says what is known of an invitation.
func invitedWords(d app.Door, now time.Time) string {
	who := "You are invited."
	if d.By != "" {
		who = d.By + " has invited you."
	}
	if d.Expires.IsZero() {
		return who
	}
	return fmt.Sprintf("%s The invitation is good until %s.", who, moment(d.Expires, now))
}

// doorWords says who may make an account on the server, where that is worth saying.
func doorWords(d app.Door, now time.Time) string {
	switch {
	case d.Mode == signal.SignUpClosed:
		return "New accounts are made by whoever runs this server. Ask them for one."
	case d.Bad:
		return "This invitation is not good any more. Ask for a new link."
	case d.Good:
		return invitedWords(d, now)
	case d.Mode == signal.SignUpInvite:
		return "This server wants an invitation. Paste the link that you were sent."
	}
	return ""
}
