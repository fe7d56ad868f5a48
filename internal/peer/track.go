package peer

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// track is what we send of one kind. It is bound when the connection is negotiated, and then knows which codec it is:
// the first of ours that the other party takes. It implements webrtc.TrackLocal.
type track struct {
	kind    webrtc.RTPCodecType
	id      string
	stream  string // ties sound and picture of one party together (msid, and cname)
	accepts func([]webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool)

	mu     sync.Mutex
	writer webrtc.TrackLocalWriter
	codec  webrtc.RTPCodecParameters
	fec    uint8 // payload type of redundancy, 0: not negotiated
	ssrc   uint32
	number uint8 // id of the header extension with a picture's number, 0: not negotiated

	redTypes  redTypes // of redundancy towards browsers
	transport uint8    // id of the header extension with the transport-wide number, 0: not negotiated

	clock captureClock // for reports

	// Of the one goroutine that sends.
	header   rtp.Header
	sequence uint16
}

func newTrack(kind webrtc.RTPCodecType, stream string, accepts func([]webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool)) *track {
	// A low first number keeps the roll-over counter of SRTP (RFC 3711) simple for those who join late.
	t := &track{kind: kind, id: kind.String(), stream: stream, accepts: accepts, sequence: uint16(rand.Uint32()) & 0x7fff}
	if t.clock.rate = 90000; kind == webrtc.RTPCodecTypeAudio {
		t.clock.rate = 48000
	}
	return t
}

// Bind implements webrtc.TrackLocal. Without a common codec the track stays silent, and the rest of the call goes on:
// an error here would make pion give up the whole description.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	p, ok := t.accepts(c.CodecParameters())
	if !ok {
		return webrtc.RTPCodecParameters{}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writer, t.codec, t.fec, t.ssrc = c.WriteStream(), p, fecType(c.CodecParameters()), uint32(c.SSRC())
	t.number, t.transport = extensionOf(c.HeaderExtensions(), numberURI), extensionOf(c.HeaderExtensions(), sdp.TransportCCURI)
	t.redTypes = redTypesOf(c.CodecParameters())
	return p, nil
}

// Unbind implements webrtc.TrackLocal.
func (t *track) Unbind(webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writer = nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (t *track) ID() string { return t.id }

// RID implements webrtc.TrackLocal.
func (t *track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (t *track) StreamID() string { return t.stream }

// Kind implements webrtc.TrackLocal.
func (t *track) Kind() webrtc.RTPCodecType { return t.kind }

// negotiated gives the codec to send; ok is false before Bind.
func (t *track) negotiated() (webrtc.RTPCodecParameters, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.codec, t.writer != nil
}

// source is the SSRC, 0 before Bind.
func (t *track) source() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ssrc
}

var errNotBound = errors.New("track is not negotiated")

// send writes one packet. It belongs to the pacer's goroutine.
func (t *track) send(p *pacedPacket) error {
	t.mu.Lock()
	w, pt, ssrc, number := t.writer, uint8(t.codec.PayloadType), t.ssrc, t.number
	t.mu.Unlock()
	if w == nil {
		return errNotBound
	}
	if p.payloadType != 0 {
		pt = p.payloadType
	}
	t.header.Version, t.header.Marker, t.header.PayloadType = 2, p.marker, pt
	t.header.SequenceNumber, t.header.Timestamp, t.header.SSRC = t.sequence, p.rtpTime, ssrc
	t.sequence++
	pictureNumber{uint16(p.meta.number), p.first}.write(&t.header, number)
	_, err := w.WriteRTP(&t.header, p.payload)
	return err
}
