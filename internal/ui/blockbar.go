package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// blockBar is a strip over a chat: the question before somebody is blocked, and the way back afterwards.
type blockBar struct {
	w       *window
	root    fyne.CanvasObject
	note    *widget.Note
	yes, no *widget.Button
	id      string
	asking  bool
	blocked bool
	shown   barState
}

// barState is all that the strip depends on.
type barState struct {
	id, name        string
	blocked, asking bool
}

func newBlockBar(w *window) *blockBar {
	b := &blockBar{w: w, note: widget.NewNote(theme.ToneText)}
	b.yes = widget.NewButton("Block", "", widget.Red, b.confirm)
	b.no = widget.NewButton("Cancel", "", widget.Quiet, func() {
		b.asking = false
		b.show(w.snap)
	})
	rule := widget.NewPanel(theme.ToneBorder, 0)
	body := stretch(10, b.note, b.note, b.no, b.yes)
	inner := inset(20, 10, body)
	b.root = container.New(widget.Layout{
		Min: func() fyne.Size { return inner.MinSize() },
		Place: func(s fyne.Size) {
			widget.Place(inner, 0, 0, s.Width, s.Height)
			widget.Place(rule, 0, s.Height-1, s.Width, 1)
		},
	}, inner, rule)
	b.root = container.NewStack(widget.NewPanel(theme.ToneSurface, 0), b.root)
	b.root.Hide()
	return b
}

// choose is told that another chat is shown: a question is for one.
func (b *blockBar) choose(id string) { b.id, b.asking = id, false }

func (b *blockBar) ask(id string) {
	b.id, b.asking = id, true
	b.show(b.w.snap)
}

func (b *blockBar) confirm() {
	b.asking = false
	if b.blocked {
		b.w.cmd.Unblock(b.id)
	} else {
		b.w.cmd.Block(b.id)
	}
	b.show(b.w.snap)
}

// show draws s and says whether the person is blocked.
func (b *blockBar) show(s app.Snapshot) bool {
	name := ""
	b.blocked = false
	for _, u := range s.Account.Blocked {
		if u.ID == b.id {
			b.blocked, name = true, nameOf(u)
		}
	}
	if u, ok := person(s, b.id); ok {
		name = nameOf(u)
	}
	b.asking = b.asking && !b.blocked
	shown := barState{b.id, name, b.blocked, b.asking}
	if shown == b.shown {
		return b.blocked
	}
	b.shown = shown
	switch {
	case b.blocked:
		b.note.SetText("You have blocked " + name + ".")
		b.yes.SetText("Unblock")
		b.yes.SetStyle(widget.Quiet)
	case b.asking:
		b.note.SetText("Block " + name + "? They cannot call you or write to you, and see you as offline. They are not told.")
		b.yes.SetText("Block")
		b.yes.SetStyle(widget.Red)
	}
	setVisible(b.no, b.asking)
	setVisible(b.root, b.blocked || b.asking)
	b.root.Refresh()
	return b.blocked
}
