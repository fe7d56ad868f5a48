package process

import "math"

// fft turns real blocks of n samples (a power of two, 8 at least) into n/2+1 bins and back. Bins are kept in two slices,
// real and imaginary, since that is how they are multiplied. It is not safe for concurrent use.
type fft struct {
	n        int
	order    []int32   // bit-reversed
	cos, sin []float32 // of 2 pi k / n
	re, im   []float32 // n/2 complex values at work
}

func newFFT(n int) *fft {
	f := &fft{
		n: n, order: make([]int32, n/2), cos: make([]float32, n/2), sin: make([]float32, n/2),
		re: make([]float32, n/2), im: make([]float32, n/2),
	}
	for i := range f.cos {
		s, c := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		f.cos[i], f.sin[i] = float32(c), float32(s)
	}
	for i, j := 0, 0; i < n/2; i++ {
		f.order[i] = int32(j)
		bit := n / 4
		for ; bit > 0 && j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j |= bit
	}
	return f
}

// complex transforms re and im, which are in bit-reversed order, in place.
func (f *fft) complex() {
	re, im := f.re, f.im
	m := len(re)
	for i := 0; i < m; i += 4 { // the first two stages have no multiplications
		r0, i0, r1, i1 := re[i], im[i], re[i+1], im[i+1]
		r2, i2, r3, i3 := re[i+2], im[i+2], re[i+3], im[i+3]
		ar, ai, br, bi := r0+r1, i0+i1, r0-r1, i0-i1
		cr, ci, dr, di := r2+r3, i2+i3, r2-r3, i2-i3
		re[i], im[i], re[i+2], im[i+2] = ar+cr, ai+ci, ar-cr, ai-ci
		re[i+1], im[i+1], re[i+3], im[i+3] = br+di, bi-dr, br-di, bi+dr
	}
	for half := 4; half < m; half *= 2 {
		step := f.n / (2 * half)
		for at := 0; at < m; at += 2 * half {
			ar, ai := re[at:at+half], im[at:at+half]
			br, bi := re[at+half:at+2*half], im[at+half:at+2*half]
			ai, br, bi = ai[:len(ar)], br[:len(ar)], bi[:len(ar)]
			for k := range ar {
				c, s := f.cos[k*step], f.sin[k*step]
				xr, xi := br[k]*c+bi[k]*s, bi[k]*c-br[k]*s
				br[k], bi[k] = ar[k]-xr, ai[k]-xi
				ar[k], ai[k] = ar[k]+xr, ai[k]+xi
			}
		}
	}
}

// forward gives the spectrum of x, n samples, in re and im, n/2+1 bins each.
func (f *fft) forward(x, re, im []float32) {
	m := f.n / 2
	for i, o := range f.order {
		f.re[o], f.im[o] = x[2*i], x[2*i+1]
	}
	f.complex()
	re[0], im[0] = f.re[0]+f.im[0], 0
	re[m], im[m] = f.re[0]-f.im[0], 0
	for k := 1; k < m; k++ { // the even and the odd samples' spectra lie in one
		ar, ai, br, bi := f.re[k], f.im[k], f.re[m-k], -f.im[m-k]
		er, ei := (ar+br)/2, (ai+bi)/2
		dr, di := (ai-bi)/2, (br-ar)/2
		c, s := f.cos[k], f.sin[k]
		re[k], im[k] = er+dr*c+di*s, ei+di*c-dr*s
	}
}

// inverse gives the n samples of a spectrum.
func (f *fft) inverse(re, im, x []float32) {
	m := f.n / 2
	for k := range m {
		ar, ai, br, bi := re[k], im[k], re[m-k], -im[m-k]
		er, ei := ar+br, ai+bi
		dr, di := ar-br, ai-bi
		c, s := f.cos[k], f.sin[k]
		or, oi := dr*c-di*s, di*c+dr*s
		// The conjugate is transformed, which makes an inverse of a forward transform.
		o := f.order[k]
		f.re[o], f.im[o] = er-oi, -(ei + or)
	}
	f.complex()
	scale := 1 / float32(f.n)
	for i := range m {
		x[2*i], x[2*i+1] = f.re[i]*scale, -f.im[i]*scale
	}
}
