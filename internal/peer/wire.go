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
// video packets to send them again as RTX (RFC 4588) when asked. Inwards it takes RTX packets off at once, because
// pion's TrackRemote hands them out only together with the next ordinary packet.
type wire struct {
	interceptor.NoOp

	// gotRTX takes the payload of a retransmitted packet, for the call.
	gotRTX func(rtxPayloadType uint8, p rtp.Packet)

	mu      sync.Mutex
	number  uint16 // of the next packet
	log     [sendLog]sentPacket
	streams map[uint32]*sentStream

	sentBytes atomic.Int64 // everything above SRTP, retransmissions too
	gotBytes  atomic.Int64
	resent    atomic.Int64
}

const (
	sendLog     = 4096 // packets awaiting feedback: 4 s at 10 Mbit/s
	sendHistory = 1024 // video packets kept for repair
)

// sentPacket is what feedback is matched with.
type sentPacket struct {
	number uint16
	state  packetState
	size   int
	at     time.Time
}

type packetState uint8

const (
	unused packetState = iota
	inFlight
	reportedLost // and may yet be reported as received, when it was only overtaken
)

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
}

type keptPacket struct {
	header  rtp.Header // without extensions
	number  pictureNumber
	payload []byte
	kept    bool
	resent  time.Time
}

func newWire(gotRTX func(uint8, rtp.Packet)) *wire {
	return &wire{gotRTX: gotRTX, streams: map[uint32]*sentStream{}}
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
		if len(s.history) > 0 {
			s.keep(h, payload)
		}
		w.stampLocked(s, h, len(payload))
		w.mu.Unlock()
		return s.write.Write(h, payload, a)
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
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := read.Read(b, a)
		if err != nil {
			return n, a, err
		}
		w.gotBytes.Add(int64(n))
		if isRTX {
			w.unwrapRTX(b[:n])
		}
		return n, a, nil
	})
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

// stampLocked gives the packet its transport-wide number and logs it.
func (w *wire) stampLocked(s *sentStream, h *rtp.Header, payload int) {
	size := h.MarshalSize() + payload
	w.sentBytes.Add(int64(size))
	if s.extension == 0 {
		return
	}
	n := w.number
	w.number++
	if err := h.SetExtension(s.extension, binary.BigEndian.AppendUint16(nil, n)); err != nil {
		return // the header is ours and has room for it: cannot happen
	}
	w.log[n%sendLog] = sentPacket{number: n, state: inFlight, size: size + transportOverhead, at: time.Now()}
}

const transportOverhead = 8 + 20 + 10 + 8 // extension, IPv4, SRTP tag, UDP: what the line carries besides

func (s *sentStream) keep(h *rtp.Header, payload []byte) {
	k := &s.history[h.SequenceNumber%sendHistory]
	k.header, k.payload = plainHeader(h), append(k.payload[:0], payload...)
	k.kept, k.resent, k.number = true, time.Time{}, readNumber(h, s.numbers)
}

func plainHeader(h *rtp.Header) rtp.Header {
	return rtp.Header{
		Version: 2, Marker: h.Marker, PayloadType: h.PayloadType, SequenceNumber: h.SequenceNumber,
		Timestamp: h.Timestamp, SSRC: h.SSRC,
	}
}

// Retransmissions may use half of the target, and this many bytes at once: a whole key frame.
const (
	resendShare = 0.5
	resendBurst = 96 << 10
)

// gotNACK sends again what was asked for, each packet at most once a round trip and all within a budget, so that a
// flood of requests costs the line little.
func (w *wire) gotNACK(n *rtcp.TransportLayerNack, now time.Time, rtt time.Duration, targetBps int) {
	for i := range n.Nacks {
		for _, seq := range n.Nacks[i].PacketList() {
			w.resend(n.MediaSSRC, seq, now, rtt, targetBps)
		}
	}
}

func (w *wire) resend(ssrc uint32, seq uint16, now time.Time, rtt time.Duration, targetBps int) {
	w.mu.Lock()
	s := w.streams[ssrc]
	if s == nil || len(s.history) == 0 {
		w.mu.Unlock()
		return
	}
	k := &s.history[seq%sendHistory]
	s.refill(now, targetBps)
	wait := min(max(rtt*3/4, 10*time.Millisecond), 300*time.Millisecond)
	if !k.kept || k.header.SequenceNumber != seq || now.Sub(k.resent) < wait || s.budget < float64(len(k.payload)) {
		w.mu.Unlock()
		return
	}
	k.resent = now
	s.budget -= float64(len(k.payload))
	h, payload := k.header, append([]byte(nil), k.payload...)
	if s.rtx != 0 && s.rtxType != 0 {
		payload = append(binary.BigEndian.AppendUint16(nil, seq), k.payload...)
		h.SSRC, h.PayloadType, h.SequenceNumber = s.rtx, s.rtxType, s.rtxSequence
		s.rtxSequence++
	}
	k.number.write(&h, s.numbers)
	w.stampLocked(s, &h, len(payload))
	w.mu.Unlock()
	w.resent.Add(1)
	_, _ = s.write.Write(&h, payload, nil) // fails only when the connection ends
}

func (s *sentStream) refill(now time.Time, targetBps int) {
	if !s.refilled.IsZero() {
		s.budget += now.Sub(s.refilled).Seconds() * float64(targetBps) / 8 * resendShare
	}
	s.budget, s.refilled = min(s.budget, resendBurst), now
}

// arrival is what feedback says about one packet we sent.
type arrival struct {
	sent     time.Time
	received time.Duration // on the receiver's clock
	lost     bool
	found    bool // it was reported lost before, and was only overtaken
	size     int
}

// gotFeedback matches transport-wide feedback with what was sent; out is reused. Packets that no feedback speaks of are
// neither lost nor received: pion cannot read feedback addressed to an RTX stream, so some of it is missing.
func (w *wire) gotFeedback(fb *rtcp.TransportLayerCC, out []arrival) []arrival {
	out = out[:0]
	clock := time.Duration(fb.ReferenceTime) * 64 * time.Millisecond
	deltas := fb.RecvDeltas
	number, left := fb.BaseSequenceNumber, int(fb.PacketStatusCount)
	w.mu.Lock()
	defer w.mu.Unlock()
	status := func(symbol uint16) bool {
		if left == 0 {
			return false
		}
		received := symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta
		if received {
			if len(deltas) == 0 {
				return false
			}
			clock += time.Duration(deltas[0].Delta) * time.Microsecond
			deltas = deltas[1:]
		}
		if p := &w.log[number%sendLog]; p.number == number && (p.state == inFlight || p.state == reportedLost && received) {
			out = append(out, arrival{sent: p.at, received: clock, lost: !received, found: p.state == reportedLost, size: p.size})
			p.state = reportedLost
			if received {
				p.state = unused
			}
		}
		number++
		left--
		return true
	}
	eachStatus(fb.PacketChunks, status)
	return out
}

func eachStatus(chunks []rtcp.PacketStatusChunk, status func(symbol uint16) bool) {
	for _, c := range chunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				if !status(c.PacketStatusSymbol) {
					return
				}
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				if !status(symbol) {
					return
				}
			}
		}
	}
}
