package peer

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/pion/webrtc/v4"
)

// Redundancy for pictures as browsers know it: ULPFEC (RFC 5109) at its one level 0, in RED (RFC 2198) with one block. It
// takes sequence numbers of the pictures' stream, and a lost parity is never sent again. So the receiver has to tell such a
// hole from one in a picture, which it does by picture ids: with VP8 and VP9 only, and only between pictures. That is
// libwebrtc's rule, too. Between two Visavis there is better: see fec.go.

const (
	mimeVideoRED = "video/red"
	mimeULPFEC   = "video/ulpfec"

	// Payload types are Chromium's.
	payloadVideoRED    = 118
	payloadVideoREDRTX = 119
	payloadULPFEC      = 120

	rtpFixed      = 12 // bytes of an RTP header that parity covers by fields of its own
	ulpHeader     = 10 // bytes, of all levels,
	ulpLevel      = 4  // and of level 0 with a short mask,
	ulpLong       = 4  // which a long one is longer by
	ulpShortReach = 16 // packets from the first on
	ulpReach      = 48 // with a long mask
)

// redTypes are the payload types that were negotiated for RED and ULPFEC, 0: not.
type redTypes struct{ red, ulpfec uint8 }

// redTypesOf finds them; none with who knows our own parity, which is sent instead.
func redTypesOf(list []webrtc.RTPCodecParameters) (r redTypes) {
	if fecType(list) != 0 {
		return redTypes{}
	}
	for _, p := range list {
		switch {
		case strings.EqualFold(p.MimeType, mimeVideoRED):
			r.red = uint8(p.PayloadType)
		case strings.EqualFold(p.MimeType, mimeULPFEC):
			r.ulpfec = uint8(p.PayloadType)
		}
	}
	return r
}

// openRED takes the one block of a payload. More blocks than one are of no use for pictures, and nobody sends them.
func openRED(payload []byte) (payloadType uint8, block []byte, ok bool) {
	if len(payload) == 0 || payload[0]&redMore != 0 {
		return 0, nil, false
	}
	return payload[0], payload[1:], true
}

// ulpPacket is one packet of parity: the XOR of the packets that it covers.
type ulpPacket struct {
	first, second byte // of their headers; the version is left out of the first
	base          uint16
	rtpTime       uint32
	length        uint16 // of what follows their fixed headers
	mask          uint64 // which ones: the highest bit stands for base, the next for the one after
	rest          []byte // what follows their fixed headers, shorter ones with zeros behind
}

// parseULP takes a payload apart, and keeps a part of it. ok is false for what is no parity.
func parseULP(b []byte) (p ulpPacket, ok bool) {
	const long = 0x40
	at := ulpHeader + ulpLevel
	if len(b) < at {
		return ulpPacket{}, false
	}
	p = ulpPacket{
		first: b[0] & 0x3f, second: b[1], base: binary.BigEndian.Uint16(b[2:]), rtpTime: binary.BigEndian.Uint32(b[4:]),
		length: binary.BigEndian.Uint16(b[8:]), mask: uint64(binary.BigEndian.Uint16(b[12:])) << 48,
	}
	if b[0]&long != 0 {
		if len(b) < at+ulpLong {
			return ulpPacket{}, false
		}
		p.mask |= uint64(binary.BigEndian.Uint32(b[at:])) << 16
		at += ulpLong
	}
	covered := int(binary.BigEndian.Uint16(b[ulpHeader:]))
	if p.mask == 0 || covered > len(b)-at {
		return ulpPacket{}, false
	}
	p.rest = b[at : at+covered]
	return p, true
}

// append writes it as parseULP reads it.
func (p *ulpPacket) append(b []byte) []byte {
	long := p.mask<<ulpShortReach != 0
	first := p.first
	if long {
		first |= 0x40
	}
	b = binary.BigEndian.AppendUint16(append(b, first, p.second), p.base)
	b = binary.BigEndian.AppendUint32(b, p.rtpTime)
	b = binary.BigEndian.AppendUint16(b, p.length)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.rest)))
	b = binary.BigEndian.AppendUint16(b, uint16(p.mask>>48))
	if long {
		b = binary.BigEndian.AppendUint32(b, uint32(p.mask>>16))
	}
	return append(b, p.rest...)
}

// cover adds a packet, whole and less than ulpReach after base.
func (p *ulpPacket) cover(packet []byte) {
	p.mask |= 1 << 63 >> (binary.BigEndian.Uint16(packet[2:]) - p.base)
	if more := len(packet) - rtpFixed - len(p.rest); more > 0 {
		p.rest = append(p.rest, make([]byte, more)...)
	}
	p.mix(packet)
}

// mix puts a packet in, or takes it out again.
func (p *ulpPacket) mix(packet []byte) {
	p.first ^= packet[0] & 0x3f
	p.second ^= packet[1]
	p.rtpTime ^= binary.BigEndian.Uint32(packet[4:])
	p.length ^= uint16(len(packet) - rtpFixed)
	subtle.XORBytes(p.rest, p.rest, packet[rtpFixed:])
}

// remains gives the packet that is left when all others were taken out, without its SSRC. ok is false when what is left
// cannot be one: it would be longer than what is protected, or there is something behind its end.
func (p *ulpPacket) remains(sequence uint16) (packet []byte, ok bool) {
	n := int(p.length)
	if n > len(p.rest) || len(bytes.TrimLeft(p.rest[n:], "\x00")) > 0 {
		return nil, false
	}
	packet = make([]byte, rtpFixed, rtpFixed+n)
	packet[0], packet[1] = 2<<6|p.first, p.second
	binary.BigEndian.PutUint16(packet[2:], sequence)
	binary.BigEndian.PutUint32(packet[4:], p.rtpTime)
	return append(packet, p.rest[:n]...), true
}

// covers says whether the packet is one of those.
func (p *ulpPacket) covers(sequence uint16) bool {
	back := sequence - p.base
	return back < ulpReach && p.mask<<back>>63 == 1
}

// each calls f with the sequence numbers of those, until it says no.
func (p *ulpPacket) each(f func(sequence uint16) bool) {
	for mask := p.mask; mask != 0; {
		at := bits.LeadingZeros64(mask)
		if mask &^= 1 << 63 >> at; !f(p.base + uint16(at)) {
			return
		}
	}
}

// zeroExtension makes what a header extension says zeros, in a whole packet. Transport-wide numbers are written when a
// packet leaves, after its parity was made: parity is of the packet as it was before (as libwebrtc has it).
func zeroExtension(packet []byte, id uint8) {
	if value, ok := extensionValue(packet, id); ok {
		clear(value)
	}
}
