package wav

import (
	"math"

	"visavis.example/internal/media"
)

const (
	minRate, maxRate = 4000, 384_000
	zeroCrossings    = 16  // of the sinc on each side
	phases           = 256 // positions between two samples that the table holds; between those it is interpolated
)

// resampler turns any rate into 48 kHz with a windowed sinc: push samples, pull as many as come out.
// J. O. Smith, "Digital Audio Resampling" (https://ccrma.stanford.edu/~jos/resample/).
type resampler struct {
	rate  int
	half  int       // taps on each side
	table []float32 // [phases+1][2*half]
	in    []float32 // what is still needed
	next  int       // index in in of the sample at or before the next output
	frac  int       // how far beyond it the output lies, in 1/48000 of a sample
	last  int       // index beyond the last real sample once ended
	ended bool
}

func newResampler(rate int) *resampler {
	cutoff := min(1, float64(media.SampleRate)/float64(rate)) // of the source's own band
	half := int(math.Ceil(zeroCrossings / cutoff))
	r := &resampler{rate: rate, half: half, table: make([]float32, (phases+1)*2*half)}
	for p := range phases + 1 {
		row, sum := r.table[p*2*half:][:2*half], 0.0
		for k := range row {
			x := float64(k-half+1) - float64(p)/phases
			w := 0.5 + 0.5*math.Cos(math.Pi*min(max(x/float64(half), -1), 1)) // Hann
			v := w * sinc(x*cutoff*0.97)                                      // a little below the band edge: the slope needs room
			row[k] = float32(v)
			sum += v
		}
		for k := range row {
			row[k] /= float32(sum) // silence stays silence, and no phase is louder than another
		}
	}
	r.reset()
	return r
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func (r *resampler) reset() {
	r.in = append(r.in[:0], make([]float32, r.half-1)...)
	r.next, r.frac, r.ended = r.half-1, 0, false
}

func (r *resampler) push(samples []float32) { r.in = append(r.in, samples...) }

// end says that no more comes: silence follows the last sample.
func (r *resampler) end() {
	r.last, r.ended = len(r.in), true
	r.in = append(r.in, make([]float32, r.half)...)
}

func (r *resampler) pull(pcm []int16) int {
	n := 0
	for n < len(pcm) && r.next+r.half < len(r.in) && !(r.ended && r.next >= r.last) {
		pcm[n] = toInt16(r.at(r.in[r.next-r.half+1:][:2*r.half]))
		n++
		r.frac += r.rate
		r.next += r.frac / media.SampleRate
		r.frac %= media.SampleRate
	}
	if spare := min(r.next-r.half+1, len(r.in)); spare > 1<<14 { // keep the buffer short
		r.in = append(r.in[:0], r.in[spare:]...)
		r.next -= spare
		r.last -= spare
	}
	return n
}

// at is the sound between the two middle samples of the window.
func (r *resampler) at(window []float32) float32 {
	p := r.frac * phases
	i, f := p/media.SampleRate, float32(p%media.SampleRate)/media.SampleRate
	a, b := r.table[i*2*r.half:][:len(window)], r.table[(i+1)*2*r.half:][:len(window)]
	lower, upper := float32(0), float32(0)
	for k, v := range window {
		lower += v * a[k]
		upper += v * b[k]
	}
	return lower + (upper-lower)*f
}
