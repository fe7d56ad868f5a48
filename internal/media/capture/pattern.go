package capture

import (
	"fmt"
	"image/color"
	"math"
	"time"

	"visavis.example/internal/media"
)

// Pattern is a VideoSource that needs no camera: a friendly made-up caller in a room, who sways, talks and blinks, with a
// clock running on the wall and the marker (see media.DrawMarker) at the bottom. A different ID is a different person.
type Pattern struct {
	Width, Height int     // even, at least 64x36; 0: 1280x720
	FPS           float64 // 0: 30
	ID            uint8   // in the marker

	beat *beat
	pool media.Pool
	art  *scenery
}

// Label names the source.
func (p *Pattern) Label() string { return "Test pattern" }

// Start begins; the first picture comes when the parts are painted, some 0.2 s for 720p. The marker's number counts
// pictures from 0; it jumps when the machine stood still.
func (p *Pattern) Start(deliver func(*media.Frame)) error {
	if p.beat != nil {
		return errStarted
	}
	w, h, fps := orSize(p.Width, p.Height), p.Height, p.FPS
	if h == 0 {
		h = 720
	}
	if fps == 0 {
		fps = 30
	}
	if err := media.CheckSize(w, h); err != nil || w < 64 || h < 36 || w&1+h&1 != 0 {
		return fmt.Errorf("test pattern: size %dx%d must be even and at least 64x36", w, h)
	}
	if !(fps > 0 && fps <= 240) {
		return fmt.Errorf("test pattern: %g pictures a second", fps)
	}
	p.beat = &beat{rate: fps, prepare: func() { p.art = newScenery(w, h, looks[int(p.ID)%len(looks)]) }, slack: time.Duration(float64(time.Second) / fps)}
	p.beat.step = func(n int64, due time.Time) bool {
		f := p.pool.Get(w, h)
		p.art.draw(f, float64(n)/fps)
		media.DrawMarker(f, p.ID, uint16(n))
		f.Captured, f.Number = due, n
		deliver(f)
		f.Release()
		return true
	}
	p.beat.start()
	return nil
}

func orSize(w, h int) int {
	if w == 0 && h == 0 {
		return 1280
	}
	return w
}

// Close ends delivery.
func (p *Pattern) Close() error {
	if p.beat != nil {
		p.beat.close()
	}
	return nil
}

// scenery is everything painted beforehand; drawing a picture is copying and blending.
type scenery struct {
	stage
	back   *media.Frame
	hair   *sprite // behind the body
	body   *sprite
	bodyY  float64
	heads  [2][mouths]*sprite // by blink
	digits [11]*sprite        // 0-9 and the colon
}

func newScenery(w, h int, l look) *scenery {
	a := &scenery{stage: newStage(w, h)}
	var pool media.Pool
	a.back, _ = media.FromRGBA(&pool, room(w, h, l).RGBA) // the size was checked
	c, top := torso(a.stage, l)
	a.body, a.bodyY = newSprite(c), top
	a.hair = newSprite(hair(a.stage, l))
	for blink, row := range heads(a.stage, l) {
		for mouth, c := range row {
			a.heads[blink][mouth] = newSprite(c)
		}
	}
	for i := range a.digits {
		a.digits[i] = newSprite(digit(int(a.unit*0.036), int(a.unit*0.06), i, mix(l.lamp, rgb(0xffffff), 0.35)))
	}
	return a
}

// draw paints the scene as it is t seconds after the start.
func (a *scenery) draw(f *media.Frame, t float64) {
	f.CopyFrom(a.back)
	a.clock(f, t)
	breath := a.unit * 0.006 * math.Sin(t*1.5)
	sway := a.unit * 0.022 * math.Sin(t*0.8)
	x := a.cx + sway + a.unit*0.006*math.Sin(t*2.3)
	y := a.h*0.42 + breath + a.unit*0.010*math.Sin(t*1.9+1)
	a.hair.draw(f, int(x)-a.hair.w/2, int(y)-a.hair.h/2)
	a.body.draw(f, int(a.cx+sway*0.45)-a.body.w/2, int(a.bodyY+breath))
	s := a.heads[blinking(t)][talking(t)]
	s.draw(f, int(x)-s.w/2, int(y)-s.h/2)
}

// blinking closes the eyes for 0.14 s about every 3.4 s.
func blinking(t float64) int {
	if math.Mod(t+1.7, 3.4) < 0.14 {
		return 1
	}
	return 0
}

// talking moves the mouth for 2.5 of every 4 s and smiles in between.
func talking(t float64) int {
	if math.Mod(t, 4) > 2.5 {
		return 0
	}
	return int(1.5 + 1.49*math.Sin(t*11)*math.Cos(t*4.3))
}

// clock shows minutes, seconds and hundredths on the wall.
func (a *scenery) clock(f *media.Frame, t float64) {
	total := int(t * 100)
	m, s, c := total/6000%100, total/100%60, total%100
	x, y := int(a.w*0.95-a.unit*0.36), int(a.h*0.15)
	for _, d := range [...]int{m / 10, m % 10, 10, s / 10, s % 10, 10, c / 10, c % 10} {
		a.digits[d].draw(f, x, y)
		x += int(a.unit * 0.045)
	}
}

// segments of a digit, as a calculator shows it: top, top left, top right, middle, bottom left, bottom right, bottom.
var segments = [10]uint8{0b1110111, 0b0010010, 0b1011101, 0b1011011, 0b0111010, 0b1101011, 0b1101111, 0b1010010, 0b1111111, 0b1111011}

func digit(w, h, n int, col color.RGBA) canvas {
	c := newCanvas((max(w, 4)+1)&^1, (max(h, 6)+1)&^1)
	fw, fh := float64(c.Rect.Dx())-1, float64(c.Rect.Dy())-1
	t := max(fw*0.17, 1)
	if n == 10 {
		c.ellipse(fw/2, fh*0.3, t*0.7, t*0.7, plain(col))
		c.ellipse(fw/2, fh*0.7, t*0.7, t*0.7, plain(col))
		return c
	}
	half := (fh - t) / 2
	bars := [7][4]float64{
		{t / 2, 0, fw - t, t},
		{0, t / 2, t, half},
		{fw - t, t / 2, t, half},
		{t / 2, half, fw - t, t},
		{0, half + t/2, t, half},
		{fw - t, half + t/2, t, half},
		{t / 2, fh - t, fw - t, t},
	}
	for i, b := range bars {
		if segments[n]>>(6-i)&1 == 1 {
			c.box(b[0], b[1], b[2], b[3], t*0.4, plain(alpha(col, 225)))
		}
	}
	return c
}
