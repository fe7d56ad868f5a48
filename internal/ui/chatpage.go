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
	block *widget.IconButton
	bar   *blockBar
	id    string
}

func newChatPage(w *window, m *mainPage) *chatPage {
	p := &chatPage{w: w, m: m, view: newChatView(w, false)}
	p.view.onEscape = m.back
	p.view.inSight = func() bool { return m.root.Visible() && p.root.Visible() }
	p.phone = widget.NewIconButton("phone", "Call", 42, func() { w.cmd.Dial(p.id, false) })
	p.video = widget.NewButton("Video call", "camera", widget.Main, func() { w.cmd.Dial(p.id, true) })
	p.bar = newBlockBar(w)
	p.block = widget.NewIconButton("block", "Block", 42, func() { p.bar.ask(p.id) })
	p.head = newPageHead(m, true, p.block, p.phone, p.video)
	p.root = container.NewStack(widget.NewPanel(theme.TonePage, 0), container.NewBorder(
		column(0, container.NewStack(widget.NewPanel(theme.ToneSurface, 0), p.head.root), p.bar.root), nil, nil, nil, p.view.root,
	))
	return p
}

func (p *chatPage) choose(id string) {
	p.id = id
	p.bar.choose(id)
	p.view.choose(id)
	p.show(p.w.snap)
}

func (p *chatPage) setNarrow(narrow bool) {
	p.head.setNarrow(narrow)
	p.video.SetText(either(narrow, "Video", "Video call"))
}

func (p *chatPage) show(s app.Snapshot) {
	blocked := p.bar.show(s)
	kind := signal.Kind("")
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
		u.Online = u.Online && !blocked
		kind = u.Kind
		p.head.face.Set(nameOf(u), iconOf(u), presence(u))
		p.head.name.SetText(nameOf(u))
		p.head.state.SetText(either(blocked, "Blocked", either(u.Kind == signal.KindEcho, "Sends your own picture and sound back", presenceWords(u))))
	}
	one, person := p.id != lobby && !blocked, kind == signal.KindPerson && !blocked
	if one != p.phone.Visible() || person != p.block.Visible() {
		setVisible(p.phone, one)
		setVisible(p.video, one)
		setVisible(p.block, person)
		p.head.row.Refresh()
	}
	p.view.setWritable(!blocked)
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
