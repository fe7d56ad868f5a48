package widget

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Badge is a small pill with a number; it hides itself at 0.
type Badge struct {
	widget.BaseWidget
	Fill theme.Tone
	n    int
	back *canvas.Rectangle
	text *canvas.Text
}

// NewBadge gives a hidden one.
func NewBadge() *Badge {
	b := &Badge{Fill: theme.TonePrimary, back: canvas.NewRectangle(nil), text: canvas.NewText("", nil)}
	b.Hidden = true
	b.ExtendBaseWidget(b)
	return b
}

// Count gives the number.
func (b *Badge) Count() int { return b.n }

// Set changes the number.
func (b *Badge) Set(n int) {
	if n == b.n {
		return
	}
	b.n = n
	b.Refresh()
	if n > 0 {
		b.Show()
	} else {
		b.Hide()
	}
}

func (b *Badge) words() string {
	if b.n > 99 {
		return "99+"
	}
	return strconv.Itoa(b.n)
}

// CreateRenderer implements fyne.Widget.
func (b *Badge) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{b.back, b.text},
		func() fyne.Size {
			w := fyne.MeasureText(b.words(), 11, fyne.TextStyle{Bold: true}).Width + 10
			return fyne.NewSize(max(w, 18), 18)
		},
		func(s fyne.Size) {
			b.back.Resize(s)
			b.text.Resize(s)
		},
		func() {
			p := theme.Now()
			b.back.FillColor, b.back.CornerRadius = b.Fill(p), canvas.RadiusMaximum
			b.text.Text, b.text.TextSize, b.text.TextStyle = b.words(), 11, fyne.TextStyle{Bold: true}
			b.text.Alignment, b.text.Color = fyne.TextAlignCenter, p.OnColor
			b.back.Refresh()
			b.text.Refresh()
		})
}
