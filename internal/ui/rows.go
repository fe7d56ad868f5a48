package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	fynewidget "fyne.io/fyne/v2/widget"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// personRow is somebody on the roster, or the lobby.
type personRow struct {
	fynewidget.BaseWidget
	widget.Row
	b  *sideBar
	id string

	back          *widget.Panel
	avatar        *widget.Avatar
	name, sub     *widget.Text
	badge         *widget.Badge
	chat          *widget.RowButton
	phone, camera *widget.RowButton
}

var _ desktop.Hoverable = (*personRow)(nil)

func newPersonRow(b *sideBar) *personRow {
	r := &personRow{
		b: b, back: widget.NewPanel(theme.Clear, theme.Radius), avatar: widget.NewAvatar(42, theme.ToneSurface),
		name:  widget.NewText("", theme.Name, theme.ToneText).Short(),
		sub:   widget.NewText("", theme.Caption, theme.ToneMuted).Short(),
		badge: widget.NewBadge(),
	}
	r.chat = r.button("chat", "Message", func() { b.m.openChat(r.id) })
	r.phone = r.button("phone", "Call", func() { b.w.cmd.Dial(r.id, false) })
	r.camera = r.button("camera", "Video call", func() { b.w.cmd.Dial(r.id, true) })
	r.Self = r
	r.OnTapped = func() { b.m.openChat(r.id) }
	r.ExtendBaseWidget(r)
	return r
}

func (r *personRow) button(icon, hint string, tapped func()) *widget.RowButton {
	btn := widget.NewRowButton(icon, hint, 34, theme.ToneMuted, tapped)
	btn.OnHover = r.Hover
	return btn
}

func (r *personRow) set(p app.Person, lines []app.Line, chosen bool) {
	sub := presenceWords(p.User)
	switch {
	case p.Blocked:
		sub = "Blocked"
		p.Online = false
	case p.Kind == signal.KindEcho:
		sub = "Test call: see and hear yourself"
	case p.Online && p.DND: // more to know than the last words
	case len(lines) > 0:
		sub = preview(lines[len(lines)-1], false)
	}
	r.fill(p.ID, nameOf(p.User), iconOf(p.User), sub, presence(p.User), p.Unread, chosen)
	setVisible(r.phone, p.Online)
	setVisible(r.camera, p.Online)
	setVisible(r.chat, p.Kind != signal.KindEcho)
}

func (r *personRow) setLobby(lines []app.Line, unread int, chosen bool) {
	sub := "Everybody on this server"
	if len(lines) > 0 {
		sub = preview(lines[len(lines)-1], true)
	}
	r.fill(lobby, "Lobby", "people", sub, widget.NoPresence, unread, chosen)
	for _, o := range []fyne.CanvasObject{r.phone, r.camera, r.chat} {
		setVisible(o, false)
	}
}

func preview(l app.Line, named bool) string {
	switch {
	case l.Failed:
		return "Not sent: " + l.Text
	case l.Mine:
		return "You: " + l.Text
	case named:
		return l.FromName + ": " + l.Text
	}
	return l.Text
}

func (r *personRow) fill(id, name, icon, sub string, p widget.Presence, unread int, chosen bool) {
	r.id = id
	r.avatar.Set(name, icon, p)
	r.name.SetText(name)
	r.sub.SetText(oneLine(sub))
	if bold := unread > 0; bold != r.name.Bold {
		r.name.Bold = bold
		r.name.Refresh()
	}
	r.badge.Set(unread)
	if chosen != r.Chosen {
		r.Chosen = chosen
		r.Refresh()
	}
	r.layout(r.Size())
}

func oneLine(s string) string {
	out := []rune(s)
	for i, c := range out {
		if c == '\n' || c == '\t' {
			out[i] = ' '
		}
	}
	return string(out)
}

// CreateRenderer implements fyne.Widget.
func (r *personRow) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{r.back, r.avatar, r.name, r.sub, r.badge, r.chat, r.phone, r.camera}
	return widget.NewRenderer(objects, func() fyne.Size { return fyne.NewSize(200, rowHeight) }, r.layout, func() {
		r.back.SetFill(r.Fill())
		r.avatar.SetBehind(r.Behind(theme.ToneSurface))
	})
}

func (r *personRow) layout(s fyne.Size) {
	widget.Place(r.back, 8, 2, s.Width-16, s.Height-4)
	widget.Place(r.avatar, 16, (s.Height-42)/2, 42, 42)
	right := s.Width - 14
	for _, o := range []*widget.RowButton{r.camera, r.phone, r.chat} {
		if o.Visible() {
			right -= 34
			widget.Place(o, right, (s.Height-34)/2, 34, 34)
		}
	}
	if r.badge.Visible() {
		m := r.badge.MinSize()
		right -= m.Width + 6
		widget.Place(r.badge, right, (s.Height-m.Height)/2, m.Width, m.Height)
	}
	width := right - 70 - 6
	widget.Place(r.name, 70, 13, width, 22)
	widget.Place(r.sub, 70, 35, width, 18)
}

// callRow is one call of the list, or the row that asks for older ones.
type callRow struct {
	fynewidget.BaseWidget
	widget.Row
	b *sideBar
	c signal.CallRecord

	more      bool
	back      *widget.Panel
	avatar    *widget.Avatar
	name, sub *widget.Text
	time      *widget.Text
	way       *widget.Icon
	again     *widget.RowButton
}

func newCallRow(b *sideBar) *callRow {
	r := &callRow{
		b: b, back: widget.NewPanel(theme.Clear, theme.Radius), avatar: widget.NewAvatar(42, theme.ToneSurface),
		name: widget.NewText("", theme.Name, theme.ToneText).Short(),
		sub:  widget.NewText("", theme.Caption, theme.ToneMuted).Short(),
		time: widget.NewText("", theme.Caption, theme.ToneMuted),
		way:  widget.NewIcon("call-out", 16, theme.ToneMuted),
	}
	r.again = widget.NewRowButton("phone", "Call back", 34, theme.ToneMuted, func() { b.w.cmd.Dial(r.c.Peer.ID, r.c.Video) })
	r.again.OnHover = r.Hover
	r.Self = r
	r.OnTapped = func() {
		if r.more {
			b.w.cmd.LoadCalls(true)
		} else {
			b.m.openCall(r.c.ID)
		}
	}
	r.ExtendBaseWidget(r)
	return r
}

func (r *callRow) set(c signal.CallRecord, chosen bool) {
	r.c, r.more, r.Chosen = c, false, chosen
	r.avatar.Set(nameOf(c.Peer), iconOf(c.Peer), widget.NoPresence)
	r.name.SetText(nameOf(c.Peer))
	r.sub.SetText(recordWords(c))
	r.time.SetText(when(c.Started, r.b.w.now()))
	r.again.SetIcon(either(c.Video, "camera", "phone"))
	tone, way := theme.ToneMuted, "call-out"
	switch {
	case c.Missed:
		tone, way = theme.ToneBadText, "call-missed"
	case c.Direction == signal.Incoming:
		way = "call-in"
	}
	r.way.Set(way, tone)
	r.sub.SetTone(tone)
	r.name.SetTone(either2(c.Missed, theme.ToneBadText, theme.ToneText))
	r.show(true)
}

func either2(on bool, yes, no theme.Tone) theme.Tone {
	if on {
		return yes
	}
	return no
}

func (r *callRow) setMore() {
	r.more, r.Chosen = true, false
	r.name.SetText("Show older calls")
	r.name.SetTone(theme.TonePrimary)
	r.show(false)
}

func (r *callRow) show(all bool) {
	for _, o := range []fyne.CanvasObject{r.avatar, r.sub, r.time, r.way, r.again} {
		setVisible(o, all)
	}
	r.Refresh()
	r.layout(r.Size())
}

// CreateRenderer implements fyne.Widget.
func (r *callRow) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{r.back, r.avatar, r.name, r.way, r.sub, r.time, r.again}
	return widget.NewRenderer(objects, func() fyne.Size { return fyne.NewSize(200, rowHeight) }, r.layout, func() {
		r.back.SetFill(r.Fill())
		r.avatar.SetBehind(r.Behind(theme.ToneSurface))
	})
}

func (r *callRow) layout(s fyne.Size) {
	widget.Place(r.back, 8, 2, s.Width-16, s.Height-4)
	widget.Place(r.avatar, 16, (s.Height-42)/2, 42, 42)
	if r.more {
		widget.Place(r.name, 70, (s.Height-22)/2, s.Width-90, 22)
		return
	}
	right := s.Width - 14 - 34
	widget.Place(r.again, right, (s.Height-34)/2, 34, 34)
	t := r.time.MinSize()
	right -= t.Width + 6
	widget.Place(r.time, right, 15, t.Width, 18)
	widget.Place(r.name, 70, 13, right-70-8, 22)
	widget.Place(r.way, 70, 36, 16, 16)
	widget.Place(r.sub, 90, 35, s.Width-14-34-90-8, 18)
}
