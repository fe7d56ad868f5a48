package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Tabs is a row of equally wide choices of which one is on.
type Tabs struct {
	widget.BaseWidget
	OnChange func(i int)
	names    []string
	parts    []*tab
	on       int
	back     *Panel
}

// NewTabs gives one with the first choice on.
func NewTabs(names []string, changed func(int)) *Tabs {
	t := &Tabs{OnChange: changed, names: names, back: NewPanel(theme.ToneRaised, theme.Radius)}
	for i, n := range names {
		t.parts = append(t.parts, newTab(t, i, n))
	}
	t.ExtendBaseWidget(t)
	return t
}

// On gives the choice.
func (t *Tabs) On() int { return t.on }

// Select changes it, and tells only when it is another one.
func (t *Tabs) Select(i int) {
	if i == t.on || i < 0 || i >= len(t.parts) {
		return
	}
	t.on = i
	t.Refresh()
	if t.OnChange != nil {
		t.OnChange(i)
	}
}

// SetCount shows a number at a choice.
func (t *Tabs) SetCount(i, n int) {
	t.parts[i].badge.Set(n)
	t.parts[i].Refresh()
}

// Count gives that number.
func (t *Tabs) Count(i int) int { return t.parts[i].badge.Count() }

// CreateRenderer implements fyne.Widget.
func (t *Tabs) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{t.back}
	for _, p := range t.parts {
		objects = append(objects, p)
	}
	return NewRenderer(objects,
		func() fyne.Size { return fyne.NewSize(float32(len(t.parts))*84, 38) },
		func(s fyne.Size) {
			t.back.Resize(s)
			w := (s.Width - 6) / float32(len(t.parts))
			for i, p := range t.parts {
				Place(p, 3+float32(i)*w, 3, w, s.Height-6)
			}
		},
		func() {
			t.back.Refresh()
			for _, p := range t.parts {
				p.Refresh()
			}
		})
}

// tab is one choice.
type tab struct {
	widget.BaseWidget
	pressable
	focusable
	t          *Tabs
	i          int
	back, edge *canvas.Rectangle
	label      *canvas.Text
	badge      *Badge
}

var _ desktop.Hoverable = (*tab)(nil)

func newTab(t *Tabs, i int, name string) *tab {
	b := &tab{t: t, i: i, back: canvas.NewRectangle(nil), edge: canvas.NewRectangle(nil), label: canvas.NewText(name, nil), badge: NewBadge()}
	b.OnTapped, b.self, b.focusable = func() { t.Select(i) }, b, focusable{&b.pressable}
	b.ExtendBaseWidget(b)
	return b
}

func (b *tab) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeyLeft:
		b.t.Select(b.i - 1)
	case fyne.KeyRight:
		b.t.Select(b.i + 1)
	default:
		b.focusable.TypedKey(k)
	}
}

func (b *tab) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{b.back, b.label, b.badge, b.edge},
		func() fyne.Size { return fyne.NewSize(80, 32) }, b.layout, b.paint)
}

func (b *tab) layout(s fyne.Size) {
	b.back.Resize(s)
	b.edge.Resize(s)
	t := fyne.MeasureText(b.label.Text, theme.Body, fyne.TextStyle{Bold: true})
	w, m := t.Width, b.badge.MinSize()
	if b.badge.Visible() {
		w += 6 + m.Width
	}
	x := (s.Width - w) / 2
	Place(b.label, x, (s.Height-t.Height)/2, t.Width, t.Height)
	Place(b.badge, x+t.Width+6, (s.Height-m.Height)/2, m.Width, m.Height)
}

func (b *tab) paint() {
	p := theme.Now()
	b.back.CornerRadius, b.back.FillColor = theme.Radius-3, theme.Clear(p)
	b.label.Color, b.label.TextSize, b.label.TextStyle = p.Muted, theme.Body, fyne.TextStyle{Bold: true}
	switch {
	case b.t.on == b.i:
		b.back.FillColor, b.label.Color = p.Surface, p.Text
	case b.hovered:
		b.label.Color = p.Text
	}
	b.ring(b.edge, p, theme.Radius-3)
	b.back.Refresh()
	b.label.Refresh()
	b.badge.Refresh()
	if s := b.Size(); s.Width > 0 {
		b.layout(s)
	}
}
