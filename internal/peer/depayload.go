package peer

import (
	"github.com/pion/rtp/codecs"

	"visavis.example/internal/media/codec/vpx"
)

// part is one packet's share of a picture.
type part struct {
	body  []byte
	first bool // of its picture
	key   bool // of a key frame; known on the first only

	// What the picture refers to, where its first packet says so (VP9 in flexible mode, RFC 9628 section 4.2): without
	// that, it is the picture sent before it.
	flexible bool
	id       uint16   // of the picture, 15 bits
	refs     [3]uint8 // how many pictures back each reference is; 0: no more

	place place // of its picture; known on the first only
}

// place is a picture's place in the order of its sender's, where packets tell: its id.
type place struct {
	id uint16
	of uint16 // so many there are before they begin anew; 0: it is not told
}

// placeOf takes an id that was written in 15 bits, or in 7.
func placeOf(id uint16, long bool) place {
	if long {
		return place{id & (1<<15 - 1), 1 << 15}
	}
	return place{id & (1<<7 - 1), 1 << 7}
}

// follows says whether no picture can have been between the two.
func (t place) follows(last place) bool {
	return t.of != 0 && t.of == last.of && t.id == (last.id+1)&(last.of-1)
}

// depayload takes the descriptor off a payload. ok is false for what is no payload of that codec. A body may be empty:
// senders pad to probe the line.
func depayload(c codec, payload []byte) (p part, ok bool) {
	if len(payload) == 0 {
		return part{}, true
	}
	switch c {
	case codecVP8:
		var d codecs.VP8Packet
		body, err := d.Unmarshal(payload)
		if err != nil {
			return part{}, false
		}
		p = part{body: body, first: d.S == 1 && d.PID == 0}
		p.key = p.first && vpx.Inspect(vpx.VP8, body).Key
		if p.first && d.I == 1 {
			p.place = placeOf(d.PictureID, payload[2]&0x80 != 0)
		}
	case codecVP9:
		return depayloadVP9(payload)
	case codecH264:
		return depayloadH264(payload)
	default:
		return part{}, false
	}
	return p, true
}

func depayloadVP9(payload []byte) (p part, ok bool) {
	var d codecs.VP9Packet
	body, err := d.Unmarshal(payload)
	if err != nil {
		return part{}, false
	}
	p = part{body: body, first: d.B && d.SID == 0}
	p.key = p.first && !d.P && vpx.Inspect(vpx.VP9, body).Key
	if p.first && d.I {
		p.place = placeOf(d.PictureID, payload[1]&0x80 != 0)
	}
	if p.first && d.F && d.I && payload[1]&0x80 != 0 { // ids of 7 bits would not tell old pictures from new ones
		p.flexible, p.id = true, d.PictureID
		if d.P {
			if len(d.PDiff) == 0 {
				return part{}, false
			}
			copy(p.refs[:], d.PDiff)
		}
	}
	return p, true
}

// references remembers which of the last pictures were decoded, by picture id.
type references struct {
	ids [128]uint16 // as many as a reference can reach back; id+1, 0: none
}

func (r *references) add(id uint16) { r.ids[id&127] = id + 1 }

func (r *references) clear() { *r = references{} }

// have says whether all that p refers to was decoded; only for flexible ones.
func (r *references) have(p *part) bool {
	for _, back := range p.refs {
		if id := (p.id - uint16(back)) & 0x7fff; back != 0 && r.ids[id&127] != id+1 {
			return false
		}
	}
	return p.key || p.refs[0] != 0
}
