package media

import (
	"encoding/binary"
	"sync"
)

// Scale draws src into dst as large as fits with its aspect kept, in the middle of black bars, and takes over
// what else src says. Shrinking halves by averaging as long as it can and ends bilinear, so nothing flickers; enlarging is bilinear.
// Safe for concurrent use; the frames must differ.
func Scale(dst, src *Frame) {
	if dst.Width == src.Width && dst.Height == src.Height {
		dst.CopyFrom(src)
		return
	}
	dst.Captured, dst.FullRange, dst.Text, dst.Number = src.Captured, src.FullRange, src.Text, src.Number
	w, h := fit(dst.Width, dst.Height, src.Width, src.Height)
	x, y := (dst.Width-w)/2&^1, (dst.Height-h)/2&^1
	bars(dst, x, y, w, h)
	s := scalers.Get().(*scaler)
	defer scalers.Put(s)
	s.plane(view{dst.Y[y*dst.StrideY+x:], dst.StrideY, w, h}, view{src.Y, src.StrideY, src.Width, src.Height})
	w, h, x, y = w/2, h/2, x/2, y/2
	sw, sh := src.Width/2, src.Height/2
	s.plane(view{dst.U[y*dst.StrideUV+x:], dst.StrideUV, w, h}, view{src.U, src.StrideUV, sw, sh})
	s.plane(view{dst.V[y*dst.StrideUV+x:], dst.StrideUV, w, h}, view{src.V, src.StrideUV, sw, sh})
}

// Fit is the even size nearest to src's aspect that fits into a box.
func Fit(boxW, boxH, srcW, srcH int) (w, h int) {
	return fit(max(boxW&^1, 2), max(boxH&^1, 2), srcW, srcH)
}

func fit(boxW, boxH, srcW, srcH int) (w, h int) {
	if boxW*srcH <= boxH*srcW {
		return boxW, max((boxW*srcH+srcW)/(2*srcW)*2, 2)
	}
	return max((boxH*srcW+srcH)/(2*srcH)*2, 2), boxH
}

// bars blackens what the picture at x, y, w, h leaves free.
func bars(f *Frame, x, y, w, h int) {
	black := byte(16)
	if f.FullRange {
		black = 0
	}
	frameBars(f.Y, f.StrideY, f.Width, f.Height, x, y, w, h, black)
	frameBars(f.U, f.StrideUV, f.Width/2, f.Height/2, x/2, y/2, w/2, h/2, 128)
	frameBars(f.V, f.StrideUV, f.Width/2, f.Height/2, x/2, y/2, w/2, h/2, 128)
}

func frameBars(p []byte, stride, pw, ph, x, y, w, h int, v byte) {
	fillPlane(p, stride, pw, y, v)
	fillPlane(p[(y+h)*stride:], stride, pw, ph-y-h, v)
	fillPlane(p[y*stride:], stride, x, h, v)
	fillPlane(p[y*stride+x+w:], stride, pw-x-w, h, v)
}

// view is one plane of a frame, or a part of one.
type view struct {
	pix          []byte
	stride, w, h int
}

// scaler keeps the buffers of one running Scale.
type scaler struct {
	half [2][]byte // successive halvings take turns
	row  []byte
	tab  []uint32 // source index << 8 | fraction, for each destination column
	tabW [2]int
}

var scalers = sync.Pool{New: func() any { return new(scaler) }}

func (s *scaler) plane(dst, src view) {
	for turn := 0; src.w >= 2*dst.w && src.h >= 2*dst.h; turn ^= 1 {
		w, h := src.w/2, src.h/2
		if w == dst.w && h == dst.h {
			halve(dst, src)
			return
		}
		s.half[turn] = grow(s.half[turn], w*h)
		smaller := view{s.half[turn], w, w, h}
		halve(smaller, src)
		src = smaller
	}
	if src.w == dst.w && src.h == dst.h {
		copyPlane(dst.pix, dst.stride, src.pix, src.stride, dst.w, dst.h)
		return
	}
	s.bilinear(dst, src)
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

const evenBytes = 0x00ff00ff00ff00ff

// halve averages 2x2 pixels, four results at a time in the 16-bit lanes of a word.
func halve(dst, src view) {
	for y := range dst.h {
		a, b := src.pix[2*y*src.stride:][:2*dst.w], src.pix[(2*y+1)*src.stride:][:2*dst.w]
		o := dst.pix[y*dst.stride:][:dst.w]
		x := 0
		for ; x+4 <= len(o); x += 4 {
			p, q := binary.LittleEndian.Uint64(a[2*x:]), binary.LittleEndian.Uint64(b[2*x:])
			s := p&evenBytes + p>>8&evenBytes + q&evenBytes + q>>8&evenBytes + 0x0002000200020002
			s = s >> 2 & evenBytes
			s = (s | s>>8) & 0x0000ffff0000ffff
			binary.LittleEndian.PutUint32(o[x:], uint32(s|s>>16))
		}
		for ; x < len(o); x++ {
			o[x] = byte((uint(a[2*x]) + uint(a[2*x+1]) + uint(b[2*x]) + uint(b[2*x+1]) + 2) / 4)
		}
	}
}

// bilinear mixes two rows into one, then two neighbours of it for each column. Pixels count by their centres.
func (s *scaler) bilinear(dst, src view) {
	s.columns(dst.w, src.w)
	s.row = grow(s.row, src.w+1)
	for y := range dst.h {
		i, f := position(y, dst.h, src.h)
		a := src.pix[i*src.stride:][:src.w]
		b := src.pix[min(i+1, src.h-1)*src.stride:][:src.w]
		mixRows(s.row[:src.w], a, b, uint64(f))
		s.row[src.w] = s.row[src.w-1]
		mixColumns(dst.pix[y*dst.stride:][:dst.w], s.row, s.tab)
	}
}

func (s *scaler) columns(dw, sw int) {
	if s.tabW == [2]int{dw, sw} {
		return
	}
	s.tabW = [2]int{dw, sw}
	s.tab = s.tab[:0]
	for x := range dw {
		i, f := position(x, dw, sw)
		s.tab = append(s.tab, uint32(i)<<8|uint32(f))
	}
}

// position is where the centre of pixel x of n falls among m pixels: the one before, and how far towards the next (of 256).
func position(x, n, m int) (i, f int) {
	p := (2*x+1)*m*128/n - 128
	p = min(max(p, 0), (m-1)*256)
	return p >> 8, p & 255
}

// mixRows works on eight pixels at once: 255*256 fits the 16-bit lanes.
func mixRows(o, a, b []byte, f uint64) {
	if f == 0 {
		copy(o, a)
		return
	}
	g := 256 - f
	const half = 0x0080008000800080
	x := 0
	a, b = a[:len(o)], b[:len(o)]
	for ; x+8 <= len(o); x += 8 {
		p, q := binary.LittleEndian.Uint64(a[x:]), binary.LittleEndian.Uint64(b[x:])
		even := (p&evenBytes)*g + (q&evenBytes)*f + half
		odd := (p>>8&evenBytes)*g + (q>>8&evenBytes)*f + half
		binary.LittleEndian.PutUint64(o[x:], even>>8&evenBytes|odd&^uint64(evenBytes))
	}
	for ; x < len(o); x++ {
		o[x] = byte((uint64(a[x])*g + uint64(b[x])*f + 128) >> 8)
	}
}

func mixColumns(o, row []byte, tab []uint32) {
	tab = tab[:len(o)]
	for x, t := range tab {
		pair := uint32(binary.LittleEndian.Uint16(row[t>>8:]))
		a := pair & 255
		o[x] = byte((a<<8 + (pair>>8-a)*(t&255) + 128) >> 8) // the difference may wrap; the sum wraps back
	}
}
