// Package stretch makes speech a little shorter or longer without changing its pitch: it takes out or repeats one stretch
// of 2.5 to 15 ms, a pitch period where there is one, and blends over the seam. Package jitter calls it to change the
// delay of a call. 48 kHz mono; it never allocates, keeps no sound, and gives the same for the same input.
//
// The method is waveform similarity overlap-add (Verhelst and Roelands, ICASSP 1993) for a single segment, with the
// limits that libwebrtc's accelerate.cc and preemptive_expand.cc use: the two stretches must look alike, or both be so
// quiet that nobody hears the seam.
package stretch

import (
	"math"

	"visavis.example/internal/media"
)

// Lags are what one call can take out or put in, in samples.
const (
	MinLag = media.SampleRate / 400       // 2.5 ms
	MaxLag = media.SampleRate * 15 / 1000 // 15 ms

	// Ahead is how much sound to come Accelerate can use; it works with less, down to MinAhead, and then finds only
	// shorter lags.
	Ahead    = 2 * MaxLag
	MinAhead = MinLag + MinOverlap

	// MinOverlap is the shortest blend, 5 ms: what Expand needs of sound to come.
	MinOverlap = media.SampleRate / 200
)

const (
	decimation = 12                           // the first search is at 4 kHz
	window     = 10 * media.SampleRate / 1000 // of comparison, at most
	alike      = 0.9                          // correlation, as in libwebrtc
	alikeLoose = 0.5                          // when time presses
	quiet      = 30                           // root mean square: -60 dB of full scale
	quietRatio = 2.5                          // of the background noise: nobody speaks
	reach      = (2*MaxLag + window) / decimation
)

// Stretcher is ready as its zero value. It belongs to one goroutine.
type Stretcher struct {
	// Noise is the root mean square of the background: what is hardly louder counts as quiet.
	Noise float64

	coarse [reach]float32
	copied [MaxLag]int16
}

// Accelerate takes out of pcm one stretch near its beginning; what is left is at the front of pcm. It gives the number of
// samples taken out, 0 when there is no place that would not be heard. pcm[0] stays as it was, so it goes on seamlessly
// behind what has been played. No more than atMost samples are taken out. Loose takes worse places.
func (s *Stretcher) Accelerate(pcm []int16, atMost int, loose bool) (removed int) {
	view := pcm[:min(len(pcm), Ahead)]
	longest := min(MaxLag, len(view)-MinOverlap, atMost)
	if longest < MinLag {
		return 0
	}
	size := min(window, len(view)-longest)
	lag, ok := s.find(view, 0, size, 1, longest, loose)
	if !ok {
		return 0
	}
	overlap := min(lag, len(view)-lag)
	blend(pcm[:overlap], pcm[lag:lag+overlap])
	copy(pcm[overlap:], pcm[lag+overlap:])
	return lag
}

// Expand puts in one stretch where buf has been played up to; buf[:played] is needed for comparison (MaxLag, better
// more), and buf[played:] is to come (MinOverlap at least). It gives the number of samples put in, which is 0 when there
// is no place or when less than MaxLag is free at the end of buf's capacity: buf is then buf[:len(buf)+inserted].
func (s *Stretcher) Expand(buf []int16, played int, loose bool) (inserted int) {
	ahead := len(buf) - played
	longest := min(MaxLag, played)
	if ahead < MinOverlap || longest < MinLag || cap(buf)-len(buf) < MaxLag {
		return 0
	}
	from := played - longest
	size := min(window, ahead)
	lag, ok := s.find(buf[from:played+size], longest, size, -1, longest, loose)
	if !ok {
		return 0
	}
	overlap := min(lag, ahead)
	// What comes next, blended into what came one lag earlier; from there on it is as it was.
	put := s.copied[:lag]
	copy(put, buf[played-lag:played])
	grown := buf[:len(buf)+lag]
	copy(grown[played+lag:], buf[played:])
	first := grown[played+lag:][:overlap]
	for i := range overlap {
		put[i] = mix(first[i], put[i], i, overlap)
	}
	copy(grown[played:], put)
	return lag
}

// blend goes over from a to b, in a.
func blend(a, b []int16) {
	for i := range a {
		a[i] = mix(a[i], b[i], i, len(a))
	}
}

func mix(from, to int16, i, n int) int16 {
	return int16((int(from)*(n-i) + int(to)*i) / n)
}

// find gives the lag at which x[at:at+size] looks most like x[at+sign*lag:], searched at 4 kHz and then around the best.
func (s *Stretcher) find(x []int16, at, size, sign, longest int, loose bool) (lag int, ok bool) {
	if s.isQuiet(x) {
		return longest, true
	}
	n := len(x) / decimation
	small := s.coarse[:n]
	for i := range small {
		sum := int32(0)
		for _, v := range x[i*decimation:][:decimation] {
			sum += int32(v)
		}
		small[i] = float32(sum)
	}
	best := s.search(small, at/decimation, size/decimation, sign, longest/decimation)
	low, high := max((best-1)*decimation, MinLag), min((best+1)*decimation, longest)
	lag, alikeness := refine(x, at, size, sign, low, high)
	limit := alike
	if loose {
		limit = alikeLoose
	}
	return lag, alikeness > limit
}

// search is find's first step: correlation against energy at every lag.
func (s *Stretcher) search(x []float32, at, size, sign, longest int) (best int) {
	ref := x[at : at+size]
	top := float32(-1)
	for lag := MinLag / decimation; lag <= longest; lag++ {
		from := at + sign*lag
		if from < 0 || from+size > len(x) {
			break
		}
		var cross, energy float32
		for i, v := range x[from : from+size] {
			cross += v * ref[i]
			energy += v * v
		}
		if v := cross / float32(math.Sqrt(float64(energy)+1)); v > top {
			top, best = v, lag
		}
	}
	return max(best, MinLag/decimation)
}

// refine is find's second step, at every lag from low to high; alikeness is the normalized correlation there.
func refine(x []int16, at, size, sign, low, high int) (lag int, alikeness float64) {
	ref := x[at : at+size]
	own := energyOf(ref)
	alikeness = -1
	energy, known := int64(0), false
	for l := low; l <= high; l++ {
		from := at + sign*l
		if from < 0 || from+size > len(x) {
			continue
		}
		other := x[from : from+size]
		if !known {
			energy, known = energyOf(other), true
		} else if sign > 0 { // the window moved by one sample
			energy += square(other[size-1]) - square(x[from-1])
		} else {
			energy += square(other[0]) - square(x[from+size])
		}
		cross := int64(0)
		for i, v := range other {
			cross += int64(int32(v) * int32(ref[i]))
		}
		if c := float64(cross) / (math.Sqrt(float64(own))*math.Sqrt(float64(energy)) + 1); c > alikeness {
			lag, alikeness = l, c
		}
	}
	return lag, alikeness
}

func square(v int16) int64 { return int64(v) * int64(v) }

func energyOf(x []int16) (sum int64) {
	for _, v := range x {
		sum += square(v)
	}
	return sum
}

func (s *Stretcher) isQuiet(x []int16) bool {
	level := max(quiet, s.Noise*quietRatio)
	return float64(energyOf(x)) < level*level*float64(len(x))
}
