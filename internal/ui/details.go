package ui

import (
	"fmt"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// detailsPage is all that is known about one call.
type detailsPage struct {
	w     *window
	root  fyne.CanvasObject
	head  *pageHead
	face  *widget.Avatar
	name  *widget.Text
	kind  *widget.Text
	facts []*fact
	list  *fyne.Container
	again *widget.Button
	chat  *widget.Button
	id    string
	c     signal.CallRecord
}

// fact is a line of two: what, and how it was.
type fact struct {
	root  *fyne.Container
	value *widget.Note
}

var factNames = []string{"When", "Answered", "Lasted", "How it ended", "Connection", "Setting up"}

func newDetailsPage(w *window, m *mainPage) *detailsPage {
	p := &detailsPage{w: w, face: widget.NewAvatar(84, theme.TonePage)}
	p.head = newPageHead(m, false)
	p.head.name.SetText("Call")
	p.head.state.Hide()
	p.name = widget.NewText("", theme.Heading, theme.ToneText).Strong().Centred().Short()
	p.kind = widget.NewText("", theme.Body, theme.ToneMuted).Centred()
	p.list = column(0)
	for i, n := range factNames {
		p.facts = append(p.facts, newFact(n, i > 0))
		p.list.Add(p.facts[i].root)
	}
	card := container.NewStack(widget.NewPanel(theme.ToneSurface, 14).Outlined(theme.ToneBorder), inset(20, 6, p.list))
	p.again = widget.NewButton("Call again", "phone", widget.Main, func() { w.cmd.Dial(p.c.Peer.ID, p.c.Video) })
	p.chat = widget.NewButton("Message", "chat", widget.Quiet, func() { m.openChat(p.c.Peer.ID) })
	content := column(16, container.NewCenter(p.face), column(2, p.name, p.kind),
		container.NewCenter(line(12, p.again, p.chat)), card)
	scroll := container.NewVScroll(container.New(widget.Layout{
		Min: func() fyne.Size { return content.MinSize().AddWidthHeight(32, 56) },
		Place: func(s fyne.Size) {
			width := min(s.Width-32, 520)
			widget.Place(content, (s.Width-width)/2, 28, width, content.MinSize().Height)
		},
	}, content))
	p.root = container.NewStack(widget.NewPanel(theme.TonePage, 0), container.NewBorder(
		container.NewStack(widget.NewPanel(theme.ToneSurface, 0), p.head.root), nil, nil, nil, scroll,
	))
	return p
}

func newFact(name string, rule bool) *fact {
	f := &fact{value: widget.NewNote(theme.ToneText)}
	key := widget.NewText(name, theme.Body, theme.ToneMuted)
	edge := widget.NewPanel(theme.ToneBorder, 0)
	setVisible(edge, rule)
	f.root = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(240, f.value.MinSize().Height+22) },
		Place: func(s fyne.Size) {
			widget.Place(edge, 0, 0, s.Width, 1)
			widget.Place(key, 0, 11, 120, 20)
			widget.Place(f.value, 128, 11, s.Width-128, s.Height-22)
		},
	}, edge, key, f.value)
	return f
}

func (f *fact) set(s string) {
	f.value.SetText(s)
	setVisible(f.root, s != "")
}

func (p *detailsPage) setNarrow(narrow bool) { p.head.setNarrow(narrow) }

// choose shows another call: at once what the list knows, and what the server says when it comes.
func (p *detailsPage) choose(id string) {
	p.id = id
	p.w.cmd.ShowCall(id)
	p.show(p.w.snap)
}

func (p *detailsPage) show(s app.Snapshot) {
	for _, c := range s.Calls {
		if c.ID == p.id {
			p.set(c)
		}
	}
	if s.CallDetails != nil && s.CallDetails.ID == p.id {
		p.set(*s.CallDetails)
	}
}

func (p *detailsPage) set(c signal.CallRecord) {
	if c == p.c {
		return
	}
	p.c = c
	p.face.Set(nameOf(c.Peer), iconOf(c.Peer), widget.NoPresence)
	p.name.SetText(nameOf(c.Peer))
	p.kind.SetText(kindWords(c))
	p.kind.SetTone(either2(c.Missed, theme.ToneBadText, theme.ToneMuted))
	p.again.SetText(either(c.Direction == signal.Incoming, "Call back", "Call again"))
	p.again.SetIcon(either(c.Video, "camera", "phone"))
	setVisible(p.again, c.Peer.Kind != signal.KindDeleted)
	setVisible(p.chat, c.Peer.Kind == signal.KindPerson)
	answered, long, path, setup := "", "", "", ""
	if c.Accepted != nil {
		answered = fmt.Sprintf("After %s", lasted(c.Accepted.Sub(c.Started)))
		long = lasted(time.Duration(c.Seconds * float64(time.Second)))
		if c.Path != signal.PathUnknown {
			path = pathWords(c.Path)
		}
	}
	if c.SetupMs > 0 {
		setup = fmt.Sprintf("%.1f s from answer to first sound or picture", float64(c.SetupMs)/1000)
	}
	for i, v := range []string{c.Started.Local().Format("Monday, 2 January 2006, 15:04:05"), answered, long, recordEnd(c), path, setup} {
		p.facts[i].set(v)
	}
	p.list.Refresh()
}

func kindWords(c signal.CallRecord) string {
	kind := either(c.Video, "video call", "call")
	switch {
	case c.Missed:
		return "Missed " + kind
	case c.Direction == signal.Incoming:
		return "Incoming " + kind
	}
	return "Outgoing " + kind
}
