package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynewidget "fyne.io/fyne/v2/widget"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// accountPage is about oneself: do-not-disturb, password, devices, invitations, blocked people, and the way out.
type accountPage struct {
	w    *window
	root fyne.CanvasObject
	head *pageHead

	face  *widget.Avatar
	name  *widget.Text
	where *widget.Text

	dnd        *fynewidget.Select
	old, fresh *widget.Field
	change     *widget.Button

	sessions *accountRows
	others   *widget.Button

	inviteCard fyne.CanvasObject
	link       *widget.Field
	linkRow    *fyne.Container
	invites    *accountRows

	blocked *accountRows
	nobody  *widget.Note

	leaving  *fyne.Container // shown when asked for
	password *widget.Field
	lines    *fynewidget.Check

	outcomes map[app.Step]*widget.Note
	content  *fyne.Container
	scroll   *container.Scroll
	quiet    bool // show is filling the fields: nobody chose anything
}

func newAccountPage(w *window, m *mainPage) *accountPage {
	p := &accountPage{w: w, outcomes: map[app.Step]*widget.Note{}, face: widget.NewAvatar(60, theme.TonePage)}
	p.head = newPageHead(m, false)
	p.head.name.SetText("Your account")
	p.head.state.Hide()
	p.name = widget.NewText("", theme.Heading, theme.ToneText).Strong().Short()
	p.where = widget.NewText("", theme.Body, theme.ToneMuted).Short()
	who := column(0, p.name, p.where)
	p.inviteCard = p.newInvites()
	p.content = column(18, inset(4, 0, stretch(14, who, p.face, who)),
		p.newDND(), p.newPassword(), p.newSessions(), p.inviteCard, p.newBlocked(), p.newData())
	p.scroll = container.NewVScroll(container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(minWidth, p.content.MinSize().Height+48) },
		Place: func(s fyne.Size) {
			width := min(s.Width-32, 520)
			widget.Place(p.content, (s.Width-width)/2, 24, width, p.content.MinSize().Height)
		},
	}, p.content))
	p.root = container.NewStack(widget.NewPanel(theme.TonePage, 0), container.NewBorder(
		container.NewStack(widget.NewPanel(theme.ToneSurface, 0), p.head.root), nil, nil, nil, p.scroll,
	))
	return p
}

// outcome is the place for how the last step of that kind went.
func (p *accountPage) outcome(step app.Step) *widget.Note {
	n := widget.NewNote(theme.ToneMuted)
	p.outcomes[step] = n
	return n
}

func explained(text string) *widget.Note {
	n := widget.NewNote(theme.ToneMuted)
	n.SetText(text)
	return n
}

// opened is called when somebody comes to the page.
func (p *accountPage) opened() {
	p.askLeave(false)
	p.w.cmd.LoadAccount()
	p.showAccount(p.w.snap)
}

// forget drops what was typed by whoever was signed in.
func (p *accountPage) forget() {
	for _, f := range []*widget.Field{p.old, p.fresh, p.password, p.link} {
		f.SetText("")
	}
	p.askLeave(false)
	p.showAccount(app.Snapshot{})
}

// show draws s, but only while it is looked at or has just been.
func (p *accountPage) show(s app.Snapshot) {
	if p.root.Visible() {
		p.showAccount(s)
	}
}

func (p *accountPage) showAccount(s app.Snapshot) {
	p.quiet = true
	defer func() { p.quiet = false }()
	self := s.Self
	self.Online = s.Link == app.Online
	p.face.Set(nameOf(self), "", presence(self))
	p.name.SetText(nameOf(self))
	p.where.SetText(selfWords(s, p.w.now()))
	p.showDND(s)
	if s.Account.Said.Step == app.StepPassword && !s.Account.Said.Failed && s.Account.Busy == "" {
		p.old.SetText("")
		p.fresh.SetText("")
	}
	p.change.SetText(either(s.Account.Busy == app.StepPassword, "One moment…", "Change password"))
	changed := p.showSessions(s)
	changed = p.showInvites(s) || changed
	changed = p.showBlocked(s) || changed
	for step, note := range p.outcomes {
		text := ""
		if s.Account.Said.Step == step {
			text = s.Account.Said.Text
			note.Tone = either2(s.Account.Said.Failed, theme.ToneBadText, theme.ToneText)
		}
		if note.Text() != text {
			note.SetText(text)
			changed = true
		}
	}
	if changed {
		p.relayout()
	}
}

// relayout is needed when parts have grown, come or gone: Fyne's boxes look at their parts only when told.
func (p *accountPage) relayout() {
	refreshBoxes(p.content)
	p.root.Refresh()
}

// refreshBoxes lays containers out from the inside to the outside.
func refreshBoxes(c *fyne.Container) {
	for _, o := range c.Objects {
		if inner, ok := o.(*fyne.Container); ok {
			refreshBoxes(inner)
		}
	}
	c.Refresh()
}

// accountRow is one line of a list: what, more of it, and a button.
type accountRow struct {
	icon, title, note string
	button            string // its words; empty: none
	tapped            func()
}

// accountRows is a short list that is made anew when it changes.
type accountRows struct {
	root *fyne.Container
	key  string
}

func newAccountRows() *accountRows {
	l := &accountRows{root: column(0)}
	l.root.Hide()
	return l
}

// set shows rows and says whether they are others than before.
func (l *accountRows) set(rows []accountRow) bool {
	key := ""
	for _, r := range rows {
		key += r.icon + "\x00" + r.title + "\x00" + r.note + "\x00" + r.button + "\n"
	}
	if key == l.key {
		return false
	}
	l.key = key
	l.root.RemoveAll()
	for i, r := range rows {
		l.root.Add(r.build(i > 0))
	}
	setVisible(l.root, len(rows) > 0)
	return true
}

func (r accountRow) build(rule bool) fyne.CanvasObject {
	title := widget.NewText(r.title, theme.Body, theme.ToneText).Strong().Short()
	text := column(0, title)
	if r.note != "" {
		text.Add(widget.NewText(r.note, theme.Caption, theme.ToneMuted).Short())
	}
	parts := []fyne.CanvasObject{widget.NewIcon(r.icon, 20, theme.ToneMuted), text}
	if r.button != "" {
		parts = append(parts, widget.NewButton(r.button, "", widget.Bare, r.tapped))
	}
	row := stretch(12, text, parts...)
	edge := widget.NewPanel(theme.ToneBorder, 0)
	setVisible(edge, rule)
	return container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(160, 56) },
		Place: func(s fyne.Size) {
			widget.Place(edge, 0, 0, s.Width, 1)
			widget.Place(row, 0, 4, s.Width, s.Height-8)
		},
	}, edge, row)
}
