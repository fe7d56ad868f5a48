package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// iconButton is a round button with a drawing. It has two looks; which of them is shown is told to it (SetOn), since the
// truth is in the snapshot and not in the button.
type iconButton struct {
	widget.BaseWidget
	pressable
	Hint  string // what it does, for people
	Side  float32
	Icons [2]string // off, on
	Fills [2]theme.Tone
	Inks  [2]theme.Tone

	on         bool
	back, over *canvas.Circle
	r          *canvas.Rectangle
	img        *canvas.Image
	badge      *Badge
}

// IconButton is a round button that Tab reaches.
type IconButton struct {
	iconButton
	focusable
}

// RowButton is one that Tab passes over, for rows of lists, where the list itself has the focus.
type RowButton struct{ iconButton }

var (
	_ fyne.Tappable      = (*IconButton)(nil)
	_ desktop.Hoverable  = (*IconButton)(nil)
	_ desktop.Cursorable = (*IconButton)(nil)
	_ fyne.Focusable     = (*IconButton)(nil)
	_ fyne.Disableable   = (*IconButton)(nil)
)

// NewIconButton gives one with a single look, clear until the mouse comes.
func NewIconButton(icon, hint string, side float32, tapped func()) *IconButton {
	return NewToggle(side, hint, [2]string{icon, icon}, [2]theme.Tone{theme.Clear, theme.Clear},
		[2]theme.Tone{theme.ToneMuted, theme.TonePrimary}, tapped)
}

// NewToggle gives one with two looks, off and on.
func NewToggle(side float32, hint string, icons [2]string, fills, inks [2]theme.Tone, tapped func()) *IconButton {
	b := &IconButton{iconButton: newIconButton(side, hint, icons, fills, inks, tapped)}
	b.self, b.focusable = b, focusable{&b.pressable}
	b.ExtendBaseWidget(b)
	return b
}

// NewRowButton gives a clear one.
func NewRowButton(icon, hint string, side float32, ink theme.Tone, tapped func()) *RowButton {
	b := &RowButton{newIconButton(side, hint, [2]string{icon, icon}, [2]theme.Tone{theme.Clear, theme.Clear},
		[2]theme.Tone{ink, ink}, tapped)}
	b.self = b
	b.ExtendBaseWidget(b)
	return b
}

func newIconButton(side float32, hint string, icons [2]string, fills, inks [2]theme.Tone, tapped func()) iconButton {
	return iconButton{
		Hint: hint, Side: side, Icons: icons, Fills: fills, Inks: inks, pressable: pressable{OnTapped: tapped},
		back: canvas.NewCircle(nil), over: canvas.NewCircle(nil), r: canvas.NewRectangle(nil),
		img: &canvas.Image{FillMode: canvas.ImageFillContain}, badge: NewBadge(),
	}
}

// SetOn chooses the look.
func (b *iconButton) SetOn(on bool) {
	if on == b.on {
		return
	}
	b.on = on
	b.self.Refresh()
}

// On says which look is shown.
func (b *iconButton) On() bool { return b.on }

// SetCount shows a number at the corner; 0 takes it away.
func (b *iconButton) SetCount(n int) {
	b.badge.Set(n)
}

// CreateRenderer implements fyne.Widget.
func (b *iconButton) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{b.back, b.over, b.img, b.r, b.badge},
		func() fyne.Size { return fyne.NewSquareSize(b.Side) },
		func(s fyne.Size) {
			x, y := (s.Width-b.Side)/2, (s.Height-b.Side)/2
			Place(b.back, x, y, b.Side, b.Side)
			Place(b.over, x, y, b.Side, b.Side)
			Place(b.r, x-2, y-2, b.Side+4, b.Side+4)
			k := b.Side * 0.46
			if b.Side < 40 {
				k = 20
			}
			Centre(b.img, s, fyne.NewSquareSize(k))
			m := b.badge.MinSize()
			Place(b.badge, x+b.Side-m.Width+4, y-4, m.Width, m.Height)
		}, b.paint)
}

func (b *iconButton) paint() {
	p, i := theme.Now(), 0
	if b.on {
		i = 1
	}
	fill, ink := b.Fills[i](p), b.Inks[i](p)
	if b.disabled {
		ink = theme.Alpha(ink, 90)
	}
	b.back.FillColor, b.over.FillColor = fill, color.Transparent
	if b.hovered && !b.disabled {
		b.over.FillColor = hoverOn(fill, p)
	}
	b.back.Refresh()
	b.over.Refresh()
	b.img.Translucency = 0
	if b.disabled {
		b.img.Translucency = 0.6
	}
	if r := theme.Icon(b.Icons[i], ink); b.img.Resource != r {
		b.img.Resource = r
	}
	b.img.Refresh()
	b.ring(b.r, p, canvas.RadiusMaximum)
}

// SetIcon gives both looks the same drawing.
func (b *iconButton) SetIcon(name string) {
	if b.Icons != [2]string{name, name} {
		b.Icons = [2]string{name, name}
		b.self.Refresh()
	}
}
