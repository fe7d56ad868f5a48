package vpx

/*
#cgo noescape dec_packet
#cgo nocallback dec_packet
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"visavis.example/internal/media"
)

// Decoder turns packets into frames. It belongs to one goroutine.
type Decoder struct {
	codec Codec
	c     *C.dec
}

// NewDecoder opens libvpx; the caller must Close.
func NewDecoder(codec Codec) (*Decoder, error) {
	if codec != VP8 && codec != VP9 {
		return nil, fmt.Errorf("open video decoder: unknown %v", codec)
	}
	d := &Decoder{codec: codec}
	if code := C.dec_open(&d.c, C.int(boolInt(codec == VP8)), MaxArea); code != 0 {
		return nil, fmt.Errorf("open %v decoder: libvpx error %d", codec, int(code))
	}
	return d, nil
}

// Decode decodes one whole frame of the stream and gives it with one reference: VP9's in libvpx's own memory, without a
// copy, unless a dozen of them are held already; VP8's in a frame of pool, because libvpx lends it for a moment only. The
// frame is nil when the packet
// shows nothing (VP9's hidden frames). An error is ErrCorrupt or ErrSize; decoding can go on with the next key frame. Until
// one came, other packets are ErrCorrupt too.
func (d *Decoder) Decode(packet []byte, pool *media.Pool) (*media.Frame, error) {
	if d.c == nil {
		return nil, fmt.Errorf("decode %v: %w", d.codec, ErrClosed)
	}
	if len(packet) == 0 {
		return nil, fmt.Errorf("decode %v: %w: empty", d.codec, ErrCorrupt)
	}
	if h := Inspect(d.codec, packet); h.Width > 0 {
		if err := checkSize(h.Width, h.Height); err != nil {
			return nil, fmt.Errorf("decode %v: %w", d.codec, err)
		}
	}
	var p C.dec_picture
	if code := C.dec_packet(d.c, bytePtr(packet), C.uint(len(packet)), &p); code != 0 {
		return nil, fmt.Errorf("decode %v: %w: %s", d.codec, ErrCorrupt, C.GoString(C.dec_error(d.c)))
	}
	if p.y == nil {
		return nil, nil
	}
	f, err := d.handOut(&p, pool)
	if err != nil && p.held != nil {
		C.dec_release(p.held)
	}
	return f, err
}

// Close frees the decoder. More than once does nothing.
func (d *Decoder) Close() {
	if d.c != nil {
		C.dec_close(d.c)
		d.c = nil
	}
}

// handOut makes a frame of what libvpx decoded; an odd last column or row is cut.
func (d *Decoder) handOut(p *C.dec_picture, pool *media.Pool) (*media.Frame, error) {
	if p.i420 == 0 {
		return nil, fmt.Errorf("decode %v: %w: not 8-bit 4:2:0", d.codec, ErrCorrupt)
	}
	if err := checkSize(int(p.width), int(p.height)); err != nil {
		return nil, fmt.Errorf("decode %v: %w", d.codec, err)
	}
	var f *media.Frame
	if held := p.held; held != nil {
		w, h := int(p.width)&^1, int(p.height)&^1
		f = media.Borrowed(w, h, rows(p.y, p.stride_y, h), rows(p.u, p.stride_u, h/2), rows(p.v, p.stride_v, h/2),
			int(p.stride_y), int(p.stride_u), func() { C.dec_release(held) })
	} else {
		f = pool.Get(int(p.width), int(p.height))
		copyRows(f.Y, f.StrideY, p.y, p.stride_y, f.Width, f.Height)
		copyRows(f.U, f.StrideUV, p.u, p.stride_u, f.Width/2, f.Height/2)
		copyRows(f.V, f.StrideUV, p.v, p.stride_v, f.Width/2, f.Height/2)
	}
	f.FullRange = p.full_range != 0
	return f, nil
}

// rows is a plane of libvpx's, whose memory goes on below it by some rows of border.
func rows(p *C.uint8_t, stride C.int, h int) []byte { return unsafe.Slice((*byte)(p), int(stride)*h) }

func copyRows(dst []byte, ds int, src *C.uint8_t, ss C.int, w, h int) {
	from := unsafe.Slice((*byte)(src), int(ss)*(h-1)+w)
	for y := range h {
		copy(dst[y*ds:][:w], from[y*int(ss):])
	}
}
