package y4m

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// picture is n-th picture of a made-up film: each plane counts from its own start.
func picture(w, h, n int) *media.Frame {
	f := media.NewFrame(w, h)
	for k, p := range [][]byte{f.Y, f.U, f.V} {
		for i := range p {
			p[i] = byte(16 + (i*7+n*31+k*50)%200)
		}
	}
	return f
}

func same(a, b *media.Frame) bool {
	return bytes.Equal(a.Y, b.Y) && bytes.Equal(a.U, b.U) && bytes.Equal(a.V, b.V) && a.FullRange == b.FullRange
}

func film(t *testing.T, w, h, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	wr, err := NewWriter(&out, w, h, 29.97)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := wr.Write(picture(w, h, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := wr.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func save(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.y4m")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWriteReadLoop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film.y4m")
	w, err := Create(path, 32, 18, 25)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := w.Write(picture(32, 18, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Width != 32 || r.Height != 18 || r.FPS != 25 || r.FullRange {
		t.Errorf("%+v", r)
	}
	f := media.NewFrame(32, 18)
	for range 3 {
		for n := range 3 {
			if err := r.Next(f); err != nil || !same(f, picture(32, 18, n)) {
				t.Fatalf("picture %d: %v", n, err)
			}
		}
		if err := r.Next(f); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if err := r.Rewind(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Next(media.NewFrame(16, 16)); err == nil {
		t.Error("frame of another size accepted")
	}
}

func TestTruncatedLastPicture(t *testing.T) {
	whole := film(t, 16, 16, 3)
	for _, cut := range []int{1, 100, 16 * 16 * 3 / 2, 16*16*3/2 + 3} { // within planes, at and within the FRAME line
		r, err := Open(save(t, whole[:len(whole)-cut]))
		if err != nil {
			t.Fatal(err)
		}
		f, n := media.NewFrame(16, 16), 0
		for err = r.Next(f); err == nil; err = r.Next(f) {
			n++
		}
		if n != 2 || !errors.Is(err, io.EOF) {
			t.Errorf("cut by %d: %d pictures, %v", cut, n, err)
		}
		r.Close()
	}
}

func TestHeaders(t *testing.T) {
	body := "FRAME\n" + strings.Repeat("\x10", 6)
	for header, fps := range map[string]float64{
		"W2 H2 F30:1 Ip A1:1 C420jpeg":               30,
		"W2 H2 F30000:1001 C420mpeg2":                30000.0 / 1001,
		"W2 H2 F0:0 I? C420paldv XYSCSS=420JPEG":     30,
		"W2 H2 C420 XCOLORRANGE=FULL":                30,
		"H2 F50:2 W2 A0:0 Xanything XCOLORRANGE=odd": 25,
	} {
		r, err := NewReader(strings.NewReader("YUV4MPEG2 " + header + "\n" + body))
		if err != nil {
			t.Errorf("%s: %v", header, err)
			continue
		}
		f := media.NewFrame(2, 2)
		if err := r.Next(f); err != nil || r.FPS != fps || f.FullRange != strings.Contains(header, "FULL") || f.Y[3] != 16 {
			t.Errorf("%s: %v, %+v", header, err, r)
		}
	}
}

func TestOddSize(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("YUV4MPEG2 W5 H3 F1:1\n")
	for n := range 2 {
		b.WriteString("FRAME Ixyz\n")
		for i := range 15 {
			b.WriteByte(byte(100*n + i))
		}
		for i := range 12 {
			b.WriteByte(byte(100*n + 50 + i))
		}
	}
	r, err := Open(save(t, b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f := media.NewFrame(4, 2)
	for n := range 2 {
		if err := r.Next(f); err != nil {
			t.Fatal(err)
		}
		k := byte(100 * n)
		if !bytes.Equal(f.Y, []byte{k, k + 1, k + 2, k + 3, k + 5, k + 6, k + 7, k + 8}) ||
			!bytes.Equal(f.U, []byte{k + 50, k + 51}) || !bytes.Equal(f.V, []byte{k + 56, k + 57}) {
			t.Errorf("%d: %v %v %v", n, f.Y, f.U, f.V)
		}
	}
}

func TestRefused(t *testing.T) {
	for content, why := range map[string]string{
		"":                                       "ends within",
		"RIFF....WAVE":                           "begin with YUV4MPEG2",
		strings.Repeat("\x00", 100):              "begin with YUV4MPEG2",
		"YUV4MPEG2 W2 H2":                        "ends within",
		"YUV4MPEG2\n":                            "size 0x0",
		"YUV4MPEG2 W2 H2 F1:1\n":                 "no whole picture",
		"YUV4MPEG2 W2 H2 F1:1\nFRAME\nabc":       "no whole picture",
		"YUV4MPEG2 W2 H2 F1:1\nFRAMED\nabcdef":   "no FRAME",
		"YUV4MPEG2 W2 H2 Cmono\nFRAME\nabcdef":   "mono is not supported",
		"YUV4MPEG2 W2 H2 C444\n":                 "444 is not supported",
		"YUV4MPEG2 W2 H2 C420p10\n":              "420p10 is not supported",
		"YUV4MPEG2 W2 H2 It\n":                   "interlaced",
		"YUV4MPEG2 W99999 H99999\n":              "99999x99999 is out of range",
		"YUV4MPEG2 W-2 H2\n":                     "out of range",
		"YUV4MPEG2 W99999999999999999999 H2\n":   "W99999999999999999999",
		"YUV4MPEG2 W2 H2 F1:0\n":                 "frame rate",
		"YUV4MPEG2 W2 H2 F-1:1\n":                "frame rate",
		"YUV4MPEG2 W2 H2 Fx\n":                   "frame rate",
		"YUV4MPEG2 " + strings.Repeat("X", 5000): "begin with YUV4MPEG2",
	} {
		r, err := Open(save(t, []byte(content)))
		if err == nil {
			r.Close()
			t.Errorf("%.60q accepted", content)
		} else if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %v, want %q", content, err, why)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.y4m")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestWriterRefuses(t *testing.T) {
	for _, c := range []struct {
		w, h int
		fps  float64
	}{{0, 2, 30}, {3, 2, 30}, {2, 2, 0}, {99999, 2, 30}, {2, 2, 1e9}} {
		if _, err := NewWriter(io.Discard, c.w, c.h, c.fps); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
	w, err := NewWriter(io.Discard, 4, 4, 30)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(media.NewFrame(4, 6)); err == nil {
		t.Error("other size accepted")
	}
	if _, err := Create(filepath.Join(t.TempDir(), "none", "x.y4m"), 2, 2, 30); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	broken := brokenWriter{after: 1}
	if w, err = NewWriter(&broken, 4, 4, 30); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(media.NewFrame(4, 4)); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

var errFull = fmt.Errorf("disk full")

type brokenWriter struct{ after int }

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.after--; b.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestRates(t *testing.T) {
	for fps, want := range map[float64]string{
		30: "F30:1", 30000.0 / 1001: "F30000:1001", 29.97: "F30000:1001", 12.5: "F12500:1000", 0.5: "F500:1000",
	} {
		var out bytes.Buffer
		if _, err := NewWriter(&out, 2, 2, fps); err != nil || !strings.Contains(out.String(), " "+want+" ") {
			t.Errorf("%g: %v, %s", fps, err, out.String())
		}
	}
}

func TestFullRangeIsSqueezed(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, 2, 2, 30)
	if err != nil {
		t.Fatal(err)
	}
	f := media.NewFrame(2, 2)
	f.Fill(255, 128, 0)
	f.FullRange = true
	if err := w.Write(f); err != nil {
		t.Fatal(err)
	}
	if b := out.Bytes(); !bytes.HasSuffix(b, []byte{235, 235, 235, 235, 128, 16}) || !strings.Contains(string(b), "XCOLORRANGE=LIMITED\n") {
		t.Errorf("%q", b)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("YUV4MPEG2 W2 H2 F30:1 Ip A1:1 C420jpeg\nFRAME\nabcdefFRAME\nabc"))
	f.Add([]byte("YUV4MPEG2 W5 H3\nFRAME x\n012345678901234567890123456FRAME\n"))
	f.Add([]byte("YUV4MPEG2 W8192 H2 F0:0 C420mpeg2 XCOLORRANGE=FULL\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		if err := media.CheckSize(r.Width, r.Height); err != nil || !(r.FPS > 0) {
			t.Fatalf("%+v: %v", r, err)
		}
		frame := media.NewFrame(r.Width, r.Height)
		count := func() (n int) {
			for r.Next(frame) == nil {
				n++
			}
			return n
		}
		n := count()
		if err := r.Rewind(); err != nil {
			t.Fatal(err)
		}
		if m := count(); m != n || n*6 > len(b) {
			t.Errorf("%d pictures, then %d, of %d bytes", n, m, len(b))
		}
	})
}

func BenchmarkReadY4M_720p(b *testing.B) {
	var out bytes.Buffer
	w, err := NewWriter(&out, 1280, 720, 30)
	if err != nil {
		b.Fatal(err)
	}
	f := media.NewFrame(1280, 720)
	if err := w.Write(f); err != nil {
		b.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Next(f); err != nil {
			b.Fatal(err)
		}
		if err := r.Rewind(); err != nil {
			b.Fatal(err)
		}
	}
}
