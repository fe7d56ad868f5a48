package peer

import (
	"encoding/binary"
	"strings"

	"github.com/pion/webrtc/v4"
)

// Redundancy for pictures between two Visavis: packets of parity over a run of packets of the video stream, so that lost
// ones are worked out at once instead of a round trip later. They travel on the SSRC of retransmissions (their losses
// make no holes in the stream) with a payload type of their own, negotiated as the codec mimeFEC; browsers refuse it and
// get none. Payload, after docs/protocol.md: first sequence number (16 bits), how many packets are covered (8), how many
// parities there are (4) and which one this is (4), then one shard of the erasure code.
//
// A data shard stands for one packet: its length and whether its picture's number is known (16 bits: 15 and 1), second
// byte of its RTP header (marker, payload type), RTP time (32), the picture's number (16), payload.

const (
	mimeFEC    = "video/x-visavis-parity"
	payloadFEC = 45

	parityHeader = 4
	shardHeader  = 9
	maxShard     = 1400
)

func isFEC(c webrtc.RTPCodecCapability) bool { return strings.EqualFold(c.MimeType, mimeFEC) }

// fecType finds the payload type that was negotiated for parity, 0 for none.
func fecType(list []webrtc.RTPCodecParameters) uint8 {
	for _, p := range list {
		if isFEC(p.RTPCodecCapability) {
			return uint8(p.PayloadType)
		}
	}
	return 0
}

// protected is what a shard says of a packet.
type protected struct {
	second  byte
	rtpTime uint32
	number  pictureNumber
	payload []byte
}

func (p protected) append(b []byte) []byte {
	length := uint16(len(p.payload)) << 1
	if p.number.known {
		length |= 1
	}
	b = append(binary.BigEndian.AppendUint16(b, length), p.second)
	b = binary.BigEndian.AppendUint32(b, p.rtpTime)
	return append(binary.BigEndian.AppendUint16(b, p.number.low), p.payload...)
}

// parseShard gives ok false for what no packet can have been; the payload is part of b.
func parseShard(b []byte) (p protected, ok bool) {
	if len(b) < shardHeader {
		return protected{}, false
	}
	length := binary.BigEndian.Uint16(b)
	if int(length>>1) > len(b)-shardHeader {
		return protected{}, false
	}
	p.second, p.rtpTime = b[2], binary.BigEndian.Uint32(b[3:])
	p.number = pictureNumber{binary.BigEndian.Uint16(b[7:]), length&1 == 1}
	p.payload = b[shardHeader : shardHeader+int(length>>1)]
	return p, true
}

// parity is one parity packet.
type parity struct {
	base         uint16
	count        int // of covered packets
	total, index int
	shard        []byte
}

func (p parity) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, p.base)
	return append(append(b, byte(p.count), byte(p.total<<4|p.index)), p.shard...)
}

// parseParity gives ok false for what is none. What was sent without its first two bytes, which are base, is how
// retransmissions are unwrapped.
func parseParity(base uint16, rest []byte) (p parity, ok bool) {
	if len(rest) < parityHeader-2+shardHeader || len(rest) > parityHeader-2+maxShard {
		return parity{}, false
	}
	p = parity{base: base, count: int(rest[0]), total: int(rest[1] >> 4), index: int(rest[1] & 15), shard: rest[2:]}
	return p, p.count >= 1 && p.count <= maxData && p.total >= 1 && p.index < p.total
}
