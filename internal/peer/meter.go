package peer

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// meter is the interceptor closest to the network: it counts what leaves and what comes, for the statistics.
type meter struct {
	interceptor.NoOp
	sent, got [2]streamCount // by kind: sound, picture
}

// streamCount is what one direction of one kind has carried. Bytes are of payloads.
type streamCount struct {
	packets, bytes, headers    atomic.Int64 // all, those that follow too
	resentPackets, resentBytes atomic.Int64
	ssrc                       atomic.Uint32
	jitter                     atomic.Int64 // nanoseconds; of what came
}

const (
	ofSound = iota
	ofPicture
)

func kindOf(mime string) int {
	if strings.HasPrefix(strings.ToLower(mime), "video/") {
		return ofPicture
	}
	return ofSound
}

type meterFactory struct{ m *meter }

func (f meterFactory) NewInterceptor(string) (interceptor.Interceptor, error) { return f.m, nil }

// BindLocalStream implements interceptor.Interceptor.
func (m *meter) BindLocalStream(info *interceptor.StreamInfo, write interceptor.RTPWriter) interceptor.RTPWriter {
	c := &m.sent[kindOf(info.MimeType)]
	c.ssrc.Store(info.SSRC)
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		n, err := write.Write(h, payload, a)
		if err == nil {
			c.add(len(payload), h.MarshalSize(), info.SSRCRetransmission != 0 &&
				h.SSRC == info.SSRCRetransmission && h.PayloadType == info.PayloadTypeRetransmission)
		}
		return n, err
	})
}

// BindRemoteStream implements interceptor.Interceptor.
func (m *meter) BindRemoteStream(info *interceptor.StreamInfo, read interceptor.RTPReader) interceptor.RTPReader {
	c := &m.got[kindOf(info.MimeType)]
	resent := strings.EqualFold(info.MimeType, webrtc.MimeTypeRTX)
	if !resent {
		c.ssrc.Store(info.SSRC)
	}
	j := interarrival{rate: float64(info.ClockRate)}
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := read.Read(b, a)
		if err != nil {
			return n, a, err
		}
		header, rtpTime, ok := measureRTP(b[:n])
		if !ok {
			return n, a, nil
		}
		c.add(n-header, header, resent)
		if !resent {
			c.jitter.Store(int64(j.next(rtpTime, time.Now())))
		}
		return n, a, nil
	})
}

func (c *streamCount) add(payload, header int, resent bool) {
	c.packets.Add(1)
	c.bytes.Add(int64(payload))
	c.headers.Add(int64(header))
	if resent {
		c.resentPackets.Add(1)
		c.resentBytes.Add(int64(payload))
	}
}

// measureRTP gives the header's length (RFC 3550 section 5.1 and 5.3.1) without taking the packet apart; ok is false for
// what is none.
func measureRTP(b []byte) (header int, rtpTime uint32, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return 0, 0, false
	}
	header = 12 + 4*int(b[0]&15)
	if b[0]&0x10 != 0 {
		if len(b) < header+4 {
			return 0, 0, false
		}
		header += 4 + 4*(int(b[header+2])<<8|int(b[header+3]))
	}
	rtpTime = uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])
	return header, rtpTime, header <= len(b)
}

// interarrival is the jitter of RFC 3550 section 6.4.1. It is pure.
type interarrival struct {
	rate    float64 // of the RTP clock
	begun   bool
	rtpTime uint32
	at      time.Time
	jitter  time.Duration
}

func (j *interarrival) next(rtpTime uint32, now time.Time) time.Duration {
	if j.begun && j.rate > 0 && rtpTime != j.rtpTime {
		media := time.Duration(float64(int32(rtpTime-j.rtpTime)) / j.rate * float64(time.Second))
		if d := absDuration(now.Sub(j.at) - media); d < maxInterarrival {
			j.jitter += (d - j.jitter) / 16
		}
	}
	if !j.begun || rtpTime != j.rtpTime {
		j.begun, j.rtpTime, j.at = true, rtpTime, now
	}
	return j.jitter
}

const maxInterarrival = 5 * time.Second // more is another clock, not the line
