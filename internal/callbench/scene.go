package main

import (
	"errors"
	"math"
	"math/rand/v2"

	"visavis.example/internal/media"
	"visavis.example/internal/media/wav"
	"visavis.example/internal/media/y4m"
)

// The clip that both sides' cameras play over and over. Its motion comes back to where it began, so that the seam is not seen.
const (
	clipWidth, clipHeight = 640, 360
	clipFPS               = 30
	clipFrames            = 20 * clipFPS
)

// scene paints somebody in front of a still background: textures like a photo's (noise of many sizes), a head and shoulders
// that sway and nod, a mouth that moves, and the noise of a camera's sensor, which keeps a coder from getting off lightly.
type scene struct {
	back, body texture
	grain      []int8
	rng        *rand.Rand
	id         uint8
}

// texture is luma and chroma, with how much of it covers what is behind.
type texture struct {
	w, h    int
	y, u, v []float32
	cover   []float32
}

func newScene(id uint8) *scene {
	s := &scene{rng: rand.New(rand.NewPCG(uint64(id), 5)), id: id}
	s.back = newTexture(clipWidth, clipHeight, s.rng, 90, 60, 118, 136)
	s.body = newTexture(300, 330, s.rng, 150, 45, 110, 150)
	for y := range s.body.h {
		for x := range s.body.w {
			s.body.cover[y*s.body.w+x] = silhouette(float64(x)/300, float64(y)/330)
		}
	}
	s.grain = make([]int8, 1<<16) // sigma 1.6, as measured on a webcam by day
	for i := range s.grain {
		s.grain[i] = int8(math.Round(1.6 * s.rng.NormFloat64()))
	}
	return s
}

// newTexture is value noise: octaves of random points between which is interpolated, each half as strong as the one before.
func newTexture(w, h int, rng *rand.Rand, base, contrast, u, v float32) texture {
	t := texture{w: w, h: h, y: make([]float32, w*h), u: make([]float32, w*h), v: make([]float32, w*h), cover: make([]float32, w*h)}
	amplitude := contrast
	for cell := 96; cell >= 3; cell /= 2 {
		addNoise(t.y, w, h, cell, amplitude, rng)
		amplitude *= 0.62
	}
	addNoise(t.u, w, h, 80, 10, rng)
	addNoise(t.v, w, h, 80, 10, rng)
	for i := range t.y {
		t.y[i] += base
		t.u[i] += u
		t.v[i] += v
	}
	return t
}

func addNoise(plane []float32, w, h, cell int, amplitude float32, rng *rand.Rand) {
	cols := w/cell + 2
	points := make([]float32, cols*(h/cell+2))
	for i := range points {
		points[i] = amplitude * (2*rng.Float32() - 1)
	}
	for y := range h {
		fy := smooth(float32(y%cell) / float32(cell))
		for x := range w {
			fx := smooth(float32(x%cell) / float32(cell))
			p := points[y/cell*cols+x/cell:]
			top, bottom := p[0]+fx*(p[1]-p[0]), p[cols]+fx*(p[cols+1]-p[cols])
			plane[y*w+x] += top + fy*(bottom-top)
		}
	}
}

func smooth(t float32) float32 { return t * t * (3 - 2*t) }

// silhouette is 1 inside a head on shoulders in the unit square, 0 outside, with a soft edge.
func silhouette(x, y float64) float32 {
	head := 1 - math.Hypot((x-0.5)/0.25, (y-0.34)/0.31)
	shoulders := 1 - math.Hypot((x-0.5)/0.5, (y-1.05)/0.45)
	return float32(math.Min(math.Max(12*math.Max(head, shoulders)+0.5, 0), 1))
}

// draw paints picture n with its marker.
func (s *scene) draw(f *media.Frame, n int) {
	turn := 2 * math.Pi * float64(n) / clipFrames
	dx := 170 + 38*math.Sin(3*turn) + 9*math.Sin(17*turn)
	dy := 40 + 12*math.Sin(5*turn+1) + 4*math.Sin(23*turn)
	mouth := 8 + 7*math.Sin(61*turn)*math.Sin(7*turn)
	at := s.rng.IntN(len(s.grain))
	for y := range clipHeight {
		row := f.Y[y*f.StrideY:][:clipWidth]
		for x := range row {
			v := s.back.y[y*clipWidth+x]
			if c, by := s.body.at(s.body.y, float64(x)-dx, float64(y)-dy); c > 0 {
				mx, my := (float64(x)-dx-150)/34, (float64(y)-dy-160)/mouth
				if mx*mx+my*my < 1 {
					by = 45
				}
				v += c * (by - v)
			}
			at = (at + 1) & (len(s.grain) - 1)
			row[x] = uint8(min(max(v, 16), 235)) + uint8(s.grain[at])
		}
	}
	for y := range clipHeight / 2 {
		for x := range clipWidth / 2 {
			u, v := s.back.u[2*y*clipWidth+2*x], s.back.v[2*y*clipWidth+2*x]
			if c, bu := s.body.at(s.body.u, float64(2*x)-dx, float64(2*y)-dy); c > 0 {
				_, bv := s.body.at(s.body.v, float64(2*x)-dx, float64(2*y)-dy)
				u, v = u+c*(bu-u), v+c*(bv-v)
			}
			f.U[y*f.StrideUV+x], f.V[y*f.StrideUV+x] = uint8(u), uint8(v)
		}
	}
	media.DrawMarker(f, s.id, uint16(n))
}

// at samples between pixels, so that motion is smooth.
func (t *texture) at(plane []float32, x, y float64) (cover, value float32) {
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	if ix < 0 || iy < 0 || ix >= t.w-1 || iy >= t.h-1 {
		return 0, 0
	}
	i := iy*t.w + ix
	if cover = t.cover[i]; cover == 0 {
		return 0, 0
	}
	fx, fy := float32(x)-float32(ix), float32(y)-float32(iy)
	top, bottom := plane[i]+fx*(plane[i+1]-plane[i]), plane[i+t.w]+fx*(plane[i+t.w+1]-plane[i+t.w])
	return cover, top + fy*(bottom-top)
}

// writeClip makes the camera of id.
func writeClip(path string, id uint8) error {
	out, err := y4m.Create(path, clipWidth, clipHeight, clipFPS)
	if err != nil {
		return err
	}
	s, f := newScene(id), media.NewFrame(clipWidth, clipHeight)
	for n := range clipFrames {
		s.draw(f, n)
		if err := out.Write(f); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	return out.Close()
}

const speechSeconds = 31 // not a multiple of anything else here

// writeSpeech makes the microphone of id: voiced syllables of changing length and strength with pauses between phrases, so
// that its loudness finds itself again in what the other hears.
func writeSpeech(path string, id uint8) error {
	rng := rand.New(rand.NewPCG(uint64(id), 9))
	const whole = speechSeconds * media.SampleRate
	var pcm []int16
	phase := 0.0
	for len(pcm) < whole {
		for range 4 + rng.IntN(8) {
			n := int((0.09 + 0.16*rng.Float64()) * media.SampleRate)
			loud, pitch := 5000+9000*rng.Float64(), (100+35*float64(id))*(0.85+0.4*rng.Float64())
			formant := 350 + 900*rng.Float64()
			for i := range n {
				t := float64(i) / float64(n)
				if phase += pitch / media.SampleRate; phase >= 1 {
					phase--
				}
				ring := math.Sin(2 * math.Pi * formant / media.SampleRate * float64(i))
				v := loud * math.Sin(math.Pi*math.Sqrt(t)) * (0.45*(2*phase-1) + 0.55*ring*(1-phase))
				pcm = append(pcm, int16(v))
			}
			pcm = append(pcm, make([]int16, int((0.01+0.05*rng.Float64())*media.SampleRate))...)
		}
		pcm = append(pcm, make([]int16, int((0.3+0.5*rng.Float64())*media.SampleRate))...)
	}
	out, err := wav.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(out.Write(pcm[:whole]), out.Close())
}
