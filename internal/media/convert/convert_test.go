package convert

import (
	"bytes"
	"image"
	"math"
	"math/rand"
	"testing"

	"visavis.example/internal/media"
)

func noise(w, h int, fullRange bool) *media.Frame {
	f := media.NewFrame(w, h)
	r := rand.New(rand.NewSource(int64(w)))
	for _, p := range [][]byte{f.Y, f.U, f.V} {
		for i := range p {
			p[i] = uint8(r.Intn(256))
		}
	}
	f.FullRange = fullRange
	return f
}

// exact is BT.601 in floating point.
func exact(f *media.Frame, x, y int) [3]float64 {
	c := y/2*f.StrideUV + x/2
	l, u, v := float64(f.Y[y*f.StrideY+x]), float64(f.U[c])-128, float64(f.V[c])-128
	if !f.FullRange {
		l, u, v = (l-16)*255/219, u*255/224, v*255/224
	}
	rgb := [3]float64{l + 1.402*v, l - 0.344136*u - 0.714136*v, l + 1.772*u}
	for i := range rgb {
		rgb[i] = math.Min(math.Max(rgb[i], 0), 255)
	}
	return rgb
}

func TestAgainstFloat(t *testing.T) {
	for _, size := range [][2]int{{1280, 720}, {54, 22}, {2, 2}, {18, 6}} { // all but the first have a tail
		for _, fullRange := range []bool{false, true} {
			src := noise(size[0], size[1], fullRange)
			dst := image.NewRGBA(image.Rect(0, 0, size[0], size[1]))
			RGBA(dst, src)
			worst := 0.0
			for y := range size[1] {
				for x := range size[0] {
					want, p := exact(src, x, y), dst.Pix[dst.PixOffset(x, y):]
					for i := range want {
						worst = math.Max(worst, math.Abs(want[i]-float64(p[i])))
					}
					if p[3] != 255 {
						t.Fatal("transparent")
					}
				}
			}
			t.Logf("%v full range %v: worst difference %.2f", size, fullRange, worst)
			if worst > 2 {
				t.Errorf("%v full range %v: off by %.2f", size, fullRange, worst)
			}
		}
	}
}

func TestBlackAndWhite(t *testing.T) {
	for _, c := range []struct {
		y, want byte
		full    bool
	}{{16, 0, false}, {235, 255, false}, {0, 0, true}, {255, 255, true}, {126, 128, false}} {
		f := media.NewFrame(34, 4)
		f.Fill(c.y, 128, 128)
		f.FullRange = c.full
		dst := image.NewRGBA(image.Rect(0, 0, 34, 4))
		RGBA(dst, f)
		for i, v := range dst.Pix {
			if i%4 < 3 && v != c.want {
				t.Fatalf("luma %d full range %v: %d at %d", c.y, c.full, v, i)
			}
		}
	}
}

func TestImplementationsAgree(t *testing.T) {
	for _, c := range []*coefficients{&limited, &full} {
		src := noise(1006, 34, c == &full)
		a, b := image.NewRGBA(image.Rect(0, 0, 1006, 34)), image.NewRGBA(image.Rect(0, 0, 1006, 34))
		fastest(a, src, 1006, 34, c)
		table(b, src, 1006, 34, c)
		if !bytes.Equal(a.Pix, b.Pix) {
			t.Error("not the same picture")
		}
	}
}

// TestSmallerTarget writes only where both pictures are, and nothing into the padding of rows.
func TestSmallerTarget(t *testing.T) {
	src := noise(64, 64, false)
	big := image.NewRGBA(image.Rect(0, 0, 100, 100))
	RGBA(big.SubImage(image.Rect(10, 10, 45, 30)).(*image.RGBA), src)
	for y := range 100 {
		for x := range 100 {
			inside := x >= 10 && x < 44 && y >= 10 && y < 30
			if got := big.Pix[big.PixOffset(x, y)+3] == 255; got != inside {
				t.Fatalf("%d,%d: written %v", x, y, got)
			}
		}
	}
	RGBA(image.NewRGBA(image.Rect(0, 0, 1, 1)), src)
	RGBA(image.NewRGBA(image.Rectangle{}), src)
}

func BenchmarkConvert_720p(b *testing.B) {
	src := noise(1280, 720, false)
	dst := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	b.ReportAllocs()
	for b.Loop() {
		RGBA(dst, src)
	}
}

func BenchmarkConvertGo_720p(b *testing.B) {
	src := noise(1280, 720, false)
	dst := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	b.ReportAllocs()
	for b.Loop() {
		table(dst, src, 1280, 720, &limited)
	}
}
