package process

import (
	"math"
	"math/rand"
	"testing"
	"time"
)

// scene is a call in a room: the far end talks all the time, the near side in between.
type scene struct {
	room     room
	options  Options
	seconds  float64
	from, to float64 // of the near side's talk, in seconds
	far      []float32
	near     []float32 // nil: another made-up voice
	noise    float32
	jitter   time.Duration // of both devices' stamps
	voice    *voice        // nil: a new one with the options
	before   func(s *scene, p *voice, at float64)

	mic, out, nearOut, nearIn []float32
}

func blocksOf(x []float32) []int16 {
	pcm := make([]int16, len(x))
	for i, v := range x {
		pcm[i] = whole(v)
	}
	return pcm
}

// play runs the scene. nearOut is what the near side's voice alone becomes under the same gains.
func (s *scene) play() *voice {
	n := int(s.seconds*rate) / block * block
	if s.far == nil {
		s.far = speech(0, 0, s.seconds+1)
	}
	s.mic = s.room.echo(s.far)[:n]
	s.nearIn, s.nearOut, s.out = make([]float32, n), make([]float32, n), make([]float32, n)
	if s.to > s.from {
		talk := s.near
		if talk == nil {
			talk = speech(3, 3, s.to-s.from)
		}
		for i := range int((s.to - s.from) * rate) {
			s.nearIn[int(s.from*rate)+i] = 0.5 * talk[i]
		}
	}
	for i, v := range hum(n, 5, s.noise) {
		s.mic[i] += v + s.nearIn[i]
	}
	p := s.voice
	if p == nil {
		p = New(s.options).(*voice)
	}
	shadow := newSuppressor()
	far, rnd := blocksOf(s.far), rand.New(rand.NewSource(9))
	late := func() time.Duration { return time.Duration(rnd.Int63n(int64(s.jitter) + 1)) }
	began, played := time.Unix(1000, 0), 0
	clock := 1 + s.room.ppm*1e-6 // loudspeaker's samples in one of the microphone's
	for i := 0; i < n; i += block {
		for ; float64(played) < float64(i+block)*clock; played += block {
			at := began.Add(time.Duration(float64(played) / clock / rate * float64(time.Second)))
			p.Far(far[played:][:block], at.Add(late()))
		}
		if s.before != nil {
			s.before(s, p, float64(i)/rate)
		}
		b := blocksOf(s.mic[i:][:block])
		p.Near(b, began.Add(time.Duration(i)*time.Second/rate+late()))
		for j, v := range b {
			s.out[i+j] = float32(v) / 32768
		}
		shadow.spectrumOf(&shadow.past, s.nearIn[i:][:block], shadow.re, shadow.im)
		for k, g := range p.suppress.gain {
			if !p.suppress.calm {
				shadow.re[k] *= g
				shadow.im[k] *= g
			}
		}
		shadow.fft.inverse(shadow.re, shadow.im, shadow.frame)
		for j := range block {
			s.nearOut[i+j] = shadow.tail[j] + shadow.frame[j]*shadow.window[j]
			shadow.tail[j] = shadow.frame[block+j] * shadow.window[block+j]
		}
	}
	return p
}

const late = 0.01 // Delay in seconds

// down is by how many dB the echo went down, where nobody near talks.
func (s *scene) down(from, to float64) float64 {
	return db(power(s.mic, from, to) / power(s.out, from+late, to+late))
}

// hurt is what the near side's voice lost, in dB: by the gains that it went through, and as it came out.
func (s *scene) hurt() (gains, level float64) {
	in := power(s.nearIn, s.from, s.to)
	return db(in / power(s.nearOut, s.from+late, s.to+late)), db(in / power(s.out, s.from+late, s.to+late))
}

func TestEcho(t *testing.T) {
	oneGoroutine(t)
	for name, r := range map[string]room{
		"60 ms":               {delay: 0.060},
		"60 ms, slow clock":   {delay: 0.060, ppm: 200},
		"180 ms, fast clock":  {delay: 0.180, ppm: -200},
		"20 ms, other room":   {delay: 0.020, seed: 8},
		"400 ms":              {delay: 0.400, seed: 9},
		"60 ms, bad speaker":  {delay: 0.060, clip: true},
		"60 ms, loud speaker": {delay: 0.060, levelDB: -3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r.levelDB == 0 {
				r.levelDB = -10
			}
			if r.seed == 0 {
				r.seed = 7
			}
			s := scene{room: r, options: Options{Echo: true}, seconds: 15, from: 9, to: 12.5, noise: 0.0005, jitter: 4 * time.Millisecond}
			p := s.play()
			gains, level := s.hurt()
			t.Logf("down %.1f dB in 0-3 s, %.1f in 3-5 s, %.1f in 5-9 s, %.1f after the near talk; near voice %.2f (%.2f) dB lower; drift %.0f ppm, delay %d",
				s.down(0, 3), s.down(3, 5), s.down(5, 9), s.down(12.6, 14.9), gains, level, 1e6*p.echo.clocks.drift, p.echo.finder.last)
			want := 30.0
			if d := s.down(3, 9); d < want {
				t.Errorf("echo is down %.1f dB after 3 s", d)
			}
			if d := s.down(12.6, 14.9); d < want-5 {
				t.Errorf("echo is down %.1f dB after both talked", d)
			}
			if gains > 2 || level > 2 {
				t.Errorf("near voice is down %.1f dB, with what is left of the echo %.1f dB", gains, level)
			}
			if off := 1e6*p.echo.clocks.drift - r.ppm; math.Abs(off) > 25 {
				t.Errorf("drift is %.0f ppm, want %.0f", 1e6*p.echo.clocks.drift, r.ppm)
			}
		})
	}
}

// A device of another delay takes the place of the old one, without anybody saying so; then with Reset.
func TestDelayChanges(t *testing.T) {
	oneGoroutine(t)
	t.Parallel()
	for _, told := range []bool{false, true} {
		s := scene{
			room: room{delay: 0.05, levelDB: -10, seed: 7}, options: Options{Echo: true}, seconds: 20, noise: 0.0005,
			jitter: 4 * time.Millisecond,
		}
		other := room{delay: 0.35, levelDB: -10, seed: 8}
		done := false
		s.before = func(s *scene, p *voice, at float64) {
			if !done && at >= 8 {
				copy(s.mic[8*rate:], other.echo(s.far)[8*rate:len(s.mic)])
				if done = true; told {
					p.Reset()
				}
			}
		}
		s.play()
		t.Logf("told %v: down %.1f dB before, %.1f in the second after, %.1f 4 s after, %.1f 8 s after",
			told, s.down(5, 8), s.down(8, 9), s.down(12, 14), s.down(16, 19.9))
		if s.down(12, 14) < 20 || s.down(16, 19.9) < 28 {
			t.Errorf("told %v: echo is down %.1f dB 4 s later, %.1f dB 8 s later", told, s.down(12, 14), s.down(16, 19.9))
		}
	}
}

// With headphones the far end plays and is not heard: the near voice must stay what it is, at once.
func TestHeadphones(t *testing.T) {
	oneGoroutine(t)
	t.Parallel()
	s := scene{room: room{delay: 0.05, levelDB: -90, seed: 7}, options: Options{Echo: true}, seconds: 10, from: 0.5, to: 9.5, noise: 0.0005}
	s.play()
	gains, level := s.hurt()
	t.Logf("near voice is down %.2f dB (%.2f dB)", gains, level)
	if gains > 2 || level > 2 {
		t.Errorf("near voice is down %.2f dB (%.2f dB)", gains, level)
	}
	s = scene{room: room{delay: 0.05, levelDB: -90, seed: 7}, options: Options{Echo: true}, seconds: 10, from: 6, to: 9.5, noise: 0.0005}
	s.play()
	if gains, level := s.hurt(); gains > 0.5 || level > 0.5 {
		t.Errorf("near voice that comes later is down %.2f dB (%.2f dB)", gains, level)
	}
}

// Where nothing is played nothing is changed, but for the delay.
func TestNobodyPlays(t *testing.T) {
	near := blocksOf(speech(3, 0, 3))
	for _, far := range []bool{false, true} {
		p := New(Options{Echo: true})
		at, silence := time.Unix(1000, 0), make([]int16, block)
		var out []int16
		for i := 0; i+block <= len(near); i += block {
			if far {
				p.Far(silence, at)
			}
			b := append([]int16(nil), near[i:][:block]...)
			p.Near(b, at)
			out = append(out, b...)
			at = at.Add(blockTime)
		}
		moved := int(p.Delay() * rate / time.Second)
		for i := moved; i < len(out); i++ {
			// In the first second it may have been played before: the filter runs.
			if d := int(out[i]) - int(near[i-moved]); d > 1 || d < -1 {
				t.Fatalf("far %v: sample %d is %d, was %d", far, i, out[i], near[i-moved])
			}
		}
	}
}

// Somebody near who is much louder than the echo must not make the filter forget the room.
func TestLoudTalkerNearby(t *testing.T) {
	oneGoroutine(t)
	t.Parallel()
	for _, skip := range []float64{1, 3, 5} {
		near := speech(3, skip, 6)
		for i := range near {
			near[i] = min(max(4*near[i], -1), 1)
		}
		s := scene{
			room: room{delay: 0.18, levelDB: -10, ppm: 200, seed: 7}, options: Options{Echo: true}, seconds: 16, from: 8, to: 14,
			near: near, noise: 0.0005, jitter: 4 * time.Millisecond,
		}
		p := s.play()
		gains, _ := s.hurt()
		if d := s.down(14.1, 15.9); d < 25 || p.echo.age < 800 || gains > 1 {
			t.Errorf("echo is down %.1f dB afterwards, near voice %.1f dB; the filter is %d blocks old", d, gains, p.echo.age)
		}
	}
}
