package media

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
)

// FromImage turns what a device or file decoder gives into a frame of pool with one reference, always limited range.
// fullRange says how an *image.YCbCr is to be read: MJPEG cameras and JPEG files are full, raw camera formats limited.
// RGBA and YCbCr are fast, any other type goes through image/draw. Odd sizes lose their last column or row.
func FromImage(pool *Pool, img image.Image, fullRange bool) (*Frame, error) {
	switch m := img.(type) {
	case *image.RGBA:
		return FromRGBA(pool, m)
	case *image.YCbCr:
		return FromYCbCr(pool, m, fullRange)
	}
	b := img.Bounds()
	if err := CheckSize(b.Dx(), b.Dy()); err != nil {
		return nil, err
	}
	m := image.NewRGBA(b)
	draw.Draw(m, b, img, b.Min, draw.Src)
	return FromRGBA(pool, m)
}

// FromYCbCr copies a camera picture of any subsampling; see FromImage for fullRange, ownership and odd sizes.
func FromYCbCr(pool *Pool, src *image.YCbCr, fullRange bool) (*Frame, error) {
	r := src.Rect
	if err := checkYCbCr(src); err != nil {
		return nil, err
	}
	f := pool.Get(r.Dx(), r.Dy())
	copyPlane(f.Y, f.StrideY, src.Y[src.YOffset(r.Min.X, r.Min.Y):], src.YStride, f.Width, f.Height)
	co := src.COffset(r.Min.X, r.Min.Y)
	cb, cr, cs := src.Cb[co:], src.Cr[co:], src.CStride
	cw, ch := f.Width/2, f.Height/2
	switch src.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		copyPlane(f.U, f.StrideUV, cb, cs, cw, ch)
		copyPlane(f.V, f.StrideUV, cr, cs, cw, ch)
	case image.YCbCrSubsampleRatio422:
		averageRows(f.U, f.StrideUV, cb, cs, cw, ch)
		averageRows(f.V, f.StrideUV, cr, cs, cw, ch)
	case image.YCbCrSubsampleRatio444:
		halve(view{f.U, f.StrideUV, cw, ch}, view{cb, cs, 2 * cw, 2 * ch})
		halve(view{f.V, f.StrideUV, cw, ch}, view{cr, cs, 2 * cw, 2 * ch})
	default: // 4:4:0, 4:1:1 and 4:1:0 are rare enough for the slow way
		for y := range ch {
			for x := range cw {
				o := src.COffset(r.Min.X+2*x, r.Min.Y+2*y)
				f.U[y*f.StrideUV+x], f.V[y*f.StrideUV+x] = src.Cb[o], src.Cr[o]
			}
		}
	}
	if fullRange {
		mapPlane(f.Y, f.StrideY, f.Width, f.Height, &lumaToLimited)
		mapPlane(f.U, f.StrideUV, cw, ch, &chromaToLimited)
		mapPlane(f.V, f.StrideUV, cw, ch, &chromaToLimited)
	}
	return f, nil
}

// checkYCbCr refuses pictures whose planes are shorter than their size says, as broken camera drivers hand out.
func checkYCbCr(m *image.YCbCr) error {
	r := m.Rect
	if err := CheckSize(r.Dx(), r.Dy()); err != nil {
		return err
	}
	y, c := m.YOffset(r.Max.X-1, r.Max.Y-1), m.COffset(r.Max.X-1, r.Max.Y-1)
	if y >= len(m.Y) || c >= len(m.Cb) || c >= len(m.Cr) {
		return fmt.Errorf("picture of %dx%d has too little data", r.Dx(), r.Dy())
	}
	return nil
}

// averageRows makes one chroma row of two: 4:2:2 to 4:2:0.
func averageRows(dst []byte, ds int, src []byte, ss, w, h int) {
	for y := range h {
		mixRows(dst[y*ds:][:w], src[2*y*ss:][:w], src[(2*y+1)*ss:][:w], 128)
	}
}

// FromRGBA converts a screen picture (BT.601, limited range, chroma averaged over 2x2 pixels, alpha ignored); see FromImage
// for ownership and odd sizes.
func FromRGBA(pool *Pool, src *image.RGBA) (*Frame, error) {
	r := src.Rect
	if err := CheckSize(r.Dx(), r.Dy()); err != nil {
		return nil, err
	}
	if src.PixOffset(r.Max.X-1, r.Max.Y-1)+4 > len(src.Pix) {
		return nil, fmt.Errorf("picture of %dx%d has too little data", r.Dx(), r.Dy())
	}
	f := pool.Get(r.Dx(), r.Dy())
	pix := src.Pix[src.PixOffset(r.Min.X, r.Min.Y):]
	for y := 0; y < f.Height; y += 2 {
		a, b := pix[y*src.Stride:][:4*f.Width], pix[(y+1)*src.Stride:][:4*f.Width]
		c := y / 2 * f.StrideUV
		rgbaRows(f.Y[y*f.StrideY:][:f.Width], f.Y[(y+1)*f.StrideY:][:f.Width], f.U[c:][:f.Width/2], f.V[c:][:f.Width/2], a, b)
	}
	return f, nil
}

// rgbaRows converts two rows of pixels a and b into two of luma and one of each chroma: 2x2 pixels at a time, one 16-bit
// lane each, in the order a0 b0 a1 b1.
func rgbaRows(ya, yb, u, v, a, b []byte) {
	const (
		low   = 0x000000ff000000ff
		each  = 0x0001000100010001
		round = (16<<8 + 128) * each
	)
	v = v[:len(u)]
	for x := range u {
		p, q := binary.LittleEndian.Uint64(a[8*x:]), binary.LittleEndian.Uint64(b[8*x:])
		red := p&low | q&low<<16
		green := p>>8&low | q>>8&low<<16
		blue := p>>16&low | q>>16&low<<16
		l := (66*red + 129*green + 25*blue + round) >> 8 // at most 60324 before the shift
		ya[2*x], ya[2*x+1] = byte(l), byte(l>>32)
		yb[2*x], yb[2*x+1] = byte(l>>16), byte(l>>48)
		r, g, b := int32(red*each>>48), int32(green*each>>48), int32(blue*each>>48) // sums of four
		u[x] = byte((-38*r - 74*g + 112*b + 128<<10 + 512) >> 10)
		v[x] = byte((112*r - 94*g - 18*b + 128<<10 + 512) >> 10)
	}
}

func luma(p uint32) byte {
	return byte((66*(p&255) + 129*(p>>8&255) + 25*(p>>16&255) + 16<<8 + 128) >> 8)
}

// YUV is what FromRGBA makes of a single colour, for painting into frames.
func YUV(c color.Color) (y, u, v byte) {
	r16, g16, b16, _ := c.RGBA()
	r, g, b := int32(r16>>8), int32(g16>>8), int32(b16>>8)
	y = luma(uint32(r) | uint32(g)<<8 | uint32(b)<<16)
	u = byte((-38*r - 74*g + 112*b + 128<<8 + 128) >> 8)
	v = byte((112*r - 94*g - 18*b + 128<<8 + 128) >> 8)
	return y, u, v
}
