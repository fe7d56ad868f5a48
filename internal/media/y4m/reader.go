package y4m

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"visavis.example/internal/media"
)

// Reader reads one file. It belongs to one goroutine.
type Reader struct {
	Width, Height int     // of the frames it gives, even
	FPS           float64 // 30 when the file does not say
	FullRange     bool

	in           io.Reader
	buf          *bufio.Reader
	fileW, fileH int
	body         int64 // where the first picture begins
}

// Open opens a file, which Close closes. It fails with ErrFormat when the file is something else or holds no whole picture.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open y4m: %w", err)
	}
	r, err := NewReader(f)
	if err == nil {
		err = r.probe()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open y4m %s: %w", path, err)
	}
	return r, nil
}

// NewReader reads the header of in. Rewind works if in is an io.Seeker, and Close closes in if it is an io.Closer.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: in, buf: bufio.NewReaderSize(in, 1<<16), FPS: defaultFPS}
	line, err := r.line()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: it ends within its first line", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	if err := r.header(line); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	r.body = int64(len(line)) + 1
	return r, nil
}

// Next reads the next picture into f, whose size must be the reader's. At the end, and at a last picture that is cut off, it
// gives io.EOF.
func (r *Reader) Next(f *media.Frame) error {
	if f.Width != r.Width || f.Height != r.Height {
		return fmt.Errorf("read y4m: a %dx%d frame for %dx%d pictures", f.Width, f.Height, r.Width, r.Height)
	}
	if err := r.frameLine(); err != nil {
		return err
	}
	cw, ch := (r.fileW+1)/2, (r.fileH+1)/2
	for _, p := range []struct {
		pix                  []byte
		stride, w, h, fw, fh int
	}{
		{f.Y, f.StrideY, f.Width, f.Height, r.fileW, r.fileH},
		{f.U, f.StrideUV, f.Width / 2, f.Height / 2, cw, ch},
		{f.V, f.StrideUV, f.Width / 2, f.Height / 2, cw, ch},
	} {
		if err := r.plane(p.pix, p.stride, p.w, p.h, p.fw, p.fh); err != nil {
			return endOfFile(err)
		}
	}
	f.FullRange = r.FullRange
	return nil
}

// Skip leaves the next picture out. At the end it gives io.EOF.
func (r *Reader) Skip() error {
	if err := r.frameLine(); err != nil {
		return err
	}
	cw, ch := (r.fileW+1)/2, (r.fileH+1)/2
	if err := r.discard(r.fileW*r.fileH + 2*cw*ch); err != nil {
		return endOfFile(err)
	}
	return nil
}

// Rewind goes back to the first picture.
func (r *Reader) Rewind() error {
	s, ok := r.in.(io.Seeker)
	if !ok {
		return errors.New("rewind y4m: not a file")
	}
	if _, err := s.Seek(r.body, io.SeekStart); err != nil {
		return fmt.Errorf("rewind y4m: %w", err)
	}
	r.buf.Reset(r.in)
	return nil
}

// Close closes the file.
func (r *Reader) Close() error {
	if c, ok := r.in.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// probe makes sure that there is a picture, so that a loop over the file cannot spin.
func (r *Reader) probe() error {
	err := r.Next(media.NewFrame(r.Width, r.Height))
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: no whole picture in it", ErrFormat)
	}
	if err != nil {
		return err
	}
	return r.Rewind()
}

// line reads up to a newline, which it cuts off.
func (r *Reader) line() (string, error) {
	var line []byte
	for len(line) < maxLine {
		c, err := r.buf.ReadByte()
		if errors.Is(err, io.EOF) {
			if len(line) == 0 {
				return "", io.EOF
			}
			return "", io.ErrUnexpectedEOF
		}
		if err != nil {
			return "", fmt.Errorf("read y4m: %w", err)
		}
		if c == '\n' {
			return string(line), nil
		}
		line = append(line, c)
		if n := min(len(line), len(magic)); r.body == 0 && !bytes.Equal(line[:n], []byte(magic[:n])) {
			break // not ours: do not show binary data to people
		}
	}
	if r.body == 0 {
		return "", fmt.Errorf("%w: it does not begin with YUV4MPEG2", ErrFormat)
	}
	return "", fmt.Errorf("%w: no FRAME where one should begin", ErrFormat)
}

func (r *Reader) header(line string) error {
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] != magic {
		return errors.New("no YUV4MPEG2 at the beginning")
	}
	for _, f := range fields[1:] {
		var err error
		switch value := f[1:]; f[0] {
		case 'W':
			r.fileW, err = strconv.Atoi(value)
		case 'H':
			r.fileH, err = strconv.Atoi(value)
		case 'F':
			r.FPS, err = parseRate(value)
		case 'I':
			if value != "p" && value != "?" {
				err = errors.New("interlaced video is not supported")
			}
		case 'C':
			err = checkColour(value)
		case 'X':
			r.FullRange = r.FullRange || value == "COLORRANGE=FULL"
		}
		if err != nil {
			return fmt.Errorf("header field %q: %w", f, err)
		}
	}
	if err := media.CheckSize(r.fileW, r.fileH); err != nil {
		return err
	}
	r.Width, r.Height = r.fileW&^1, r.fileH&^1
	return nil
}

// parseRate reads "30000:1001"; "0:0" means unknown.
func parseRate(s string) (float64, error) {
	var num, den int
	if _, err := fmt.Sscanf(s, "%d:%d", &num, &den); err != nil {
		return 0, errors.New("a frame rate is two numbers with a colon")
	}
	if num == 0 && den == 0 {
		return defaultFPS, nil
	}
	fps := float64(num) / float64(den)
	if !(fps >= 0.1 && fps <= 1000) {
		return 0, errors.New("frame rate out of range")
	}
	return fps, nil
}

// checkColour accepts 8-bit 4:2:0 wherever its chroma samples lie: half a pixel is not seen.
func checkColour(s string) error {
	switch s {
	case "420", "420jpeg", "420mpeg2", "420paldv":
		return nil
	}
	return fmt.Errorf("colour format %s is not supported, only 8-bit 4:2:0 (ffmpeg -pix_fmt yuv420p makes it)", s)
}

func (r *Reader) frameLine() error {
	line, err := r.line()
	if err != nil {
		return endOfFile(err)
	}
	if line != "FRAME" && !strings.HasPrefix(line, "FRAME ") {
		return fmt.Errorf("%w: no FRAME where one should begin", ErrFormat)
	}
	return nil
}

// plane reads fw x fh bytes, of which f keeps w x h.
func (r *Reader) plane(pix []byte, stride, w, h, fw, fh int) error {
	if fw == w && stride == w {
		if _, err := io.ReadFull(r.buf, pix[:w*h]); err != nil {
			return err
		}
		return r.discard((fh - h) * fw)
	}
	for y := range h {
		if _, err := io.ReadFull(r.buf, pix[y*stride:][:w]); err != nil {
			return err
		}
		if err := r.discard(fw - w); err != nil {
			return err
		}
	}
	return r.discard((fh - h) * fw)
}

func (r *Reader) discard(n int) error {
	_, err := r.buf.Discard(n)
	return err
}

// endOfFile makes a picture that is cut off the end of the file.
func endOfFile(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return fmt.Errorf("read y4m: %w", err)
}
