// Package widget holds the parts that the window is built of: text, buttons, avatars, lists that hold only the rows in
// sight, and places for moving pictures. They know palettes (ui/theme) and sizes, and nothing of calls or people. Package
// ui calls them on Fyne's thread; only Buffer, Push and Wanted of the two picture places may be called from elsewhere.
package widget

import (
	"fyne.io/fyne/v2"
)

// renderer is a fyne.WidgetRenderer made of functions.
type renderer struct {
	objects []fyne.CanvasObject
	min     func() fyne.Size
	layout  func(fyne.Size)
	refresh func()
}

// NewRenderer makes a fyne.WidgetRenderer of functions.
func NewRenderer(objects []fyne.CanvasObject, minSize func() fyne.Size, layout func(fyne.Size), refresh func()) fyne.WidgetRenderer {
	refresh() // colours and texts are known before the first layout
	return &renderer{objects, minSize, layout, refresh}
}

func (r *renderer) Destroy()                     {}
func (r *renderer) Objects() []fyne.CanvasObject { return r.objects }
func (r *renderer) MinSize() fyne.Size           { return r.min() }
func (r *renderer) Layout(s fyne.Size)           { r.layout(s) }
func (r *renderer) Refresh()                     { r.refresh() }

// Place puts o at x, y with size w, h.
func Place(o fyne.CanvasObject, x, y, w, h float32) {
	o.Resize(fyne.NewSize(w, h))
	o.Move(fyne.NewPos(x, y))
}

// Centre puts o with size s in the middle of box.
func Centre(o fyne.CanvasObject, box, s fyne.Size) {
	Place(o, (box.Width-s.Width)/2, (box.Height-s.Height)/2, s.Width, s.Height)
}

// Layout is a fyne.Layout made of functions.
type Layout struct {
	Min   func() fyne.Size
	Place func(fyne.Size)
}

// MinSize implements fyne.Layout.
func (l Layout) MinSize([]fyne.CanvasObject) fyne.Size { return l.Min() }

// Layout implements fyne.Layout.
func (l Layout) Layout(_ []fyne.CanvasObject, s fyne.Size) { l.Place(s) }
