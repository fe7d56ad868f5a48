package ui

import (
	"fyne.io/fyne/v2"

	"visavis.example/internal/ui/widget"
)

// corner keeps where the self view is: a distance from the corner of the window that it is nearest to. Any relayout asks
// here, so what was dragged stays where it was put, also when the window grows.
type corner struct {
	view        *widget.SelfView
	dragged     bool
	left, top   bool    // which corner
	dx, dy      float32 // from there
	floor, edge float32 // room that the bar takes; room at the edges
}

func newCorner(v *widget.SelfView) *corner { return &corner{view: v} }

// home puts it back to the bottom right.
func (c *corner) home() { *c = corner{view: c.view} }

// place puts the view inside area; edge is the room at the sides, floor what the bar takes at the bottom.
func (c *corner) place(area fyne.Size, edge, floor float32) {
	c.edge, c.floor = edge, floor
	size := fyne.NewSize(208, 117)
	if area.Width < 760 {
		size = fyne.NewSize(144, 81)
	}
	c.view.Resize(size)
	if !c.dragged {
		c.left, c.top, c.dx, c.dy = false, false, edge, edge+4
		if area.Width < 960 { // the bar would be covered
			c.dy = floor + 20
		}
	}
	c.view.Move(c.at(area, size))
}

func (c *corner) at(area, size fyne.Size) fyne.Position {
	x, y := c.dx, c.dy
	if !c.left {
		x = area.Width - size.Width - c.dx
	}
	if !c.top {
		y = area.Height - size.Height - c.dy
	}
	return fyne.NewPos(clamp(x, 8, area.Width-size.Width-8), clamp(y, 8, area.Height-size.Height-8))
}

// drag moves the view with the mouse.
func (c *corner) drag(d fyne.Delta, area fyne.Size) {
	pos := c.view.Position().AddXY(d.DX, d.DY)
	c.keep(pos, area)
	c.view.Move(c.at(area, c.view.Size()))
}

// drop measures from whichever corner is nearest now.
func (c *corner) drop(area fyne.Size) { c.keep(c.view.Position(), area) }

func (c *corner) keep(pos fyne.Position, area fyne.Size) {
	s := c.view.Size()
	c.dragged = true
	c.left, c.top = pos.X+s.Width/2 < area.Width/2, pos.Y+s.Height/2 < area.Height/2
	c.dx, c.dy = pos.X, pos.Y
	if !c.left {
		c.dx = area.Width - s.Width - pos.X
	}
	if !c.top {
		c.dy = area.Height - s.Height - pos.Y
	}
}

func clamp(v, low, high float32) float32 { return max(low, min(v, high)) }
