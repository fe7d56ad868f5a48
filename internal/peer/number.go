package peer

import (
	"encoding/binary"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media/codec/vpx"
	"visavis.example/internal/media/trace"
)

// numberURI is libwebrtc's header extension for measuring: two bytes on the first packet of a picture that count the
// sender's pictures. Nothing in a call depends on it; it only says at both ends which picture a trace speaks of.
const numberURI = "http://www.webrtc.org/experiments/rtp-hdrext/video-frame-tracking-id"

// extensionOf finds the id that was negotiated for a header extension, 0 for none.
func extensionOf(list []webrtc.RTPHeaderExtensionParameter, uri string) uint8 {
	for _, e := range list {
		if e.URI == uri && e.ID > 0 && e.ID < 15 {
			return uint8(e.ID)
		}
	}
	return 0
}

// pictureNumber is what a packet says of its picture.
type pictureNumber struct {
	low   uint16
	known bool
}

func readNumber(h *rtp.Header, extension uint8) pictureNumber {
	if extension == 0 {
		return pictureNumber{}
	}
	b := h.GetExtension(extension)
	if len(b) != 2 {
		return pictureNumber{}
	}
	return pictureNumber{binary.BigEndian.Uint16(b), true}
}

// write puts it into a header that may still carry the last picture's.
func (n pictureNumber) write(h *rtp.Header, extension uint8) {
	switch {
	case extension == 0:
	case n.known:
		_ = h.SetExtension(extension, binary.BigEndian.AppendUint16(nil, n.low)) // fails for ids that were not negotiated
	case h.Extension:
		_ = h.DelExtension(extension) // fails when it is not there
	}
}

// pictureNumbers gives received pictures their numbers: the sender's where packets carry them, else one more than the
// last. Whatever comes, a number is not negative and moves by at most 32768.
type pictureNumbers struct {
	last  int64
	begun bool
}

func (n *pictureNumbers) next(p pictureNumber) int64 {
	switch {
	case !n.begun:
		n.begun, n.last = true, int64(p.low)
	case p.known:
		n.last = max(n.last+int64(int16(p.low-uint16(n.last))), 0)
	default:
		n.last++
	}
	return n.last
}

// tracedPictures says of pictures that they were received. Only key frames of VP8 and VP9 tell
// their size at a glance.
type tracedPictures struct {
	numbers       pictureNumbers
	width, height int
}

func (t *tracedPictures) received(log *trace.Log, p picture) trace.Picture {
	if p.key && p.codec != codecH264 {
		if h := vpx.Inspect(vpxCodec(p.codec), p.data); h.Width > 0 {
			t.width, t.height = h.Width, h.Height
		}
	}
	said := trace.Picture{
		Number: t.numbers.next(p.number), RTP: p.rtpTime, Width: t.width, Height: t.height, Key: p.key, Bytes: len(p.data),
	}
	log.Frame(trace.Received, said, p.complete)
	return said
}
