package peer

import "bytes"

// NAL unit types (ITU-T H.264 table 7-1, RFC 6184 section 5.4).
const (
	nalSlice = 1
	nalIDR   = 5
	nalSEI   = 6
	nalSPS   = 7
	nalAUD   = 9
	nalFill  = 12
	nalSTAPA = 24
	nalFUA   = 28
)

var startCode = []byte{0, 0, 0, 1}

// cutH264 gives the payloads of a picture in Annex B form, for packetization-mode 1 (RFC 6184 section 6.3): small NAL
// units as they are, parameter sets aggregated with what follows them (STAP-A), large units in pieces (FU-A).
func (p *payloader) cutH264(picture []byte) [][]byte {
	var together [][]byte
	size := 1
	flush := func() {
		at := len(p.buf)
		switch len(together) {
		case 0:
			return
		case 1:
			p.buf = append(p.buf, together[0]...)
		default:
			header := byte(nalSTAPA)
			for _, n := range together {
				header = max(header&0x60, n[0]&0x60) | nalSTAPA // the highest importance of all
			}
			p.buf = append(p.buf, header)
			for _, n := range together {
				p.buf = append(append(p.buf, byte(len(n)>>8), byte(len(n))), n...)
			}
		}
		p.parts = append(p.parts, p.buf[at:])
		together, size = together[:0], 1
	}
	for _, n := range nalUnits(picture) {
		if len(n) > maxPayload {
			flush()
			p.fragment(n)
			continue
		}
		if size+2+len(n) > maxPayload {
			flush()
		}
		together, size = append(together, n), size+2+len(n)
	}
	flush()
	return p.parts
}

// fragment cuts one NAL unit into FU-A pieces of nearly equal sizes (RFC 6184 section 5.8).
func (p *payloader) fragment(n []byte) {
	header, body := n[0], n[1:]
	count := (len(body) + maxPayload - 3) / (maxPayload - 2)
	for i := range count {
		fu := header & 0x1f
		if i == 0 {
			fu |= 0x80
		}
		if i == count-1 {
			fu |= 0x40
		}
		at := len(p.buf)
		p.buf = append(append(p.buf, header&0xe0|nalFUA, fu), body[i*len(body)/count:(i+1)*len(body)/count]...)
		p.parts = append(p.parts, p.buf[at:])
	}
}

// nalUnits splits Annex B at its start codes of three or four bytes.
func nalUnits(b []byte) (units [][]byte) {
	begin := -1
	for at := 0; ; {
		next := bytes.Index(b[at:], startCode[1:])
		if next < 0 {
			break
		}
		next += at
		if begin >= 0 {
			units = append(units, bytes.TrimRight(b[begin:next], "\x00"))
		}
		begin = next + 3
		at = begin
	}
	if begin >= 0 {
		units = append(units, b[begin:])
	}
	kept := units[:0]
	for _, u := range units {
		if len(u) > 0 {
			kept = append(kept, u)
		}
	}
	return kept
}
