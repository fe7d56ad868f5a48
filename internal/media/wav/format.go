package wav

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// format reads the fmt chunk.
func (r *Reader) format(size int64) error {
	if size < 16 || size > 1024 {
		return fmt.Errorf("%w: its format chunk has %d bytes", ErrFormat, size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.buf, b); err != nil {
		return err
	}
	kind := int(binary.LittleEndian.Uint16(b))
	if kind == formatExtensible && size >= 26 {
		kind = int(binary.LittleEndian.Uint16(b[24:]))
	}
	r.Channels, r.Rate = int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint32(b[4:]))
	r.Bits = int(binary.LittleEndian.Uint16(b[14:]))
	if r.Channels < 1 || r.Channels > 64 || r.Rate < minRate || r.Rate > maxRate {
		return fmt.Errorf("%w: %d channels at %d Hz", ErrFormat, r.Channels, r.Rate)
	}
	if r.sample = decoder(kind, r.Bits); r.sample == nil {
		return fmt.Errorf("%w: format %#x with %d bits; only PCM and float are read (ffmpeg -c:a pcm_s16le makes it)", ErrFormat, kind, r.Bits)
	}
	return nil
}

// decoder gives the function that reads one sample, nil for formats that are not known.
func decoder(kind, bits int) func([]byte) float32 {
	le := binary.LittleEndian
	switch {
	case kind == formatPCM && bits == 8:
		return func(b []byte) float32 { return (float32(b[0]) - 128) * 256 }
	case kind == formatPCM && bits == 16:
		return func(b []byte) float32 { return float32(int16(le.Uint16(b))) }
	case kind == formatPCM && bits == 24:
		return func(b []byte) float32 {
			return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / 65536
		}
	case kind == formatPCM && bits == 32:
		return func(b []byte) float32 { return float32(int32(le.Uint32(b))) / 65536 }
	case kind == formatFloat && bits == 32:
		return func(b []byte) float32 { return finite(float64(math.Float32frombits(le.Uint32(b)))) }
	case kind == formatFloat && bits == 64:
		return func(b []byte) float32 { return finite(math.Float64frombits(le.Uint64(b))) }
	}
	return nil
}

// finite brings a float sample into the scale of 16 bits; what is no number becomes silence, what is too loud is clipped
// early, so that it cannot spoil its neighbours in the resampler.
func finite(v float64) float32 {
	if math.IsNaN(v) {
		return 0
	}
	return float32(min(max(v*32768, -65536), 65536))
}

func toInt16(v float32) int16 {
	return int16(math.RoundToEven(float64(min(max(v, math.MinInt16), math.MaxInt16))))
}
