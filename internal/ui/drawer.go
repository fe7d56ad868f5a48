package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// drawer is the chat beside the picture of a call.
type drawer struct {
	p    *callPage
	root fyne.CanvasObject
	chat *chatView
}

func newDrawer(p *callPage) *drawer {
	d := &drawer{p: p, chat: newChatView(p.w, true)}
	d.chat.onEscape = p.toggleDrawer
	d.chat.inSight = func() bool { return p.showing && d.open() }
	shut := widget.NewToggle(36, "Close the chat", [2]string{"close", "close"}, [2]theme.Tone{theme.Clear, theme.Clear},
		[2]theme.Tone{night(theme.ToneMuted), night(theme.ToneMuted)}, p.toggleDrawer)
	name := widget.NewText("Chat", theme.Name, night(theme.ToneText)).Strong()
	head := inset(16, 10, stretch(8, name, name, shut))
	body := container.NewBorder(head, nil, nil, nil, d.chat.root)
	all := container.NewStack(widget.NewPanel(night(theme.ToneSurface), 0), body)
	d.root = container.NewThemeOverride(all, &theme.Theme{Choice: theme.ChooseDark}) // for the entry, which is Fyne's own
	d.root.Hide()
	return d
}

func (d *drawer) open() bool { return d.root.Visible() }

func (d *drawer) openFor(id string) {
	d.root.Show()
	d.chat.choose(id)
	d.chat.focus()
}

func (d *drawer) close() {
	if d.root.Visible() {
		d.p.w.win.Canvas().Unfocus() // letters are for the call again
		d.root.Hide()
		d.p.relayout()
	}
}

func (d *drawer) show(s app.Snapshot) {
	if d.open() {
		d.chat.show(s)
	}
}
