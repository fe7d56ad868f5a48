package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

const (
	sideWidth  float32 = 340
	splitWidth float32 = 780 // below, side bar and page take turns
)

// mainPage is what is in sight outside calls: the side bar with people and calls, and beside it the page of what was
// chosen there. In a narrow window one takes the other's place.
type mainPage struct {
	w    *window
	root *fyne.Container

	side     *sideBar
	welcome  *welcome
	chat     *chatPage
	details  *detailsPage
	settings *settingsPage
	account  *accountPage
	pages    []fyne.CanvasObject // the five above
	banner   *banner
	incoming *incomingBar
	split    *fyne.Container
	narrow   bool
	inside   bool // a page was chosen, and is what a narrow window shows
}

func newMainPage(w *window) *mainPage {
	m := &mainPage{w: w}
	m.side = newSideBar(w, m)
	m.welcome = newWelcome(w)
	m.chat = newChatPage(w, m)
	m.details = newDetailsPage(w, m)
	m.settings = newSettingsPage(w, m)
	m.account = newAccountPage(w, m)
	m.banner = newBanner()
	m.incoming = newIncomingBar(w)
	m.pages = []fyne.CanvasObject{m.welcome.root, m.chat.root, m.details.root, m.settings.root, m.account.root}
	edge := widget.NewPanel(theme.ToneBorder, 0)
	objects := append([]fyne.CanvasObject{m.side.root}, m.pages...)
	m.split = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(minWidth, minHeight-60) },
		Place: func(s fyne.Size) {
			m.setNarrow(s.Width < splitWidth)
			x := sideWidth
			if m.narrow {
				x = 0
				widget.Place(m.side.root, 0, 0, s.Width, s.Height)
			} else {
				widget.Place(m.side.root, 0, 0, sideWidth, s.Height)
				widget.Place(edge, sideWidth-1, 0, 1, s.Height)
			}
			for _, p := range m.pages {
				widget.Place(p, x, 0, s.Width-x, s.Height)
			}
		},
	}, append(objects, edge)...)
	ground := widget.NewPanel(theme.TonePage, 0)
	m.root = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(minWidth, minHeight) },
		Place: func(s fyne.Size) {
			y := float32(0)
			for _, o := range []fyne.CanvasObject{m.banner.root, m.incoming.root} {
				if o.Visible() {
					h := o.MinSize().Height
					widget.Place(o, 0, y, s.Width, h)
					y += h
				}
			}
			widget.Place(ground, 0, y, s.Width, s.Height-y)
			widget.Place(m.split, 0, y, s.Width, s.Height-y)
		},
	}, ground, m.banner.root, m.incoming.root, m.split)
	m.open(m.welcome.root)
	m.inside = false
	return m
}

// setNarrow decides what is in sight; called while laying out, so it shows and hides and no more.
func (m *mainPage) setNarrow(narrow bool) {
	m.narrow = narrow
	setVisible(m.side.root, !narrow || !m.inside)
	m.split.Objects[len(m.split.Objects)-1].(*widget.Panel).Hidden = narrow
	for _, p := range m.pages {
		if p == m.page() {
			setVisible(p, !narrow || m.inside)
		}
	}
	m.chat.setNarrow(narrow)
	m.details.setNarrow(narrow)
	m.settings.setNarrow(narrow)
	m.account.head.setNarrow(narrow)
}

// page gives the chosen page.
func (m *mainPage) page() fyne.CanvasObject {
	switch m.side.chosen.kind {
	case chooseChat:
		return m.chat.root
	case chooseCall:
		return m.details.root
	case chooseSettings:
		return m.settings.root
	case chooseAccount:
		return m.account.root
	case chooseNothing:
	}
	return m.welcome.root
}

// open puts a page in sight.
func (m *mainPage) open(page fyne.CanvasObject) {
	m.inside = true
	for _, p := range m.pages {
		setVisible(p, p == page)
	}
	m.split.Refresh()
}

// back leaves the page for the side bar.
func (m *mainPage) back() {
	m.inside = false
	m.side.choose(choice{})
	m.open(m.welcome.root)
	m.inside = false
	m.split.Refresh()
}

// forget is called when somebody has signed out: nothing of theirs is left for the next.
func (m *mainPage) forget() {
	m.back()
	m.side.forget()
	m.chat.view.forget()
	m.account.forget()
	m.w.call.drawer.chat.forget()
}

func (m *mainPage) openChat(id string) {
	m.side.choose(choice{chooseChat, id})
	m.open(m.chat.root)
	m.chat.choose(id)
	if !m.narrow {
		m.chat.view.focus()
	}
}

func (m *mainPage) openCall(id string) {
	m.side.choose(choice{chooseCall, id})
	m.details.choose(id)
	m.open(m.details.root)
}

func (m *mainPage) openSettings() {
	m.side.choose(choice{chooseSettings, ""})
	m.settings.opened()
	m.open(m.settings.root)
}

func (m *mainPage) openAccount() {
	m.side.choose(choice{chooseAccount, ""})
	m.account.opened()
	m.open(m.account.root)
}

// topRoom is the height of the strips over the page.
func (m *mainPage) topRoom() (h float32) {
	for _, o := range []fyne.CanvasObject{m.banner.root, m.incoming.root} {
		if m.root.Visible() && o.Visible() {
			h += o.MinSize().Height
		}
	}
	return h
}

// search puts the cursor into the search field.
func (m *mainPage) search() {
	if m.root.Visible() && m.side.root.Visible() {
		m.w.win.Canvas().Focus(m.side.search)
	}
}

// show draws s.
func (m *mainPage) show(s app.Snapshot) {
	room := m.topRoom()
	m.banner.show(s)
	m.incoming.show(s)
	if m.topRoom() != room {
		m.root.Refresh()
	}
	m.side.show(s)
	m.welcome.show(s)
	m.chat.show(s)
	m.details.show(s)
	m.settings.show(s)
	m.account.show(s)
}

// banner says that the server is away.
type banner struct {
	root fyne.CanvasObject
	text *widget.Text
}

func newBanner() *banner {
	b := &banner{text: widget.NewText("", theme.Body, theme.ToneOnWarn).Strong().Short().Centred()}
	b.root = container.NewStack(widget.NewPanel(theme.ToneWarn, 0), inset(16, 7, b.text))
	b.root.Hide()
	return b
}

func (b *banner) show(s app.Snapshot) {
	words := "Connecting to " + placeOf(s.Server) + "…"
	if s.LinkNote != "" {
		words = s.LinkNote + " Trying again…"
	}
	b.text.SetText(words)
	setVisible(b.root, s.Link == app.Connecting)
}

// incomingBar repeats an incoming call in the window itself, for desktops that put new windows behind.
type incomingBar struct {
	w    *window
	root fyne.CanvasObject
	text *widget.Text
}

func newIncomingBar(w *window) *incomingBar {
	b := &incomingBar{w: w, text: widget.NewText("", theme.Name, theme.ToneText).Strong().Short()}
	yes := widget.NewButton("Accept", "phone", widget.Green, func() { w.ring.answer(w.snap.Call.PeerVideo) })
	no := widget.NewButton("Decline", "hang-up", widget.Red, w.cmd.Decline)
	b.root = container.NewStack(widget.NewPanel(theme.ToneChosen, 0), inset(16, 8, stretch(10, b.text, b.text, no, yes)))
	b.root.Hide()
	return b
}

func (b *incomingBar) show(s app.Snapshot) {
	b.text.SetText(nameOf(s.Call.Peer) + " is calling")
	setVisible(b.root, s.Call.Phase == call.Incoming)
}

// welcome fills the page before anything was chosen.
type welcome struct {
	root  fyne.CanvasObject
	echo  *widget.Button
	more  *widget.Note
	w     *window
	user  signal.User
	inner *fyne.Container
}

func newWelcome(w *window) *welcome {
	v := &welcome{w: w}
	v.echo = widget.NewButton("Make a test call", "echo", widget.Quiet, func() { w.cmd.Dial(v.user.ID, true) })
	v.echo.Hide()
	v.more = widget.NewNote(theme.ToneMuted)
	v.more.Align = fyne.TextAlignCenter
	v.more.SetText("Or check your camera and microphone: Echo sends your own picture and sound back to you.")
	v.inner = column(14, container.NewCenter(widget.NewIcon("chat", 48, theme.ToneFaint)),
		widget.NewText("Choose somebody to talk to", theme.Heading, theme.ToneText).Strong().Centred(), v.more,
		container.NewCenter(v.echo))
	v.root = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(200, 200) },
		Place: func(s fyne.Size) {
			width := min(s.Width-32, 380)
			h := v.inner.MinSize().Height
			widget.Place(v.inner, (s.Width-width)/2, (s.Height-h)*0.42, width, h)
		},
	}, v.inner)
	return v
}

func (v *welcome) show(s app.Snapshot) {
	found := false
	for _, p := range s.People {
		if p.Kind == signal.KindEcho {
			v.user, found = p.User, true
		}
	}
	setVisible(v.echo, found)
	setVisible(v.more, found)
}
