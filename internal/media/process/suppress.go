package process

import "math"

// suppressor weighs down what is left of the echo, and noise, bin by bin: overlapping windows of 20 ms, a gain for each
// of 513 bins, and a whisper of noise where the echo was, so that the line does not sound dead. It adds 10 ms.
type suppressor struct {
	fft    *fft
	window [2 * block]float32
	frame  []float32 // windowed
	past   [block]float32
	pastY  [block]float32
	tail   [block]float32 // second half of the last frame
	yre    []float32
	yim    []float32
	re, im []float32

	gain  []float32
	clean []float32 // power let through last time, for the a-priori ratio
	power []float32 // of the rest, a little smoothed
	lastR []float32 // of the echo in it, smoothed alike
	leak  leak
	noise noiseMeter
	seed  uint32
	calm  bool // the last frame went through as it was

	speech float32 // how likely the last frame had the near side's voice, 0 to 1
}

const (
	spectrum = 1024
	bins     = spectrum/2 + 1
)

func newSuppressor() *suppressor {
	s := &suppressor{fft: newFFT(spectrum), seed: 1}
	for i := range s.window {
		s.window[i] = float32(math.Sin(math.Pi * (float64(i) + 0.5) / (2 * block))) // its squares add up to one
	}
	for _, p := range []*[]float32{&s.yre, &s.yim, &s.re, &s.im, &s.gain, &s.clean, &s.power, &s.lastR} {
		*p = make([]float32, bins)
	}
	s.frame = make([]float32, spectrum)
	s.noise.init()
	return s
}

// begin forgets the sound that is under way.
func (s *suppressor) begin() {
	clear(s.past[:])
	clear(s.pastY[:])
	clear(s.tail[:])
	clear(s.clean)
	clear(s.lastR)
}

// run puts in out what stays of rest, 10 ms later. echo is the echo that was predicted and is gone already, unsure the
// power of the echo that the filter may have missed, a bin (nil: there is no echo). noise is whether steady noise goes.
func (s *suppressor) run(rest, echo, unsure []float32, noise bool, out []float32) {
	if unsure == nil && !noise {
		s.through(rest, out)
		return
	}
	s.spectrumOf(&s.past, rest, s.re, s.im)
	if unsure != nil {
		s.spectrumOf(&s.pastY, echo, s.yre, s.yim)
	}
	s.weigh(unsure, noise)
	for k, g := range s.gain {
		s.re[k] *= g
		s.im[k] *= g
	}
	if unsure != nil {
		s.whisper(noise)
	}
	s.fft.inverse(s.re, s.im, s.frame)
	for i := range out {
		out[i] = s.tail[i] + s.frame[i]*s.window[i]
		s.tail[i] = s.frame[block+i] * s.window[block+i]
	}
	s.calm = false
}

// through is run with all gains one, without the transforms.
func (s *suppressor) through(rest, out []float32) {
	for i := range out {
		w, v := s.window[i], s.window[block+i]
		out[i] = s.tail[i] + s.past[i]*w*w
		s.tail[i] = rest[i] * v * v
	}
	copy(s.past[:], rest)
	s.calm = true
}

// spectrumOf transforms past and now under the window; now becomes past.
func (s *suppressor) spectrumOf(past *[block]float32, now, re, im []float32) {
	for i, v := range now {
		s.frame[i] = past[i] * s.window[i]
		s.frame[block+i] = v * s.window[block+i]
	}
	clear(s.frame[2*block:])
	copy(past[:], now)
	s.fft.forward(s.frame, re, im)
}

const (
	noiseFloor  = 0.14  // -17 dB: what stays of noise
	echoFloor   = 0.003 // -50 dB: what stays of echo while only echo is heard
	talkFloor   = 0.1   // -20 dB: while both talk
	priorWeight = 0.92
)

// weigh finds the gains: Wiener's, with the ratio of voice to the rest carried on from frame to frame (Ephraim and Malah
// 1984), the rest being steady noise and left-over echo.
func (s *suppressor) weigh(unsure []float32, noise bool) {
	for k := range s.power {
		s.power[k] = s.re[k]*s.re[k] + s.im[k]*s.im[k]
	}
	echo := float32(0) // share of what is heard that is echo, 0 to 1
	if unsure != nil {
		echo = s.leak.run(s.power, s.yre, s.yim, unsure, s.lastR)
	} else {
		clear(s.lastR)
	}
	s.noise.run(s.power, s.lastR)
	floorE := talkFloor + (echoFloor-talkFloor)*echo
	over := 4 + 12*echo // expected is the average: peaks are above it
	speech, sum := float32(0), float32(0)
	for k, e := range s.power {
		r, n := s.lastR[k]*over, float32(0)
		if noise {
			n = s.noise.level[k] * 1.2
		}
		bad := r + n + tiny
		prior := priorWeight*s.clean[k]/bad + (1-priorWeight)*max(e/bad-1, 0)
		g := prior / (1 + prior)
		low := (n*noiseFloor + r*floorE) / bad
		if !noise && r < e*1e-4 {
			g, low = 1, 1
		}
		g = max(g, low)
		s.gain[k] = g
		s.clean[k] = g * g * e
		if k >= voiceFrom && k < voiceTo {
			speech += s.clean[k]
			sum += s.noise.level[k]
		}
	}
	s.speech = 0
	if ratio := speech / (sum + tiny); ratio > 4 {
		s.speech = min((ratio-4)/12, 1) * (1 - echo)
	}
}

const (
	voiceFrom = 6  // 280 Hz
	voiceTo   = 75 // 3.5 kHz
)

// whisper fills in noise where more was taken away than the room's own noise is.
func (s *suppressor) whisper(noise bool) {
	for k := 1; k < bins-1; k++ {
		g := s.gain[k]
		want := s.noise.level[k]
		if noise {
			want *= noiseFloor * noiseFloor
		}
		have := s.power[k] * g * g
		if have >= want || g > 0.7 {
			continue
		}
		s.seed = s.seed*1664525 + 1013904223
		amp := float32(math.Sqrt(float64(want - have)))
		// Two bits choose one of four directions: as good as any angle for noise.
		if s.seed>>30&1 == 0 {
			amp = -amp
		}
		if s.seed>>31 == 0 {
			s.re[k] += amp
		} else {
			s.im[k] += amp
		}
	}
}

// leak estimates how much of the echo is left, by bands: as a share of the predicted echo, and of what the filter itself
// takes for possible. What is left goes up and down together with the prediction where there is a leak, and the near
// side's voice goes its own way (Valin 2007).
type leak struct {
	left      [leakBands]float32 // mean of what is left
	predicted [leakBands]together
	possible  [leakBands]bound
	echo      float32
	begun     bool
}

// bound is how much of what is possible there may be: never much more than what is heard in the near side's pauses.
type bound struct{ heard, possible, least float32 }

func (b *bound) share(heard, possible float32) float32 {
	b.heard += (heard - b.heard) / 6
	b.possible += (possible - b.possible) / 6
	if b.possible > tiny {
		q := b.heard / b.possible
		if b.least *= boundRise; q < b.least {
			b.least += (q - b.least) / 2
		}
		b.least = min(b.least, modest)
	}
	return min(4*b.least, modest)
}

// together is how one power follows another.
type together struct{ mean, cross, auto, share float32 }

// add takes one frame: by how much left is off its mean, and the other power.
func (t *together) add(off, power, rate, least, most float32) {
	t.mean += (power - t.mean) / 12
	d := power - t.mean
	t.cross += rate * (off*d - t.cross)
	t.auto += rate * (d*d - t.auto)
	if t.auto > tiny*tiny {
		t.share = min(max(t.cross/t.auto, least), most)
	}
}

const (
	leakBands = 20
	leastLeak = 0.01
	modest    = 6 // the filter takes its taps' errors for independent, and with voiced sounds they are not
	leakRate  = 0.05
	boundRise = 1.03 // a frame: 4 dB a second
)

// bandOf gives narrow bands below and wide ones above.
var bandOf = func() (b [bins]uint8) {
	for k := range b {
		hz := float64(k) * second / spectrum
		b[k] = uint8(min(leakBands*math.Log1p(hz/600)/math.Log1p(24000.0/600), leakBands-1))
	}
	return b
}()

// run writes the expected power of what is left of the echo, and gives its share of all that is heard.
func (l *leak) run(power, yre, yim, unsure, residual []float32) float32 {
	var e, y, u [leakBands]float32
	for k, b := range bandOf {
		e[b] += power[k]
		y[b] += yre[k]*yre[k] + yim[k]*yim[k]
		u[b] += unsure[k]
	}
	if !l.begun {
		l.begun = true
		for b := range l.predicted {
			l.predicted[b].share, l.possible[b].least = 1, modest
		}
	}
	for b := range e {
		l.left[b] += (e[b] - l.left[b]) / 12
		off := e[b] - l.left[b]
		// Little is learned from what is drowned.
		l.predicted[b].add(off, y[b], leakRate*min(1, 2*y[b]/(e[b]+tiny)), leastLeak, 1)
		u[b] = l.possible[b].share(e[b], u[b])
	}
	all, left := float32(0), float32(0)
	for k, b := range bandOf {
		p := yre[k]*yre[k] + yim[k]*yim[k]
		r := max(l.predicted[b].share*p, u[b]*unsure[k])
		residual[k] = 0.4*residual[k] + 0.6*r
		all += power[k]
		left += min(residual[k], power[k])
	}
	share := left / (all + tiny)
	l.echo += (min(max((share-0.3)/0.4, 0), 1) - l.echo) / 3
	return l.echo
}
