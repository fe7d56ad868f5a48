package media

import (
	"image"
	"image/color"
	"math"
	"math/rand"
	"testing"
)

// toYUV is BT.601 limited range in floating point.
func toYUV(r, g, b float64) (y, u, v float64) {
	l := 0.299*r + 0.587*g + 0.114*b
	return 16 + l*219/255, 128 + (b-l)/1.772*224/255, 128 + (r-l)/1.402*224/255
}

func TestFromRGBAAgainstFloat(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	whole := image.NewRGBA(image.Rect(0, 0, 90, 70))
	for i := range whole.Pix {
		whole.Pix[i] = byte(r.Intn(256))
	}
	img := whole.SubImage(image.Rect(7, 5, 70, 60)).(*image.RGBA) // 63x55: an odd corner of something bigger
	var pool Pool
	f, err := FromRGBA(&pool, img)
	if err != nil || f.Width != 62 || f.Height != 54 {
		t.Fatal(err, f)
	}
	worst := 0.0
	for y := 0; y < f.Height; y += 2 {
		for x := 0; x < f.Width; x += 2 {
			var mu, mv float64
			for k := range 4 {
				c := img.RGBAAt(7+x+k%2, 5+y+k/2)
				l, u, v := toYUV(float64(c.R), float64(c.G), float64(c.B))
				worst = max(worst, math.Abs(l-float64(f.Y[(y+k/2)*f.StrideY+x+k%2])))
				mu, mv = mu+u/4, mv+v/4
			}
			o := y/2*f.StrideUV + x/2
			worst = max(worst, math.Abs(mu-float64(f.U[o])), math.Abs(mv-float64(f.V[o])))
		}
	}
	if worst > 1.2 {
		t.Errorf("off by %.2f", worst)
	}
	f.Release()
	if pool.Out() != 0 {
		t.Error("frame lost")
	}
}

func TestExtremeColours(t *testing.T) {
	for _, c := range []color.RGBA{
		{0, 0, 0, 255}, {255, 255, 255, 255}, {255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {20, 140, 250, 255},
	} {
		var pool Pool
		img := image.NewRGBA(image.Rect(0, 0, 2, 2))
		for i := range 4 {
			img.SetRGBA(i%2, i/2, c)
		}
		f, err := FromRGBA(&pool, img)
		if err != nil {
			t.Fatal(err)
		}
		y, u, v := YUV(c)
		wy, wu, wv := toYUV(float64(c.R), float64(c.G), float64(c.B))
		if math.Abs(float64(y)-wy) > 1 || math.Abs(float64(u)-wu) > 1 || math.Abs(float64(v)-wv) > 1 {
			t.Errorf("%v: %d %d %d, want %.1f %.1f %.1f", c, y, u, v, wy, wu, wv)
		}
		if f.Y[0] != y || f.Y[3] != y || f.U[0] != u || f.V[0] != v {
			t.Errorf("%v: picture has %d %d %d, colour %d %d %d", c, f.Y[0], f.U[0], f.V[0], y, u, v)
		}
	}
}

func TestFromYCbCr(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio444,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		whole := image.NewYCbCr(image.Rect(0, 0, 64, 48), ratio)
		for y := range 48 {
			for x := range 64 {
				c := whole.COffset(x, y)
				whole.Y[whole.YOffset(x, y)], whole.Cb[c], whole.Cr[c] = byte(2*x+2*y), byte(100+x/8), byte(200-y/8)
			}
		}
		img := whole.SubImage(image.Rect(8, 8, 41, 33)).(*image.YCbCr)
		for _, fullRange := range []bool{false, true} {
			checkYCbCrCorner(t, img, fullRange)
		}
	}
}

// checkYCbCrCorner compares with what TestFromYCbCr painted.
func checkYCbCrCorner(t *testing.T, img *image.YCbCr, fullRange bool) {
	t.Helper()
	var pool Pool
	f, err := FromImage(&pool, img, fullRange)
	if err != nil || f.Width != 32 || f.Height != 24 || f.FullRange {
		t.Fatal(img.SubsampleRatio, err, f)
	}
	for y := range f.Height {
		for x := range f.Width {
			luma, cb, cr := float64(2*(x+8)+2*(y+8)), 100+float64((x+8)/8), 200-float64((y+8)/8)
			if fullRange {
				luma, cb, cr = 16+luma*219/255, 128+(cb-128)*224/255, 128+(cr-128)*224/255
			}
			o := y/2*f.StrideUV + x/2
			if math.Abs(luma-float64(f.Y[y*f.StrideY+x])) > 0.6 ||
				math.Abs(cb-float64(f.U[o])) > 1.1 || math.Abs(cr-float64(f.V[o])) > 1.1 {
				t.Fatalf("%v full range %v: wrong at %d,%d", img.SubsampleRatio, fullRange, x, y)
			}
		}
	}
}

func TestFromImageRefuses(t *testing.T) {
	var pool Pool
	short := image.NewYCbCr(image.Rect(0, 0, 64, 64), image.YCbCrSubsampleRatio420)
	short.Cr = short.Cr[:100]
	cut := image.NewRGBA(image.Rect(0, 0, 64, 64))
	cut.Pix = cut.Pix[:5000]
	for name, img := range map[string]image.Image{
		"empty":      image.NewRGBA(image.Rectangle{}),
		"one pixel":  image.NewGray(image.Rect(0, 0, 1, 1)),
		"too wide":   &image.RGBA{Rect: image.Rect(0, 0, 9000, 2)},
		"too big":    &image.YCbCr{Rect: image.Rect(0, 0, 8192, 8192)},
		"short YUV":  short,
		"short RGBA": cut,
	} {
		if f, err := FromImage(&pool, img, false); err == nil {
			t.Errorf("%s: accepted as %dx%d", name, f.Width, f.Height)
		}
	}
	gray := image.NewGray(image.Rect(0, 0, 4, 4))
	gray.Pix[0] = 255
	f, err := FromImage(&pool, gray, false)
	if err != nil || f.Y[0] != 235 || f.Y[1] != 16 {
		t.Error(err)
	}
	if pool.Out() != 1 {
		t.Errorf("%d out", pool.Out())
	}
}

func benchmarkFrom(b *testing.B, img image.Image, fullRange bool) {
	var pool Pool
	b.ReportAllocs()
	for b.Loop() {
		f, err := FromImage(&pool, img, fullRange)
		if err != nil {
			b.Fatal(err)
		}
		f.Release()
	}
}

// BenchmarkCapture_720p is the copy out of a camera driver's memory.
func BenchmarkCapture_720p(b *testing.B) {
	benchmarkFrom(b, image.NewYCbCr(image.Rect(0, 0, 1280, 720), image.YCbCrSubsampleRatio420), false)
}

// BenchmarkCaptureMJPEG_720p is 4:2:2 in full range, without the JPEG decoder.
func BenchmarkCaptureMJPEG_720p(b *testing.B) {
	benchmarkFrom(b, image.NewYCbCr(image.Rect(0, 0, 1280, 720), image.YCbCrSubsampleRatio422), true)
}

func BenchmarkCaptureScreen_720p(b *testing.B) {
	benchmarkFrom(b, image.NewRGBA(image.Rect(0, 0, 1280, 720)), false)
}
