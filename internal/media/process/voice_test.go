package process

import (
	"encoding/binary"
	"math"
	"math/rand"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// oneGoroutine leaves out, under the race detector, what only computes: there is nothing to find for it, and it makes
// minutes of made-up rooms cost three minutes. What more than one goroutine does is in far_test.go.
func oneGoroutine(t *testing.T) {
	t.Helper()
	if raceOn {
		t.Skip("one goroutine's arithmetic: scripts/test.sh runs it without the race detector")
	}
}

// feed gives what a Processor makes of pcm.
func feed(p Processor, pcm []float32) []float32 {
	at := time.Unix(1000, 0)
	out := make([]float32, 0, len(pcm))
	for i := 0; i+block <= len(pcm); i += block {
		b := blocksOf(pcm[i:][:block])
		p.Near(b, at)
		at = at.Add(blockTime)
		for _, v := range b {
			out = append(out, float32(v)/32768)
		}
	}
	return out
}

func TestNoise(t *testing.T) {
	oneGoroutine(t)
	const seconds = 12
	mic := speech(3, 0, seconds)
	clean := append([]float32(nil), mic...)
	for i, v := range hum(len(mic), 4, 0.02) { // an engine: most of it low, and a hiss
		mic[i] += 0.3*v + 0.02*float32(math.Sin(float64(i)*2*math.Pi*120/rate))
		if i < 3*rate {
			mic[i] -= clean[i]
			clean[i] = 0
		}
	}
	out := feed(New(Options{Noise: true}), mic)
	quiet := db(power(mic, 1, 3) / power(out, 1, 3))
	voice := db(power(clean, 4, 12) / power(out, 4, 12))
	t.Logf("noise is down %.1f dB, voice %.2f dB", quiet, voice)
	if quiet < 12 || math.Abs(voice) > 1 {
		t.Errorf("noise is down %.1f dB, voice %.2f dB", quiet, voice)
	}
	// A noise that begins in the middle is learned in seconds, and one that ends is forgotten.
	for i, v := range hum(len(mic), 6, 0.03) {
		mic[i] = v
		if i < 2*rate || i > 10*rate {
			mic[i] /= 10
		}
	}
	out = feed(New(Options{Noise: true}), mic)
	if d := db(power(mic, 8, 10) / power(out, 8, 10)); d < 12 {
		t.Errorf("a later noise is down %.1f dB", d)
	}
}

func TestGain(t *testing.T) {
	oneGoroutine(t)
	for _, level := range []float32{0.1, 0.3, 1, 4} {
		mic := speech(3, 0, 20)
		for i := range mic {
			mic[i] = max(min(mic[i]*level, 1), -1) + 0.0003*float32(i%7-3)
		}
		p := New(Options{Gain: true, Noise: true})
		out := feed(p, mic)
		was, loud, peak := db(power(mic, 15, 20)), db(power(out, 15, 20)), 0.0
		for _, v := range out {
			peak = max(peak, math.Abs(float64(v)))
		}
		t.Logf("%.1f dB in, %.1f dB out, peak %.2f", was, loud, peak)
		if loud < max(-26, was-16) && loud < was+14 || loud > -18 || peak > 0.96 {
			t.Errorf("voice of %.1f dB comes out with %.1f dB, peak %.2f", was, loud, peak)
		}
	}
	hiss := feed(New(Options{Gain: true, Noise: true}), hum(10*rate, 3, 0.002))
	if power(hiss, 8, 10) > power(hum(10*rate, 3, 0.002), 8, 10) {
		t.Error("noise was made louder")
	}
}

// Nothing that a device can give may make it say garbage for longer than the garbage lasts.
func TestBadInput(t *testing.T) {
	oneGoroutine(t)
	p := New(Options{Echo: true, Noise: true, Gain: true}).(*voice)
	rnd := rand.New(rand.NewSource(1))
	at := time.Unix(1000, 0)
	b := make([]int16, block)
	for round := range 6000 {
		kind := round / 600
		fill := func() {
			for i := range b {
				switch kind {
				case 0:
					b[i] = int16(rnd.Uint32())
				case 1:
					b[i] = math.MinInt16
				case 2:
					b[i] = int16(round%2*65535 - 32768)
				case 3, 9:
					b[i] = 0
				case 4:
					b[i] = int16(i % 2 * 32767)
				default:
					b[i] = int16(3000 * math.Sin(float64(i)/7))
				}
			}
		}
		if kind != 6 { // the speaker stops
			fill()
			p.Far(b, at.Add(time.Duration(rnd.Intn(300))*time.Millisecond))
		}
		fill()
		p.Near(b, at)
		step := blockTime
		if kind == 7 { // clocks jump
			step = time.Duration(rnd.Intn(7200)-3600) * time.Second
		}
		if kind == 8 {
			p.Reset()
			p.Set(Options{Echo: rnd.Intn(2) == 0, Noise: rnd.Intn(2) == 0, Gain: rnd.Intn(2) == 0})
		}
		at = at.Add(step)
		if kind == 9 && round%600 > 200 {
			for i, v := range b {
				if v > 100 || v < -100 {
					t.Fatalf("sample %d of silence is %d", i, v)
				}
			}
		}
	}
	for _, n := range []int{0, 1, 479, 481, 4800} {
		odd := make([]int16, n)
		for i := range odd {
			odd[i] = 77
		}
		p.Far(odd, at)
		p.Near(odd, at)
		for _, v := range odd {
			if v != 77 {
				t.Fatal("a block of another length was changed")
			}
		}
	}
	// After all that it still works.
	p.Set(Options{Echo: true})
	p.Reset()
	s := scene{room: room{delay: 0.05, levelDB: -10, seed: 7}, voice: p, seconds: 8, noise: 0.0005}
	if s.play(); s.down(4, 7.9) < 25 {
		t.Errorf("echo is down %.1f dB", s.down(4, 7.9))
	}
}

func TestNothingIsAllocated(t *testing.T) {
	p := New(Options{Echo: true, Noise: true, Gain: true})
	far, near := blocksOf(speech(0, 0, 1)), blocksOf(speech(3, 0, 1))
	at, i := time.Unix(1000, 0), 0
	n := testing.AllocsPerRun(300, func() {
		p.Far(far[i%98*block:][:block], at)
		p.Near(near[i%98*block:][:block], at)
		at, i = at.Add(blockTime), i+1
	})
	if n > 0 {
		t.Errorf("%v allocations a block", n)
	}
}

func FuzzNear(f *testing.F) {
	f.Add([]byte{0, 0x80, 0xff, 0x7f}, byte(7), int64(0))
	f.Add([]byte{1, 2, 3, 4, 5, 6}, byte(1), int64(-1<<62))
	f.Add([]byte{0xff, 0x7f}, byte(3), int64(1<<62))
	f.Fuzz(func(t *testing.T, data []byte, options byte, step int64) {
		p := New(Options{Echo: options&1 != 0, Noise: options&2 != 0, Gain: options&4 != 0}).(*voice)
		var b [block]int16
		at := time.Unix(1000, 0)
		for round := range 12 {
			for i := range b {
				if len(data) > 1 {
					b[i] = int16(binary.LittleEndian.Uint16(data[2*((i+round)%(len(data)/2)):]))
				}
			}
			p.Far(b[:], at)
			p.Near(b[:], at.Add(time.Duration(step)))
			at = at.Add(time.Duration(step / 2))
		}
		for _, s := range [][]float32{p.out[:], p.rest[:], p.echo.echo[:], p.suppress.noise.level} {
			for _, v := range s {
				if v != v || math.IsInf(float64(v), 0) {
					t.Fatal("not a number")
				}
			}
		}
	})
}

// BenchmarkProcess_10ms is one block with everything on while both sides talk.
func BenchmarkProcess_10ms(b *testing.B) {
	for name, o := range map[string]Options{"all": {true, true, true}, "echo": {Echo: true}, "noise": {Noise: true}, "none": {}} {
		b.Run(name, func(b *testing.B) {
			p := New(o)
			far := blocksOf(speech(0, 0, 10))
			near := blocksOf(room{delay: 0.06, levelDB: -10, seed: 7}.echo(speech(0, 0, 10)))
			at := time.Unix(1000, 0)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.Far(far[i%990*block:][:block], at)
				p.Near(near[i%990*block:][:block], at)
				at = at.Add(blockTime)
			}
		})
	}
}

func BenchmarkProcess_nobodyPlays(b *testing.B) {
	p := New(Options{Echo: true})
	near, at := make([]int16, block), time.Unix(1000, 0)
	for b.Loop() {
		p.Near(near, at)
		at = at.Add(blockTime)
	}
}
