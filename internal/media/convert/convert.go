// Package convert turns frames into RGBA for the screen: BT.601 in limited range, or full range where the frame says so, off
// the UI thread. It is called by playout and by whoever saves a picture. It never scales and never keeps a frame.
package convert

import (
	"image"

	"visavis.example/internal/media"
)

// RGBA converts the part of src that dst has room for into dst, from the upper left corner of both. 720p takes about half a
// millisecond of one core with cgo, four times that without.
func RGBA(dst *image.RGBA, src *media.Frame) {
	w, h := min(dst.Rect.Dx(), src.Width)&^1, min(dst.Rect.Dy(), src.Height)
	if w < 2 || h < 1 {
		return
	}
	c := &limited
	if src.FullRange {
		c = &full
	}
	fastest(dst, src, w, h, c)
}

// coefficients are those of all implementations, in 7-bit fixed point (6 bits for blue, which would not fit 16-bit lanes):
//
//	luma = y*luma>>2 + offset            (5 bits left, rounding included)
//	red  = (luma + red*v>>2) >> 5        and so on, clipped to 0..255
type coefficients struct {
	luma, offset, red, greenU, greenV, blue int16
}

var (
	limited = coefficients{luma: 149, offset: 16 - 149*16/4, red: 204, greenU: -50, greenV: -104, blue: 129}
	full    = coefficients{luma: 128, offset: 16, red: 179, greenU: -44, greenV: -91, blue: 113}
)
