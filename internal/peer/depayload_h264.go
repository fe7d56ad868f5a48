package peer

import "encoding/binary"

// depayloadH264 turns a payload (RFC 6184: a single NAL unit, STAP-A or FU-A) back into Annex B form. H.264 says nowhere
// that a picture begins: it does with a sequence parameter set, which every key frame is taken to have in front, or with
// the first slice of another picture. Delimiters and the like become empty bodies, as padding has.
func depayloadH264(payload []byte) (p part, ok bool) {
	if payload[0]&0x80 != 0 { // forbidden bit: the sender knows that it is damaged
		return part{}, false
	}
	switch kind := payload[0] & 0x1f; {
	case kind >= 1 && kind < nalSTAPA:
		p.add(payload)
		return p, true
	case kind == nalSTAPA:
		for rest := payload[1:]; len(rest) > 0; {
			if len(rest) < 3 {
				return part{}, false
			}
			n := int(binary.BigEndian.Uint16(rest))
			if n == 0 || n > len(rest)-2 {
				return part{}, false
			}
			p.add(rest[2 : 2+n])
			rest = rest[2+n:]
		}
		return p, true
	case kind == nalFUA && len(payload) > 2:
		header := payload[0]&0xe0 | payload[1]&0x1f
		if payload[1]&0x80 == 0 {
			return part{body: payload[2:]}, true
		}
		unit := append(append(make([]byte, 0, len(payload)), header), payload[2:]...)
		p.add(unit)
		return p, true
	}
	return part{}, false
}

// add appends a NAL unit.
func (p *part) add(unit []byte) {
	switch unit[0] & 0x1f {
	case nalAUD, nalSEI, nalFill:
		return
	case nalSPS:
		p.first, p.key = true, true
	case nalSlice:
		// first_mb_in_slice is 0, which is written as one bit that is set (section 7.3.3).
		p.first = p.first || len(p.body) == 0 && len(unit) > 1 && unit[1]&0x80 != 0
	}
	p.body = append(append(p.body, startCode...), unit...)
}
