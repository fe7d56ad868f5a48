package vpx

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"visavis.example/internal/media"
)

// TestResize changes the size down, up within the first size, beyond it, and in one dimension each way.
func TestResize(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		var pool media.Pool
		e, d := open(t, EncoderConfig{Codec: c, Width: 320, Height: 180}), openDecoder(t, c)
		n := 0
		for _, size := range [][2]int{{320, 180}, {160, 90}, {240, 136}, {640, 360}, {180, 320}, {322, 182}, {320, 180}} {
			f := media.NewFrame(size[0], size[1])
			for range 5 {
				scene(f, n)
				p, _, err := e.Encode(f, int64(n)*3000, false)
				if err != nil {
					t.Fatal(size, err)
				}
				if p != nil {
					got, err := d.Decode(p, &pool)
					if err != nil {
						t.Fatal(size, err)
					}
					if _, m, ok := media.ReadMarker(got); !ok || int(m) != n || got.Width != f.Width || got.Height != f.Height {
						t.Errorf("%v: frame %d came as %dx%d, marker %d %v", size, n, got.Width, got.Height, m, ok)
					}
					got.Release()
				}
				n++
			}
		}
		if pool.Out() != 0 {
			t.Errorf("%d frames not returned", pool.Out())
		}
	})
}

// TestResizeLeaksNothing changes the size often, which needs a new context each time; forgetting them costs 240 MB (VP8) and 1 GB (VP9).
func TestResizeLeaksNothing(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		small, big := media.NewFrame(320, 180), media.NewFrame(640, 360)
		run := func(times int) {
			for range times {
				e := open(t, EncoderConfig{Codec: c, Width: 320, Height: 180})
				for i, f := range []*media.Frame{small, big} {
					if _, _, err := e.Encode(f, int64(i)*3000, false); err != nil {
						t.Fatal(err)
					}
				}
				e.Close()
				e.Close()
			}
		}
		run(10)
		before := residentKB(t)
		run(25)
		if grown := residentKB(t) - before; grown > 120_000 {
			t.Errorf("%d KB more after 25 resizes", grown)
		}
	})
}

func residentKB(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc here")
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// TestBitrateAndSpeed changes both while encoding runs in another goroutine.
func TestBitrateAndSpeed(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		e := open(t, EncoderConfig{Codec: c, Width: 640, Height: 360, BitrateBps: 1_500_000})
		f := media.NewFrame(640, 360)
		second := func(from int) (bytes int) {
			for n := from; n < from+30; n++ {
				scene(f, n)
				p, _, err := e.Encode(f, int64(n)*3000, false)
				if err != nil {
					t.Fatal(err)
				}
				bytes += len(p)
			}
			return bytes
		}
		second(0)
		high := second(30)
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, s := range c.Speeds() {
				e.SetSpeed(s)
				e.SetBitrate(s * 1000)
			}
			e.SetBitrate(200_000)
		})
		second(60)
		wg.Wait()
		second(90)
		if low := second(120); low*2 > high {
			t.Errorf("%d bytes a second at 1500 kbit/s, %d at 200", high, low)
		}
	})
}

// TestDroppedFrames asks for far less than noise can be coded in.
func TestDroppedFrames(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		e, d := open(t, EncoderConfig{Codec: c, Width: 640, Height: 360, BitrateBps: 30_000}), openDecoder(t, c)
		var pool media.Pool
		f := media.NewFrame(640, 360)
		dropped, keyAt := 0, -1
		for n := range 60 {
			scene(f, n*17) // jumps about
			p, key, err := e.Encode(f, int64(n)*3000, n == 30)
			switch {
			case err != nil:
				t.Fatal(err)
			case p == nil:
				dropped++
				if key {
					t.Error("a dropped key frame")
				}
				continue
			case key && n >= 30 && keyAt < 0:
				keyAt = n
			}
			got, err := d.Decode(p, &pool)
			if err != nil {
				t.Fatal(err)
			}
			got.Release()
		}
		t.Logf("%d of 60 dropped, key frame wanted at 30 came at %d", dropped, keyAt)
		if dropped == 0 {
			t.Error("nothing dropped")
		}
		if keyAt < 30 {
			t.Error("the wish for a key frame was lost")
		}
	})
}

// TestTime gives times that stand still, go back and jump.
func TestTime(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		e := open(t, EncoderConfig{Codec: c, Width: 160, Height: 90, BitrateBps: 300_000})
		f := media.NewFrame(160, 90)
		coded := 0
		for n, pts := range []int64{1 << 40, 1 << 40, 1<<40 - 90000, 1<<40 + 1, 1<<40 + 90000*3600, 1<<40 + 90000*3600 + 3000, -5} {
			scene(f, n)
			p, _, err := e.Encode(f, pts, false)
			if err != nil {
				t.Fatal(n, err)
			}
			if p != nil {
				coded++
			}
		}
		if coded < 5 {
			t.Errorf("%d of 7 coded", coded)
		}
	})
}

func TestFullRangeFrame(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		var pool media.Pool
		e, d := open(t, EncoderConfig{Codec: c, Width: 64, Height: 64}), openDecoder(t, c)
		f := media.NewFrame(64, 64)
		f.Fill(255, 128, 128)
		f.FullRange = true
		p, _, err := e.Encode(f, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Decode(p, &pool)
		if err != nil {
			t.Fatal(err)
		}
		if v := got.Y[32*got.StrideY+32]; got.FullRange || v < 233 || v > 237 || !f.FullRange || f.Y[0] != 255 {
			t.Errorf("white became %d, full range %v", v, got.FullRange)
		}
	})
}

func TestEncoderRefuses(t *testing.T) {
	good := EncoderConfig{Codec: VP8, Width: 64, Height: 64, FPS: 30, BitrateBps: 100_000}
	for name, spoil := range map[string]func(*EncoderConfig){
		"codec":     func(c *EncoderConfig) { c.Codec = 9 },
		"no size":   func(c *EncoderConfig) { c.Width = 0 },
		"negative":  func(c *EncoderConfig) { c.Height = -2 },
		"too wide":  func(c *EncoderConfig) { c.Width = 5000 },
		"too large": func(c *EncoderConfig) { c.Width, c.Height = 4096, 4096 },
		"no rate":   func(c *EncoderConfig) { c.FPS = 0 },
		"bit rate":  func(c *EncoderConfig) { c.BitrateBps = -1 },
	} {
		cfg := good
		spoil(&cfg)
		if e, err := NewEncoder(cfg); err == nil {
			e.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	e := open(t, good)
	huge := &media.Frame{Width: 4096, Height: 4096}
	if _, _, err := e.Encode(huge, 0, false); !errors.Is(err, ErrSize) {
		t.Error(err)
	}
	if _, _, err := e.Encode(media.NewFrame(64, 64), 3000, false); err != nil {
		t.Errorf("after a refused size: %v", err)
	}
	e.Close()
	if _, _, err := e.Encode(media.NewFrame(64, 64), 0, false); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestDecoderRecovers loses the first key frame, damages packets, and goes on with the next key frame.
func TestDecoderRecovers(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		var pool media.Pool
		e, d := open(t, EncoderConfig{Codec: c, Width: 320, Height: 180}), openDecoder(t, c)
		f := media.NewFrame(320, 180)
		encode := func(n int, key bool) []byte {
			scene(f, n)
			p, _, err := e.Encode(f, int64(n)*3000, key)
			if err != nil || p == nil {
				t.Fatal(err)
			}
			return append([]byte(nil), p...)
		}
		encode(0, false)
		if _, err := d.Decode(encode(1, false), &pool); !errors.Is(err, ErrCorrupt) {
			t.Errorf("without a key frame: %v", err)
		}
		if _, err := d.Decode(nil, &pool); !errors.Is(err, ErrCorrupt) {
			t.Errorf("empty: %v", err)
		}
		key := encode(2, true)
		if _, err := d.Decode(key[:7], &pool); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut off: %v", err)
		}
		huge := append([]byte(nil), key...)
		if c == VP8 {
			huge[6], huge[7], huge[8], huge[9] = 0xff, 0x3f, 0xff, 0x3f
		} else {
			huge[4], huge[5], huge[6], huge[7], huge[8] = 0xff, 0xff, 0xff, 0xff, 0xff
		}
		if _, err := d.Decode(huge, &pool); err == nil {
			t.Error("an absurd size was decoded")
		}
		got, err := d.Decode(encode(3, true), &pool)
		if err != nil {
			t.Fatalf("next key frame: %v", err)
		}
		if _, n, ok := media.ReadMarker(got); !ok || n != 3 {
			t.Errorf("marker %d %v", n, ok)
		}
		got.Release()
		d.Close()
		d.Close()
		if _, err := d.Decode(key, &pool); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if pool.Out() != 0 {
			t.Errorf("%d frames not returned", pool.Out())
		}
	})
	if _, err := NewDecoder(7); err == nil {
		t.Error("unknown codec accepted")
	}
}

func TestInspectGarbage(t *testing.T) {
	for _, p := range [][]byte{nil, {0}, {0x10, 0, 0}, {0x82}, {0x82, 0x49, 0x83, 0x42}, make([]byte, 20)} {
		for _, c := range []Codec{VP8, VP9} {
			if h := Inspect(c, p); h.Width != 0 && len(p) < 10 {
				t.Errorf("%v %v: %+v", c, p, h)
			}
		}
	}
}

// TestUnevenTimesKeepTheRate codes two of three pictures of a camera, as a ladder that asks for 20 a second does.
func TestUnevenTimesKeepTheRate(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		const bps, seconds = 250_000, 3
		e := open(t, EncoderConfig{Codec: c, Width: 320, Height: 180, BitrateBps: bps})
		f := media.NewFrame(320, 180)
		bytes := 0
		for n := range 30 * (seconds + 2) {
			if n%3 == 2 {
				continue
			}
			scene(f, n*5) // more than the rate can show
			p, _, err := e.Encode(f, int64(n)*3000, false)
			if err != nil {
				t.Fatal(err)
			}
			if n >= 60 {
				bytes += len(p)
			}
		}
		if got := bytes * 8 / seconds; got > bps*115/100 || got < bps*70/100 {
			t.Errorf("%d bit/s instead of %d", got, bps)
		}
	})
}
