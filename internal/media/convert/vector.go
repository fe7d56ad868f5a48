//go:build cgo

package convert

/*
#cgo CFLAGS: -O3
#include "vector.h"
#cgo noescape i420_rgba
#cgo nocallback i420_rgba
*/
import "C"

import (
	"image"
	"unsafe"

	"visavis.example/internal/media"
)

func fastest(dst *image.RGBA, src *media.Frame, w, h int, c *coefficients) {
	_ = dst.Pix[(h-1)*dst.Stride+4*w-1] // C does not check
	_ = src.Y[(h-1)*src.StrideY+w-1]
	_ = src.U[(h-1)/2*src.StrideUV+w/2-1]
	_ = src.V[(h-1)/2*src.StrideUV+w/2-1]
	k := C.coefficients{
		luma: C.int16_t(c.luma), offset: C.int16_t(c.offset), red: C.int16_t(c.red),
		green_u: C.int16_t(c.greenU), green_v: C.int16_t(c.greenV), blue: C.int16_t(c.blue),
	}
	C.i420_rgba(ptr(src.Y), C.int(src.StrideY), ptr(src.U), ptr(src.V), C.int(src.StrideUV),
		ptr(dst.Pix), C.int(dst.Stride), C.int(w), C.int(h), k)
}

func ptr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
