package capture

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/wav"
	"visavis.example/internal/media/y4m"
)

// watch runs a source for d of made-up time.
func watchFor(t *testing.T, s media.VideoSource, d time.Duration, see func(f *media.Frame, at time.Time)) {
	t.Helper()
	if err := s.Start(func(f *media.Frame) { see(f, time.Now()) }); err != nil {
		t.Fatal(err)
	}
	time.Sleep(d) // of the bubble's clock
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error("closed twice:", err)
	}
	if err := s.Start(func(*media.Frame) {}); err == nil {
		t.Error("started twice")
	}
}

func hearFor(t *testing.T, s media.AudioSource, d time.Duration) (pcm []int16) {
	t.Helper()
	var last time.Time
	err := s.Start(func(b []int16, at time.Time) {
		if len(b) != media.BlockSamples || !last.IsZero() && at.Sub(last) != blockTime {
			t.Errorf("block of %d samples, %v after the last", len(b), at.Sub(last))
		}
		last = at
		pcm = append(pcm, b...)
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(d)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Start(func([]int16, time.Time) {}); err == nil {
		t.Error("started twice")
	}
	return pcm
}

func TestPatternKeepsItsPaceAndMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		count, changed := 0, 0
		var before []byte
		p := &Pattern{Width: 320, Height: 180, FPS: 29.97, ID: 42}
		watchFor(t, p, 60*time.Second, func(f *media.Frame, at time.Time) {
			id, n, ok := media.ReadMarker(f)
			if !ok || id != 42 || int(n) != count {
				t.Errorf("marker %d %d %v in picture %d", id, n, ok, count)
			}
			due := time.Duration(float64(count) / 29.97 * 1e9)
			if d := at.Sub(start) - due; d < 0 || d > time.Millisecond || !f.Captured.Equal(start.Add(due)) {
				t.Fatalf("picture %d is off by %v", count, d)
			}
			face := f.Y[:f.StrideY*150]
			if string(before) != string(face) {
				changed++
			}
			before = append(before[:0], face...)
			count++
		})
		if count != 1799 { // 59.99 s at 29.97, and the first
			t.Errorf("%d pictures in a minute", count)
		}
		if changed < count*9/10 {
			t.Errorf("only %d of %d pictures differ from the one before", changed, count)
		}
	})
}

func TestPatternRefusesNonsense(t *testing.T) {
	for _, p := range []*Pattern{{Width: 63, Height: 63}, {Width: 10, Height: 10}, {Width: 1 << 20, Height: 64}, {FPS: -1}, {FPS: math.NaN()}} {
		if err := p.Start(func(*media.Frame) {}); err == nil {
			t.Errorf("%dx%d at %g was started", p.Width, p.Height, p.FPS)
			_ = p.Close()
		}
	}
}

func TestPatternsOfAllShapes(t *testing.T) {
	for i, size := range [][2]int{{64, 36}, {180, 320}, {1000, 100}, {362, 202}} {
		a := newScenery(size[0], size[1], looks[i])
		var pool media.Pool
		f := pool.Get(size[0], size[1])
		for n := range 300 {
			a.draw(f, float64(n)*0.11)
		}
		f.Release()
	}
}

func TestStandstillLeavesPicturesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var numbers []int64
		b := &beat{rate: 10, slack: 100 * time.Millisecond}
		b.step = func(n int64, _ time.Time) bool {
			numbers = append(numbers, n)
			if n == 3 {
				time.Sleep(time.Second) // the machine is busy
			}
			return n < 20
		}
		b.start()
		<-b.done
		b.close()
		for i, n := range numbers[4:] {
			if want := int64(13 + i); n != want {
				t.Fatalf("after a second's standstill at 3: %v", numbers)
			}
		}
	})
}

func TestToneIsPure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pcm := hearFor(t, &Tone{Hz: 1234}, 1005*time.Millisecond)
		if len(pcm) != 101*media.BlockSamples {
			t.Errorf("%d blocks in a second", len(pcm)/media.BlockSamples)
		}
		if s := share(pcm[:48000], 1234); s < 0.99 {
			t.Errorf("%.3f of the energy at 1234 Hz", s)
		}
	})
	for _, hz := range []float64{-1, 24000, math.NaN()} {
		if (&Tone{Hz: hz}).Start(func([]int16, time.Time) {}) == nil {
			t.Errorf("%g Hz was started", hz)
		}
	}
}

func TestSpeechTalksAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pcm := hearFor(t, &Speech{}, 2*time.Duration(scoreLength)*time.Second/media.SampleRate)
		talk, quiet, peak, found := 0, 0, 0, 0
		const window = 10 * media.BlockSamples
		for i := 0; i+window <= len(pcm); i += window {
			loud := 0.0
			for _, v := range pcm[i : i+window] {
				loud += float64(v) * float64(v)
				peak = max(peak, int(max(v, -v)))
			}
			switch loud = math.Sqrt(loud / window); {
			case loud < 1:
				quiet++
			case loud > 400:
				talk++
				if share(pcm[i:i+window], SpeechHz) > 0.004 {
					found++
				}
			}
		}
		all := len(pcm) / window
		if talk < all/2 || quiet < all/12 || peak < 5000 || peak > 32000 {
			t.Errorf("of %d tenths of a second %d talk, %d are quiet; peak %d", all, talk, quiet, peak)
		}
		if found < talk*9/10 {
			t.Errorf("%d Hz found in %d of %d", SpeechHz, found, talk)
		}
	})
}

// share is how much of the energy is at hz (Goertzel).
func share(pcm []int16, hz float64) float64 {
	c := 2 * math.Cos(2*math.Pi*hz/media.SampleRate)
	s1, s2, energy := 0.0, 0.0, 1.0
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
		energy += float64(v) * float64(v)
	}
	return (s1*s1 + s2*s2 - c*s1*s2) * 2 / (float64(len(pcm)) * energy)
}

func writeY4M(t *testing.T, w, h, n int, fps float64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.y4m")
	out, err := y4m.Create(path, w, h, fps)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		f := testFrame(w, h, 5, uint16(i))
		if err := out.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileLoopsAtItsOwnRate(t *testing.T) {
	path := writeY4M(t, 320, 240, 5, 25)
	synctest.Test(t, func(t *testing.T) {
		n := 0
		v := &File{Path: path, Width: 640, Height: 360}
		watchFor(t, v, 995*time.Millisecond, func(f *media.Frame, _ time.Time) {
			if f.Width != 640 || f.Height != 360 {
				t.Fatalf("%dx%d", f.Width, f.Height)
			}
			if y := f.Y[180*f.StrideY+10]; y != 16 { // 4:3 in 16:9 has bars
				t.Errorf("bar has luma %d", y)
			}
			n++
		})
		if n != 25 {
			t.Errorf("%d pictures in a second of a 25 fps file", n)
		}
		if err, ok := <-v.Failed(); ok {
			t.Error(err)
		}
		var seen []uint16
		v = &File{Path: path}
		watchFor(t, v, 390*time.Millisecond, func(f *media.Frame, _ time.Time) {
			_, k, _ := media.ReadMarker(f)
			seen = append(seen, k)
		})
		for i, k := range seen {
			if int(k) != i%5 {
				t.Fatalf("order %v", seen)
			}
		}
		if len(seen) != 10 {
			t.Errorf("%d pictures in 390 ms", len(seen))
		}
	})
}

func TestFilesThatAreNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("neither\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&File{Path: path}).Start(func(*media.Frame) {}); !errors.Is(err, y4m.ErrFormat) {
		t.Errorf("y4m: %v", err)
	}
	if err := (&WAV{Path: path}).Start(func([]int16, time.Time) {}); !errors.Is(err, wav.ErrFormat) {
		t.Errorf("wav: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "none")
	v, a := &File{Path: missing}, &WAV{Path: missing}
	if err := v.Start(func(*media.Frame) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("y4m: %v", err)
	}
	if err := a.Start(func([]int16, time.Time) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("wav: %v", err)
	}
	if v.Close() != nil || a.Close() != nil {
		t.Error("closing what never started is an error")
	}
}

func TestFileThatIsCutOffIsReported(t *testing.T) {
	path := writeY4M(t, 64, 36, 3, 30)
	synctest.Test(t, func(t *testing.T) {
		v := &File{Path: path}
		if err := v.Start(func(*media.Frame) {}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Millisecond)
		if err := os.Truncate(path, 40); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := <-v.Failed(); err == nil {
			t.Error("nothing told")
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSoundFileThatIsEmptiedIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "short.wav")
	out, err := wav.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Write(make([]int16, 1000)), out.Close()); err != nil {
		t.Fatal(err)
	}
	in, err := wav.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	a := &WAV{Path: path, in: in, failure: newFailure()}
	if err := os.Truncate(path, 44); err != nil {
		t.Fatal(err)
	}
	block := make([]int16, media.BlockSamples)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10 {
			a.fill(block)
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("it reads for ever")
	}
	if err := <-a.Failed(); err == nil {
		t.Error("nothing told")
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

func TestWAVLoopsWithoutHoles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tone.wav")
	out, err := wav.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var osc oscillator
	pcm := make([]int16, 4800) // 100 whole periods of 1 kHz: loops without a seam
	for i := range pcm {
		pcm[i] = int16(9000 * osc.next(1000))
	}
	if err := out.Write(pcm); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		got := hearFor(t, &WAV{Path: path}, 1005*time.Millisecond)
		if s := share(got[:48000], 1000); s < 0.99 {
			t.Errorf("%.3f of the energy at 1 kHz", s)
		}
	})
}

func BenchmarkPattern720p(b *testing.B) {
	a := newScenery(1280, 720, looks[0])
	var pool media.Pool
	f := pool.Get(1280, 720)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		a.draw(f, float64(i)/30)
		media.DrawMarker(f, 1, uint16(i))
	}
}

func BenchmarkSpeech(b *testing.B) {
	s := &Speech{noise: 1}
	block := make([]int16, media.BlockSamples)
	b.ReportAllocs()
	for range b.N {
		s.Fill(block)
	}
}

// Number, time and content of a file's pictures go together, also after a standstill, and over an hour.
func TestFileKeepsToTheClock(t *testing.T) {
	path := writeY4M(t, 320, 240, 5, 30000.0/1001)
	synctest.Test(t, func(t *testing.T) {
		begun, last, count := time.Now(), int64(-1), 0
		v := &File{Path: path}
		watchFor(t, v, 20*time.Second, func(f *media.Frame, at time.Time) {
			due := begun.Add(time.Duration(float64(f.Number) * 1001 / 30000 * 1e9))
			if d := f.Captured.Sub(due); d < -time.Microsecond || d > time.Microsecond {
				t.Fatalf("picture %d is off by %v", f.Number, d)
			}
			if _, k, ok := media.ReadMarker(f); !ok || int64(k) != f.Number%5 {
				t.Fatalf("picture %d shows %d", f.Number, k)
			}
			if f.Number <= last {
				t.Fatalf("%d after %d", f.Number, last)
			}
			last = f.Number
			if count++; count == 100 {
				time.Sleep(777 * time.Millisecond)
			}
		})
		if want := 600 - 23; last != 599 || count < want-1 || count > want+1 {
			t.Errorf("%d pictures, the last is %d", count, last)
		}
		if out := v.pool.Out(); out != 0 {
			t.Errorf("%d frames are still held", out)
		}
	})
	small := writeY4M(t, 16, 16, 3, 30000.0/1001)
	synctest.Test(t, func(t *testing.T) {
		begun, last := time.Now(), time.Time{}
		var n int64
		watchFor(t, &File{Path: small}, time.Hour, func(f *media.Frame, _ time.Time) { last, n = f.Captured, f.Number })
		if off := last.Sub(begun) - time.Duration(float64(n)*1001/30000*1e9); n != 107892 || off < -time.Microsecond || off > time.Microsecond {
			t.Errorf("picture %d after an hour, off by %v", n, off)
		}
	})
}

// Ten minutes of a file microphone: no block too many or too few, each at its time.
func TestWAVDoesNotDrift(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	w, err := wav.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(make([]int16, 4800)), w.Close()); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		begun, blocks := time.Now(), 0
		a := &WAV{Path: path}
		err := a.Start(func(_ []int16, at time.Time) {
			if due := begun.Add(time.Duration(blocks-1) * blockTime); !at.Equal(due) {
				t.Errorf("block %d is of %v", blocks, at.Sub(begun))
			}
			if blocks++; blocks%1000 == 0 {
				time.Sleep(35 * time.Millisecond) // the machine is busy
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute - blockTime/2)
		if err := a.Close(); err != nil || blocks != 60_000 {
			t.Errorf("%d blocks in ten minutes, %v", blocks, err)
		}
	})
}

// What a file microphone plays goes with the time: a block that nobody had time for is left out, not late for ever.
func TestWAVKeepsTimeOverAStandstill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	w, err := wav.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		block := make([]int16, media.BlockSamples)
		block[0] = int16(n)
		if err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		begun, blocks := time.Now(), 0
		a := &WAV{Path: path}
		err := a.Start(func(block []int16, at time.Time) {
			if want := int64((at.Sub(begun) + blockTime) / blockTime); int64(block[0]) != want {
				t.Errorf("block %d at the time of %d", block[0], want)
			}
			if blocks++; blocks == 50 {
				time.Sleep(480 * time.Millisecond)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500*time.Millisecond - blockTime/2)
		if err := a.Close(); err != nil || blocks < 100 || blocks > 110 {
			t.Errorf("%d blocks, %v", blocks, err)
		}
	})
}
