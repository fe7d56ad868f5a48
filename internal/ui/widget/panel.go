package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Panel is a filled, perhaps rounded and bordered rectangle that follows the theme.
type Panel struct {
	widget.BaseWidget
	Fill, Stroke theme.Tone // Stroke nil: no border
	Radius       float32
	rect         *canvas.Rectangle
}

// NewPanel gives a plain one.
func NewPanel(fill theme.Tone, radius float32) *Panel {
	p := &Panel{Fill: fill, Radius: radius, rect: canvas.NewRectangle(nil)}
	p.ExtendBaseWidget(p)
	return p
}

// Outlined adds a border, for building.
func (p *Panel) Outlined(t theme.Tone) *Panel { p.Stroke = t; return p }

// SetFill changes the colour.
func (p *Panel) SetFill(t theme.Tone) {
	p.Fill = t
	p.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (p *Panel) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{p.rect},
		func() fyne.Size { return fyne.NewSize(1, 1) },
		p.rect.Resize,
		func() {
			now := theme.Now()
			p.rect.FillColor, p.rect.CornerRadius = p.Fill(now), p.Radius
			p.rect.StrokeWidth = 0
			if p.Stroke != nil {
				p.rect.StrokeColor, p.rect.StrokeWidth = p.Stroke(now), 1
			}
			p.rect.Refresh()
		})
}

// Icon is a drawing of package assets in a tone.
type Icon struct {
	widget.BaseWidget
	name string
	tone theme.Tone
	side float32
	img  *canvas.Image
}

// NewIcon gives a square of that side.
func NewIcon(name string, side float32, tone theme.Tone) *Icon {
	i := &Icon{name: name, tone: tone, side: side, img: &canvas.Image{FillMode: canvas.ImageFillContain}}
	i.ExtendBaseWidget(i)
	return i
}

// Set changes drawing and colour.
func (i *Icon) Set(name string, tone theme.Tone) {
	i.name, i.tone = name, tone
	i.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (i *Icon) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{i.img},
		func() fyne.Size { return fyne.NewSquareSize(i.side) },
		func(s fyne.Size) { Centre(i.img, s, fyne.NewSquareSize(i.side)) },
		func() {
			if r := theme.Icon(i.name, i.tone(theme.Now())); i.img.Resource != r {
				i.img.Resource = r
				i.img.Refresh()
			}
		})
}

// Hover tells that the mouse moved over its content, and of taps that nothing above it took. Only the deepest hoverable
// gets the mouse, so buttons in it have to tell by themselves (IconButton.OnHover).
type Hover struct {
	widget.BaseWidget
	OnMove      func()
	OnDoubleTap func()
	content     fyne.CanvasObject
}

var (
	_ desktop.Hoverable   = (*Hover)(nil)
	_ fyne.DoubleTappable = (*Hover)(nil)
)

// NewHover wraps content.
func NewHover(content fyne.CanvasObject) *Hover {
	h := &Hover{content: content}
	h.ExtendBaseWidget(h)
	return h
}

// CreateRenderer implements fyne.Widget.
func (h *Hover) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(h.content) }

// MouseIn implements desktop.Hoverable.
func (h *Hover) MouseIn(*desktop.MouseEvent) { h.moved() }

// MouseMoved implements desktop.Hoverable.
func (h *Hover) MouseMoved(*desktop.MouseEvent) { h.moved() }

// MouseOut implements desktop.Hoverable.
func (h *Hover) MouseOut() {}

// DoubleTapped implements fyne.DoubleTappable.
func (h *Hover) DoubleTapped(*fyne.PointEvent) {
	if h.OnDoubleTap != nil {
		h.OnDoubleTap()
	}
}

func (h *Hover) moved() {
	if h.OnMove != nil {
		h.OnMove()
	}
}

// Touch makes anything a place to tap.
type Touch struct {
	widget.BaseWidget
	pressable
	content fyne.CanvasObject
}

// NewTouch wraps content.
func NewTouch(content fyne.CanvasObject, tapped func()) *Touch {
	t := &Touch{content: content}
	t.OnTapped, t.self = tapped, t
	t.ExtendBaseWidget(t)
	return t
}

// CreateRenderer implements fyne.Widget.
func (t *Touch) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(t.content) }
