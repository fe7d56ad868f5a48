package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Style is what a button looks like.
type Style struct{ Fill, Ink theme.Tone }

// Styles.
var (
	Main  = Style{theme.TonePrimary, theme.ToneOnColor}
	Quiet = Style{theme.ToneRaised, theme.ToneText}
	Bare  = Style{theme.Clear, theme.TonePrimary}
	Risky = Style{theme.Clear, theme.ToneBadText}
	Green = Style{theme.ToneAccept, theme.ToneOnColor}
	Red   = Style{theme.ToneBad, theme.ToneOnColor}
)

// Button is a rounded button with words and perhaps a drawing.
type Button struct {
	widget.BaseWidget
	pressable
	focusable
	Style Style

	text, icon    string
	back, over, r *canvas.Rectangle
	label         *canvas.Text
	img           *canvas.Image
}

var (
	_ fyne.Focusable     = (*Button)(nil)
	_ fyne.Tappable      = (*Button)(nil)
	_ desktop.Hoverable  = (*Button)(nil)
	_ desktop.Cursorable = (*Button)(nil)
)

const buttonHeight float32 = 42

// NewButton gives one; icon "" means words alone.
func NewButton(text, icon string, style Style, tapped func()) *Button {
	b := &Button{
		Style: style, text: text, icon: icon,
		back: canvas.NewRectangle(nil), over: canvas.NewRectangle(nil), r: canvas.NewRectangle(nil),
		label: canvas.NewText(text, nil), img: &canvas.Image{FillMode: canvas.ImageFillContain},
	}
	b.OnTapped, b.self, b.focusable = tapped, b, focusable{&b.pressable}
	b.ExtendBaseWidget(b)
	return b
}

// Text gives the words.
func (b *Button) Text() string { return b.text }

// SetText changes the words.
func (b *Button) SetText(s string) {
	if s == b.text {
		return
	}
	b.text = s
	b.Refresh()
}

// SetStyle changes the looks.
func (b *Button) SetStyle(s Style) {
	b.Style = s
	b.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{b.back, b.over, b.img, b.label, b.r}, b.minSize, b.layout, b.paint)
}

func (b *Button) textSize() fyne.Size {
	return fyne.MeasureText(b.text, theme.Body, fyne.TextStyle{Bold: true})
}

func (b *Button) minSize() fyne.Size {
	w := b.textSize().Width + 36
	if b.icon != "" {
		w += 26
	}
	return fyne.NewSize(w, buttonHeight)
}

func (b *Button) layout(s fyne.Size) {
	for _, o := range []fyne.CanvasObject{b.back, b.over, b.r} {
		o.Resize(s)
	}
	t := b.textSize()
	w := t.Width
	if b.icon != "" {
		w += 26
	}
	x := (s.Width - w) / 2
	if b.icon != "" {
		Place(b.img, x, (s.Height-18)/2, 18, 18)
		x += 26
	}
	Place(b.label, x, (s.Height-t.Height)/2, t.Width, t.Height)
}

func (b *Button) paint() {
	p := theme.Now()
	fill, ink := b.Style.Fill(p), b.Style.Ink(p)
	if b.disabled {
		ink = p.Faint
		if fill.A > 0 {
			fill = p.Raised
		}
	}
	b.back.FillColor, b.back.CornerRadius = fill, theme.Radius
	b.over.CornerRadius, b.over.FillColor = theme.Radius, color.Transparent
	if b.hovered && !b.disabled {
		b.over.FillColor = hoverOn(fill, p)
	}
	b.label.Text, b.label.Color, b.label.TextSize, b.label.TextStyle = b.text, ink, theme.Body, fyne.TextStyle{Bold: true}
	if b.icon != "" {
		b.img.Resource = theme.Icon(b.icon, ink)
		b.img.Refresh()
	}
	b.ring(b.r, p, theme.Radius)
	b.back.Refresh()
	b.over.Refresh()
	b.label.Refresh()
	if s := b.Size(); s.Width > 0 {
		b.layout(s)
	}
}

// hoverOn is what lies over a button under the mouse: light on colour and in the dark, dark on light.
func hoverOn(fill color.NRGBA, p *theme.Palette) color.NRGBA {
	if p == &theme.Light && (fill.A == 0 || int(fill.R)+int(fill.G)+int(fill.B) > 600) {
		return color.NRGBA{A: 14}
	}
	return color.NRGBA{255, 255, 255, 26}
}

// SetIcon changes the drawing.
func (b *Button) SetIcon(name string) {
	if name == b.icon {
		return
	}
	b.icon = name
	b.Refresh()
}
