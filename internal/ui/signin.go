package ui

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// signInPage asks for server, name and password, to sign in or to sign up, and for an invitation where the server wants one.
// An invitation link may be pasted into either field.
type signInPage struct {
	w    *window
	root fyne.CanvasObject

	mode                   *widget.Tabs
	server, name, password *widget.Field
	invite                 *widget.Field
	inviteBox              *fyne.Container
	door                   *widget.Note // who may sign up
	note                   *widget.Note
	submit                 *widget.Button
	filled                 bool // the fields have been filled from the settings once
	busy                   bool
	closed                 bool // signing up here is in vain
	card, form             *fyne.Container
}

func newSignInPage(w *window) *signInPage {
	p := &signInPage{w: w}
	p.server = widget.NewSearchField("calls.example.org")
	p.name = widget.NewSearchField("Your name")
	p.password = widget.NewPasswordField("Password")
	p.invite = widget.NewSearchField("Paste the link you were sent")
	p.inviteBox = labelled("Invitation", p.invite)
	p.door = widget.NewNote(theme.ToneMuted)
	p.note = widget.NewNote(theme.ToneBadText)
	p.mode = widget.NewTabs([]string{"Sign in", "Sign up"}, func(int) { p.turn() })
	p.submit = widget.NewButton("Sign in", "", widget.Main, p.send)
	for _, f := range []*widget.Field{p.server, p.name, p.password, p.invite} {
		f.OnSubmitted = func(string) { p.enter() }
	}
	for _, f := range []*widget.Field{p.server, p.invite} {
		f.OnChanged = p.pasted
		f.OnLeave = p.lookUp
	}
	p.root = p.build()
	p.words()
	return p
}

func (p *signInPage) build() fyne.CanvasObject {
	logo := canvas.NewImageFromResource(theme.AppIcon())
	logo.FillMode = canvas.ImageFillContain
	logo.SetMinSize(fyne.NewSquareSize(72))
	head := widget.NewText("Visavis", theme.Title, theme.ToneText).Strong().Centred()
	sub := widget.NewText("See and hear each other", theme.Body, theme.ToneMuted).Centred()
	p.inviteBox.Hide()
	p.form = column(14, p.mode,
		labelled("Server", p.server), p.inviteBox, p.door, labelled("Name", p.name), labelled("Password", p.password), p.note, p.submit)
	p.card = container.NewStack(widget.NewPanel(theme.ToneSurface, 18).Outlined(theme.ToneBorder), padded(24, p.form))
	mark := container.NewCenter(logo)
	content := column(18, mark, column(4, head, sub), p.card)
	scroll := container.NewVScroll(container.New(widget.Layout{
		Min: func() fyne.Size { return content.MinSize().AddWidthHeight(32, 48) },
		Place: func(s fyne.Size) {
			setVisible(mark, p.w.win.Canvas().Size().Height >= 680) // else there is no room for it
			width := min(s.Width-32, 400)
			h := content.MinSize().Height
			widget.Place(content, (s.Width-width)/2, max((s.Height-h)*0.42, 24), width, h)
		},
	}, content))
	return container.NewStack(widget.NewPanel(theme.TonePage, 0), scroll)
}

// words puts the right words on the button for the mode.
func (p *signInPage) words() {
	text := "Sign in"
	switch up := p.signingUp(); {
	case up && p.busy:
		text = "Signing up…"
	case up:
		text = "Create account"
	case p.busy:
		text = "Signing in…"
	}
	p.submit.SetText(text)
	p.name.SetPlaceHolder(either(p.signingUp(), "Without spaces, such as anna.brandt", "Your name"))
	p.password.SetPlaceHolder(either(p.signingUp(), "At least 8 characters", "Password"))
}

// turn is called when the other of signing in and signing up is chosen.
func (p *signInPage) turn() {
	p.words()
	p.showDoor(p.w.snap)
	p.lookUp()
}

// signingUp says whether the form is for a new account.
func (p *signInPage) signingUp() bool { return p.mode.On() == 1 }

// pasted takes an invitation link apart, into whichever field it was put.
func (p *signInPage) pasted(text string) {
	server, invite, ok := signal.InviteLink(text)
	if !ok {
		return
	}
	p.server.SetText(server)
	p.invite.SetText(invite)
	p.mode.Select(1)
	p.lookUp()
	p.focus()
}

// lookUp asks the server who may sign up, and what the invitation is worth.
func (p *signInPage) lookUp() {
	if server := strings.TrimSpace(p.server.Text); p.signingUp() && server != "" {
		p.w.cmd.LookUp(server, strings.TrimSpace(p.invite.Text))
	}
}

// showDoor shows what is known of the server that is typed, while somebody wants to sign up.
func (p *signInPage) showDoor(s app.Snapshot) {
	d := s.Door
	if d.Server != strings.TrimSpace(p.server.Text) || d.Invite != strings.TrimSpace(p.invite.Text) {
		d = app.Door{}
	}
	p.closed = p.signingUp() && d.Mode == signal.SignUpClosed
	p.submit.SetDisabled(p.busy || p.closed)
	asks := p.signingUp() && d.Mode != signal.SignUpClosed && (d.Mode != signal.SignUpOpen || p.invite.Text != "")
	words := ""
	if p.signingUp() {
		words = doorWords(d, p.w.now())
	}
	if asks == p.inviteBox.Visible() && words == p.door.Text() {
		return
	}
	setVisible(p.inviteBox, asks)
	p.invite.SetPlaceHolder(either(d.Mode == signal.SignUpInvite, "Paste the link you were sent", "Paste the link, if you were sent one"))
	p.door.Tone = either2(d.Bad, theme.ToneBadText, theme.ToneMuted)
	p.door.SetText(words)
	refreshBoxes(p.form)
	p.root.Refresh()
}

// fields are those in sight that must be filled in, from the top.
func (p *signInPage) fields() []*widget.Field {
	all := []*widget.Field{p.server, p.name, p.password}
	if d := p.w.snap.Door; p.inviteBox.Visible() && d.Mode == signal.SignUpInvite && d.Server == strings.TrimSpace(p.server.Text) {
		all = []*widget.Field{p.server, p.invite, p.name, p.password}
	}
	return all
}

// focus puts the cursor into the first field that is still empty.
func (p *signInPage) focus() {
	for _, f := range p.fields() {
		if f.Text == "" {
			p.w.win.Canvas().Focus(f)
			return
		}
	}
}

// enter goes to the first field that is still empty, or sends.
func (p *signInPage) enter() {
	for _, f := range p.fields() {
		if strings.TrimSpace(f.Text) == "" {
			p.w.win.Canvas().Focus(f)
			return
		}
	}
	p.send()
}

func (p *signInPage) send() {
	if p.busy || p.closed {
		return
	}
	server, name, password := strings.TrimSpace(p.server.Text), strings.TrimSpace(p.name.Text), p.password.Text
	switch {
	case server == "":
		p.complain("Enter the address of a server.", p.server)
	case name == "":
		p.complain("Enter your name.", p.name)
	case password == "":
		p.complain("Enter your password.", p.password)
	case p.signingUp():
		p.w.cmd.SignUp(server, name, password, strings.TrimSpace(p.invite.Text))
	default:
		p.w.cmd.SignIn(server, name, password)
	}
}

func (p *signInPage) complain(text string, f *widget.Field) {
	p.note.SetText(text)
	p.w.win.Canvas().Focus(f)
}

// show draws s.
func (p *signInPage) show(s app.Snapshot) {
	if !p.filled && (s.Settings.Server != "" || s.Settings.Name != "" || s.Server != "") {
		p.filled = true
		p.fill(s)
	}
	if s.Link != app.SignedOut {
		p.password.SetText("") // a password is not kept, not even in a field that cannot be seen
		p.invite.SetText("")
	}
	p.showDoor(s)
	switch {
	case s.SigningIn:
		p.note.SetText("")
	case s.SignInError != "":
		p.note.SetText(s.SignInError)
	case s.Link == app.SignedOut && s.LinkNote != "":
		p.note.SetText(s.LinkNote)
	}
	if s.SigningIn != p.busy {
		p.busy = s.SigningIn
		p.submit.SetDisabled(p.busy || p.closed)
		p.words()
	}
}

func (p *signInPage) fill(s app.Snapshot) {
	server := s.Settings.Server
	if server == "" {
		server = s.Server
	}
	if p.server.Text == "" {
		p.server.SetText(server)
	}
	if p.name.Text == "" {
		p.name.SetText(s.Settings.Name)
	}
}
