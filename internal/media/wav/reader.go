package wav

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"visavis.example/internal/media"
)

// Reader gives a file's sound as 48 kHz mono, all channels mixed. It belongs to one goroutine.
type Reader struct {
	Rate, Channels, Bits int // of the file

	in     io.ReadSeeker
	buf    *bufio.Reader
	sample func(b []byte) float32
	begin  int64 // of the first sample in the file
	size   int64 // of all samples in bytes; unknown is as good as endless
	left   int64
	raw    []byte
	rs     *resampler // nil at 48 kHz
	mono   []float32
}

const unknownSize = 0xFFFFFFFF // what programs write that cannot go back to patch it

// Open opens a file, which Close closes. It fails with ErrFormat when the file is something else, compressed or empty.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open wav: %w", err)
	}
	r, err := NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open wav %s: %w", path, err)
	}
	return r, nil
}

// NewReader reads the header of in, which stands at its beginning. Close closes in if it is an io.Closer.
func NewReader(in io.ReadSeeker) (*Reader, error) {
	r := &Reader{in: in, buf: bufio.NewReaderSize(in, 1<<15)}
	if err := r.header(); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it ends before its sound begins", ErrFormat)
		}
		return nil, err
	}
	if r.Rate != media.SampleRate {
		r.rs = newResampler(r.Rate)
	}
	if err := r.Rewind(); err != nil {
		return nil, err
	}
	if _, err := r.Read(make([]int16, 1)); err != nil { // so that a loop over the file cannot spin
		return nil, fmt.Errorf("%w: no sound in it", ErrFormat)
	}
	return r, r.Rewind()
}

// Read fills pcm as far as the file goes; the number of samples is short only at the end, and then io.EOF follows.
func (r *Reader) Read(pcm []int16) (int, error) {
	n := 0
	for n < len(pcm) {
		k, err := r.some(pcm[n:])
		n += k
		if err != nil {
			if n > 0 && errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		}
	}
	return n, nil
}

// Rewind goes back to the first sample.
func (r *Reader) Rewind() error {
	if _, err := r.in.Seek(r.begin, io.SeekStart); err != nil {
		return fmt.Errorf("rewind wav: %w", err)
	}
	r.buf.Reset(r.in)
	r.left = r.size
	if r.rs != nil {
		r.rs.reset()
	}
	return nil
}

// Close closes the file.
func (r *Reader) Close() error {
	if c, ok := r.in.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// some gives at least one sample, or io.EOF.
func (r *Reader) some(pcm []int16) (int, error) {
	if r.rs == nil {
		m, err := r.source(len(pcm))
		for i, v := range m {
			pcm[i] = toInt16(v)
		}
		return len(m), err
	}
	for {
		if n := r.rs.pull(pcm); n > 0 {
			return n, nil
		}
		if r.rs.ended {
			return 0, io.EOF
		}
		m, err := r.source(1024)
		if errors.Is(err, io.EOF) {
			r.rs.end()
		} else if err != nil {
			return 0, err
		}
		r.rs.push(m)
	}
}

// source reads at most n moments and mixes their channels; values are in the scale of 16 bits.
func (r *Reader) source(n int) ([]float32, error) {
	bytes := r.Bits / 8
	block := bytes * r.Channels
	n = int(min(int64(min(n, 4096)), r.left/int64(block)))
	if n == 0 {
		return nil, io.EOF
	}
	if cap(r.raw) < n*block {
		r.raw, r.mono = make([]byte, n*block), make([]float32, n)
	}
	raw := r.raw[:n*block]
	k, err := io.ReadFull(r.buf, raw)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read wav: %w", err)
	}
	if r.left -= int64(k); k < len(raw) {
		r.left = 0
	}
	mono := r.mono[:k/block]
	if len(mono) == 0 {
		return nil, io.EOF
	}
	for i := range mono {
		sum := float32(0)
		for c := range r.Channels {
			sum += r.sample(raw[i*block+c*bytes:])
		}
		mono[i] = sum / float32(r.Channels)
	}
	return mono, nil
}

func (r *Reader) header() error {
	var riff [12]byte
	if _, err := io.ReadFull(r.buf, riff[:]); err != nil {
		return err
	}
	if string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return fmt.Errorf("%w: it does not begin with RIFF and WAVE", ErrFormat)
	}
	at := int64(len(riff))
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(r.buf, chunk[:]); err != nil {
			return err
		}
		at += int64(len(chunk))
		id, size := string(chunk[:4]), int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch id {
		case "data":
			if r.sample == nil {
				return fmt.Errorf("%w: its sound comes before its format", ErrFormat)
			}
			r.begin, r.size = at, size
			if size == unknownSize {
				r.size = math.MaxInt64
			}
			return nil
		case "fmt ":
			if err := r.format(size); err != nil {
				return err
			}
		default:
			if err := r.skip(size); err != nil {
				return err
			}
		}
		at += size
		if size%2 == 1 { // chunks are padded to even sizes
			if err := r.skip(1); err != nil {
				return err
			}
			at++
		}
	}
}

func (r *Reader) skip(size int64) error {
	_, err := io.CopyN(io.Discard, r.buf, size)
	return err
}
