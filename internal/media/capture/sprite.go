package capture

import (
	"image"
	"image/color"

	"visavis.example/internal/media"
)

// sprite is a picture with soft edges, ready to be drawn into frames: one layer for luma, one for both chroma planes.
type sprite struct {
	w, h    int // even
	y, u, v []byte
	luma    []span
	chroma  []span
	alphaY  []byte
	alphaC  []byte
}

// span is a run of one row: copied when opaque, blended otherwise.
type span struct {
	y, x0, x1 int
	opaque    bool
}

func newSprite(c canvas) *sprite {
	s := &sprite{w: c.Rect.Dx() &^ 1, h: c.Rect.Dy() &^ 1}
	cw, ch := s.w/2, s.h/2
	s.y, s.alphaY = make([]byte, s.w*s.h), make([]byte, s.w*s.h)
	s.u, s.v, s.alphaC = make([]byte, cw*ch), make([]byte, cw*ch), make([]byte, cw*ch)
	var col color.RGBA // by reference: an interface value a pixel would be half a million allocations
	var a uint8
	for y := range s.h {
		for x := range s.w {
			if col, a = straight(c.RGBA, x, y); a == 0 {
				continue
			}
			s.y[y*s.w+x], _, _ = media.YUV(&col)
			s.alphaY[y*s.w+x] = a
		}
	}
	for y := range ch {
		for x := range cw {
			if col, a = straight4(c.RGBA, 2*x, 2*y); a == 0 {
				continue
			}
			_, s.u[y*cw+x], s.v[y*cw+x] = media.YUV(&col)
			s.alphaC[y*cw+x] = a
		}
	}
	s.luma, s.chroma = spans(s.alphaY, s.w), spans(s.alphaC, cw)
	return s
}

// straight undoes the premultiplication.
func straight(m *image.RGBA, x, y int) (color.RGBA, uint8) {
	p := m.Pix[m.PixOffset(x, y):]
	return divide(int(p[0]), int(p[1]), int(p[2]), int(p[3])), p[3]
}

func straight4(m *image.RGBA, x, y int) (color.RGBA, uint8) {
	var sum [4]int
	for _, o := range [...]int{m.PixOffset(x, y), m.PixOffset(x+1, y), m.PixOffset(x, y+1), m.PixOffset(x+1, y+1)} {
		for i := range sum {
			sum[i] += int(m.Pix[o+i])
		}
	}
	return divide(sum[0], sum[1], sum[2], sum[3]), uint8((sum[3] + 2) / 4)
}

func divide(r, g, b, a int) color.RGBA {
	if a == 0 {
		return color.RGBA{A: 255}
	}
	d := func(v int) uint8 { return uint8(min((v*255+a/2)/a, 255)) }
	return color.RGBA{d(r), d(g), d(b), 255}
}

func spans(alpha []byte, w int) []span {
	var all []span
	for i := 0; i < len(alpha); {
		if alpha[i] == 0 {
			i++
			continue
		}
		opaque, start := alpha[i] == 255, i
		end := i - i%w + w
		for i < end && alpha[i] != 0 && (alpha[i] == 255) == opaque {
			i++
		}
		all = append(all, span{start / w, start % w, start%w + i - start, opaque})
	}
	return all
}

// draw puts the sprite's top left corner at x, y (made even), cut at the frame's edges.
func (s *sprite) draw(f *media.Frame, x, y int) {
	x, y = x&^1, y&^1
	blit(plane{f.Y, f.StrideY, f.Width, f.Height}, s.y, s.alphaY, s.w, s.luma, x, y)
	c := plane{f.U, f.StrideUV, f.Width / 2, f.Height / 2}
	blit(c, s.u, s.alphaC, s.w/2, s.chroma, x/2, y/2)
	c.pix = f.V
	blit(c, s.v, s.alphaC, s.w/2, s.chroma, x/2, y/2)
}

type plane struct {
	pix          []byte
	stride, w, h int
}

func blit(dst plane, src, alpha []byte, stride int, spans []span, dx, dy int) {
	for _, p := range spans {
		y := p.y + dy
		x0, x1 := max(p.x0+dx, 0), min(p.x1+dx, dst.w)
		if y < 0 || y >= dst.h || x0 >= x1 {
			continue
		}
		from := p.y*stride + x0 - dx
		o := dst.pix[y*dst.stride+x0 : y*dst.stride+x1]
		in := src[from : from+len(o)]
		if p.opaque {
			copy(o, in)
			continue
		}
		for i, a := range alpha[from : from+len(o)] {
			o[i] = byte((uint32(o[i])*uint32(255-a) + uint32(in[i])*uint32(a) + 127) / 255)
		}
	}
}
