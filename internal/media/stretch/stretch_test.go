package stretch_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/stretch"
)

func tone(hz float64, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(9000 * math.Sin(2*math.Pi*hz*float64(i)/media.SampleRate))
	}
	return pcm
}

func speech(seconds int) []int16 {
	pcm := make([]int16, seconds*media.SampleRate)
	(&capture.Speech{Voice: 1}).Fill(pcm)
	return pcm
}

// shorten plays pcm with a stretch taken out every step samples.
func shorten(s *stretch.Stretcher, pcm []int16, step int, loose bool) (out []int16, removed []int) {
	rest := append([]int16(nil), pcm...)
	for len(rest) >= step+stretch.Ahead {
		n := s.Accelerate(rest, stretch.MaxLag, loose)
		rest = rest[:len(rest)-n]
		removed = append(removed, n)
		out = append(out, rest[:step]...)
		rest = rest[step:]
	}
	return out, removed
}

// lengthen plays pcm with a stretch put in every step samples; only ahead samples to come are known each time.
func lengthen(s *stretch.Stretcher, pcm []int16, step, ahead int) (out []int16, inserted []int) {
	const history = 960
	buf := make([]int16, 0, history+step+ahead+stretch.MaxLag)
	for at := history; at+step+ahead < len(pcm); at += step {
		buf = append(buf[:0], pcm[at-history:at]...)
		if len(out) >= history {
			copy(buf, out[len(out)-history:])
		}
		buf = append(buf, pcm[at:at+step+ahead]...)
		n := s.Expand(buf[:history+ahead], history, false)
		// What Expand was not shown follows.
		buf = append(buf[:history+ahead+n], pcm[at+ahead:at+step+ahead]...)
		out = append(out, buf[history:len(buf)-ahead]...)
		inserted = append(inserted, n)
	}
	return out, inserted
}

// frequency by counting upward zero crossings.
func frequency(pcm []int16) float64 {
	first, last, n := -1.0, 0.0, 0
	for i := 1; i < len(pcm); i++ {
		if pcm[i-1] < 0 && pcm[i] >= 0 {
			at := float64(i) - float64(pcm[i])/float64(int(pcm[i])-int(pcm[i-1]))
			if first < 0 {
				first = at
			} else {
				n++
			}
			last = at
		}
	}
	return float64(n) * media.SampleRate / (last - first)
}

func steepest(pcm []int16) (d int) {
	for i := 1; i < len(pcm); i++ {
		d = max(d, int(math.Abs(float64(pcm[i])-float64(pcm[i-1]))))
	}
	return d
}

func sum(n []int) (s int) {
	for _, v := range n {
		s += v
	}
	return s
}

func TestToneKeepsItsPitch(t *testing.T) {
	var s stretch.Stretcher
	for _, hz := range []float64{90, 150, 233, 440, 1000, 3000} {
		pcm := tone(hz, media.SampleRate)
		short, removed := shorten(&s, pcm, 1920, false)
		long, inserted := lengthen(&s, pcm, 1920, 960)
		for name, out := range map[string][]int16{"shorter": short, "longer": long} {
			if f := frequency(out); math.Abs(f/hz-1) > 0.004 {
				t.Errorf("%g Hz became %.2f when %s", hz, f, name)
			}
			if was, is := steepest(pcm), steepest(out); is > was*11/10+2 {
				t.Errorf("%g Hz: a step of %d, the tone's own is %d, when %s", hz, is, was, name)
			}
		}
		for what, list := range map[string][]int{"removed": removed, "inserted": inserted} {
			for _, n := range list {
				if n < stretch.MinLag || n > stretch.MaxLag {
					t.Errorf("%g Hz: %d samples %s", hz, n, what)
				}
			}
		}
	}
}

func TestLengthIsAsSaid(t *testing.T) {
	var s stretch.Stretcher
	pcm := tone(200, 48000)
	buf := append(make([]int16, 0, 4000), pcm[:2000]...)
	n := s.Accelerate(buf, stretch.MaxLag, false)
	if n == 0 || n%240 > 2 && n%240 < 238 {
		t.Fatalf("%d samples removed of a tone with a period of 240", n)
	}
	for i, v := range buf[:2000-n] { // a periodic signal is what it was
		if d := int(v) - int(pcm[i]); d > 300 || d < -300 {
			t.Fatalf("sample %d is %d away", i, d)
		}
	}
	buf = append(buf[:0], pcm[:2000]...)
	n = s.Expand(buf, 1000, false)
	if n == 0 || n%240 > 2 && n%240 < 238 {
		t.Fatalf("%d samples inserted into a tone with a period of 240", n)
	}
	for i, v := range buf[:2000+n] {
		if d := int(v) - int(pcm[i]); d > 300 || d < -300 {
			t.Fatalf("sample %d is %d away", i, d)
		}
	}
	if n := s.Expand(buf[:1900:1900], 1000, false); n != 0 {
		t.Errorf("%d samples put in where there is no room", n)
	}
}

// spectrum is the energy in bands of a third of an octave from 100 Hz, relative to all of it.
func spectrum(pcm []int16) (bands [18]float64) {
	const block = 2048
	total := 0.0
	for at := 0; at+block <= len(pcm); at += block {
		for b := range bands {
			hz := 100 * math.Pow(2, float64(b)/3)
			k := 2 * math.Cos(2*math.Pi*hz/media.SampleRate)
			var s1, s2 float64
			for i, v := range pcm[at : at+block] {
				w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/block)
				s1, s2 = float64(v)*w+k*s1-s2, s1
			}
			e := s1*s1 + s2*s2 - k*s1*s2
			bands[b] += e
			total += e
		}
	}
	for b := range bands {
		bands[b] /= total
	}
	return bands
}

// period is the pitch period of 40 ms of voiced sound by autocorrelation: the first peak that is nearly the highest, as
// multiples of the period are as high. 0 where nothing is clear.
func period(pcm []int16) int {
	var likeness [1000]float64
	top := 0.0
	for lag := 150; lag < 1000; lag++ {
		c, own, e := 0.0, 1.0, 1.0
		for i := 0; i < 920; i += 2 {
			a, b := float64(pcm[i]), float64(pcm[i+lag])
			c, own, e = c+a*b, own+a*a, e+b*b
		}
		likeness[lag] = c / math.Sqrt(e*own)
		top = max(top, likeness[lag])
	}
	for lag := 151; top > 0.9 && lag < 999; lag++ {
		if v := likeness[lag]; v > top-0.06 && v >= likeness[lag-1] && v >= likeness[lag+1] {
			return lag
		}
	}
	return 0
}

// pitchKept gives the median ratio of the pitch period after to before, and the share of places where it is within 3 %.
// changed says by how much each step of the output became longer.
func pitchKept(before, after []int16, step int, changed []int) (median, kept float64) {
	var ratios []float64
	at, from := 0, 0
	for _, d := range changed {
		if at+1920 > len(after) || from+1920 > len(before) {
			break
		}
		if a, b := period(before[from:]), period(after[at:]); a > 0 && b > 0 {
			r := float64(b) / float64(a)
			ratios = append(ratios, r)
			if math.Abs(r-1) < 0.03 {
				kept++
			}
		}
		length := step + max(d, 0) // shortened steps are step long in the output, lengthened ones in the input
		at, from = at+length, from+length-d
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2], kept / float64(len(ratios))
}

func TestSpeechKeepsItsPitchAndSound(t *testing.T) {
	var s stretch.Stretcher
	pcm := speech(10)
	was := spectrum(pcm)
	check := func(name string, out []int16, start, step, sign int, by []int, least float64) {
		changed := make([]int, len(by))
		for i, n := range by {
			changed[i] = sign * n
		}
		share := float64(sum(by)) / float64(len(pcm))
		median, kept := pitchKept(pcm[start:], out, step, changed)
		t.Logf("%s: %.1f %%, pitch period times %.4f, kept at %.0f %% of places", name, 100*share, median, 100*kept)
		if share < least {
			t.Errorf("%s by only %.1f %%", name, 100*share)
		}
		if math.Abs(median-1) > 0.003 || kept < 0.78 {
			t.Errorf("%s: pitch period times %.4f, kept at %.0f %% of places", name, median, 100*kept)
		}
		for b, v := range spectrum(out) {
			if v > 0.01 && math.Abs(10*math.Log10(v/was[b])) > 2.5 {
				t.Errorf("band %d: %.1f dB more when %s", b, 10*math.Log10(v/was[b]), name)
			}
		}
		if a, b := steepest(pcm), steepest(out); b > a*11/10 {
			t.Errorf("a step of %d, the steepest in the speech is %d, when %s", b, a, name)
		}
	}
	out, by := shorten(&s, pcm, 1920, false)
	check("shorter", out, 0, 1920, -1, by, 0.08)
	out, by = shorten(&s, pcm, 960, true)
	check("much shorter", out, 0, 960, -1, by, 0.25)
	out, by = lengthen(&s, pcm, 1920, 960)
	check("longer", out, 960, 1920, 1, by, 0.08)
}

func noise(level float64, n int) []int16 {
	r := rand.New(rand.NewPCG(3, 4))
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(r.NormFloat64() * level)
	}
	return pcm
}

// White noise is like nothing of itself: it is left alone while it is loud, and taken as a pause when it is background.
func TestNoiseIsLeftAloneUnlessQuiet(t *testing.T) {
	var s stretch.Stretcher
	loud := noise(3000, 3000)
	if n := s.Accelerate(append([]int16(nil), loud...), stretch.MaxLag, false); n != 0 {
		t.Errorf("%d samples of loud noise taken out", n)
	}
	if n := s.Expand(append(make([]int16, 0, 5000), loud...), 1500, false); n != 0 {
		t.Errorf("%d samples of loud noise put in", n)
	}
	s.Noise = 2500
	if n := s.Accelerate(loud, stretch.MaxLag, false); n < stretch.MaxLag-12 {
		t.Errorf("%d samples of background noise taken out", n)
	}
	s.Noise = 0
	silence := make([]int16, 3000, 5000)
	if n := s.Accelerate(silence, stretch.MaxLag, false); n < stretch.MaxLag-12 {
		t.Errorf("%d samples of silence taken out", n)
	}
	if n := s.Expand(silence, 1500, false); n < stretch.MaxLag-12 {
		t.Errorf("%d samples of silence put in", n)
	}
}

func TestAnyLengthAndContent(t *testing.T) {
	var s stretch.Stretcher
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		n := r.IntN(2500)
		buf := make([]int16, n, n+r.IntN(1000))
		for i := range buf {
			buf[i] = int16(r.Uint32()) >> r.IntN(16)
		}
		if r.IntN(4) == 0 {
			for i := range buf {
				buf[i] = []int16{-32768, 32767}[i/100%2]
			}
		}
		was := append([]int16(nil), buf...)
		if atMost := r.IntN(1000); r.IntN(2) == 0 {
			if d := s.Accelerate(buf, atMost, r.IntN(2) == 0); d < 0 || d > stretch.MaxLag || d > n || d > atMost {
				t.Fatalf("%d of %d taken out", d, n)
			} else if n > 0 && buf[0] != was[0] {
				t.Fatal("the first sample changed")
			}
			continue
		}
		played := r.IntN(n + 1)
		d := s.Expand(buf, played, r.IntN(2) == 0)
		if d < 0 || d > stretch.MaxLag || n+d > cap(buf) {
			t.Fatalf("%d put into %d of %d", d, n, cap(buf))
		}
		for i, v := range was[:played] {
			if buf[i] != v {
				t.Fatal("what was played changed")
			}
		}
	}
}

func TestAllocatesNothing(t *testing.T) {
	var s stretch.Stretcher
	pcm := speech(1)[20000:23000]
	buf := make([]int16, 3000, 5000)
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, pcm)
		s.Accelerate(buf, stretch.MaxLag, true)
		copy(buf, pcm)
		s.Expand(buf, 1500, true)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAccelerate(b *testing.B) {
	var s stretch.Stretcher
	pcm, buf := speech(1)[20000:21440], make([]int16, 1440)
	b.ReportAllocs()
	for range b.N {
		copy(buf, pcm)
		s.Accelerate(buf, stretch.MaxLag, false)
	}
}

func BenchmarkExpand(b *testing.B) {
	var s stretch.Stretcher
	pcm, buf := speech(1)[20000:21920], make([]int16, 1920, 3000)
	b.ReportAllocs()
	for range b.N {
		copy(buf, pcm)
		s.Expand(buf, 960, false)
	}
}
