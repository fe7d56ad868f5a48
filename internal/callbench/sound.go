package main

import (
	"math"
	"sort"

	"visavis.example/internal/media"
)

// Loudness is compared in steps of 5 ms: fine enough for a delay to three milliseconds by interpolation, and unmoved by
// codecs, noise suppression and stretching.
const (
	step      = 0.005 // seconds
	stepBlock = media.SampleRate / 200
)

// loudness is the root mean square of 5 ms of sound, each at its own time.
type loudness []point

// anchor says that a sample of a stream passed at T.
type anchor struct {
	T      float64
	Sample int64
}

// at interpolates between anchors, and goes on at the nominal rate outside of them.
func at(anchors []anchor, sample int64) float64 {
	i := sort.Search(len(anchors), func(i int) bool { return anchors[i].Sample > sample })
	switch {
	case i == 0:
		return anchors[0].T - float64(anchors[0].Sample-sample)/media.SampleRate
	case i == len(anchors):
		return anchors[i-1].T + float64(sample-anchors[i-1].Sample)/media.SampleRate
	}
	a, b := anchors[i-1], anchors[i]
	return a.T + (b.T-a.T)*float64(sample-a.Sample)/float64(b.Sample-a.Sample)
}

// loudnessOf measures pcm, whose samples passed as anchors say; pcm is repeated when loop is set, as a looping file's is.
func loudnessOf(pcm []int16, anchors []anchor, loop bool) loudness {
	if len(anchors) == 0 || len(pcm) < stepBlock {
		return nil
	}
	end := int64(len(pcm))
	if loop {
		end = anchors[len(anchors)-1].Sample
	}
	var all loudness
	for s := int64(0); s+stepBlock <= end; s += stepBlock {
		sum := 0.0
		for i := range int64(stepBlock) {
			v := float64(pcm[(s+i)%int64(len(pcm))])
			sum += v * v
		}
		all = append(all, point{at(anchors, s), math.Sqrt(sum / stepBlock)})
	}
	return all
}

// grid gives n values from t on in steps of 5 ms, compressed so that a loud syllable does not outweigh all others; ok is
// false when there are holes of more than 100 ms.
func (l loudness) grid(t float64, n int) (v []float64, ok bool) {
	i := sort.Search(len(l), func(i int) bool { return l[i].T >= t })
	if i == 0 {
		return nil, false
	}
	v = make([]float64, n)
	for k := range v {
		want := t + float64(k)*step
		for i < len(l) && l[i].T < want {
			i++
		}
		if i == len(l) || l[i].T-l[i-1].T > 0.1 {
			return nil, false
		}
		a, b := l[i-1], l[i]
		x := a.V
		if b.T > a.T {
			x += (b.V - a.V) * (want - a.T) / (b.T - a.T)
		}
		v[k] = math.Sqrt(max(x, 0)) // interpolation may miss silence by a hair
	}
	return v, true
}

const soundWindow = 600 // steps

// soundDelays compares three seconds of what was heard, each second, with what was said before: the shift at which the
// loudness agrees best, up to 1.5 s. Where nothing agrees well there is no point.
func soundDelays(said, heard loudness, from, to float64) []point {
	const (
		window  = soundWindow
		longest = 300 // steps
		agree   = 0.7
	)
	var all []point
	for t := from; t+window*step <= to; t++ {
		h, ok := heard.grid(t, window)
		s, ok2 := said.grid(t-longest*step, window+longest)
		if !ok || !ok2 {
			continue
		}
		best, bestAt := 0.0, -1
		var r [longest + 1]float64
		for lag := range r {
			if r[lag] = correlation(h, s[longest-lag:][:window]); r[lag] > best {
				best, bestAt = r[lag], lag
			}
		}
		if best < agree {
			continue
		}
		all = append(all, point{t + window*step, step * (float64(bestAt) + peak(r[:], bestAt))})
	}
	return all
}

// apart gives by how many ms the sound was later than the pictures of the same three seconds; pictures are in ms.
func apart(sound, pictures []point) []point {
	var all []point
	for _, s := range sound {
		if near := between(pictures, s.T-soundWindow*step, s.T); len(near) > 0 {
			all = append(all, point{s.T, 1000*s.V - quantile(values(near), 0.5)})
		}
	}
	return all
}

// farthest is the value farthest from nothing; NaN of none.
func farthest(all []point) float64 {
	v := math.NaN()
	for _, p := range all {
		if math.IsNaN(v) || math.Abs(p.V) > math.Abs(v) {
			v = p.V
		}
	}
	return v
}

// correlation is Pearson's.
func correlation(a, b []float64) float64 {
	var sa, sb, saa, sbb, sab float64
	for i := range a {
		sa, sb, saa, sbb, sab = sa+a[i], sb+b[i], saa+a[i]*a[i], sbb+b[i]*b[i], sab+a[i]*b[i]
	}
	n := float64(len(a))
	d := (saa - sa*sa/n) * (sbb - sb*sb/n)
	if d <= 0 {
		return 0
	}
	return (sab - sa*sb/n) / math.Sqrt(d)
}

// peak is the top of the parabola through i and its neighbours, relative to i.
func peak(v []float64, i int) float64 {
	if i < 1 || i+1 >= len(v) {
		return 0
	}
	a, b, c := v[i-1], v[i], v[i+1]
	if d := a - 2*b + c; d < 0 {
		return 0.5 * (a - c) / d
	}
	return 0
}
