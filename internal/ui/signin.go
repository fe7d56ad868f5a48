package ui

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// signInPage asks for server, name and password, to sign in or to sign up.
type signInPage struct {
	w    *window
	root fyne.CanvasObject

	mode                   *widget.Tabs
	server, name, password *widget.Field
	note                   *widget.Note
	submit                 *widget.Button
	filled                 bool // the fields have been filled from the settings once
	busy                   bool
	card                   *fyne.Container
}

func newSignInPage(w *window) *signInPage {
	p := &signInPage{w: w}
	p.server = widget.NewSearchField("calls.example.org")
	p.name = widget.NewSearchField("Your name")
	p.password = widget.NewPasswordField("Password")
	p.note = widget.NewNote(theme.ToneBadText)
	p.mode = widget.NewTabs([]string{"Sign in", "Sign up"}, func(int) { p.words() })
	p.submit = widget.NewButton("Sign in", "", widget.Main, p.send)
	for _, f := range []*widget.Field{p.server, p.name, p.password} {
		f.OnSubmitted = func(string) { p.enter() }
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
	form := column(14, p.mode,
		labelled("Server", p.server), labelled("Name", p.name), labelled("Password", p.password), p.note, p.submit)
	p.card = container.NewStack(widget.NewPanel(theme.ToneSurface, 18).Outlined(theme.ToneBorder), padded(24, form))
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
	switch up := p.mode.On() == 1; {
	case up && p.busy:
		text = "Signing up…"
	case up:
		text = "Create account"
	case p.busy:
		text = "Signing in…"
	}
	p.submit.SetText(text)
}

// focus puts the cursor into the first field that is still empty.
func (p *signInPage) focus() {
	for _, f := range []*widget.Field{p.server, p.name, p.password} {
		if f.Text == "" {
			p.w.win.Canvas().Focus(f)
			return
		}
	}
}

// enter goes to the first field that is still empty, or sends.
func (p *signInPage) enter() {
	for _, f := range []*widget.Field{p.server, p.name, p.password} {
		if strings.TrimSpace(f.Text) == "" {
			p.w.win.Canvas().Focus(f)
			return
		}
	}
	p.send()
}

func (p *signInPage) send() {
	if p.busy {
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
	case p.mode.On() == 1:
		p.w.cmd.SignUp(server, name, password)
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
	}
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
		p.submit.SetDisabled(p.busy)
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
