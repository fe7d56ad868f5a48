package peer

import (
	"io"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/transport/v4/packetio"
)

// libwebrtc addresses transport-wide feedback to the stream that it heard last. When that is our stream of
// retransmissions, pion has nobody who reads it: strayBuffers makes the place where it arrives look at it itself.
func (s *Session) strayBuffers(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	b := packetio.NewBuffer()
	if kind == packetio.RTPBufferPacket {
		b.SetLimitSize(rtpBuffer)
		return b
	}
	b.SetLimitSize(rtcpBuffer)
	if s.wire.isRTX(ssrc) {
		return strayFeedback{b, func(fb *rtcp.TransportLayerCC) { s.bandwidth.gotFeedback(fb, time.Now()) }}
	}
	return b
}

const ( // bytes, as pion has them
	rtpBuffer  = 1000 * 1000
	rtcpBuffer = 100 * 1000
)

// strayFeedback is the buffer of a stream that nobody reads.
type strayFeedback struct {
	*packetio.Buffer
	got func(*rtcp.TransportLayerCC)
}

// Write implements io.Writer; it keeps nothing.
func (f strayFeedback) Write(b []byte) (int, error) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return len(b), nil // hostile or broken: dropped
	}
	for _, p := range packets {
		if fb, ok := p.(*rtcp.TransportLayerCC); ok {
			f.got(fb)
		}
	}
	return len(b), nil
}

// isRTX says whether that is a stream of retransmissions of ours.
func (w *wire) isRTX(ssrc uint32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		if s.rtx != 0 && s.rtx == ssrc {
			return true
		}
	}
	return false
}
