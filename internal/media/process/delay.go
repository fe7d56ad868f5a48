package process

import "math"

// delayFinder finds how long a sound takes from the playback callback to the microphone, in the manner of a matched
// filter: both sides at 4 kHz, one long adaptive filter between them, and the place of its first strong tap. The
// microphone's side is held back a little, since the stamps of the two devices may be off against each other.
type delayFinder struct {
	near, far decimator
	filter    *kalman

	nearBlock, farBlock [finderBlock]float32
	filled              int
	echo                [finderBlock]float32
	held                [holdBack]float32 // the near side's last samples, a ring
	at                  int

	heard, left float64 // power before and after the filter, smoothed
	checks      int     // blocks since the last look
	stuck       int     // blocks in a row in which the filter was of no use
	last        int     // what the last look found, samples at 48 kHz
	agreed      int     // looks in a row that found nearly the same
}

const (
	coarse       = 12 // 48 to 4 kHz
	finderBlock  = 64
	finderParts  = 38          // 608 ms
	holdBack     = 240         // 60 ms at 4 kHz
	readBack     = second / 50 // the far end is read so far back: it must be there
	earliest     = -(holdBack*coarse - readBack)
	checkEvery   = 6   // blocks of 16 ms
	giveUp       = 120 // blocks
	nearlySame   = 96
	farSilentFor = 80 // blocks of 10 ms after which nothing can be heard of it any more
)

func newDelayFinder() *delayFinder {
	f := &delayFinder{filter: newKalman(finderBlock, finderParts, 0.9995)}
	f.near.init()
	f.far.init()
	return f
}

func (f *delayFinder) reset() {
	f.filter.reset()
	f.agreed, f.checks, f.stuck, f.heard, f.left = 0, 0, 0, 0, 0
}

// add takes 10 ms of both sides. It gives a delay in samples, far against near, when it is sure of one.
func (f *delayFinder) add(near, far []float32) (samples int, sure bool) {
	var n, x [block / coarse]float32
	f.near.run(near, n[:])
	f.far.run(far, x[:])
	for i := range n {
		f.nearBlock[f.filled], f.held[f.at] = f.held[f.at], n[i]
		f.at = (f.at + 1) % holdBack
		f.farBlock[f.filled] = x[i]
		if f.filled++; f.filled == finderBlock {
			f.filled = 0
			samples, sure = f.step()
		}
	}
	return samples, sure
}

func (f *delayFinder) step() (int, bool) {
	f.filter.predict(f.farBlock[:], f.echo[:])
	heard, left := 0.0, 0.0
	for i, v := range f.nearBlock {
		rest := v - f.echo[i]
		heard += float64(v) * float64(v)
		left += float64(rest) * float64(rest)
		f.echo[i] = rest
	}
	f.filter.learn(f.echo[:])
	f.heard += (heard - f.heard) / 30
	f.left += (left - f.left) / 30
	if f.stuck++; f.left < f.heard/2 {
		f.stuck = 0
	}
	if f.left > 4*f.heard || f.stuck > giveUp { // the room has changed, or both talk; to begin anew costs nothing
		f.reset()
		return 0, false
	}
	if f.checks++; f.checks < checkEvery {
		return 0, false
	}
	f.checks = 0
	at, clear := f.peak()
	if !clear || f.left > f.heard/2 {
		f.agreed = 0
		return 0, false
	}
	d := at*coarse + earliest
	if f.agreed++; d-f.last > nearlySame || f.last-d > nearlySame {
		f.agreed = 1
	}
	f.last = d
	return d, f.agreed >= 3
}

// peak is where the filter's response begins, in samples at 4 kHz; clear when it stands out of the rest.
func (f *delayFinder) peak() (at int, clear bool) {
	k := f.filter
	best, sum, loudest := 0.0, 0.0, 0
	for b := range k.parts {
		e := 0.0
		for i, r := range k.wre[b] {
			e += float64(r*r + k.wim[b][i]*k.wim[b][i])
		}
		sum += e
		if e > best {
			best, loudest = e, b
		}
	}
	if best < 4*sum/float64(k.parts) || best == 0 {
		return 0, false
	}
	top := float32(0)
	from := max(loudest-1, 0)
	for b := from; b <= loudest; b++ {
		k.fft.inverse(k.wre[b], k.wim[b], k.work)
		for _, v := range k.work[:k.block] {
			top = max(top, v, -v)
		}
	}
	for b := from; b <= loudest; b++ {
		k.fft.inverse(k.wre[b], k.wim[b], k.work)
		for i, v := range k.work[:k.block] {
			if max(v, -v) >= 0.6*top {
				return b*k.block + i, true
			}
		}
	}
	return 0, false
}

// decimator keeps every twelfth sample after a low-pass at 1.6 kHz.
type decimator struct {
	taps [decimatorTaps]float32
	past [decimatorTaps + block]float32
}

const decimatorTaps = 96

func (d *decimator) init() {
	sum := 0.0
	var h [decimatorTaps]float64
	for i := range h {
		x := float64(i) - (decimatorTaps-1)/2.0
		t := 2 * math.Pi * 1600 / second * x
		h[i] = math.Sin(t) / t * (0.54 + 0.46*math.Cos(2*math.Pi*x/decimatorTaps))
		sum += h[i]
	}
	for i := range h {
		d.taps[i] = float32(h[i] / sum)
	}
}

func (d *decimator) run(in, out []float32) {
	copy(d.past[:], d.past[len(in):])
	copy(d.past[decimatorTaps:], in)
	for i := range out {
		v := float32(0)
		p := d.past[(i+1)*coarse:][:decimatorTaps]
		for k, c := range d.taps {
			v += c * p[k]
		}
		out[i] = v
	}
}
