package media

import (
	"testing"
	"time"
)

// gradient is a smooth picture that looks the same at any size.
func gradient(w, h int) *Frame {
	f := NewFrame(w, h)
	for y := range f.Height {
		for x := range f.Width {
			f.Y[y*f.StrideY+x] = byte(40 + (2*x+1)*75/f.Width + (2*y+1)*25/f.Height)
		}
	}
	for y := range f.Height / 2 {
		for x := range f.Width / 2 {
			f.U[y*f.StrideUV+x] = byte(60 + (2*x+1)*50/(f.Width/2))
			f.V[y*f.StrideUV+x] = byte(80 + (2*y+1)*40/(f.Height/2))
		}
	}
	return f
}

func TestScaleGradient(t *testing.T) {
	src := gradient(1280, 720)
	src.Captured = time.Now()
	for _, size := range [][2]int{
		{320, 180}, {640, 360}, {960, 540}, {426, 240}, {1920, 1080}, {854, 480}, {100, 56}, {1280, 720}, {50, 28},
	} {
		dst, want := NewFrame(size[0], size[1]), gradient(size[0], size[1])
		Scale(dst, src)
		compare(t, size, "luma", dst.Y, want.Y, dst.StrideY, 2)
		compare(t, size, "u", dst.U, want.U, dst.StrideUV, 3)
		compare(t, size, "v", dst.V, want.V, dst.StrideUV, 3)
		if dst.Captured != src.Captured {
			t.Error("time lost")
		}
	}
}

func compare(t *testing.T, size [2]int, what string, got, want []byte, stride, limit int) {
	t.Helper()
	worst, at := 0, 0
	for i := range got {
		d := int(got[i]) - int(want[i])
		if d = max(d, -d); d > worst {
			worst, at = d, i
		}
	}
	if worst > limit {
		t.Errorf("%v: %s off by %d at %d,%d", size, what, worst, at%stride, at/stride)
	}
}

// TestScaleAverages shrinks a fine checkerboard: whoever only picks pixels gets black or white, not grey.
func TestScaleAverages(t *testing.T) {
	src := NewFrame(640, 360)
	for i := range src.Y {
		src.Y[i] = byte(16 + 219*((i+i/640)&1))
	}
	for _, size := range [][2]int{{320, 180}, {160, 90}, {214, 120}} {
		dst := NewFrame(size[0], size[1])
		Scale(dst, src)
		for i, v := range dst.Y {
			if v < 120 || v > 131 {
				t.Fatalf("%v: %d at %d", size, v, i)
			}
		}
	}
}

func TestScaleLetterbox(t *testing.T) {
	for _, c := range []struct{ sw, sh, dw, dh, x, y, w, h int }{
		{640, 480, 1280, 720, 160, 0, 960, 720},
		{1280, 720, 640, 480, 0, 60, 640, 360},
		{360, 640, 320, 180, 108, 0, 102, 180},
		{640, 360, 426, 240, 0, 0, 426, 240}, // 426.67 wide: no bar of one column
		{2, 2, 64, 32, 16, 0, 32, 32},
		{1280, 720, 2, 2, 0, 0, 2, 2},
	} {
		src, dst := NewFrame(c.sw, c.sh), NewFrame(c.dw, c.dh)
		src.Fill(200, 90, 160)
		dst.Fill(77, 77, 77)
		Scale(dst, src)
		for y := range c.dh {
			for x := range c.dw {
				in := x >= c.x && x < c.x+c.w && y >= c.y && y < c.y+c.h
				o := y/2*dst.StrideUV + x/2
				got := [3]byte{dst.Y[y*dst.StrideY+x], dst.U[o], dst.V[o]}
				if in && got != [3]byte{200, 90, 160} || !in && got != [3]byte{16, 128, 128} {
					t.Fatalf("%+v: %v at %d,%d", c, got, x, y)
				}
			}
		}
	}
}

// TestScaleStrides scales into a part of a bigger frame, and must not touch the rest.
func TestScaleStrides(t *testing.T) {
	src, dst := gradient(640, 360), NewFrame(320, 180)
	wide := NewFrame(400, 200)
	wide.Fill(1, 1, 1)
	part := &Frame{
		Width: 320, Height: 180, Y: wide.Y, U: wide.U, V: wide.V, StrideY: wide.StrideY, StrideUV: wide.StrideUV,
	}
	Scale(dst, src)
	Scale(part, src)
	for y := range 200 {
		for x := range 400 {
			want := byte(1)
			if x < 320 && y < 180 {
				want = dst.Y[y*dst.StrideY+x]
			}
			if got := wide.Y[y*400+x]; got != want {
				t.Fatalf("%d,%d: %d", x, y, got)
			}
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range [][6]int{{1280, 720, 640, 480, 960, 720}, {1000, 1000, 16, 9, 1000, 562}, {1, 1, 16, 9, 2, 2}} {
		if w, h := Fit(c[0], c[1], c[2], c[3]); w != c[4] || h != c[5] {
			t.Errorf("%v: %dx%d", c, w, h)
		}
	}
}

func benchmarkScale(b *testing.B, sw, sh, dw, dh int) {
	src, dst := noise(sw, sh), NewFrame(dw, dh)
	b.ReportAllocs()
	for b.Loop() {
		Scale(dst, src)
	}
}

func BenchmarkScale_720p_to_180p(b *testing.B)  { benchmarkScale(b, 1280, 720, 320, 180) }
func BenchmarkScale_720p_to_540p(b *testing.B)  { benchmarkScale(b, 1280, 720, 960, 540) }
func BenchmarkScale_360p_to_720p(b *testing.B)  { benchmarkScale(b, 640, 360, 1280, 720) }
func BenchmarkScale_1080p_to_720p(b *testing.B) { benchmarkScale(b, 1920, 1080, 1280, 720) }
