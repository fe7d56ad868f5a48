package capture

import (
	"image/color"
	"math"
)

// look is what makes one caller different from the next.
type look struct {
	wall, wallLow, lamp, shirt, skin, hair, accent color.RGBA
	style                                          int // of hair: 0 short, 1 long, 2 bun, 3 curly
	glasses                                        bool
}

var looks = [...]look{
	{rgb(0x5b6470), rgb(0x2a3142), rgb(0xf0b860), rgb(0x2f578f), rgb(0xe3ad8c), rgb(0x3a2820), rgb(0x8a6478), 0, false},
	{rgb(0x4e6a66), rgb(0x223038), rgb(0xa8e0b0), rgb(0xb4543f), rgb(0xf0c6a4), rgb(0x7a3f1c), rgb(0x4a7d8c), 1, false},
	{rgb(0x6d5a78), rgb(0x2c2540), rgb(0xf4a8c0), rgb(0x2f7a62), rgb(0x9c6a48), rgb(0x1c1614), rgb(0xc08a4a), 3, false},
	{rgb(0x7a6a58), rgb(0x33292a), rgb(0xffd890), rgb(0x5c4a8a), rgb(0xd9a078), rgb(0x141418), rgb(0x5a7a5a), 2, true},
	{rgb(0x526a86), rgb(0x222c44), rgb(0x9cd4ff), rgb(0xd0a040), rgb(0x7c5038), rgb(0x18120e), rgb(0xa05a4a), 0, true},
	{rgb(0x6a7058), rgb(0x2c3226), rgb(0xe8e890), rgb(0x8a3f5c), rgb(0xf2cdb0), rgb(0xc89850), rgb(0x4a6a8a), 1, true},
	{rgb(0x785c58), rgb(0x38262a), rgb(0xffb090), rgb(0x3a7a8a), rgb(0xc68a60), rgb(0x2a1a12), rgb(0x7a8a4a), 3, true},
	{rgb(0x586878), rgb(0x262c3a), rgb(0xc8c0ff), rgb(0x6a7a3a), rgb(0xe8b898), rgb(0x8a8a90), rgb(0x8a5a7a), 2, false},
}

// stage says where things are in a picture of that size; unit is the height of a picture that is not narrow.
type stage struct {
	w, h, unit, cx float64
}

func newStage(w, h int) stage {
	fw, fh := float64(w), float64(h)
	return stage{fw, fh, min(fh, fw*0.8), fw / 2}
}

// room paints what does not move: wall, lamp light, a picture, a shelf with books and a plant.
func room(w, h int, l look) canvas {
	c, s := newCanvas(w, h), newStage(w, h)
	c.fill(c.Rect, func(_, _ float64) float64 { return -9 }, 1, func(x, y float64) color.RGBA {
		return mix(l.wall, l.wallLow, 0.75*y/s.h+0.25*math.Abs(x/s.w-0.6))
	})
	c.glow(s.w*0.80, s.h*0.20, s.w*0.75, s.h*1.05, l.lamp, 0.50)
	s.painting(c, l)
	s.shelf(c, l)
	c.glow(s.cx, s.h*1.1, s.unit*0.75, s.unit*0.45, rgb(0), 0.30) // the person's shade on the wall
	return c
}

func (s stage) painting(c canvas, l look) {
	u := s.unit
	x, y, w, h := s.w*0.07, s.h*0.16, u*0.30, u*0.40
	c.box(x+u*0.012, y+u*0.016, w, h, u*0.01, plain(alpha(rgb(0), 70)))
	c.box(x, y, w, h, u*0.008, plain(rgb(0xe8e2d8)))
	x, y, w, h = x+u*0.02, y+u*0.02, w-u*0.04, h-u*0.04
	c.box(x, y, w, h, 0, func(_, py float64) color.RGBA {
		return mix(mix(l.accent, rgb(0x9cc4dc), 0.7), mix(l.accent, rgb(0xf4d8b0), 0.7), (py-y)/h)
	})
	inside := rounded(x, y, w, h, 0)
	hill := func(cx, cy, rx, ry float64, col color.RGBA) {
		c.fill(around(x+w/2, y+h/2, w/2, h/2), both(inside, oval(cx, cy, rx, ry)), 1, plain(col))
	}
	c.ellipse(x+w*0.68, y+h*0.30, w*0.13, w*0.13, plain(rgb(0xfff0c8)))
	hill(x+w*0.25, y+h*1.12, w*0.75, h*0.52, shade(l.accent, 0.75))
	hill(x+w*0.95, y+h*1.15, w*0.70, h*0.44, shade(l.accent, 0.52))
}

// shelf is at the right: its top is clear of the controls, its side of the self view in the corner below.
func (s stage) shelf(c canvas, l look) {
	u := s.unit
	right := s.w * 0.95
	x, y := right-u*0.42, s.h*0.56
	c.box(x, y+u*0.016, u*0.42, u*0.03, 0, plain(alpha(rgb(0), 60)))
	c.box(x, y, u*0.42, u*0.022, u*0.004, plain(rgb(0x8a6444)))
	books := [...]struct{ w, h, tone float64 }{{.030, .150, 1.0}, {.022, .125, .6}, {.036, .165, .8}, {.026, .140, 1.25}, {.030, .120, .5}}
	bx := x + u*0.03
	for i, b := range books {
		col := shade(mix(l.accent, l.shirt, float64(i%3)/2), b.tone)
		c.box(bx, y-u*b.h, u*b.w, u*b.h, u*0.004, plain(col))
		c.box(bx, y-u*b.h*0.85, u*b.w, u*0.008, 0, plain(alpha(rgb(0xffffff), 110)))
		bx += u * (b.w + 0.004)
	}
	px := right - u*0.09 // the plant
	for i := range 9 {
		turn := (float64(i) - 4) * 0.30
		length := u * (0.125 - 0.006*math.Abs(float64(i)-4))
		leaf := leaf(px, y-u*0.07, -math.Pi/2+turn, length, u*0.017)
		c.fill(around(px, y-u*0.1, u*0.16, u*0.16), leaf, 1, plain(shade(rgb(0x5c9a5a), 0.70+0.10*float64(i*5%9)/2)))
	}
	c.box(px-u*0.038, y-u*0.075, u*0.076, u*0.075, u*0.012, plain(rgb(0xd8d0c4)))
}

// leaf grows from x, y in a direction.
func leaf(x, y, direction, length, width float64) shape {
	cos, sin := math.Cos(direction), math.Sin(direction)
	return func(px, py float64) float64 {
		dx, dy := px-x, py-y
		along, across := dx*cos+dy*sin, dy*cos-dx*sin
		return (math.Hypot((along-length*0.58)/(length*0.5), across/width) - 1) * width
	}
}

// torso is the person below the head, on a canvas as wide as the shoulders; its top is the neck.
func torso(s stage, l look) (c canvas, top float64) {
	u := s.unit
	w, top := u*0.92, s.h*0.42+u*0.06
	h := s.h - top + u*0.03
	c = newCanvas(int(w), int(h))
	cx := w / 2
	shoulder := u * 0.24
	body := oval(cx, shoulder+u*0.36, u*0.43, u*0.38)
	shirt := func(x, y float64) color.RGBA {
		d := (x - cx) / (u * 0.43)
		return shade(l.shirt, 1.06-0.35*d*d-0.12*(y-shoulder)/h)
	}
	c.fill(c.Rect, body, 1, shirt)
	c.box(cx-u*0.072, -u*0.05, u*0.144, u*0.31, u*0.06, func(x, y float64) color.RGBA {
		return shade(l.skin, 0.78+0.10*y/(u*0.3)-0.05*math.Abs(x-cx)/(u*0.07))
	})
	collar := without(oval(cx, u*0.20, u*0.125, u*0.115), oval(cx, u*0.165, u*0.085, u*0.095))
	c.fill(around(cx, u*0.2, u*0.14, u*0.13), both(collar, func(_, y float64) float64 { return u*0.14 - y }), 1, plain(shade(l.shirt, 0.72)))
	c.box(cx-u*0.004, u*0.31, u*0.008, u*0.6, 0, plain(alpha(rgb(0), 40)))
	for i := range 4 {
		c.ellipse(cx, u*(0.36+0.11*float64(i)), u*0.009, u*0.009, plain(alpha(rgb(0xffffff), 150)))
	}
	return c, top
}
