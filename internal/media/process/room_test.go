package process

import (
	"math"
	"math/rand"
	"testing"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
)

const rate = media.SampleRate

// speech is made-up speech, in -1 to 1, beginning skip seconds into what the voice says.
func speech(voice int, skip, seconds float64) []float32 {
	s := capture.Speech{Voice: voice}
	pace := 1 + 0.031*float64(voice) // or else all voices' beacons would be one
	pcm := make([]int16, int((skip+seconds*pace+1)*rate)/media.BlockSamples*media.BlockSamples)
	for i := 0; i < len(pcm); i += media.BlockSamples {
		s.Fill(pcm[i:][:media.BlockSamples])
	}
	all := make([]float32, len(pcm))
	for i, v := range pcm {
		all[i] = float32(v) / 32768
	}
	out := make([]float32, int(seconds*rate))
	for i := range out {
		out[i] = float32(at(all, skip*rate+float64(i)*pace))
	}
	return out
}

// room is what a microphone hears of a loudspeaker.
type room struct {
	seed    int64
	delay   float64 // seconds
	levelDB float64
	ppm     float64 // the microphone's clock against the loudspeaker's
	clip    bool
}

// echo plays far and gives what comes to the microphone, of the same length.
func (r room) echo(far []float32) []float32 {
	rnd := rand.New(rand.NewSource(r.seed))
	h := make([]float64, rate*150/1000)
	sum := 0.0
	for i := range h {
		h[i] = (2*rnd.Float64() - 1) * math.Exp(-float64(i)/(0.030*rate))
		sum += h[i] * h[i]
	}
	h[0] += 3 * math.Sqrt(sum/20)
	sum = 0
	for _, v := range h {
		sum += v * v
	}
	for i := range h {
		h[i] *= math.Pow(10, r.levelDB/20) / math.Sqrt(sum)
	}
	heard := make([]float32, len(far))
	for i := range heard { // windowed sinc: what another clock samples
		pos := float64(i)*(1+r.ppm*1e-6) - r.delay*rate
		heard[i] = float32(at(far, pos))
		if r.clip {
			heard[i] = float32(math.Tanh(2*float64(heard[i])) / 2)
		}
	}
	return convolve(heard, h)
}

func at(x []float32, pos float64) float64 {
	whole := math.Floor(pos)
	frac := pos - whole
	i := int(whole)
	if i < 16 || i+17 >= len(x) {
		return 0
	}
	if frac == 0 {
		return float64(x[i])
	}
	// sin(pi(frac-k)) and the window's cosine by the sums of angles: made-up rooms are most of these tests' time.
	sin, v := math.Sin(math.Pi*frac)/math.Pi, 0.0
	s, c := math.Sincos(math.Pi * frac / 16.5)
	for k := -15; k <= 16; k++ {
		turn := hann[k+15]
		v += float64(x[i+k]) * sin / (frac - float64(k)) * (0.5 + 0.5*(c*turn[0]+s*turn[1]))
		sin = -sin
	}
	return -v // k began odd
}

// hann is the cosine and sine of how far each tap of at is turned.
var hann = func() (t [32][2]float64) {
	for k := range t {
		t[k][1], t[k][0] = math.Sincos(math.Pi * float64(k-15) / 16.5)
	}
	return t
}()

// convolve uses the filter's own arithmetic with fixed taps.
func convolve(x []float32, h []float64) []float32 {
	const block = media.BlockSamples
	k := newKalman(block, (len(h)+block-1)/block, 1)
	for b := range k.parts {
		clear(k.work)
		for i := range block {
			if b*block+i < len(h) {
				k.work[i] = float32(h[b*block+i])
			}
		}
		k.fft.forward(k.work, k.wre[b], k.wim[b])
	}
	out := make([]float32, len(x))
	for i := 0; i+block <= len(x); i += block {
		k.predict(x[i:][:block], out[i:][:block])
	}
	return out
}

func power(x []float32, from, to float64) float64 {
	s := 1e-15
	for _, v := range x[int(from*rate):int(to*rate)] {
		s += float64(v) * float64(v)
	}
	return s / ((to - from) * rate)
}

func db(ratio float64) float64 { return 10 * math.Log10(ratio) }

func hum(n int, seed int64, amp float32) []float32 {
	rnd := rand.New(rand.NewSource(seed))
	x := make([]float32, n)
	for i := range x {
		x[i] = amp * float32(2*rnd.Float64()-1)
	}
	return x
}

func TestFFT(t *testing.T) {
	for _, n := range []int{8, 128, 1024} {
		f := newFFT(n)
		x, re, im, y := hum(n, 1, 1), make([]float32, n/2+1), make([]float32, n/2+1), make([]float32, n)
		f.forward(x, re, im)
		for _, k := range []int{0, 1, n / 4, n/2 - 1, n / 2} {
			a, b := 0.0, 0.0
			for i, v := range x {
				s, c := math.Sincos(2 * math.Pi * float64(i*k%n) / float64(n))
				a += float64(v) * c
				b -= float64(v) * s
			}
			if math.Hypot(a-float64(re[k]), b-float64(im[k])) > 1e-3 {
				t.Errorf("%d points, bin %d: %g%+gi, want %g%+gi", n, k, re[k], im[k], a, b)
			}
		}
		f.inverse(re, im, y)
		for i := range x {
			if math.Abs(float64(x[i]-y[i])) > 1e-5 {
				t.Fatalf("%d points, sample %d: %g, want %g", n, i, y[i], x[i])
			}
		}
	}
}
