package y4m

import (
	"fmt"
	"io"
	"math"
	"os"

	"visavis.example/internal/media"
)

// Writer writes one file in limited range, each picture whole and at once. It belongs to one goroutine.
type Writer struct {
	out     io.Writer
	closer  io.Closer
	w, h    int
	buf     []byte
	scratch *media.Frame
}

// Create makes the file, which Close closes.
func Create(path string, width, height int, fps float64) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create y4m: %w", err)
	}
	w, err := NewWriter(f, width, height, fps)
	if err != nil {
		f.Close()
		return nil, err
	}
	w.closer = f
	return w, nil
}

// NewWriter writes the header to out, which Close leaves open. Sizes are even, fps is kept to a thousandth at least.
func NewWriter(out io.Writer, width, height int, fps float64) (*Writer, error) {
	if err := media.CheckSize(width, height); err != nil {
		return nil, fmt.Errorf("create y4m: %w", err)
	}
	if width%2 != 0 || height%2 != 0 || !(fps >= 0.1 && fps <= 1000) {
		return nil, fmt.Errorf("create y4m: %dx%d at %g frames per second", width, height, fps)
	}
	num, den := ratio(fps)
	_, err := fmt.Fprintf(out, "%s W%d H%d F%d:%d Ip A1:1 C420jpeg XCOLORRANGE=LIMITED\n", magic, width, height, num, den)
	if err != nil {
		return nil, fmt.Errorf("create y4m: %w", err)
	}
	return &Writer{out: out, w: width, h: height}, nil
}

// ratio keeps whole rates and the 30000:1001 family exact.
func ratio(fps float64) (num, den int) {
	for _, r := range [][2]int{{1, 1}, {1000, 1001}} {
		if n := math.Round(fps * float64(r[1]) / float64(r[0])); math.Abs(n*float64(r[0])/float64(r[1])-fps) < 1e-3 {
			return int(n) * r[0], r[1]
		}
	}
	return int(math.Round(fps * 1000)), 1000
}

// Write adds a picture, whose size must be the file's.
func (w *Writer) Write(f *media.Frame) error {
	if f.Width != w.w || f.Height != w.h {
		return fmt.Errorf("write y4m: a %dx%d frame into %dx%d pictures", f.Width, f.Height, w.w, w.h)
	}
	if f.FullRange {
		if w.scratch == nil {
			w.scratch = media.NewFrame(w.w, w.h)
		}
		w.scratch.CopyLimited(f)
		f = w.scratch
	}
	w.buf = append(w.buf[:0], "FRAME\n"...)
	for y := range f.Height {
		w.buf = append(w.buf, f.Y[y*f.StrideY:][:f.Width]...)
	}
	for _, c := range [][]byte{f.U, f.V} {
		for y := range f.Height / 2 {
			w.buf = append(w.buf, c[y*f.StrideUV:][:f.Width/2]...)
		}
	}
	if _, err := w.out.Write(w.buf); err != nil {
		return fmt.Errorf("write y4m: %w", err)
	}
	return nil
}

// Close closes a file made by Create.
func (w *Writer) Close() error {
	if w.closer == nil {
		return nil
	}
	if err := w.closer.Close(); err != nil {
		return fmt.Errorf("close y4m: %w", err)
	}
	return nil
}
