//go:build !noh264

package h264

/*
#cgo pkg-config: openh264
#cgo CFLAGS: -O2
#cgo noescape h264_dec_packet
#cgo nocallback h264_dec_packet
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"visavis.example/internal/media"
)

// Available says whether the codec was built in.
const Available = true

// Encoder turns frames into packets. It belongs to one goroutine.
type Encoder struct {
	cfg       EncoderConfig
	c         *C.h264enc
	bitrate   int
	keyWanted bool
	scratch   *media.Frame
	packet    []byte
}

// NewEncoder opens OpenH264; the caller must Close.
func NewEncoder(cfg EncoderConfig) (*Encoder, error) {
	if !(cfg.FPS >= 1 && cfg.FPS <= 240) || cfg.BitrateBps <= 0 {
		return nil, fmt.Errorf("open H.264 encoder: %g frames per second at %d bit/s", cfg.FPS, cfg.BitrateBps)
	}
	e := &Encoder{cfg: cfg, bitrate: cfg.BitrateBps}
	if err := e.open(cfg.Width&^1, cfg.Height&^1); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Encoder) open(width, height int) error {
	if err := checkSize(width, height); err != nil {
		return fmt.Errorf("open H.264 encoder: %w", err)
	}
	var c *C.h264enc
	if code := C.h264_enc_open(&c, C.int(width), C.int(height), C.float(e.cfg.FPS), C.int(e.bitrate)); code != 0 {
		return fmt.Errorf("open H.264 encoder: OpenH264 error %d", int(code))
	}
	e.Close()
	e.c, e.cfg.Width, e.cfg.Height = c, width, height
	return nil
}

// SetBitrate takes effect with the next frame. Rates are kept within 30 kbit/s and 50 Mbit/s.
func (e *Encoder) SetBitrate(bps int) {
	bps = min(max(bps, 30_000), 50_000_000)
	if e.c != nil && bps != e.bitrate && C.h264_enc_rate(e.c, C.int(bps)) == 0 {
		e.bitrate = bps
	}
}

// Encode codes f, captured at pts (90 kHz, of any origin). The packet, in Annex B form (start codes), is valid until the
// next Encode; it is nil when the rate control left the frame out. A wish for a key frame outlives such a frame. A frame
// of another size begins anew with a key frame. A full-range frame is squeezed into limited range first.
func (e *Encoder) Encode(f *media.Frame, pts int64, forceKey bool) (packet []byte, key bool, err error) {
	if e.c == nil {
		return nil, false, ErrClosed
	}
	if f.Width != e.cfg.Width || f.Height != e.cfg.Height {
		if err := e.open(f.Width, f.Height); err != nil {
			return nil, false, err
		}
	}
	if f.FullRange {
		if e.scratch == nil || e.scratch.Width != f.Width || e.scratch.Height != f.Height {
			e.scratch = media.NewFrame(f.Width, f.Height)
		}
		e.scratch.CopyLimited(f)
		f = e.scratch
	}
	e.keyWanted = e.keyWanted || forceKey
	var data *C.uint8_t
	var size C.size_t
	var isKey C.int
	wanted := C.int(0)
	if e.keyWanted {
		wanted = 1
	}
	if code := C.h264_enc_frame(e.c, pointer(f.Y), pointer(f.U), pointer(f.V), C.int(f.StrideY), C.int(f.StrideUV),
		C.int64_t(pts/90), wanted, &data, &size, &isKey); code != 0 {
		return nil, false, fmt.Errorf("encode H.264: OpenH264 error %d", int(code))
	}
	if size == 0 {
		return nil, false, nil
	}
	if isKey != 0 {
		e.keyWanted = false
	}
	e.packet = append(e.packet[:0], unsafe.Slice((*byte)(data), int(size))...)
	return e.packet, isKey != 0, nil
}

// Close frees the encoder. More than once does nothing.
func (e *Encoder) Close() {
	if e.c != nil {
		C.h264_enc_close(e.c)
		e.c = nil
	}
}

// Decoder turns packets into frames. It belongs to one goroutine.
type Decoder struct{ c *C.h264dec }

// NewDecoder opens OpenH264; the caller must Close.
func NewDecoder() (*Decoder, error) {
	d := &Decoder{}
	if code := C.h264_dec_open(&d.c); code != 0 {
		return nil, fmt.Errorf("open H.264 decoder: OpenH264 error %d", int(code))
	}
	return d, nil
}

// Decode decodes one whole picture in Annex B form into a frame of pool with one reference; the frame is nil when there
// is nothing to show. An error is ErrCorrupt or ErrSize; decoding can go on with the next key frame.
func (d *Decoder) Decode(packet []byte, pool *media.Pool) (*media.Frame, error) {
	if d.c == nil {
		return nil, ErrClosed
	}
	if len(packet) == 0 || len(packet) > maxPacket {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(packet))
	}
	var p C.h264_picture
	if code := C.h264_dec_packet(d.c, pointer(packet), C.size_t(len(packet)), &p); code != 0 {
		return nil, fmt.Errorf("%w: state %#x", ErrCorrupt, int(code))
	}
	if p.y == nil {
		return nil, nil
	}
	w, h := int(p.width), int(p.height)
	if err := checkSize(w, h); err != nil {
		return nil, err
	}
	f := pool.Get(w, h)
	copyRows(f.Y, f.StrideY, p.y, p.stride, f.Width, f.Height)
	copyRows(f.U, f.StrideUV, p.u, p.stride_uv, f.Width/2, f.Height/2)
	copyRows(f.V, f.StrideUV, p.v, p.stride_uv, f.Width/2, f.Height/2)
	return f, nil
}

const maxPacket = 4 << 20

// Close frees the decoder. More than once does nothing.
func (d *Decoder) Close() {
	if d.c != nil {
		C.h264_dec_close(d.c)
		d.c = nil
	}
}

func copyRows(dst []byte, ds int, src *C.uint8_t, ss C.int, w, h int) {
	from := unsafe.Slice((*byte)(src), int(ss)*(h-1)+w)
	for y := range h {
		copy(dst[y*ds:][:w], from[y*int(ss):])
	}
}

func pointer(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
