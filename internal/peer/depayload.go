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
	case codecVP9:
		var d codecs.VP9Packet
		body, err := d.Unmarshal(payload)
		if err != nil {
			return part{}, false
		}
		p = part{body: body, first: d.B && d.SID == 0}
		p.key = p.first && !d.P && vpx.Inspect(vpx.VP9, body).Key
	default:
		return part{}, false
	}
	return p, true
}
