package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynewidget "fyne.io/fyne/v2/widget"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// bubble is a row of a chat: perhaps the day, perhaps a name, the words on a coloured ground, the time.
type bubble struct {
	fynewidget.BaseWidget
	v *chatView
	l app.Line
	s shape

	day, name, under, time *canvas.Text
	back                   *canvas.Rectangle
	words                  []*canvas.Text
	box                    *fyne.Container
}

var (
	_ fyne.Tappable          = (*bubble)(nil)
	_ fyne.SecondaryTappable = (*bubble)(nil)
)

func newBubble(v *chatView) *bubble {
	text := func(size float32, bold bool, a fyne.TextAlign) *canvas.Text {
		return &canvas.Text{TextSize: size, TextStyle: fyne.TextStyle{Bold: bold}, Alignment: a}
	}
	b := &bubble{
		v:   v,
		day: text(theme.Caption, true, fyne.TextAlignCenter), name: text(theme.Caption, true, fyne.TextAlignLeading),
		under: text(theme.Caption, true, fyne.TextAlignTrailing), time: text(11, false, fyne.TextAlignTrailing),
		back: canvas.NewRectangle(nil), box: &fyne.Container{},
	}
	b.back.CornerRadius = 14
	b.ExtendBaseWidget(b)
	return b
}

func (b *bubble) set(l app.Line, s shape) {
	b.l, b.s = l, s
	for len(b.words) < len(s.lines) {
		t := canvas.NewText("", nil)
		b.words = append(b.words, t)
		b.box.Objects = append(b.box.Objects, t)
	}
	for i, t := range b.words {
		t.Hidden, t.Text = i >= len(s.lines), ""
		if i < len(s.lines) {
			t.Text = s.lines[i]
		}
	}
	b.day.Text, b.day.Hidden = s.day, s.day == ""
	b.name.Text, b.name.Hidden = s.name, s.name == ""
	b.under.Text, b.under.Hidden = s.under, s.under == ""
	b.time.Text = sentWords(l)
	b.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (b *bubble) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewRenderer([]fyne.CanvasObject{b.day, b.name, b.back, b.box, b.time, b.under},
		func() fyne.Size { return fyne.NewSize(80, b.s.height) }, b.layout, b.paint)
}

func (b *bubble) layout(s fyne.Size) {
	y := float32(2)
	if !b.day.Hidden {
		widget.Place(b.day, 0, y+12, s.Width, 16)
		y += 36
	}
	x := float32(16)
	if b.l.Mine {
		x = s.Width - b.s.width - 16
	}
	if !b.name.Hidden {
		widget.Place(b.name, x+2, y, s.Width-x, 18)
		y += 20
	}
	widget.Place(b.back, x, y, b.s.width, b.s.bubbleHeight)
	for i, t := range b.words {
		widget.Place(t, x+bubblePadX, y+bubblePadY+float32(i)*b.s.line-2, b.s.width-2*bubblePadX, b.s.line)
	}
	widget.Place(b.time, x+bubblePadX, y+b.s.bubbleHeight-21, b.s.width-2*bubblePadX, 14)
	widget.Place(b.under, 16, y+b.s.bubbleHeight+3, s.Width-32-4, 16)
}

func (b *bubble) paint() {
	p := theme.Now()
	if b.v.dark {
		p = &theme.Dark
	}
	ink, faint := p.Text, p.Muted
	b.back.FillColor = p.Raised
	if b.l.Mine {
		b.back.FillColor, ink, faint = p.Own, p.OnColor, theme.Alpha(p.OnColor, 190)
		if b.l.Pending || b.l.Failed {
			b.back.FillColor = theme.Alpha(p.Own, 200)
		}
	}
	for _, t := range b.words {
		t.Color, t.TextSize = ink, b.s.pts
		t.Refresh()
	}
	b.day.Color, b.name.Color, b.under.Color, b.time.Color = p.Muted, theme.Face(b.l.FromName), p.BadText, faint
	if p == &theme.Dark {
		b.name.Color = p.Muted
	}
	for _, t := range []*canvas.Text{b.day, b.name, b.under, b.time} {
		t.Refresh()
	}
	b.back.Refresh()
	b.layout(b.Size())
}

// Tapped sends again what was not sent.
func (b *bubble) Tapped(*fyne.PointEvent) {
	if b.l.Failed {
		b.v.w.cmd.Resend(b.v.id, b.l.ID)
	}
}

// TappedSecondary offers to copy the words.
func (b *bubble) TappedSecondary(e *fyne.PointEvent) {
	items := []*fyne.MenuItem{fyne.NewMenuItem("Copy", func() { fyne.CurrentApp().Clipboard().SetContent(b.l.Text) })}
	if b.l.Failed {
		items = append(items, fyne.NewMenuItem("Send again", func() { b.Tapped(nil) }))
	}
	fynewidget.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), b.v.w.win.Canvas(), e.AbsolutePosition)
}
