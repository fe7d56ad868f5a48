package vpx

import (
	"math"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene paints a moving picture with sensor noise, a marker and the time.
func scene(f *media.Frame, n int) {
	seed := uint32(n)*2654435761 + 1
	for y := range f.Height {
		row := f.Y[y*f.StrideY:][:f.Width]
		for x := range row {
			seed = seed*1664525 + 1013904223
			dx, dy := x-f.Width/2-int(float64(f.Width)/8*math.Sin(float64(n)/10)), y-f.Height/2
			v := 60 + (x*5/f.Width+y*5/f.Height)*12
			if dx*dx+dy*dy < f.Height*f.Height/12 {
				v = 180 - (dx*dx+dy*dy)*60/(f.Height*f.Height/12) + (dx&8^dy&8)*2
			}
			row[x] = byte(v + int(seed>>30) - 1)
		}
	}
	for y := range f.Height / 2 {
		for x := range f.Width / 2 {
			f.U[y*f.StrideUV+x], f.V[y*f.StrideUV+x] = byte(100+x*40/f.Width), byte(120+y*40/f.Height)
		}
	}
	f.FullRange = false
	f.Captured = time.Unix(0, int64(n)*int64(time.Second)/30)
	media.DrawMarker(f, 7, uint16(n))
}

func open(t testing.TB, cfg EncoderConfig) *Encoder {
	t.Helper()
	if cfg.FPS == 0 {
		cfg.FPS = 30
	}
	if cfg.BitrateBps == 0 {
		cfg.BitrateBps = 500_000
	}
	e, err := NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func openDecoder(t testing.TB, c Codec) *Decoder {
	t.Helper()
	d, err := NewDecoder(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func both(t *testing.T, f func(t *testing.T, c Codec)) {
	for _, c := range []Codec{VP8, VP9} {
		t.Run(c.String(), func(t *testing.T) { f(t, c) })
	}
}

func psnr(a, b *media.Frame) float64 {
	sum := 0.0
	for y := range a.Height {
		for x := range a.Width {
			d := float64(a.Y[y*a.StrideY+x]) - float64(b.Y[y*b.StrideY+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(a.Width*a.Height)/max(sum, 1e-9))
}

func TestRoundTrip(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		var pool media.Pool
		e, d := open(t, EncoderConfig{Codec: c, Width: 320, Height: 180}), openDecoder(t, c)
		f := media.NewFrame(320, 180)
		coded, bytes, keys := 0, 0, 0
		for n := range 60 {
			scene(f, n)
			p, key, err := e.Encode(f, int64(n)*3000, false)
			if err != nil {
				t.Fatal(err)
			}
			if p == nil {
				continue
			}
			if h := Inspect(c, p); h.Key != key || key && (h.Width != 320 || h.Height != 180) {
				t.Errorf("frame %d: key %v, header %+v", n, key, h)
			}
			if key {
				keys++
			}
			coded++
			bytes += len(p)
			got, err := d.Decode(p, &pool)
			if err != nil {
				t.Fatal(err)
			}
			if id, m, ok := media.ReadMarker(got); !ok || id != 7 || int(m) != n {
				t.Errorf("frame %d: marker %d %d %v", n, id, m, ok)
			}
			if v := psnr(f, got); v < 30 {
				t.Errorf("frame %d: %.1f dB", n, v)
			}
			got.Release()
		}
		if keys != 1 || coded < 50 {
			t.Errorf("%d coded, %d key frames", coded, keys)
		}
		if kbps := bytes * 8 / 2 / 1000; kbps > 650 || kbps < 50 {
			t.Errorf("%d kbit/s for 500", kbps)
		}
		if pool.Out() != 0 {
			t.Errorf("%d frames not returned", pool.Out())
		}
	})
}

func TestKeyOnRequest(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		e := open(t, EncoderConfig{Codec: c, Width: 160, Height: 120})
		f := media.NewFrame(160, 120)
		for n := range 20 {
			scene(f, n)
			_, key, err := e.Encode(f, int64(n)*3000, n == 10)
			if err != nil {
				t.Fatal(err)
			}
			if key != (n == 0 || n == 10) {
				t.Errorf("frame %d: key %v", n, key)
			}
		}
	})
}
