package mjpeg

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"math/rand"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a smooth coloured picture, as JPEG likes them.
func scene(w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	for y := range h {
		for x := range w {
			m.Y[m.YOffset(x, y)] = byte(255 * (x + y) / (w + h))
			m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)] = byte(40+150*x/w), byte(60+130*y/h)
		}
	}
	return m
}

func encode(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 92}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sampled has ffmpeg write a JPEG of that pixel format: Go's encoder knows 4:2:0 and grey only.
func sampled(t testing.TB, w, h string, format string) []byte {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg here")
	}
	out, err := exec.Command(path, "-v", "error", "-f", "lavfi", "-i", "testsrc=s="+w+"x"+h, "-frames:v", "1",
		"-pix_fmt", format, "-q:v", "2", "-f", "image2pipe", "-c:v", "mjpeg", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
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

// compare holds a picture to what Go's decoder and our conversion make of the same bytes.
func compare(t *testing.T, data []byte, most int) {
	t.Helper()
	var pool media.Pool
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := img.(*image.Gray); ok {
		m := image.NewYCbCr(g.Rect, image.YCbCrSubsampleRatio420)
		for y := range g.Rect.Dy() {
			copy(m.Y[y*m.YStride:][:g.Rect.Dx()], g.Pix[y*g.Stride:])
		}
		for i := range m.Cb {
			m.Cb[i], m.Cr[i] = 128, 128
		}
		img = m
	}
	want, err := media.FromImage(&pool, img, true)
	if err != nil {
		t.Fatal(err)
	}
	d := decoder(t)
	for range 2 { // the second time with a used decoder
		got, err := d.Decode(data, &pool)
		if err != nil {
			t.Fatal(err)
		}
		if got.Width != want.Width || got.Height != want.Height || got.FullRange {
			t.Fatalf("%dx%d, full range %v; want %dx%d", got.Width, got.Height, got.FullRange, want.Width, want.Height)
		}
		for i, p := range [3][2][]byte{{got.Y, want.Y}, {got.U, want.U}, {got.V, want.V}} {
			for k := range p[0] {
				if v := int(p[0][k]) - int(p[1][k]); v < -most || v > most {
					t.Fatalf("plane %d: %d is %d, want %d", i, k, p[0][k], p[1][k])
				}
			}
		}
		got.Release()
	}
	want.Release()
	if pool.Out() != 0 {
		t.Errorf("%d frames not returned", pool.Out())
	}
}

func TestSizes(t *testing.T) {
	for _, s := range [][2]int{{64, 48}, {640, 360}, {2, 2}, {17, 33}, {16, 16}, {1, 100}, {641, 361}, {8, 200}, {1279, 719}} {
		data := encode(t, scene(s[0], s[1], image.YCbCrSubsampleRatio420))
		if s[0] < 2 {
			if _, err := decoder(t).Decode(data, &media.Pool{}); !errors.Is(err, ErrBroken) {
				t.Errorf("%v: %v", s, err)
			}
			continue
		}
		compare(t, data, 3)
	}
}

func TestSubsampling(t *testing.T) {
	for _, format := range []string{"yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p"} {
		for _, size := range [][2]string{{"320", "180"}, {"322", "182"}, {"98", "34"}} {
			t.Run(format+" "+size[0], func(t *testing.T) { compare(t, sampled(t, size[0], size[1], format), 3) })
		}
	}
}

func TestGrey(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 100, 60))
	for i := range m.Pix {
		m.Pix[i] = byte(i / 25)
	}
	compare(t, encode(t, m), 3)
}

// Without Huffman tables the standard ones are meant, as in AVI files and many a camera's stream.
func TestWithoutTables(t *testing.T) {
	data := encode(t, scene(160, 90, image.YCbCrSubsampleRatio420))
	var bare []byte
	for at := 2; ; {
		length := 2 + int(data[at+2])<<8 + int(data[at+3])
		if data[at+1] == 0xc4 {
			bare = append(bytes.Clone(data[:at]), data[at+length:]...)
			break
		}
		at += length
	}
	var pool media.Pool
	d := decoder(t)
	want, err := d.Decode(data, &pool)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Decode(bare, &pool)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Y, want.Y) || !bytes.Equal(got.U, want.U) {
		t.Error("another picture")
	}
}

// Bytes after the picture are no damage; missing ones are, and a progressive picture is none of a camera's.
func TestDamage(t *testing.T) {
	data := encode(t, scene(320, 180, image.YCbCrSubsampleRatio420))
	d := decoder(t)
	var pool media.Pool
	decode := func(p []byte) error {
		f, err := d.Decode(p, &pool)
		if err == nil {
			f.Release()
		}
		return err
	}
	if err := decode(append(bytes.Clone(data), 1, 2, 3, 0xff)); err != nil {
		t.Error("trailing bytes:", err)
	}
	if err := decode(data[:len(data)-2]); err != nil {
		t.Error("without an end marker:", err)
	}
	for name, p := range map[string][]byte{
		"empty": nil, "start": data[:2], "no scan": data[:150], "half": data[:len(data)/2], "text": []byte("hello, this is no picture"),
	} {
		if err := decode(p); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := bytes.Clone(data)
	at := bytes.Index(huge, []byte{0xff, 0xc0})
	huge[at+5], huge[at+6], huge[at+7], huge[at+8] = 0xff, 0xff, 0xff, 0xff
	if err := decode(huge); !errors.Is(err, ErrBroken) {
		t.Error("65535x65535:", err)
	}
	rgb := bytes.Clone(data)
	rgb[at+11] = 0x41 // luma 4x1
	if err := decode(rgb); !errors.Is(err, ErrKind) && !errors.Is(err, ErrBroken) {
		t.Error("strange sampling:", err)
	}
	if err := decode(data); err != nil {
		t.Error("a good one after all that:", err)
	}
	if pool.Out() != 0 {
		t.Errorf("%d frames not returned", pool.Out())
	}
	d.Close()
	d.Close()
	if err := decode(data); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Whatever a broken camera sends, the program lives.
func TestFlippedBits(t *testing.T) {
	data := encode(t, scene(96, 64, image.YCbCrSubsampleRatio420))
	d := decoder(t)
	var pool media.Pool
	r := rand.New(rand.NewSource(1))
	broken := 0
	for range 3000 {
		p := bytes.Clone(data)
		for range 1 + r.Intn(6) {
			p[r.Intn(len(p))] ^= 1 << r.Intn(8)
		}
		f, err := d.Decode(p[:len(p)-r.Intn(20)], &pool)
		if err != nil {
			broken++
			continue
		}
		f.Release()
	}
	if broken == 0 || broken == 3000 || pool.Out() != 0 {
		t.Errorf("%d of 3000 refused, %d frames out", broken, pool.Out())
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range [][2]int{{16, 16}, {33, 17}} {
		p := encode(f, scene(s[0], s[1], image.YCbCrSubsampleRatio420))
		f.Add(p)
		f.Add(p[:len(p)/2])
	}
	f.Add([]byte{0xff, 0xd8, 0xff, 0xda})
	f.Fuzz(func(t *testing.T, p []byte) {
		if w, h, ok := size(p); ok && w*h > 1<<20 {
			return // nothing but time
		}
		var pool media.Pool
		got, err := decoder(t).Decode(p, &pool)
		if err == nil {
			got.Release()
		}
		if pool.Out() != 0 {
			t.Fatal("frame lost")
		}
	})
}

func BenchmarkDecode422_720p(b *testing.B) {
	benchmark(b, sampled(b, "1280", "720,noise=alls=14", "yuvj422p"))
}

func BenchmarkDecode420_720p(b *testing.B) {
	benchmark(b, sampled(b, "1280", "720,noise=alls=14", "yuvj420p"))
}

func benchmark(b *testing.B, data []byte) {
	d := decoder(b)
	var pool media.Pool
	b.ReportAllocs()
	for b.Loop() {
		f, err := d.Decode(data, &pool)
		if err != nil {
			b.Fatal(err)
		}
		f.Release()
	}
	b.ReportMetric(float64(len(data))/1000, "kB")
}

// BenchmarkGo_720p is what it replaces.
func BenchmarkGo_720p(b *testing.B) {
	data := sampled(b, "1280", "720,noise=alls=14", "yuvj422p")
	for b.Loop() {
		if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
