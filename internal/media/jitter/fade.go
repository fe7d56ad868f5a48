package jitter

import "math"

const (
	keepFor  = 60 * rate / 1000  // made-up sound is let through as it is,
	fadeOver = 100 * rate / 1000 // then goes over into soft noise,
	backOver = 8 * rate / 1000   // and comes back quickly
)

// fader goes over from made-up sound to soft noise and back.
type fader struct {
	out     float32 // 0: sound, 1: noise alone
	bridged bool
	bridge  [tail]int16
}

func (f *fader) silent() bool { return f.out >= 1 }

// down fades made-up sound, of which there has been made samples.
func (f *fader) down(pcm []int16, made int, noise func() float32) {
	if made < keepFor && f.out == 0 {
		return
	}
	f.blend(pcm, 1./fadeOver, noise)
}

// up comes back to sound.
func (f *fader) up(pcm []int16, noise func() float32) {
	if f.out > 0 {
		f.blend(pcm, -1./backOver, noise)
	}
}

func (f *fader) blend(pcm []int16, step float32, noise func() float32) {
	for i, v := range pcm {
		f.out = min(max(f.out+step, 0), 1)
		pcm[i] = int16(float32(v)*(1-f.out) + noise()*f.out)
	}
}

const (
	quietest     = 2.  // root mean square of the noise: never digital silence,
	loudestNoise = 60. // nor loud: -55 dB of full scale
	span         = 75  // frames: background is the quietest of 1.5 to 3 s
)

// background knows how loud it is where nobody speaks, and makes noise like it.
type background struct {
	least  [2]float64 // of this span and the one before
	frames int
	seed   uint32
	last   float32
}

// heard takes a frame of decoded sound.
func (b *background) heard(pcm []int16) {
	sum := 0.0
	for i := 0; i < len(pcm); i += 4 {
		sum += float64(pcm[i]) * float64(pcm[i])
	}
	level := math.Sqrt(sum / float64((len(pcm)+3)/4))
	if b.frames%span == 0 {
		b.least[1], b.least[0] = b.least[0], level
		if b.frames == 0 {
			b.least[1] = level
		}
	}
	b.frames++
	b.least[0] = min(b.least[0], level)
}

func (b *background) level() float64 {
	return min(max(min(b.least[0], b.least[1]), quietest), loudestNoise)
}

// soft is one sample of noise without highs, as loud as the background.
func (b *background) soft() float32 {
	b.seed = b.seed*1664525 + 1013904223
	white := float32(int32(b.seed)) / (1 << 31)
	b.last += (white - b.last) * softness
	return b.last * float32(b.level()) * softGain
}

const (
	softness = 0.2 // of a one-pole low pass: about 1.7 kHz
	softGain = 5.2 // its loss, and that of evenly spread numbers, made good: sqrt(3*(2-softness)/softness)
)
