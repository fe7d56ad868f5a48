package peer

import (
	"time"

	"github.com/pion/rtcp"
)

// sentLog numbers what leaves, transport-wide, and remembers it until feedback says what became of it. It is pure.
type sentLog struct {
	number   uint16 // of the next packet
	packets  [sendLog]sentPacket
	sent     int64  // bytes, all told
	answered int64  // bytes up to the newest packet that feedback spoke of,
	upTo     uint16 // which has this number
	foreign  int64  // statuses of packets that were never sent, or long ago
}

const sendLog = 4096 // packets awaiting feedback: 4 s at 10 Mbit/s

// sentPacket is what feedback is matched with.
type sentPacket struct {
	number uint16
	state  packetState
	size   int
	at     time.Time
	total  int64  // bytes sent with it
	probe  uint16 // the cluster it is of, 0: none
	video  bool
	brings cargo
}

// cargo is which packet of a stream of pictures is brought; nothing for sound, parity and plain padding.
type cargo struct {
	known bool
	again bool // it has been sent before
	ssrc  uint32
	seq   uint16
}

type packetState uint8

const (
	unused packetState = iota
	inFlight
	reportedLost // and may yet be reported as received, when it was only overtaken
)

// arrival is what feedback says about one packet we sent.
type arrival struct {
	sent     time.Time
	received time.Duration // on the receiver's clock
	lost     bool
	found    bool // it was reported lost before, and was only overtaken
	video    bool
	probe    uint16
	size     int
	brings   cargo
}

// carries says what the packet with that number brings.
func (l *sentLog) carries(number uint16, c cargo) { l.packets[number%sendLog].brings = c }

func (l *sentLog) add(size int, probe uint16, video bool, now time.Time) uint16 {
	n := l.number
	l.number++
	l.sent += int64(size)
	l.packets[n%sendLog] = sentPacket{number: n, state: inFlight, size: size, at: now, total: l.sent, probe: probe, video: video}
	return n
}

// inFlight is how many bytes left after the newest packet that feedback spoke of.
func (l *sentLog) inFlight() int64 { return l.sent - l.answered }

// waiting is when the first of those left; ok is false when there is none.
func (l *sentLog) waiting() (since time.Time, ok bool) {
	number := l.upTo + 1
	if l.answered == 0 {
		number = 0
	}
	p := &l.packets[number%sendLog]
	return p.at, l.inFlight() > 0 && p.number == number
}

// feedback matches transport-wide feedback with what was sent; out is reused. Packets that no feedback speaks of are
// neither lost nor received: feedback itself gets lost.
func (l *sentLog) feedback(fb *rtcp.TransportLayerCC, out []arrival) []arrival {
	out = out[:0]
	clock := time.Duration(fb.ReferenceTime) * 64 * time.Millisecond
	deltas := fb.RecvDeltas
	number, left := fb.BaseSequenceNumber, int(fb.PacketStatusCount)
	eachStatus(fb.PacketChunks, func(symbol uint16) bool {
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
		switch p := &l.packets[number%sendLog]; {
		case p.number != number || p.at.IsZero():
			l.foreign++
		case p.state == inFlight || p.state == reportedLost && received:
			out = append(out, arrival{
				sent: p.at, received: clock, lost: !received, found: p.state == reportedLost,
				video: p.video, probe: p.probe, size: p.size, brings: p.brings,
			})
			if p.total > l.answered {
				l.answered, l.upTo = p.total, number
			}
			p.state = reportedLost
			if received {
				p.state = unused
			}
		}
		number++
		left--
		return true
	})
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
