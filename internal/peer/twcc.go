package peer

import (
	"math"
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// feedbackWriter makes the transport-wide feedback for what we receive
// (draft-holmer-rmcat-transport-wide-cc-extensions-01): when each packet came, and which did not. It is pure. Unlike
// pion's it speaks more often when much comes, so that the sender learns of a full line sooner, and never names a stream
// of retransmissions, whose feedback pion's senders do not read.
type feedbackWriter struct {
	self, media uint32 // SSRCs; media is the last that is none of retransmissions
	began       time.Time
	count       uint8
	known       bool
	next        int64       // number that the next feedback begins with
	newest      int64       // unwrapped
	got         []gotPacket // not yet told
	bytes       int         // of these
	told        time.Time
	bps, lately float64 // rate before that
	missing     int64   // packets that do not seem to have come, since the last take
	highest     int64   // the newest number then
	upBps       int     // what may be sent in all, feedback with it; 0: not known
	// inside is whether a packet has come to this machine, but not here yet; nil: never.
	inside    func(number uint16, now time.Time) bool
	overtaken float64 // share of packets that came after later ones, smoothed
}

type gotPacket struct {
	number int64
	at     time.Duration // since began
}

const (
	feedbackUsual   = 50 * time.Millisecond // as libwebrtc on a good line
	feedbackQuick   = 25 * time.Millisecond
	feedbackSlow    = 80 * time.Millisecond
	feedbackLimit   = 1024 // packets in one feedback, received or not
	feedbackMostGot = 400  // received ones: it must fit a packet
	quickAboveBps   = 500_000
	slowBelowBps    = 100_000
	rateSpan        = 500 * time.Millisecond
	smallDeltaMost  = 255 * rtcp.TypeTCCDeltaScaleFactor

	feedbackHurry   = 8 * time.Millisecond // between two, at least
	feedbackShare   = 0.1                  // of what may be sent; it does not wait its turn behind sound
	feedbackBits    = 640                  // of one, about, with what carries it
	overtakenWeight = 1.0 / 64
	overtakenCounts = 0.005
	overtakenLook   = 32                   // packets
	feedbackSettle  = 2 * time.Millisecond // streams come by goroutines of their own, and not in order
)

func newFeedbackWriter(self uint32) *feedbackWriter { return &feedbackWriter{self: self} }

// got takes a packet that came.
func (f *feedbackWriter) add(number uint16, size int, now time.Time) {
	if f.began.IsZero() {
		f.began, f.newest = now, int64(number)
	}
	n := f.newest + int64(int16(number-uint16(f.newest)))
	f.overtaken -= f.overtaken * overtakenWeight
	switch {
	case n > f.newest:
		f.missing += n - f.newest - 1
	case n < f.newest:
		if n > f.highest {
			f.missing--
		}
		if f.late(n, now) {
			f.overtaken += overtakenWeight
		}
	}
	f.newest = max(f.newest, n)
	if len(f.got) < 4*feedbackLimit { // more than any line brings between two feedbacks
		f.got = append(f.got, gotPacket{n, max(now.Sub(f.began), 0)})
	}
	f.bytes += size
}

// late is whether a packet was overtaken by more than the order in which goroutines of one machine bring them.
func (f *feedbackWriter) late(n int64, now time.Time) bool {
	if f.known && n < f.next {
		return true
	}
	for _, g := range f.got[max(len(f.got)-overtakenLook, 0):] {
		if g.number > n && now.Sub(f.began)-g.at > feedbackSettle {
			return true
		}
	}
	return false
}

// urgent is whether the next take should be now, because a packet was lost: the sender may have it there again before it
// is asked for. Where packets overtake each other it is likelier to come by itself.
func (f *feedbackWriter) urgent(now time.Time) bool {
	return f.missing > 0 && f.overtaken < overtakenCounts && now.Sub(f.told) >= f.least()
}

// least is the time between two, so that feedback leaves a narrow line to sound.
func (f *feedbackWriter) least() time.Duration {
	if f.upBps <= 0 {
		return feedbackHurry
	}
	each := time.Duration(feedbackBits / (feedbackShare * float64(f.upBps)) * float64(time.Second))
	return min(max(each, feedbackHurry), feedbackSlow)
}

// every is how long to wait before the next take.
func (f *feedbackWriter) every(now time.Time) time.Duration { return max(f.wished(now), f.least()) }

// wished is every on a line that is wide our way. Who suddenly sends little, for longer than between two pictures, may
// have a full window because feedback was lost: there must not be less of it just then.
func (f *feedbackWriter) wished(now time.Time) time.Duration {
	bps, lately := f.rate(now)
	if f.overtaken < overtakenCounts { // else who speaks less often calls less lost that is only late
		bps = max(bps, lately) // between two pictures there is only sound
	}
	switch {
	case f.told.IsZero():
		return feedbackUsual
	case bps > quickAboveBps:
		return feedbackQuick
	case bps >= slowBelowBps:
		return feedbackUsual
	case f.bps < slowBelowBps && lately > quickAboveBps:
		return feedbackQuick
	}
	return feedbackSlow
}

// rate is that since the last take, and of the last half second or so.
func (f *feedbackWriter) rate(now time.Time) (bps, lately float64) {
	passed := now.Sub(f.told).Seconds()
	if f.told.IsZero() || passed <= 0 {
		return f.bps, f.lately
	}
	bps = float64(f.bytes*8) / passed
	return bps, bps + (f.lately-bps)*math.Exp(-passed/rateSpan.Seconds())
}

// take gives the feedback about all that came since the last time.
func (f *feedbackWriter) take(now time.Time) []*rtcp.TransportLayerCC {
	f.bps, f.lately = f.rate(now)
	f.told, f.bytes, f.missing, f.highest = now, 0, 0, f.newest
	if len(f.got) == 0 {
		return nil
	}
	slices.SortFunc(f.got, func(a, b gotPacket) int { return int(a.number - b.number) })
	f.got = slices.CompactFunc(f.got, func(a, b gotPacket) bool { return a.number == b.number })
	if !f.known {
		f.next, f.known = f.got[0].number, true
	}
	var list []*rtcp.TransportLayerCC
	ready := f.ready(now)
	for rest := f.got[:ready]; len(rest) > 0; {
		base := rest[0].number // of those that were overtaken, and told as lost
		if base > f.next && base-f.next < feedbackLimit/2 {
			base = f.next
		}
		n := 1
		for n < min(len(rest), feedbackMostGot) && rest[n].number-base < feedbackLimit && rest[n].at-rest[0].at < 7*time.Second && rest[n-1].at-rest[n].at < 7*time.Second {
			if rest[n-1].number < f.next && rest[n].number >= f.next {
				break // what lies between was told
			}
			n++
		}
		list = append(list, f.packet(base, rest[:n]))
		f.next = max(f.next, rest[n-1].number+1)
		rest = rest[n:]
	}
	f.got = slices.Delete(f.got, 0, ready)
	return list
}

// ready is how many of the packets may be told of: those before the first that is in this machine and nobody has read
// yet. It would be told as lost.
func (f *feedbackWriter) ready(now time.Time) int {
	if f.inside == nil {
		return len(f.got)
	}
	next := f.next
	for i, g := range f.got {
		for ; next < g.number && g.number-next < feedbackLimit/2; next++ {
			if f.inside(uint16(next), now) {
				return i
			}
		}
		next = max(next, g.number+1)
	}
	return len(f.got)
}

// packet describes the received ones and what is missing between them, from base on.
func (f *feedbackWriter) packet(base int64, received []gotPacket) *rtcp.TransportLayerCC {
	reference := received[0].at / (64 * time.Millisecond)
	p := &rtcp.TransportLayerCC{
		SenderSSRC: f.self, MediaSSRC: f.media, BaseSequenceNumber: uint16(base), FbPktCount: f.count,
		PacketStatusCount: uint16(received[len(received)-1].number - base + 1), ReferenceTime: uint32(reference) & 0xffffff,
	}
	f.count++
	symbols := make([]uint16, 0, p.PacketStatusCount)
	deltas := make([]rtcp.RecvDelta, 0, len(received))
	clock, size := int64(reference)*64_000, 20
	for _, r := range received {
		for int64(len(symbols)) < r.number-base {
			symbols = append(symbols, rtcp.TypeTCCPacketNotReceived)
		}
		delta := (r.at.Microseconds() - clock) / rtcp.TypeTCCDeltaScaleFactor * rtcp.TypeTCCDeltaScaleFactor
		clock += delta
		symbol := rtcp.TypeTCCPacketReceivedSmallDelta
		size++
		if delta < 0 || delta > smallDeltaMost {
			symbol = rtcp.TypeTCCPacketReceivedLargeDelta
			size++
		}
		symbols = append(symbols, symbol)
		deltas = append(deltas, rtcp.RecvDelta{Type: symbol, Delta: delta})
	}
	p.RecvDeltas = make([]*rtcp.RecvDelta, len(deltas))
	for i := range deltas {
		p.RecvDeltas[i] = &deltas[i]
	}
	p.PacketChunks = statusChunks(symbols)
	size += 2 * len(p.PacketChunks)
	p.Header = rtcp.Header{
		Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Padding: size%4 != 0, Length: uint16((size+3)/4 - 1),
	}
	return p
}

// statusChunks writes the symbols down in the shortest of the draft's three forms.
func statusChunks(symbols []uint16) (chunks []rtcp.PacketStatusChunk) {
	for len(symbols) > 0 {
		same, narrow := 1, 0
		for same < len(symbols) && symbols[same] == symbols[0] {
			same++
		}
		for narrow < min(len(symbols), 14) && symbols[narrow] != rtcp.TypeTCCPacketReceivedLargeDelta {
			narrow++
		}
		n := min(len(symbols), 7)
		switch {
		case same >= 14 || same == len(symbols):
			n = same // at most feedbackLimit, and 13 bits hold it
			chunks = append(chunks, &rtcp.RunLengthChunk{PacketStatusSymbol: symbols[0], RunLength: uint16(n)})
		case narrow == 14 || narrow == len(symbols):
			n = narrow
			chunks = append(chunks, &rtcp.StatusVectorChunk{SymbolSize: rtcp.TypeTCCSymbolSizeOneBit, SymbolList: filled(symbols[:n], 14)})
		default:
			chunks = append(chunks, &rtcp.StatusVectorChunk{SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit, SymbolList: filled(symbols[:n], 7)})
		}
		symbols = symbols[n:]
	}
	return chunks
}

// filled appends what the status count says is not there.
func filled(symbols []uint16, n int) []uint16 {
	list := make([]uint16, n)
	copy(list, symbols)
	return list
}
