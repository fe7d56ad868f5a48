package convert

import (
	"encoding/binary"
	"image"

	"visavis.example/internal/media"
)

// tables hold every term of the sum, so that a pixel costs four look-ups and three clips.
type tables struct {
	luma, red, greenU, greenV, blue [256]int32
}

var (
	limitedTables = makeTables(&limited)
	fullTables    = makeTables(&full)
	clip          = makeClip()
)

const clipBase = 512 // index of value 0

func makeTables(c *coefficients) *tables {
	t := new(tables)
	for i := range int32(256) {
		x := i - 128
		t.luma[i] = i*int32(c.luma)>>2 + int32(c.offset)
		t.red[i] = x*int32(c.red)>>2 + clipBase<<5
		t.greenU[i] = x * int32(c.greenU)
		t.greenV[i] = x * int32(c.greenV)
		t.blue[i] = x*int32(c.blue)>>1 + clipBase<<5
	}
	return t
}

func makeClip() *[2048]uint8 {
	t := new([2048]uint8)
	for i := range t {
		t[i] = uint8(min(max(i-clipBase, 0), 255))
	}
	return t
}

// table is the conversion in plain Go, equal to the C code bit for bit.
func table(dst *image.RGBA, src *media.Frame, w, h int, c *coefficients) {
	t := limitedTables
	if c == &full {
		t = fullTables
	}
	for y := range h {
		ys := src.Y[y*src.StrideY:][:w]
		us := src.U[y/2*src.StrideUV:][:w/2]
		vs := src.V[y/2*src.StrideUV:][:w/2]
		o := dst.Pix[y*dst.Stride:][:4*w]
		for i, u := range us {
			v := vs[i]
			r, g, b := t.red[v], (t.greenU[u]+t.greenV[v])>>2+clipBase<<5, t.blue[u]
			pair := ys[2*i : 2*i+2 : 2*i+2]
			two := uint64(pixel(t.luma[pair[0]], r, g, b)) | uint64(pixel(t.luma[pair[1]], r, g, b))<<32
			binary.LittleEndian.PutUint64(o[8*i:], two)
		}
	}
}

func pixel(l, r, g, b int32) uint32 {
	return 0xff<<24 | uint32(clip[(l+b)>>5&2047])<<16 | uint32(clip[(l+g)>>5&2047])<<8 | uint32(clip[(l+r)>>5&2047])
}
