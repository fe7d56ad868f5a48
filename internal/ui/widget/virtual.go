package widget

import (
	"image/color"
	"sort"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Virtual is a vertical list that holds only the rows in sight and uses them again, so that 500 people cost as much as
// ten. Rows may differ in height. With OnChoose it can be focused: arrows move a cursor, Space and Return choose.
type Virtual struct {
	widget.BaseWidget
	Count    func() int
	Height   func(i int, width float32) float32 // of row i; asked again on Reload and when the width changes
	New      func() fyne.CanvasObject           // an empty row
	Update   func(i int, row fyne.CanvasObject) // fills it; cheap when nothing changed
	OnChoose func(i int)
	OnTop    func() // scrolled to the very top
	Stick    bool   // stays at the bottom when it was there, as a chat does

	scroll  *container.Scroll
	content *rows
	tops    []float32 // of every row, and the end of the last
	width   float32
	high    float32
	used    map[int]fyne.CanvasObject
	pool    []fyne.CanvasObject
	cursor  int
	focused bool
	ring    *canvas.Rectangle
}

var _ fyne.Focusable = (*chooser)(nil)

// NewVirtual gives an empty one; set the functions before it is shown.
func NewVirtual() *Virtual {
	v := &Virtual{used: map[int]fyne.CanvasObject{}, ring: canvas.NewRectangle(color.Transparent), cursor: -1}
	v.content = &rows{}
	v.content.ExtendBaseWidget(v.content)
	v.scroll = container.NewVScroll(v.content)
	v.scroll.OnScrolled = func(p fyne.Position) {
		v.place()
		if p.Y <= 0 && v.OnTop != nil {
			v.OnTop()
		}
	}
	v.ring.Hide()
	v.ExtendBaseWidget(v)
	return v
}

// Reload asks for everything again: rows have come, gone or changed.
func (v *Virtual) Reload() {
	if v.width <= 0 {
		return
	}
	bottom := v.AtBottom()
	v.measure()
	v.content.SetMinSize(fyne.NewSize(1, v.total()))
	v.scroll.Refresh() // clamps the offset to the new height
	if v.Stick && bottom {
		v.scroll.ScrollToBottom()
	}
	v.place()
	for i, row := range v.used {
		v.Update(i, row)
	}
}

// AtBottom says whether the last row is in sight.
func (v *Virtual) AtBottom() bool {
	return v.scroll.Offset.Y+v.scroll.Size().Height >= v.total()-4
}

// ScrollToBottom shows the last row.
func (v *Virtual) ScrollToBottom() {
	v.scroll.ScrollToBottom()
	v.place()
}

// ScrollToTop shows the first row.
func (v *Virtual) ScrollToTop() {
	v.scroll.ScrollToTop()
	v.place()
}

// KeepPlace runs f, which puts rows before the present ones, and keeps what is in sight where it is.
func (v *Virtual) KeepPlace(f func()) {
	before, off := v.total(), v.scroll.Offset.Y
	f()
	v.scroll.Offset.Y = off + v.total() - before
	v.scroll.Refresh()
	v.place()
}

// Row gives the row that shows i; nil when it is out of sight.
func (v *Virtual) Row(i int) fyne.CanvasObject { return v.used[i] }

// Held is how many rows exist.
func (v *Virtual) Held() int { return len(v.content.objects) }

func (v *Virtual) total() float32 {
	if len(v.tops) == 0 {
		return 0
	}
	return v.tops[len(v.tops)-1]
}

func (v *Virtual) measure() {
	n := v.Count()
	v.tops = append(v.tops[:0], 0)
	for i := range n {
		v.tops = append(v.tops, v.tops[i]+v.Height(i, v.width))
	}
	if room := v.scroll.Size().Height - v.total(); v.Stick && room > 0 { // a short chat lies at the bottom
		for i := range v.tops {
			v.tops[i] += room
		}
	}
}

// place gives every row in sight an object and lets go of the others.
func (v *Virtual) place() {
	n, top := len(v.tops)-1, v.scroll.Offset.Y
	bottom := top + v.scroll.Size().Height
	first := max(sort.Search(n, func(i int) bool { return v.tops[i+1] > top }), 0)
	last := first
	for last < n && v.tops[last] < bottom {
		last++
	}
	for i, row := range v.used {
		if i < first || i >= last {
			delete(v.used, i)
			v.pool = append(v.pool, row)
		}
	}
	for i := first; i < last; i++ {
		row, fresh := v.used[i], false
		if row == nil {
			row, fresh = v.take(), true
			v.used[i] = row
		}
		Place(row, 0, v.tops[i], v.width, v.tops[i+1]-v.tops[i])
		if fresh {
			v.Update(i, row)
			row.Show()
		}
	}
	for _, row := range v.pool {
		row.Hide()
	}
	v.placeRing()
}

func (v *Virtual) take() fyne.CanvasObject {
	if n := len(v.pool); n > 0 {
		row := v.pool[n-1]
		v.pool = v.pool[:n-1]
		return row
	}
	row := v.New()
	v.content.add(row)
	return row
}

func (v *Virtual) placeRing() {
	show := v.focused && v.cursor >= 0 && v.cursor+1 < len(v.tops)
	v.ring.Hidden = !show
	if show {
		y := v.tops[v.cursor] - v.scroll.Offset.Y
		Place(v.ring, 3, y+1, v.width-6, v.tops[v.cursor+1]-v.tops[v.cursor]-2)
	}
	v.ring.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (v *Virtual) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{v.scroll, v.ring}
	if v.OnChoose != nil {
		objects = append(objects, newChooser(v))
	}
	return NewRenderer(objects,
		func() fyne.Size { return fyne.NewSize(80, 60) },
		func(s fyne.Size) {
			bottom := v.AtBottom()
			v.scroll.Resize(s)
			if s.Width != v.width || v.Stick && s.Height != v.high {
				v.width, v.high = s.Width, s.Height
				v.Reload()
			}
			if v.Stick && bottom {
				v.scroll.ScrollToBottom()
			}
			v.place()
		},
		func() {
			v.ring.StrokeColor, v.ring.StrokeWidth, v.ring.CornerRadius = theme.Now().Primary, 2, theme.Radius
			v.ring.Refresh()
			for _, row := range v.used {
				row.Refresh()
			}
		})
}

// move takes the cursor to row i and shows it.
func (v *Virtual) move(i int) {
	n := len(v.tops) - 1
	if n <= 0 {
		return
	}
	v.cursor = min(max(i, 0), n-1)
	top, bottom := v.tops[v.cursor], v.tops[v.cursor+1]
	h := v.scroll.Size().Height
	switch {
	case top < v.scroll.Offset.Y:
		v.scroll.ScrollToOffset(fyne.NewPos(0, top))
	case bottom > v.scroll.Offset.Y+h:
		v.scroll.ScrollToOffset(fyne.NewPos(0, bottom-h))
	}
	v.place()
}

// chooser is the part of a Virtual that takes the keyboard. It has no size: the mouse is for the rows.
type chooser struct {
	widget.BaseWidget
	v *Virtual
}

func newChooser(v *Virtual) *chooser {
	c := &chooser{v: v}
	c.ExtendBaseWidget(c)
	return c
}

func (c *chooser) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(canvas.NewRectangle(color.Transparent))
}

func (c *chooser) FocusGained() {
	c.v.focused = true
	c.v.move(max(c.v.cursor, 0))
}

func (c *chooser) FocusLost() {
	c.v.focused = false
	c.v.placeRing()
}

func (c *chooser) TypedRune(rune) {}

func (c *chooser) TypedKey(k *fyne.KeyEvent) {
	page := max(int(c.v.scroll.Size().Height/60), 1)
	switch k.Name {
	case fyne.KeyDown:
		c.v.move(c.v.cursor + 1)
	case fyne.KeyUp:
		c.v.move(c.v.cursor - 1)
	case fyne.KeyPageDown:
		c.v.move(c.v.cursor + page)
	case fyne.KeyPageUp:
		c.v.move(c.v.cursor - page)
	case fyne.KeyHome:
		c.v.move(0)
	case fyne.KeyEnd:
		c.v.move(len(c.v.tops))
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		if c.v.cursor >= 0 && c.v.cursor < c.v.Count() {
			c.v.OnChoose(c.v.cursor)
		}
	default:
		PassKey(c, k)
	}
}

// rows is the content of the scroller: it only knows how high it is, and where each row is was settled by the Virtual.
type rows struct {
	widget.BaseWidget
	min     fyne.Size
	objects []fyne.CanvasObject
}

func (r *rows) SetMinSize(s fyne.Size) { r.min = s }

func (r *rows) add(o fyne.CanvasObject) { r.objects = append(r.objects, o) }

func (r *rows) MinSize() fyne.Size { return r.min }

func (r *rows) CreateRenderer() fyne.WidgetRenderer { return &rowsRenderer{r} }

type rowsRenderer struct{ r *rows }

func (r *rowsRenderer) Destroy()                     {}
func (r *rowsRenderer) Objects() []fyne.CanvasObject { return r.r.objects }
func (r *rowsRenderer) MinSize() fyne.Size           { return r.r.min }
func (r *rowsRenderer) Layout(fyne.Size)             {}
func (r *rowsRenderer) Refresh()                     {}

// Row is what a list's rows are made of: it shows the mouse and takes taps anywhere that no button of its own is.
type Row struct {
	OnTapped func()
	Chosen   bool
	hovered  bool
	Self     fyne.CanvasObject
}

var _ desktop.Hoverable = (*Row)(nil)

// Fill is the tone of the row's background.
func (r *Row) Fill() theme.Tone {
	switch {
	case r.Chosen:
		return theme.ToneChosen
	case r.hovered:
		return theme.ToneHover
	}
	return theme.Clear
}

// Behind is the tone that avatars in the row lie on.
func (r *Row) Behind(idle theme.Tone) theme.Tone {
	if r.Chosen || r.hovered {
		return r.Fill()
	}
	return idle
}

// Tapped implements fyne.Tappable.
func (r *Row) Tapped(*fyne.PointEvent) {
	if r.OnTapped != nil {
		r.OnTapped()
	}
}

// Hover sets whether the mouse is over the row or over one of its buttons.
func (r *Row) Hover(in bool) {
	if in != r.hovered {
		r.hovered = in
		r.Self.Refresh()
	}
}

// Hovered says whether the mouse is over the row.
func (r *Row) Hovered() bool { return r.hovered }

// MouseIn implements desktop.Hoverable.
func (r *Row) MouseIn(*desktop.MouseEvent) { r.Hover(true) }

// MouseMoved implements desktop.Hoverable.
func (r *Row) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (r *Row) MouseOut() { r.Hover(false) }
