package media

import "fmt"

// Frames beyond these limits are refused wherever a size comes from outside: files, decoders, devices.
const (
	MaxSide = 8192
	MaxArea = 7680 * 4320
)

// CheckSize refuses sizes that no frame can have: below 2x2, or beyond MaxSide and MaxArea.
func CheckSize(width, height int) error {
	if width < 2 || height < 2 || width > MaxSide || height > MaxSide || width*height > MaxArea {
		return fmt.Errorf("picture size %dx%d is out of range", width, height)
	}
	return nil
}

// Fill paints the whole frame in one colour: 16, 128, 128 is black in limited range.
func (f *Frame) Fill(y, u, v byte) {
	fillPlane(f.Y, f.StrideY, f.Width, f.Height, y)
	fillPlane(f.U, f.StrideUV, f.Width/2, f.Height/2, u)
	fillPlane(f.V, f.StrideUV, f.Width/2, f.Height/2, v)
}

// CopyFrom copies the picture of src, which must have the same size, and what src says about it.
func (f *Frame) CopyFrom(src *Frame) {
	f.mustMatch(src)
	copyPlane(f.Y, f.StrideY, src.Y, src.StrideY, f.Width, f.Height)
	copyPlane(f.U, f.StrideUV, src.U, src.StrideUV, f.Width/2, f.Height/2)
	copyPlane(f.V, f.StrideUV, src.V, src.StrideUV, f.Width/2, f.Height/2)
	f.Captured, f.FullRange, f.Text, f.Number = src.Captured, src.FullRange, src.Text, src.Number
}

// CopyLimited is CopyFrom, but the copy is in limited range whatever src is.
func (f *Frame) CopyLimited(src *Frame) {
	f.CopyFrom(src)
	if !f.FullRange {
		return
	}
	mapPlane(f.Y, f.StrideY, f.Width, f.Height, &lumaToLimited)
	mapPlane(f.U, f.StrideUV, f.Width/2, f.Height/2, &chromaToLimited)
	mapPlane(f.V, f.StrideUV, f.Width/2, f.Height/2, &chromaToLimited)
	f.FullRange = false
}

func (f *Frame) mustMatch(src *Frame) {
	if f.Width != src.Width || f.Height != src.Height {
		panic(fmt.Sprintf("media: copy of a %dx%d frame into %dx%d", src.Width, src.Height, f.Width, f.Height))
	}
}

func fillPlane(p []byte, stride, w, h int, v byte) {
	for y := range h {
		row := p[y*stride:][:w]
		for x := range row {
			row[x] = v
		}
	}
}

func copyPlane(dst []byte, ds int, src []byte, ss, w, h int) {
	if ds == w && ss == w {
		copy(dst[:w*h], src[:w*h])
		return
	}
	for y := range h {
		copy(dst[y*ds:][:w], src[y*ss:][:w])
	}
}

func mapPlane(p []byte, stride, w, h int, table *[256]byte) {
	for y := range h {
		row := p[y*stride:][:w]
		for x, v := range row {
			row[x] = table[v]
		}
	}
}

// BT.601 in JFIF's full range (what MJPEG cameras give) squeezed into limited range.
var lumaToLimited, chromaToLimited [256]byte

func init() {
	for i := range 256 {
		lumaToLimited[i] = byte(16 + (i*219+127)/255)
		chromaToLimited[i] = byte((128*255 + (i-128)*224 + 127) / 255)
	}
}
