package process

import "math"

// leveler brings talkers to one loudness, slowly, and never lets a sample clip. It looks only at what is voice.
type leveler struct {
	loud  float64 // mean power of the voice
	heard int     // blocks of it
	gain  float64 // in use
}

const (
	wantedPower = 0.0079 // -21 dBFS, while talking
	mostGain    = 5.6    // 15 dB
	leastGain   = 0.35   // -9 dB
	ceiling     = 0.9
	upAStep     = 1.0035 // 3 dB a second
	downAStep   = 0.988  // 10 dB a second
)

// run changes the block in place; speech is how likely it holds the near side's voice.
func (l *leveler) run(pcm []float32, speech float32) {
	power, peak := 0.0, 0.0
	for _, v := range pcm {
		power += float64(v) * float64(v)
		peak = max(peak, math.Abs(float64(v)))
	}
	power /= float64(len(pcm))
	if l.gain == 0 {
		l.gain = 1
	}
	if speech > 0.5 && power > 1e-6 {
		l.heard++
		l.loud += (power - l.loud) / float64(min(l.heard, 150))
	}
	want := 1.0
	if l.heard > 30 {
		want = min(max(math.Sqrt(wantedPower/(l.loud+1e-12)), leastGain), mostGain)
	}
	from, to := l.gain, l.gain
	switch {
	case want > to && speech > 0.5:
		to = min(to*upAStep, want)
	case want < to:
		to = max(to*downAStep, want)
	}
	if peak*to > ceiling {
		to = ceiling / peak
		from = min(from, to) // at once: a step down is heard less than clipping
	}
	l.gain = to
	step := (to - from) / float64(len(pcm))
	for i := range pcm {
		pcm[i] *= float32(from)
		from += step
	}
}
