package capture

import (
	"image"
	"image/color"
	"math"
)

// canvas is painted with soft-edged shapes while a Pattern prepares; never while it runs. Colours are premultiplied, so
// the same painter serves backgrounds and sprites.
type canvas struct {
	*image.RGBA
}

func newCanvas(w, h int) canvas { return canvas{image.NewRGBA(image.Rect(0, 0, w, h))} }

// shape is the signed distance to an outline in pixels, negative inside.
type shape func(x, y float64) float64

// ink gives the colour at a point.
type ink func(x, y float64) color.RGBA

func plain(c color.RGBA) ink { return func(_, _ float64) color.RGBA { return c } }

// fill paints where s is negative, within box; edge is the width of the soft border, at least a pixel.
func (c canvas) fill(box image.Rectangle, s shape, edge float64, in ink) {
	box = box.Intersect(c.Rect)
	edge = max(edge, 1)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		row := c.Pix[y*c.Stride:]
		for x := box.Min.X; x < box.Max.X; x++ {
			fx, fy := float64(x)+0.5, float64(y)+0.5
			cover := 0.5 - s(fx, fy)/edge
			if cover <= 0 {
				continue
			}
			over(row[4*x:4*x+4:4*x+4], in(fx, fy), min(cover, 1))
		}
	}
}

// over blends a plain colour with its alpha times cover.
func over(p []byte, c color.RGBA, cover float64) {
	a := cover * float64(c.A) / 255
	b := 1 - a
	p[0] = byte(float64(c.R)*a + float64(p[0])*b + 0.5)
	p[1] = byte(float64(c.G)*a + float64(p[1])*b + 0.5)
	p[2] = byte(float64(c.B)*a + float64(p[2])*b + 0.5)
	p[3] = byte(255*a + float64(p[3])*b + 0.5)
}

func (c canvas) ellipse(cx, cy, rx, ry float64, in ink) {
	c.fill(around(cx, cy, rx, ry), oval(cx, cy, rx, ry), 1, in)
}

// glow is an ellipse that fades out towards its edge.
func (c canvas) glow(cx, cy, rx, ry float64, col color.RGBA, strength float64) {
	box := around(cx, cy, rx, ry).Intersect(c.Rect)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		row := c.Pix[y*c.Stride:]
		for x := box.Min.X; x < box.Max.X; x++ {
			d := math.Hypot((float64(x)-cx)/rx, (float64(y)-cy)/ry)
			if d < 1 {
				f := 1 - d*d
				over(row[4*x:4*x+4:4*x+4], col, strength*f*f)
			}
		}
	}
}

func (c canvas) box(x, y, w, h, radius float64, in ink) {
	c.fill(around(x+w/2, y+h/2, w/2, h/2), rounded(x, y, w, h, radius), 1, in)
}

func around(cx, cy, rx, ry float64) image.Rectangle {
	return image.Rect(int(cx-rx)-2, int(cy-ry)-2, int(cx+rx)+3, int(cy+ry)+3)
}

func oval(cx, cy, rx, ry float64) shape {
	small := min(rx, ry)
	return func(x, y float64) float64 {
		return (math.Hypot((x-cx)/rx, (y-cy)/ry) - 1) * small
	}
}

func rounded(x, y, w, h, r float64) shape {
	cx, cy := x+w/2, y+h/2
	return func(px, py float64) float64 {
		dx, dy := math.Abs(px-cx)-w/2+r, math.Abs(py-cy)-h/2+r
		return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - r
	}
}

// both is where two shapes overlap; without is the first less the second.
func both(a, b shape) shape {
	return func(x, y float64) float64 { return max(a(x, y), b(x, y)) }
}

func without(a, b shape) shape {
	return func(x, y float64) float64 { return max(a(x, y), -b(x, y)) }
}

// above is the half plane over a line.
func above(line float64) shape {
	return func(_, y float64) float64 { return y - line }
}

func mix(a, b color.RGBA, t float64) color.RGBA {
	t = min(max(t, 0), 1)
	m := func(x, y uint8) uint8 { return uint8(float64(x)*(1-t) + float64(y)*t + 0.5) }
	return color.RGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), m(a.A, b.A)}
}

func shade(c color.RGBA, f float64) color.RGBA {
	s := func(v uint8) uint8 { return uint8(min(float64(v)*f, 255)) }
	return color.RGBA{s(c.R), s(c.G), s(c.B), c.A}
}

func alpha(c color.RGBA, a uint8) color.RGBA {
	c.A = a
	return c
}

func rgb(v uint32) color.RGBA {
	return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
}
