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

// endedPage says in plain words how a call ended, and what can be done now.
type endedPage struct {
	w    *window
	root fyne.CanvasObject
	box  *fyne.Container

	avatar *widget.Avatar
	title  *widget.Note
	more   *widget.Note
	facts  *widget.Text
	again  *widget.Button
	chat   *widget.Button
	back   *widget.Button
	c      app.Call
}

func newEndedPage(w *window) *endedPage {
	p := &endedPage{
		w: w, avatar: widget.NewAvatar(112, theme.TonePage),
		title: widget.NewNote(theme.ToneText),
		more:  widget.NewNote(theme.ToneMuted),
		facts: widget.NewText("", theme.Caption, theme.ToneMuted).Centred().Short(),
	}
	p.title.Align, p.title.Pts, p.title.Bold = fyne.TextAlignCenter, 24, true
	p.more.Align, p.more.Pts = fyne.TextAlignCenter, theme.Name
	p.again = widget.NewButton("Call again", "phone", widget.Main, p.callAgain)
	p.chat = widget.NewButton("Message", "chat", widget.Quiet, p.message)
	p.back = widget.NewButton("Back", "", widget.Quiet, w.cmd.Dismiss)
	p.box = column(14, container.NewCenter(p.avatar), p.title, p.more, p.facts,
		inset(0, 10, container.NewCenter(line(12, p.again, p.chat, p.back))))
	p.root = container.NewStack(widget.NewPanel(theme.TonePage, 0), container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(minWidth, minHeight) },
		Place: func(s fyne.Size) {
			width := min(s.Width-32, 480)
			h := p.box.MinSize().Height
			widget.Place(p.box, (s.Width-width)/2, max((s.Height-h)*0.42, 16), width, h)
		},
	}, p.box))
	return p
}

func (p *endedPage) callAgain() { p.w.cmd.Dial(p.c.PeerID, p.c.Video) }

func (p *endedPage) message() {
	id := p.c.PeerID
	p.w.cmd.Dismiss()
	p.w.main.openChat(id)
}

// show draws s.
func (p *endedPage) show(s app.Snapshot) {
	c := s.Call
	if c.Phase != call.Ended {
		return
	}
	p.c = c
	p.avatar.Set(nameOf(c.Peer), iconOf(c.Peer), widget.NoPresence)
	words, more := endWords(c)
	p.title.SetText(words)
	p.more.SetText(more)
	p.facts.SetText(p.factWords(c))
	setVisible(p.facts, p.facts.Text() != "")
	icon := "phone"
	if c.Video {
		icon = "camera"
	}
	p.again.SetIcon(icon)
	setVisible(p.again, signal.EndReason(c.Reason) != signal.EndAnsweredElsewhere)
	setVisible(p.chat, c.Peer.Kind != signal.KindEcho)
	p.root.(*fyne.Container).Refresh()
}

func (p *endedPage) factWords(c app.Call) string {
	if c.Lasted == 0 || c.Quality.Path == signal.PathUnknown {
		return ""
	}
	return pathWords(c.Quality.Path)
}
