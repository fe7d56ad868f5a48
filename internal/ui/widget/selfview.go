package widget

import (
	"image"
	"image/color"
	"sync/atomic"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

const selfRadius = 14

// SelfView is the own picture: rounded, bordered, mirrored as in a mirror, and dragged about by the mouse. It only reports
// how far it was dragged: where it is belongs to its parent's layout, which would else put it back whenever a neighbour is
// hidden. It is a PictureTarget of package ui.
type SelfView struct {
	widget.BaseWidget
	*frames
	OnDrag func(fyne.Delta)
	OnDrop func()
	OnMove func() // the mouse is over it

	mirror atomic.Bool
	off    bool
	back   *canvas.Rectangle
	img    *canvas.Image
	icon   *canvas.Image
	border *canvas.Rectangle
}

var (
	_ fyne.Draggable     = (*SelfView)(nil)
	_ desktop.Hoverable  = (*SelfView)(nil)
	_ desktop.Cursorable = (*SelfView)(nil)
)

// NewSelfView gives an empty one.
func NewSelfView() *SelfView {
	v := &SelfView{
		back:   canvas.NewRectangle(theme.Dark.Raised),
		img:    canvas.NewImageFromImage(image.NewRGBA(image.Rect(0, 0, 16, 9))),
		icon:   canvas.NewImageFromResource(theme.Icon("camera-off", theme.Dark.Muted)),
		border: canvas.NewRectangle(color.Transparent),
	}
	v.frames = newFrames(v.got)
	v.mirror.Store(true)
	v.back.CornerRadius = selfRadius
	v.img.FillMode = canvas.ImageFillCover
	v.img.ScaleMode = canvas.ImageScaleFastest // the default scales in software on Fyne's thread
	v.img.CornerRadius = selfRadius
	v.img.Hide()
	v.icon.FillMode = canvas.ImageFillContain
	v.border.CornerRadius = selfRadius
	v.border.StrokeWidth = 1.5
	v.border.StrokeColor = theme.Alpha(theme.Dark.Text, 70)
	v.ExtendBaseWidget(v)
	return v
}

// SetMirror says whether pictures are mirrored: a camera's are, a shared screen's are not. Any goroutine.
func (v *SelfView) SetMirror(on bool) { v.mirror.Store(on) }

// Push mirrors on the caller's goroutine and hands over; see frames.Push.
func (v *SelfView) Push(b *image.RGBA) {
	if v.mirror.Load() {
		mirror(b)
	}
	v.frames.Push(b)
}

// SetOff shows that no picture is being sent.
func (v *SelfView) SetOff(off bool) {
	if off == v.off {
		return
	}
	v.off = off
	if off {
		v.clear() // turned on again, it must not open with an old picture
	}
	v.arrange()
}

// Clear forgets the last picture.
func (v *SelfView) Clear() {
	v.clear()
	v.arrange()
}

func (v *SelfView) arrange() {
	v.icon.Hidden = !v.off
	v.img.Hidden = v.off || v.shown == nil
	v.Refresh()
}

func (v *SelfView) got(first bool) {
	if v.off {
		v.clear() // it was on its way when the camera went off
		return
	}
	v.img.Image = v.shown
	if first {
		v.arrange()
	}
	if v.Visible() {
		v.img.Refresh()
	}
}

// Resize implements fyne.CanvasObject.
func (v *SelfView) Resize(s fyne.Size) {
	v.BaseWidget.Resize(s)
	if c := fyne.CurrentApp().Driver().CanvasForObject(v); c != nil {
		v.painted(c.PixelCoordinateForPosition(fyne.NewPos(s.Width, s.Height)))
	}
}

// CreateRenderer implements fyne.Widget.
func (v *SelfView) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{v.back, v.img, v.icon, v.border},
		func() fyne.Size { return fyne.NewSize(112, 63) },
		func(s fyne.Size) {
			v.back.Resize(s)
			v.img.Resize(s)
			v.border.Resize(s)
			Centre(v.icon, s, fyne.NewSquareSize(28))
		},
		func() {
			v.back.Refresh()
			v.icon.Refresh()
			v.border.Refresh()
		})
}

// Dragged implements fyne.Draggable.
func (v *SelfView) Dragged(e *fyne.DragEvent) {
	if v.OnDrag != nil {
		v.OnDrag(e.Dragged)
	}
}

// DragEnd implements fyne.Draggable.
func (v *SelfView) DragEnd() {
	if v.OnDrop != nil {
		v.OnDrop()
	}
}

// MouseIn implements desktop.Hoverable.
func (v *SelfView) MouseIn(*desktop.MouseEvent) { v.moved() }

// MouseMoved implements desktop.Hoverable.
func (v *SelfView) MouseMoved(*desktop.MouseEvent) { v.moved() }

// MouseOut implements desktop.Hoverable.
func (v *SelfView) MouseOut() {}

func (v *SelfView) moved() {
	if v.OnMove != nil {
		v.OnMove()
	}
}

// Cursor implements desktop.Cursorable.
func (v *SelfView) Cursor() desktop.Cursor { return desktop.PointerCursor }

// mirror swaps left and right in place.
func mirror(m *image.RGBA) {
	w := m.Rect.Dx()
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride : y*m.Stride+4*w]
		for l, r := 0, 4*(w-1); l < r; l, r = l+4, r-4 {
			a, b := (*[4]byte)(row[l:]), (*[4]byte)(row[r:])
			*a, *b = *b, *a
		}
	}
}
