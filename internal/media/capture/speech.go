package capture

import (
	"math"
	"time"

	"visavis.example/internal/media"
)

// Speech is an AudioSource that sounds like a person talking in an unknown language: voiced syllables with a falling and
// rising pitch, hisses between them, and pauses between phrases. About two thirds of the time there is energy at
// SpeechHz. The same phrases come again after some ten seconds.
type Speech struct {
	Voice int // different voices for different numbers; 0 is the deepest

	sound  madeSound
	n      int // samples so far
	loud   float64
	glott  oscillator
	beacon oscillator
	noise  uint32
	former [3]resonator
	hiss   resonator
}

// SpeechHz is a frequency that Speech always contains while it speaks, softly: what a test listens for.
const SpeechHz = 1000

// Label names the source.
func (s *Speech) Label() string { return "Made-up speech" }

// Start begins with a syllable at once.
func (s *Speech) Start(deliver func(block []int16, at time.Time)) error {
	return s.sound.start(s.Fill, deliver)
}

// Close ends delivery.
func (s *Speech) Close() error {
	s.sound.close()
	return nil
}

// vowels are the three lowest formants in Hz (Peterson and Barney 1952, rounded).
var vowels = [...][3]float64{{730, 1090, 2440}, {530, 1840, 2480}, {270, 2290, 3010}, {570, 840, 2410}, {300, 870, 2240}}

// syllable is one line of the score that is spoken over and over.
type syllable struct {
	start, length float64 // seconds
	vowel         int
	pitch         float64 // against the voice's own
	hiss          bool    // begins with one
}

var score, scoreLength = writeScore()

// writeScore makes four phrases of a few syllables, the pitch falling within each.
func writeScore() ([]syllable, int) {
	const pause = 0.55
	var s []syllable
	t, x := 0.0, uint32(7)
	for _, count := range [...]int{7, 11, 9, 13} {
		for i := range count {
			x = x*1664525 + 1013904223
			length := 0.16 + 0.10*float64(x>>24)/255
			fall := 1.22 - 0.40*float64(i)/float64(count)
			s = append(s, syllable{t, length, int(x >> 16 % uint32(len(vowels))), fall, x>>12&3 == 0})
			t += length + 0.02
		}
		t += pause
	}
	return s, int(t * media.SampleRate)
}

// Fill gives the next samples at once, for who needs no pace. Not to be used after Start.
func (s *Speech) Fill(block []int16) {
	if s.noise == 0 {
		s.noise = 0x9e3779b9
	}
	for i := 0; i < len(block); i += slow {
		s.some(block[i:min(i+slow, len(block))])
	}
}

const slow = 24 // samples, half a millisecond: how often what changes slowly is computed

// some is the source-filter voice: a pulse-like glottal wave through three resonators, all under one loudness.
func (s *Speech) some(pcm []int16) {
	t := float64(s.n%scoreLength) / media.SampleRate
	s.n += len(pcm)
	y, ok := speaking(t)
	if !ok {
		s.former, s.hiss = [3]resonator{}, resonator{}
		clear(pcm)
		return
	}
	phase := (t - y.start) / y.length
	loud := 17000 * math.Sin(math.Pi*math.Sqrt(phase)) // quick attack, slow decay
	base := 105 + 28*float64(s.Voice%5)
	pitch := base * (y.pitch + 0.06*math.Sin(2*math.Pi*phase)) * (1 + 0.01*math.Sin(2*math.Pi*5*t))
	hissing := y.hiss && phase < 0.35
	for k := range pcm {
		s.loud += (loud - s.loud) / slow
		pcm[k] = int16(s.loud * s.voice(pitch, &vowels[y.vowel], hissing))
	}
}

func (s *Speech) voice(pitch float64, vowel *[3]float64, hissing bool) float64 {
	source, out := s.glott.saw(pitch), 0.0
	for i := range s.former {
		out += s.former[i].next(source, vowel[i], 60+40*float64(i)) / float64(1+i)
	}
	if hissing {
		s.noise = s.noise*1664525 + 1013904223
		out += 0.25 * s.hiss.next(float64(int32(s.noise))/math.MaxInt32, 5200, 1800)
	}
	return 0.55*math.Tanh(1.6*out) + 0.09*s.beacon.next(SpeechHz)
}

func speaking(t float64) (syllable, bool) {
	for _, y := range score {
		if t >= y.start && t < y.start+y.length {
			return y, true
		}
	}
	return syllable{}, false
}

// oscillator keeps its phase when the pitch changes.
type oscillator struct{ phase float64 }

func (o *oscillator) advance(hz float64) float64 {
	_, o.phase = math.Modf(o.phase + hz/media.SampleRate)
	return o.phase
}

func (o *oscillator) next(hz float64) float64 { return math.Sin(2 * math.Pi * o.advance(hz)) }

// saw falls from 1 to -1, with its corner rounded so that little is aliased.
func (o *oscillator) saw(hz float64) float64 {
	p := o.advance(hz)
	if edge := 3 * hz / media.SampleRate; p < edge {
		return -1 + 2*p/edge
	}
	return 1 - 2*p
}

// resonator is a two-pole band-pass of unit gain at its centre (Klatt 1980).
type resonator struct {
	y1, y2  float64
	hz      float64 // what a, b, c are for: one pair of hz and width per resonator and syllable
	a, b, c float64
}

func (r *resonator) next(x, hz, width float64) float64 {
	if r.hz != hz {
		e := math.Exp(-math.Pi * width / media.SampleRate)
		turn := 2 * math.Pi * hz / media.SampleRate
		r.hz, r.b, r.c = hz, 2*e*math.Cos(turn), -e*e
		r.a = (1 - e) * math.Sqrt(1+e*e-2*e*math.Cos(2*turn))
	}
	y := r.a*x + r.b*r.y1 + r.c*r.y2
	r.y1, r.y2 = y, r.y1
	return y
}
