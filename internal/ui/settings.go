package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynewidget "fyne.io/fyne/v2/widget"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// Device choices that are no names of devices.
const (
	deviceDefault = "System default"
	deviceNone    = "None"
	nameNone      = "none" // as app.Settings keeps it
)

// settingsPage is where devices and looks are chosen, and where one signs out.
type settingsPage struct {
	w      *window
	root   fyne.CanvasObject
	head   *pageHead
	camera *fynewidget.Select
	mic    *fynewidget.Select
	sound  *fynewidget.Select
	voice  [3]*fynewidget.Check // echo, noise, loudness
	look   *widget.Tabs
	server *widget.Note
	quiet  bool // show is filling the fields: nobody chose anything
}

var lookChoices = []string{theme.System, theme.ChooseLight, theme.ChooseDark}

func newSettingsPage(w *window, m *mainPage) *settingsPage {
	p := &settingsPage{w: w}
	p.head = newPageHead(m, false)
	p.head.name.SetText("Settings")
	p.head.state.Hide()
	p.camera = p.choice(func(s *app.Settings) *string { return &s.Camera })
	p.mic = p.choice(func(s *app.Settings) *string { return &s.Microphone })
	p.sound = p.choice(func(s *app.Settings) *string { return &s.Speaker })
	p.voice = [...]*fynewidget.Check{
		p.check("Remove echo: turn off with headphones", func(s *app.Settings) *bool { return &s.EchoCancellation }),
		p.check("Reduce background noise", func(s *app.Settings) *bool { return &s.NoiseSuppression }),
		p.check("Even out loudness", func(s *app.Settings) *bool { return &s.GainControl }),
	}
	p.look = widget.NewTabs([]string{"System", "Light", "Dark"}, func(i int) {
		p.change(func(s *app.Settings) { s.Theme = lookChoices[i] })
	})
	p.server = widget.NewNote(theme.ToneText)
	again := widget.NewButton("Look for devices again", "again", widget.Bare, w.cmd.RefreshDevices)
	mine := widget.NewButton("Your account", "person", widget.Quiet, m.openAccount)
	out := widget.NewButton("Sign out", "sign-out", widget.Risky, w.cmd.SignOut)
	content := column(18,
		card("Camera and sound", labelled("Camera", p.camera), labelled("Microphone", p.mic), labelled("Speaker", p.sound),
			container.New(leading{}, again)),
		card("Your voice", column(2, framed(p.voice[0]), framed(p.voice[1]), framed(p.voice[2]))),
		card("Appearance", p.look),
		card("Account", p.server, container.New(leading{}, line(8, mine, out))))
	scroll := container.NewVScroll(container.New(widget.Layout{
		Min: func() fyne.Size { return content.MinSize().AddWidthHeight(32, 48) },
		Place: func(s fyne.Size) {
			width := min(s.Width-32, 520)
			widget.Place(content, (s.Width-width)/2, 24, width, content.MinSize().Height)
		},
	}, content))
	p.root = container.NewStack(widget.NewPanel(theme.TonePage, 0), container.NewBorder(
		container.NewStack(widget.NewPanel(theme.ToneSurface, 0), p.head.root), nil, nil, nil, scroll,
	))
	return p
}

// card puts things under a heading on a ground of their own.
func card(heading string, objects ...fyne.CanvasObject) fyne.CanvasObject {
	head := widget.NewText(heading, theme.Name, theme.ToneText).Strong()
	return container.NewStack(widget.NewPanel(theme.ToneSurface, 14).Outlined(theme.ToneBorder),
		padded(20, column(14, append([]fyne.CanvasObject{head}, objects...)...)))
}

// framed gives a check box a frame that can be seen on the ground of a card.
func framed(check *fynewidget.Check) fyne.CanvasObject {
	return container.NewThemeOverride(check, theme.Framed{})
}

// leading lays one object at the left, as wide as it wants to be.
type leading struct{}

func (leading) MinSize(o []fyne.CanvasObject) fyne.Size { return o[0].MinSize() }

func (leading) Layout(o []fyne.CanvasObject, _ fyne.Size) { o[0].Resize(o[0].MinSize()) }

func (p *settingsPage) choice(field func(*app.Settings) *string) *fynewidget.Select {
	return fynewidget.NewSelect(nil, func(chosen string) {
		switch chosen {
		case deviceDefault:
			chosen = ""
		case deviceNone:
			chosen = nameNone
		}
		p.change(func(s *app.Settings) { *field(s) = chosen })
	})
}

func (p *settingsPage) check(label string, field func(*app.Settings) *bool) *fynewidget.Check {
	return fynewidget.NewCheck(label, func(on bool) { p.change(func(s *app.Settings) { *field(s) = on }) })
}

func (p *settingsPage) change(f func(*app.Settings)) {
	if p.quiet {
		return
	}
	s := p.w.snap.Settings
	f(&s)
	if s != p.w.snap.Settings {
		p.w.cmd.SetSettings(s)
	}
}

func (p *settingsPage) opened() { p.w.cmd.RefreshDevices() }

func (p *settingsPage) setNarrow(narrow bool) { p.head.setNarrow(narrow) }

func (p *settingsPage) show(s app.Snapshot) {
	p.quiet = true
	defer func() { p.quiet = false }()
	offer(p.camera, s.Devices.Cameras, s.Settings.Camera)
	offer(p.mic, s.Devices.Microphones, s.Settings.Microphone)
	offer(p.sound, s.Devices.Speakers, s.Settings.Speaker)
	for i, on := range []bool{s.Settings.EchoCancellation, s.Settings.NoiseSuppression, s.Settings.GainControl} {
		if p.voice[i].Checked != on {
			p.voice[i].SetChecked(on)
		}
	}
	for i, c := range lookChoices {
		if c == s.Settings.Theme {
			p.look.Select(i)
		}
	}
	p.server.SetText(nameOf(s.Self) + " at " + placeOf(s.Server))
}

// offer fills a select; a chosen device that is not there now stays in the list, so that its choice is not lost.
func offer(sel *fynewidget.Select, names []string, chosen string) {
	options := append([]string{deviceDefault}, names...)
	shown := chosen
	switch chosen {
	case "":
		shown = deviceDefault
	case nameNone:
		shown = deviceNone
	default:
		there := false
		for _, n := range names {
			there = there || n == chosen
		}
		if !there {
			options = append(options, chosen)
		}
	}
	options = append(options, deviceNone)
	if !equal(options, sel.Options) {
		sel.SetOptions(options)
	}
	if sel.Selected != shown {
		sel.Selected = shown
		sel.Refresh()
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
