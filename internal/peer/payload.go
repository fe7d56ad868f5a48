package peer

import "math/rand/v2"

// payloader cuts encoded pictures into RTP payloads with their descriptors: VP8 (RFC 7741) and VP9 in flexible or
// non-flexible mode (RFC 9628). Unlike pion's it always writes a 15-bit picture id: libwebrtc follows references by it, and loses its way
// when one packet has none. The payloads it gives are valid until the next call.
type payloader struct {
	pictureID uint16
	buf       []byte
	parts     [][]byte
}

// maxPayload leaves room for RTP, its extension, SRTP, RTX and a TURN header below an MTU of 1280.
const maxPayload = 1160

func newPayloader() *payloader { return &payloader{pictureID: uint16(rand.Uint32()) & 0x7fff} }

// described is what descriptors say of a picture.
type described struct {
	key           bool
	width, height int
	flexible      bool    // back is said (VP9)
	back          []uint8 // how many pictures back its references are, three at most
}

// cut gives the payloads of one picture, in nearly equal sizes.
func (p *payloader) cut(c codec, picture []byte, d described) [][]byte {
	p.buf, p.parts = p.buf[:0], p.parts[:0]
	if len(picture) == 0 {
		return nil
	}
	if c == codecH264 {
		return p.cutH264(picture)
	}
	count := (len(picture) + maxPayload - 1) / maxPayload
	for i := range count {
		part := picture[i*len(picture)/count : (i+1)*len(picture)/count]
		at := len(p.buf)
		if c == codecVP9 {
			p.describeVP9(i == 0, i == count-1, d)
		} else {
			p.describeVP8(i == 0)
		}
		p.buf = append(p.buf, part...)
		p.parts = append(p.parts, p.buf[at:]) // stays valid when buf moves: it is only read
	}
	p.pictureID = (p.pictureID + 1) & 0x7fff
	return p.parts
}

// describeVP8: X, S on the first packet, one partition; I with a 15-bit picture id.
func (p *payloader) describeVP8(first bool) {
	b := byte(0x80)
	if first {
		b |= 0x10
	}
	p.buf = append(p.buf, b, 0x80, byte(p.pictureID>>8)|0x80, byte(p.pictureID))
}

// describeVP9: I with a 15-bit picture id, P on all but key frames, B and E at the borders, Z: no upper layer refers to
// it, and with a key frame the scalability structure: one layer of this size, and outside of flexible mode, that each
// picture refers to the one before. In flexible mode (F) the references are named instead.
func (p *payloader) describeVP9(first, last bool, d described) {
	b := byte(0x80 | 0x01)
	if !d.key {
		b |= 0x40
	}
	if d.flexible {
		b |= 0x10
	}
	if first {
		b |= 0x08
	}
	if last {
		b |= 0x04
	}
	structure := d.key && first
	if structure {
		b |= 0x02
	}
	p.buf = append(p.buf, b, byte(p.pictureID>>8)|0x80, byte(p.pictureID))
	if d.flexible && !d.key {
		for i, back := range d.back {
			more := byte(1)
			if i == len(d.back)-1 {
				more = 0
			}
			p.buf = append(p.buf, back<<1|more)
		}
	}
	switch {
	case structure && d.flexible:
		p.buf = append(p.buf, 0x10, byte(d.width>>8), byte(d.width), byte(d.height>>8), byte(d.height))
	case structure:
		p.buf = append(p.buf, 0x18, byte(d.width>>8), byte(d.width), byte(d.height>>8), byte(d.height), 1, 1<<4|1<<2, 1)
	}
}
