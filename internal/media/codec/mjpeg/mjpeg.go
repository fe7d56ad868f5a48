// Package mjpeg decodes the JPEG pictures of cameras with libjpeg-turbo: straight into I420 planes, without a detour over
// RGB. Package capture owns a Decoder per camera. It never opens a device; what a broken camera sends ends as an error.
package mjpeg

/*
#cgo pkg-config: libjpeg
#cgo CFLAGS: -O3
#cgo noescape mj_decode
#cgo nocallback mj_decode
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"visavis.example/internal/media"
)

// Errors to tell apart with errors.Is.
var (
	ErrBroken = errors.New("JPEG picture cannot be decoded") // also: it is damaged, and shown it would be partly grey
	ErrKind   = errors.New("JPEG picture is of a kind that no camera sends")
	ErrClosed = errors.New("JPEG decoder is closed")
)

// Decoder belongs to one goroutine.
type Decoder struct{ c *C.mj }

// NewDecoder opens libjpeg; the caller must Close.
func NewDecoder() (*Decoder, error) {
	c := C.mj_open()
	if c == nil {
		return nil, errors.New("open JPEG decoder: out of memory")
	}
	return &Decoder{c}, nil
}

// Close frees the decoder. More than once does nothing.
func (d *Decoder) Close() {
	if d.c != nil {
		C.mj_close(d.c)
		d.c = nil
	}
}

// Decode gives a frame of pool with one reference, in limited range. Baseline pictures in 4:2:0, 4:2:2, 4:4:0, 4:4:4 and
// grey are known, with Huffman tables or without, as AVI's MJPEG. Odd sizes lose their last column or row.
func (d *Decoder) Decode(data []byte, pool *media.Pool) (*media.Frame, error) {
	if d.c == nil {
		return nil, ErrClosed
	}
	width, height, ok := size(data)
	if !ok {
		return nil, fmt.Errorf("%w: no size", ErrBroken)
	}
	if err := media.CheckSize(width, height); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	f := pool.Get(width, height)
	code := C.mj_decode(d.c, pointer(data), C.size_t(len(data)), C.int(width), C.int(height),
		pointer(f.Y), pointer(f.U), pointer(f.V), C.int(f.StrideY), C.int(f.StrideUV))
	if code == C.MJ_OK {
		return f, nil
	}
	f.Release()
	switch code {
	case C.MJ_KIND:
		return nil, ErrKind
	case C.MJ_SIZE:
		return nil, fmt.Errorf("%w: two sizes", ErrBroken)
	case C.MJ_MEMORY:
		return nil, errors.New("decode JPEG: out of memory")
	}
	return nil, fmt.Errorf("%w: %s", ErrBroken, C.GoString(C.mj_error(d.c)))
}

func pointer(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

// size finds the size in the frame header (ITU-T T.81 sections B.1.1 and B.2.2).
func size(p []byte) (width, height int, ok bool) {
	if len(p) < 4 || p[0] != 0xff || p[1] != 0xd8 {
		return 0, 0, false
	}
	for at := 2; at+4 <= len(p); {
		if p[at] != 0xff {
			return 0, 0, false
		}
		marker := p[at+1]
		switch {
		case marker == 0xff: // fill byte
			at++
			continue
		case marker == 0x01, marker >= 0xd0 && marker <= 0xd7: // without a length
			at += 2
			continue
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if at+9 > len(p) {
				return 0, 0, false
			}
			return int(p[at+7])<<8 | int(p[at+8]), int(p[at+5])<<8 | int(p[at+6]), true
		case marker == 0xd9, marker == 0xda:
			return 0, 0, false
		}
		at += 2 + int(p[at+2])<<8 + int(p[at+3])
	}
	return 0, 0, false
}
