package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// pageHead is the strip over a page: the way back in a narrow window, who it is about, buttons.
type pageHead struct {
	root  fyne.CanvasObject
	back  *widget.IconButton
	face  *widget.Avatar
	name  *widget.Text
	state *widget.Text
	row   *fyne.Container
}

func newPageHead(m *mainPage, face bool, buttons ...fyne.CanvasObject) *pageHead {
	h := &pageHead{
		back:  widget.NewIconButton("back", "Back", 38, m.back),
		face:  widget.NewAvatar(40, theme.ToneSurface),
		name:  widget.NewText("", 17, theme.ToneText).Strong().Short(),
		state: widget.NewText("", theme.Caption, theme.ToneMuted).Short(),
	}
	h.back.Hide()
	setVisible(h.face, face)
	who := column(0, h.name, h.state)
	h.row = stretch(10, who, append([]fyne.CanvasObject{h.back, h.face, who}, buttons...)...)
	rule := widget.NewPanel(theme.ToneBorder, 0)
	h.root = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(h.row.MinSize().Width+32, 68) },
		Place: func(s fyne.Size) {
			widget.Place(h.row, 18, 10, s.Width-36, 48)
			widget.Place(rule, 0, s.Height-1, s.Width, 1)
		},
	}, h.row, rule)
	return h
}

func (h *pageHead) setNarrow(narrow bool) {
	if narrow != h.back.Visible() {
		setVisible(h.back, narrow)
		h.row.Refresh()
	}
}

// chatPage is a chat with the buttons to call.
type chatPage struct {
	w     *window
	m     *mainPage
	root  fyne.CanvasObject
	head  *pageHead
	view  *chatView
	phone *widget.IconButton
	video *widget.Button
	id    string
}

func newChatPage(w *window, m *mainPage) *chatPage {
	p := &chatPage{w: w, m: m, view: newChatView(w, false)}
	p.view.onEscape = m.back
	p.view.inSight = func() bool { return m.root.Visible() && p.root.Visible() }
	p.phone = widget.NewIconButton("phone", "Call", 42, func() { w.cmd.Dial(p.id, false) })
	p.video = widget.NewButton("Video call", "camera", widget.Main, func() { w.cmd.Dial(p.id, true) })
	p.head = newPageHead(m, true, p.phone, p.video)
	p.root = container.NewStack(widget.NewPanel(theme.TonePage, 0), container.NewBorder(
		container.NewStack(widget.NewPanel(theme.ToneSurface, 0), p.head.root), nil, nil, nil, p.view.root,
	))
	return p
}

func (p *chatPage) choose(id string) {
	p.id = id
	p.view.choose(id)
	p.show(p.w.snap)
}

func (p *chatPage) setNarrow(narrow bool) {
	p.head.setNarrow(narrow)
	p.video.SetText(either(narrow, "Video", "Video call"))
}

func (p *chatPage) show(s app.Snapshot) {
	if p.id == lobby {
		online := 0
		for _, o := range s.People {
			if o.Online && o.Kind != signal.KindEcho {
				online++
			}
		}
		p.head.face.Set("Lobby", "people", widget.NoPresence)
		p.head.name.SetText("Lobby")
		p.head.state.SetText(either(online == 0, "Nobody else is online", plural(online, "other is online", "others are online")))
	} else if u, ok := person(s, p.id); ok {
		p.head.face.Set(nameOf(u), iconOf(u), presence(u.Online))
		p.head.name.SetText(nameOf(u))
		p.head.state.SetText(either(u.Kind == signal.KindEcho, "Sends your own picture and sound back", either(u.Online, "Online", "Offline")))
	}
	one := p.id != lobby
	if one != p.phone.Visible() {
		setVisible(p.phone, one)
		setVisible(p.video, one)
		p.head.row.Refresh()
	}
	p.view.show(s)
}

// person finds somebody by user id: on the roster, or among those that calls were with.
func person(s app.Snapshot, id string) (signal.User, bool) {
	for _, p := range s.People {
		if p.ID == id {
			return p.User, true
		}
	}
	for _, c := range s.Calls {
		if c.Peer.ID == id {
			return c.Peer, true
		}
	}
	if s.Call.PeerID == id {
		return s.Call.Peer, true
	}
	return signal.User{}, false
}
