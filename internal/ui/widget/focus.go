package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"

	"visavis.example/internal/ui/theme"
)

// pressable is what all our buttons share: hover and taps. The owner sets self, and refreshes when it is told to.
type pressable struct {
	OnTapped func()
	OnHover  func(in bool) // the mouse comes and goes; overlays do not see it while it is over a button
	hovered  bool
	focused  bool
	disabled bool
	self     fyne.CanvasObject
}

// Tapped implements fyne.Tappable.
func (b *pressable) Tapped(*fyne.PointEvent) {
	if b.OnTapped != nil && !b.disabled {
		b.OnTapped()
	}
}

// MouseIn implements desktop.Hoverable.
func (b *pressable) MouseIn(*desktop.MouseEvent) { b.hover(true) }

// MouseMoved implements desktop.Hoverable.
func (b *pressable) MouseMoved(*desktop.MouseEvent) {
	if b.OnHover != nil {
		b.OnHover(true)
	}
}

// MouseOut implements desktop.Hoverable.
func (b *pressable) MouseOut() { b.hover(false) }

func (b *pressable) hover(in bool) {
	b.hovered = in
	b.self.Refresh()
	if b.OnHover != nil {
		b.OnHover(in)
	}
}

// Cursor implements desktop.Cursorable.
func (b *pressable) Cursor() desktop.Cursor {
	if b.disabled {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// focusable lets a pressable be reached by Tab and pressed by Space and Return.
type focusable struct{ b *pressable }

// FocusGained implements fyne.Focusable.
func (f focusable) FocusGained() { f.b.focused = true; f.b.self.Refresh() }

// FocusLost implements fyne.Focusable.
func (f focusable) FocusLost() { f.b.focused = false; f.b.self.Refresh() }

// TypedRune implements fyne.Focusable.
func (f focusable) TypedRune(rune) {}

// TypedKey implements fyne.Focusable: what a button has no use for is for the window.
func (f focusable) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		f.b.Tapped(nil)
	default:
		PassKey(f.b.self, k)
	}
}

// SetDisabled takes taps away.
func (b *pressable) SetDisabled(off bool) {
	if off == b.disabled {
		return
	}
	b.disabled = off
	b.self.Refresh()
}

// Enable implements fyne.Disableable.
func (b *pressable) Enable() { b.SetDisabled(false) }

// Disable implements fyne.Disableable: Tab passes over it then.
func (b *pressable) Disable() { b.SetDisabled(true) }

// Disabled says whether taps are taken away.
func (b *pressable) Disabled() bool { return b.disabled }

// ring draws the focus ring.
func (b *pressable) ring(r *canvas.Rectangle, p *theme.Palette, radius float32) {
	r.CornerRadius, r.StrokeColor, r.StrokeWidth = radius, p.Primary, 2
	r.FillColor = color.Transparent
	r.Hidden = !b.focused
	r.Refresh()
}

// PassKey gives a key that the focused o has no use for to the window's own keys.
func PassKey(o fyne.CanvasObject, k *fyne.KeyEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(o); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(k)
	}
}
