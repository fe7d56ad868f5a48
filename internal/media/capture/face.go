package capture

import (
	"image"
	"image/color"
	"math"
)

const mouths = 3 // smiling, half open, open

// heads paints the person's head with every expression, on canvases whose middle is the middle of the face.
func heads(s stage, l look) (all [2][mouths]canvas) {
	base := newPortrait(s, l)
	base.skin()
	base.nose()
	for blink := range 2 {
		for mouth := range mouths {
			p := base.copy()
			p.eye(-1, blink == 1)
			p.eye(1, blink == 1)
			p.mouth(mouth)
			p.hairFront()
			if l.glasses {
				p.glasses()
			}
			all[blink][mouth] = p.canvas
		}
	}
	return all
}

// hair is what is seen behind head and neck, on a canvas like the head's.
func hair(s stage, l look) canvas {
	p := newPortrait(s, l)
	p.hairBehind()
	return p.canvas
}

func newPortrait(s stage, l look) portrait {
	w, h := s.unit*0.50, s.unit*0.66
	return portrait{newCanvas(int(w), int(h)), l, s.unit, w / 2, h / 2}
}

func (p portrait) copy() portrait {
	c := newCanvas(p.Rect.Dx(), p.Rect.Dy())
	copy(c.Pix, p.Pix)
	p.canvas = c
	return p
}

// portrait knows the proportions: u is the stage's unit, cx, cy the middle of the face.
type portrait struct {
	canvas
	look
	u, cx, cy float64
}

const (
	faceWide = 0.145 // half, in units
	faceHigh = 0.185
)

func (p portrait) oval(x, y, rx, ry float64, in ink) {
	p.ellipse(p.cx+x*p.u, p.cy+y*p.u, rx*p.u, ry*p.u, in)
}

// near is the box around a place, in units.
func (p portrait) near(x, y, rx, ry float64) image.Rectangle {
	return around(p.cx+x*p.u, p.cy+y*p.u, rx*p.u, ry*p.u)
}

func (p portrait) hairBehind() {
	dark := plain(shade(p.hair, 0.85))
	switch p.style {
	case 1:
		p.oval(0, 0.02, 0.185, 0.235, dark)
		p.box(p.cx-0.178*p.u, p.cy, 0.356*p.u, 0.29*p.u, 0.10*p.u, dark)
	case 2:
		p.oval(0, -0.235, 0.062, 0.058, dark)
	case 3:
		for i := range 13 {
			a := math.Pi + (float64(i)-2)*math.Pi/8
			p.oval(0.165*math.Cos(a), -0.05+0.175*math.Sin(a), 0.052, 0.052, dark)
		}
	}
}

func (p portrait) skin() {
	for _, side := range [...]float64{-1, 1} {
		p.oval(side*faceWide, 0.015, 0.024, 0.038, plain(shade(p.look.skin, 0.86)))
	}
	p.oval(0, 0, faceWide, faceHigh, func(x, y float64) color.RGBA {
		dx, dy := (x-p.cx)/(faceWide*p.u), (y-p.cy)/(faceHigh*p.u)
		return shade(p.look.skin, 1.04-0.16*(dx*dx+0.6*dy*dy)+0.05*dx)
	})
	for _, side := range [...]float64{-1, 1} {
		p.glow(p.cx+side*0.085*p.u, p.cy+0.055*p.u, 0.055*p.u, 0.045*p.u, rgb(0xe06a5a), 0.28)
	}
}

func (p portrait) eye(side float64, blink bool) {
	x, y := side*0.058, -0.012
	brow := without(oval(p.cx+x*p.u, p.cy-0.030*p.u, 0.036*p.u, 0.028*p.u), oval(p.cx+x*p.u, p.cy-0.022*p.u, 0.042*p.u, 0.028*p.u))
	p.fill(p.near(x, -0.02, 0.05, 0.04), brow, 1, plain(shade(p.hair, 0.9)))
	if blink {
		lid := without(oval(p.cx+x*p.u, p.cy+(y-0.002)*p.u, 0.026*p.u, 0.014*p.u), oval(p.cx+x*p.u, p.cy+(y-0.008)*p.u, 0.028*p.u, 0.014*p.u))
		p.fill(p.near(x, y, 0.03, 0.02), lid, 1, plain(shade(p.look.skin, 0.45)))
		return
	}
	p.oval(x, y, 0.026, 0.0155, plain(rgb(0xf6f2ee)))
	p.oval(x, y, 0.0138, 0.0142, plain(mix(p.accent, rgb(0x2a2018), 0.55)))
	p.oval(x, y, 0.0075, 0.0080, plain(rgb(0x100c0a)))
	p.oval(x+0.005, y-0.006, 0.0038, 0.0038, plain(rgb(0xffffff)))
}

func (p portrait) nose() {
	p.oval(0.004, 0.045, 0.017, 0.013, plain(alpha(shade(p.look.skin, 0.72), 150)))
	p.oval(0, 0.040, 0.014, 0.013, plain(shade(p.look.skin, 1.0)))
}

func (p portrait) mouth(open int) {
	x, y := p.cx, p.cy+0.092*p.u
	lip := plain(mix(p.look.skin, rgb(0x9a2f34), 0.62))
	if open == 0 { // a smile: a crescent
		smile := without(oval(x, y, 0.056*p.u, 0.030*p.u), oval(x, y-0.014*p.u, 0.062*p.u, 0.030*p.u))
		p.fill(p.near(0, 0.092, 0.07, 0.04), smile, 1, lip)
		return
	}
	ry := 0.014 * float64(open)
	p.oval(0, 0.096, 0.044, ry+0.009, lip)
	p.oval(0, 0.096, 0.035, ry+0.002, plain(rgb(0x4a1418)))
	inner := oval(x, p.cy+0.096*p.u, 0.035*p.u, (ry+0.002)*p.u)
	p.fill(p.near(0, 0.096, 0.04, 0.04), both(inner, above(p.cy+(0.096-ry*0.35)*p.u)), 1, plain(rgb(0xf4efe8)))
}

func (p portrait) hairFront() {
	col := func(x, y float64) color.RGBA {
		return shade(p.hair, 1.12-0.5*math.Abs(x-p.cx-0.04*p.u)/(0.17*p.u)*0.5-0.15*(y-p.cy+0.2*p.u)/(0.2*p.u))
	}
	cap := oval(p.cx, p.cy-0.055*p.u, 0.163*p.u, 0.160*p.u)
	var hairline shape
	switch p.style {
	case 0: // parted at the side
		hairline = oval(p.cx-0.03*p.u, p.cy+0.075*p.u, 0.150*p.u, 0.170*p.u)
	case 3:
		hairline = oval(p.cx, p.cy+0.085*p.u, 0.142*p.u, 0.175*p.u)
	default: // parted in the middle
		l, r := oval(p.cx-0.068*p.u, p.cy+0.055*p.u, 0.088*p.u, 0.165*p.u), oval(p.cx+0.068*p.u, p.cy+0.055*p.u, 0.088*p.u, 0.165*p.u)
		hairline = func(x, y float64) float64 { return min(l(x, y), r(x, y)) }
	}
	p.fill(p.near(0, -0.055, 0.17, 0.17), both(without(cap, hairline), above(p.cy+0.06*p.u)), 1, col)
}

func (p portrait) glasses() {
	frame := plain(rgb(0x22242a))
	line := 0.0055 * p.u
	for _, side := range [...]float64{-1, 1} {
		x, y := p.cx+side*0.060*p.u, p.cy-0.008*p.u
		outer := rounded(x-0.046*p.u, y-0.034*p.u, 0.092*p.u, 0.068*p.u, 0.026*p.u)
		inner := func(px, py float64) float64 { return outer(px, py) + line }
		p.fill(p.near(side*0.06, -0.008, 0.06, 0.05), inner, 1, plain(alpha(rgb(0xffffff), 26)))
		p.fill(p.near(side*0.06, -0.008, 0.06, 0.05), without(outer, inner), 1, frame)
	}
	bridge := image.Rect(int(p.cx-0.016*p.u), int(p.cy-0.016*p.u), int(p.cx+0.016*p.u)+1, int(p.cy-0.008*p.u)+1)
	p.fill(bridge, func(_, _ float64) float64 { return -9 }, 1, frame)
}
