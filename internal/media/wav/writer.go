package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"visavis.example/internal/media"
)

// Writer writes a 48 kHz mono 16-bit file. It belongs to one goroutine.
type Writer struct {
	file    *os.File
	written int64 // bytes of sound
	patched int64 // what the header says
	buf     []byte
}

const (
	headerSize   = 44
	secondBytes  = media.SampleRate * 2
	maxDataBytes = math.MaxUint32 - headerSize // RIFF sizes have 32 bits: 12 hours
)

// Create makes the file, which Close finishes.
func Create(path string) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create wav: %w", err)
	}
	w := &Writer{file: f}
	if _, err := f.Write(header(0)); err != nil {
		f.Close()
		return nil, fmt.Errorf("create wav: %w", err)
	}
	return w, nil
}

// Write adds samples. The header is brought up to date each second of sound, so that a file whose program was killed lacks
// one second at most.
func (w *Writer) Write(pcm []int16) error {
	if w.written+int64(2*len(pcm)) > maxDataBytes {
		return errors.New("write wav: the file is full (12 hours)")
	}
	w.buf = w.buf[:0]
	for _, v := range pcm {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(v))
	}
	n, err := w.file.Write(w.buf)
	w.written += int64(n)
	if err == nil && w.written-w.patched >= secondBytes {
		err = w.patch()
	}
	if err != nil {
		return fmt.Errorf("write wav: %w", err)
	}
	return nil
}

// Close finishes the file.
func (w *Writer) Close() error {
	err := w.patch()
	if closeErr := w.file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("close wav: %w", err)
	}
	return nil
}

func (w *Writer) patch() error {
	_, err := w.file.WriteAt(header(uint32(w.written)), 0)
	w.patched = w.written
	return err
}

func header(size uint32) []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, headerSize), "RIFF"...)
	b = le.AppendUint32(b, size+headerSize-8)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, formatPCM)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, media.SampleRate)
	b = le.AppendUint32(b, secondBytes)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	return le.AppendUint32(b, size)
}
