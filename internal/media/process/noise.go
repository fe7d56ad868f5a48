package process

import "math"

// noiseMeter follows the power of steady noise in each bin through speech, by how likely each bin is to hold speech
// (Gerkmann and Hendriks 2012).
type noiseMeter struct {
	level  []float32
	likely []float32 // smoothed
	frames int
}

func (m *noiseMeter) init() {
	m.level, m.likely = make([]float32, bins), make([]float32, bins)
}

const (
	fixedPrior  = 31.6  // 15 dB: the ratio that speech has where there is some
	firstFrames = 8     // taken for noise
	likeNoise   = 10    // times the level and less comes of noise now and then
	mostRise    = 0.012 // a frame: 5 dB a second
)

func (m *noiseMeter) run(power, echo []float32) {
	if m.frames < firstFrames {
		m.frames++
		for k, e := range power {
			m.level[k] += (e - m.level[k]) / float32(m.frames)
		}
		return
	}
	for k, e := range power {
		if echo[k] > 0.3*e {
			continue // nothing is learned of noise under an echo
		}
		n := m.level[k] + tiny
		x := e / n
		p := float32(1)
		if x < 30 {
			p = 1 / (1 + (1+fixedPrior)*expNegative(x*(fixedPrior/(1+fixedPrior))))
		}
		m.likely[k] += (p - m.likely[k]) * 0.1
		if m.likely[k] > 0.99 {
			p = min(p, 0.99) // or else a louder noise would never be learned
		}
		more := 0.2 * (1 - p) * (e - n)
		if x > likeNoise { // a voice: louder than the noise by so much that a hundredth of it would be too much
			more = min(more, mostRise*n)
		}
		m.level[k] = n + more
	}
}

func expNegative(x float32) float32 { return float32(math.Exp(-float64(x))) }
