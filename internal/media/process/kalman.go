package process

// kalman is a partitioned-block adaptive filter in the frequency domain whose step is a Kalman gain for each bin and
// partition (Enzner and Vary 2006; Kuech, Mabande, Enzner 2014): it knows how far it may be off, and what else is heard
// beside the echo, so that it learns fast, and hardly moves while the near side talks. Overlap-save: each partition is
// block taps long, the transform at least twice that.
type kalman struct {
	fft    *fft
	block  int
	parts  int
	forget float32 // how much of the room is the same a block later
	span   []float32

	newest   int         // partition of the newest spectrum
	xre, xim [][]float32 // spectra of the far end; [newest+b] belongs to partition b
	wre, wim [][]float32
	p        [][]float32 // expected squared error of w

	ere, eim   []float32 // spectrum of the last error, zero-padded
	yre, yim   []float32
	noise      []float32 // power of what is not echo, smoothed
	unsure     []float32 // power of the echo that w is expected to miss
	gain, work []float32
	tidy       int // next partition to be cut to its taps
	primed     bool
}

func newKalman(block, parts int, forget float32) *kalman {
	n := 8
	for n < 2*block {
		n *= 2
	}
	bins := n/2 + 1
	k := &kalman{fft: newFFT(n), block: block, parts: parts, forget: forget, span: make([]float32, n)}
	lines := func() [][]float32 {
		l := make([][]float32, parts)
		all := make([]float32, parts*bins)
		for i := range l {
			l[i] = all[i*bins:][:bins:bins]
		}
		return l
	}
	k.xre, k.xim, k.wre, k.wim, k.p = lines(), lines(), lines(), lines(), lines()
	for _, s := range []*[]float32{&k.ere, &k.eim, &k.yre, &k.yim, &k.noise, &k.unsure, &k.gain} {
		*s = make([]float32, bins)
	}
	k.work = make([]float32, n)
	k.reset()
	return k
}

// atFirst is the expected squared gain of a bin and partition before anything is known: a loud echo.
const atFirst = 0.02

// reset forgets the room, and not the sound.
func (k *kalman) reset() {
	for b := range k.parts {
		clear(k.wre[b])
		clear(k.wim[b])
		for i := range k.p[b] {
			k.p[b][i] = atFirst
		}
	}
	clear(k.noise)
	k.primed = false
}

// predict takes a block of the far end and writes the echo that is expected to echo.
func (k *kalman) predict(far, echo []float32) {
	n := k.fft.n
	copy(k.span, k.span[k.block:])
	copy(k.span[n-k.block:], far)
	k.newest = (k.newest + k.parts - 1) % k.parts
	k.fft.forward(k.span, k.xre[k.newest], k.xim[k.newest])
	clear(k.yre)
	clear(k.yim)
	for b := range k.parts {
		x := (k.newest + b) % k.parts
		multiplyAdd(k.yre, k.yim, k.xre[x], k.xim[x], k.wre[b], k.wim[b])
	}
	k.fft.inverse(k.yre, k.yim, k.work)
	copy(echo, k.work[n-k.block:])
}

func multiplyAdd(yre, yim, xre, xim, wre, wim []float32) {
	n := len(yre)
	yim, xre, xim, wre, wim = yim[:n], xre[:n], xim[:n], wre[:n], wim[:n]
	for i := range yre {
		yre[i] += xre[i]*wre[i] - xim[i]*wim[i]
		yim[i] += xre[i]*wim[i] + xim[i]*wre[i]
	}
}

// learn adapts to what was left of the near end when the predicted echo was taken away.
func (k *kalman) learn(rest []float32) {
	n := k.fft.n
	clear(k.work[:n-k.block])
	copy(k.work[n-k.block:], rest)
	k.fft.forward(k.work, k.ere, k.eim)
	part := float32(k.block) / float32(n)
	clear(k.unsure)
	for b := range k.parts {
		x := (k.newest + b) % k.parts
		xre, xim, p := k.xre[x], k.xim[x], k.p[b]
		xre, xim, p = xre[:len(k.unsure)], xim[:len(k.unsure)], p[:len(k.unsure)]
		for i := range k.unsure {
			k.unsure[i] += (xre[i]*xre[i] + xim[i]*xim[i]) * p[i]
		}
	}
	keep := float32(0.8)
	if !k.primed {
		k.primed, keep = true, 0
	}
	for i := range k.unsure {
		e := k.ere[i]*k.ere[i] + k.eim[i]*k.eim[i]
		k.unsure[i] *= part
		k.noise[i] = keep*k.noise[i] + (1-keep)*e
		k.gain[i] = 1 / (k.unsure[i] + k.noise[i] + tiny)
	}
	for b := range k.parts {
		k.learnPart(b, part)
	}
	for range tidyParts {
		k.cut(k.tidy)
		k.tidy = (k.tidy + 1) % k.parts
	}
}

const (
	tiny      = 1e-9
	tidyParts = 2
)

func (k *kalman) learnPart(b int, part float32) {
	x := (k.newest + b) % k.parts
	n := len(k.gain)
	xre, xim, wre, wim := k.xre[x][:n], k.xim[x][:n], k.wre[b][:n], k.wim[b][:n]
	p, ere, eim := k.p[b][:n], k.ere[:n], k.eim[:n]
	a := k.forget
	a2 := a * a
	for i, g := range k.gain {
		mu := p[i] * g
		xr, xi := xre[i], xim[i]
		wr := wre[i] + mu*(xr*ere[i]+xi*eim[i])
		wi := wim[i] + mu*(xr*eim[i]-xi*ere[i])
		p[i] = a2*(1-part*mu*(xr*xr+xi*xi))*p[i] + (1-a2)*(wr*wr+wi*wi) + floorP
		wre[i], wim[i] = a*wr, a*wi
	}
}

const floorP = 1e-9

// cut takes away the taps of a partition that circular convolution put beyond its length.
func (k *kalman) cut(b int) {
	k.fft.inverse(k.wre[b], k.wim[b], k.work)
	clear(k.work[k.block:])
	k.fft.forward(k.work, k.wre[b], k.wim[b])
}
