package peer

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// wire is the interceptor next to the network. Outwards it numbers every packet of the connection (transport-wide
// congestion control, draft-holmer-rmcat-transport-wide-cc-extensions-01), remembers when each left, and keeps the last
// video packets to send them again as RTX (RFC 4588) when asked. Inwards it notes when each packet came, for the
// feedback that it sends, and takes RTX packets off at once, because pion's TrackRemote hands them out only together
// with the next ordinary packet.
type wire struct {
	interceptor.NoOp

	// gotRTX takes the payload of a retransmitted packet, for the call.
	gotRTX func(rtxPayloadType uint8, p rtp.Packet)

	clock func() time.Time
	// later queues what is to be sent again, for the goroutine that owns sending; nil: it is sent at once.
	later    func(resendRequest) bool
	feedback *feedbackSender

	mu      sync.Mutex
	log     sentLog
	heard   time.Time // when feedback came last
	probing uint16    // the cluster that leaves now, 0: none
	streams map[uint32]*sentStream

	sentBytes atomic.Int64 // everything above SRTP, retransmissions too
	gotBytes  atomic.Int64
	resent    atomic.Int64
	padding   atomic.Int64 // bytes
	extra     atomic.Int64 // bytes of video streams that are no picture, parity or padding: headers and what was sent again
	refused   atomic.Int64 // requests beyond the budget, or for what is gone or too old
}

const sendHistory = 1024 // video packets kept for repair

// sentStream is one outgoing stream.
type sentStream struct {
	write       interceptor.RTPWriter
	extension   uint8 // id of the transport-wide number, 0: not negotiated
	numbers     uint8 // id of the picture's number, 0: not negotiated
	ssrc, rtx   uint32
	rtxType     uint8
	rtxSequence uint16
	history     []keptPacket // empty for sound
	budget      float64      // bytes that may be sent again now
	refilled    time.Time
	last        uint16    // the newest number kept
	padded      uint16    // how far back padding has gone from there
	useless     time.Time // what left before that is of no use any more
	timestamp   uint32

	red      uint8  // payload type of RED, 0: none is sent; see wrap
	wrapping bool   // in RED
	dress    []byte // the last packet that was
}

type keptPacket struct {
	header  rtp.Header // without extensions
	number  pictureNumber
	payload []byte
	kept    bool
	at      time.Time
	resent  time.Time // when that was last granted,
	left    time.Time // and when it last left again
	there   bool      // feedback says that it came, one way or the other
}

func newWire(gotRTX func(uint8, rtp.Packet)) *wire {
	return &wire{gotRTX: gotRTX, clock: time.Now, feedback: newFeedbackSender(), streams: map[uint32]*sentStream{}}
}

type wireFactory struct{ w *wire }

func (f wireFactory) NewInterceptor(string) (interceptor.Interceptor, error) { return f.w, nil }

// BindLocalStream implements interceptor.Interceptor.
func (w *wire) BindLocalStream(info *interceptor.StreamInfo, write interceptor.RTPWriter) interceptor.RTPWriter {
	s := &sentStream{
		write: write, ssrc: info.SSRC, rtx: info.SSRCRetransmission, rtxType: info.PayloadTypeRetransmission,
		extension: extensionID(info, sdp.TransportCCURI), numbers: extensionID(info, numberURI), budget: resendBurst,
	}
	if strings.HasPrefix(strings.ToLower(info.MimeType), "video/") {
		s.history = make([]keptPacket, sendHistory)
	}
	w.mu.Lock()
	w.streams[info.SSRC] = s
	w.mu.Unlock()
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		w.mu.Lock()
		own, brings := h.PayloadType, cargo{}
		if len(s.history) > 0 && (s.red == 0 || own != s.red) {
			s.keep(h, payload, w.clock()) // a repair goes as the codec's own
			brings = cargo{known: true, ssrc: h.SSRC, seq: h.SequenceNumber}
		}
		h.PayloadType, payload = s.dressLocked(own, payload)
		w.stampLocked(s, h, len(payload), brings)
		w.mu.Unlock()
		n, err := s.write.Write(h, payload, a)
		h.PayloadType = own
		return n, err
	})
}

// UnbindLocalStream implements interceptor.Interceptor.
func (w *wire) UnbindLocalStream(info *interceptor.StreamInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.streams, info.SSRC)
}

// BindRemoteStream implements interceptor.Interceptor.
func (w *wire) BindRemoteStream(info *interceptor.StreamInfo, read interceptor.RTPReader) interceptor.RTPReader {
	isRTX := strings.EqualFold(info.MimeType, webrtc.MimeTypeRTX)
	extension, ssrc := extensionID(info, sdp.TransportCCURI), info.SSRC
	w.feedback.arrivals.reads(ssrc, extension)
	if isRTX {
		ssrc = 0
	}
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := read.Read(b, a)
		if err != nil {
			return n, a, err
		}
		w.gotBytes.Add(int64(n))
		w.feedback.got(b[:n], extension, ssrc)
		if isRTX {
			w.unwrapRTX(b[:n])
		}
		return n, a, nil
	})
}

// UnbindRemoteStream implements interceptor.Interceptor.
func (w *wire) UnbindRemoteStream(info *interceptor.StreamInfo) {
	w.feedback.arrivals.readsNoMore(info.SSRC)
}

// unwrapRTX leaves b as it is: pion unwraps it again for its own reader, and the second copy is thrown away there.
func (w *wire) unwrapRTX(b []byte) {
	var p rtp.Packet
	if err := p.Unmarshal(b); err != nil || len(p.Payload) < 2 {
		return // padding or a probe
	}
	p.SequenceNumber = binary.BigEndian.Uint16(p.Payload)
	p.Payload = p.Payload[2:]
	w.gotRTX(p.PayloadType, p)
}

func extensionID(info *interceptor.StreamInfo, uri string) uint8 {
	for _, e := range info.RTPHeaderExtensions {
		if e.URI == uri && e.ID > 0 && e.ID < 15 {
			return uint8(e.ID)
		}
	}
	return 0
}

// stampLocked gives the packet its transport-wide number and logs it with what it brings.
func (w *wire) stampLocked(s *sentStream, h *rtp.Header, payload int, c cargo) {
	size := h.MarshalSize() + payload
	w.sentBytes.Add(int64(size))
	if s.extension == 0 {
		return
	}
	if len(s.history) > 0 {
		w.extra.Add(int64(size - payload + transportOverhead))
	}
	n := w.log.add(size+transportOverhead, w.probing, len(s.history) > 0, w.clock())
	w.log.carries(n, c)
	_ = h.SetExtension(s.extension, []byte{byte(n >> 8), byte(n)}) // its size fits any form
}

const transportOverhead = 8 + 20 + 10 + 8 // extension, IPv4, SRTP tag, UDP: what the line carries besides

// gotFeedback matches feedback with what was sent; out is reused.
func (w *wire) gotFeedback(fb *rtcp.TransportLayerCC, out []arrival) []arrival {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = w.clock()
	out = w.log.feedback(fb, out)
	for _, a := range out {
		if s := w.streams[a.brings.ssrc]; a.brings.known && !a.lost && s != nil && len(s.history) > 0 {
			if k := &s.history[a.brings.seq%sendHistory]; k.header.SequenceNumber == a.brings.seq {
				k.there = true
			}
		}
	}
	return out
}

// inFlight is how many bytes feedback has not spoken of yet; 0 where there is none.
func (w *wire) inFlight() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.inFlight()
}

// waiting is since when the oldest of those bytes are on their way; ok is false when there are none.
func (w *wire) waiting() (since time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.waiting()
}

// flight is inFlight, and how many statuses were about packets that were never sent.
func (w *wire) flight() (bytes, foreign int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.inFlight(), w.log.foreign
}

// setProbe marks what leaves from now on as of that cluster.
func (w *wire) setProbe(id uint16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probing = id
}
