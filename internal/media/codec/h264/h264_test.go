//go:build !noh264

package h264

import (
	"bytes"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func scene(f *media.Frame, n int) {
	for y := range f.Height {
		for x := range f.Width {
			f.Y[y*f.StrideY+x] = byte(60 + (x+2*n)%90 + y/8)
		}
	}
	for y := range f.Height / 2 {
		for x := range f.Width / 2 {
			f.U[y*f.StrideUV+x], f.V[y*f.StrideUV+x] = byte(100+x/8), byte(120+y/8)
		}
	}
	media.DrawMarker(f, 7, uint16(n))
}

func encoder(t testing.TB, cfg EncoderConfig) *Encoder {
	t.Helper()
	e, err := NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func decoder(t testing.TB) *Decoder {
	t.Helper()
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// TestRoundTrip codes a second at each of several sizes; one decoder follows.
func TestRoundTrip(t *testing.T) {
	e, d := encoder(t, EncoderConfig{320, 180, 30, 500_000}), decoder(t)
	var pool media.Pool
	n := 0
	for _, size := range [][2]int{{320, 180}, {640, 360}, {160, 90}, {322, 182}} {
		f := media.NewFrame(size[0], size[1])
		keys, coded, bytes := 0, 0, 0
		for i := range 30 {
			scene(f, n)
			p, key, err := e.Encode(f, int64(n)*3000, i == 15)
			if err != nil {
				t.Fatal(size, err)
			}
			if n++; p == nil {
				continue
			}
			coded, bytes = coded+1, bytes+len(p)
			if key {
				keys++
			}
			got, err := d.Decode(p, &pool)
			if err != nil || got == nil {
				t.Fatal(size, i, err)
			}
			if id, m, ok := media.ReadMarker(got); !ok || id != 7 || int(m) != n-1 || got.Width != f.Width || got.Height != f.Height {
				t.Errorf("%v: frame %d came as %dx%d, marker %d %v", size, n-1, got.Width, got.Height, m, ok)
			}
			got.Release()
		}
		if keys != 2 || coded < 25 || bytes*8 > 900_000 {
			t.Errorf("%v: %d key frames, %d coded, %d kbit", size, keys, coded, bytes*8/1000)
		}
	}
	if pool.Out() != 0 {
		t.Errorf("%d frames not returned", pool.Out())
	}
}

// TestKeyFrameStands: a key frame brings its parameter sets, so that a decoder may begin with it.
func TestKeyFrameStands(t *testing.T) {
	e := encoder(t, EncoderConfig{320, 180, 30, 500_000})
	var pool media.Pool
	f := media.NewFrame(320, 180)
	for n := range 10 {
		scene(f, n)
		p, key, err := e.Encode(f, int64(n)*3000, n == 7)
		if err != nil || key != (n == 0 || n == 7) {
			t.Fatalf("%d: key %v, %v", n, key, err)
		}
		got, err := decoder(t).Decode(p, &pool)
		if key != (err == nil && got != nil) {
			t.Errorf("%d: key %v, decoded alone: %v", n, key, err)
		}
		if got != nil {
			got.Release()
		}
		if key && (!bytes.Contains(p, []byte{0, 0, 1, 0x67}) || p[bytes.Index(p, []byte{0, 0, 1, 0x67})+4] != 66) {
			t.Error("no sequence parameter set of the baseline profile")
		}
	}
}

func TestRate(t *testing.T) {
	e := encoder(t, EncoderConfig{640, 360, 30, 1_000_000})
	f := media.NewFrame(640, 360)
	second := func(from int) (sum int) {
		for n := from; n < from+30; n++ {
			scene(f, n*7)
			p, _, err := e.Encode(f, int64(n)*3000, false)
			if err != nil {
				t.Fatal(err)
			}
			sum += len(p)
		}
		return sum
	}
	second(0)
	high := second(30)
	e.SetBitrate(100_000)
	second(60)
	if low := second(90); low >= high {
		t.Errorf("%d bytes a second at 1000 kbit/s, %d at 100", high, low)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []EncoderConfig{{}, {64, 64, 0, 1}, {64, 64, 30, 0}, {8, 8, 30, 100_000}, {5000, 64, 30, 100_000}} {
		if e, err := NewEncoder(c); err == nil {
			e.Close()
			t.Errorf("%+v accepted", c)
		}
	}
	e, d := encoder(t, EncoderConfig{64, 64, 30, 100_000}), decoder(t)
	var pool media.Pool
	for _, p := range [][]byte{nil, {0}, {0, 0, 0, 1}, {0, 0, 0, 1, 0x65, 1, 2, 3}} {
		if f, err := d.Decode(p, &pool); f != nil {
			t.Errorf("%v decoded, %v", p, err)
		}
	}
	e.Close()
	e.Close()
	d.Close()
	d.Close()
	if _, _, err := e.Encode(media.NewFrame(64, 64), 0, false); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Decode([]byte{1}, &pool); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	e := encoder(f, EncoderConfig{32, 32, 30, 100_000})
	frame := media.NewFrame(32, 32)
	var key []byte
	for n := range 3 {
		scene(frame, n)
		p, _, err := e.Encode(frame, int64(n)*3000, false)
		if err != nil {
			f.Fatal(err)
		}
		if n == 0 {
			key = bytes.Clone(p)
		}
		f.Add(bytes.Clone(p))
		f.Add(bytes.Clone(p[:len(p)/2]))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var pool media.Pool
		d := decoder(t)
		for _, p := range [][]byte{key, p, key} {
			if got, err := d.Decode(p, &pool); got != nil {
				got.Release()
			} else if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrSize) {
				t.Fatal(err)
			}
		}
		if pool.Out() != 0 {
			t.Fatal("frame lost")
		}
	})
}
