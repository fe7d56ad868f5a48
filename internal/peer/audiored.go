package peer

import (
	"encoding/binary"
	"errors"
)

// maxCopies is more than any sender of ours or Chromium's puts into one packet; those beyond are the oldest and ignored.
const maxCopies = 4

// redCopies are the redundant blocks of one packet, oldest first.
type redCopies struct {
	list [maxCopies]redCopy
	n    int
}

type redCopy struct {
	offset  uint32 // samples before the packet's own RTP time; less than 2^14
	payload []byte
}

var errRED = errors.New("malformed redundant packet")

const (
	redMore   = 0x80 // of a block's first byte: another header follows
	redHeader = 4    // bytes of a redundant block's header; the primary's has one
)

// parseRED takes an RFC 2198 payload apart. What it gives lies in payload. Every block is held to be of the codec that
// was negotiated as primary: nothing else can be negotiated with us. Empty copies, which Chromium sends while it has
// nothing to repeat, are left out.
func parseRED(payload []byte) (primary []byte, copies redCopies, err error) {
	headers, blocks := 0, 0
	for ; ; headers += redHeader {
		if headers >= len(payload) {
			return nil, redCopies{}, errRED
		}
		if payload[headers]&redMore == 0 {
			break
		}
		if headers+redHeader > len(payload) {
			return nil, redCopies{}, errRED
		}
		blocks++
	}
	data := payload[headers+1:]
	for i := range blocks {
		h := binary.BigEndian.Uint32(payload[i*redHeader:])
		offset, length := h>>10&(1<<14-1), int(h&(1<<10-1))
		if length > len(data) {
			return nil, redCopies{}, errRED
		}
		if length > 0 && offset > 0 && blocks-i <= maxCopies {
			copies.list[copies.n] = redCopy{offset, data[:length]}
			copies.n++
		}
		data = data[length:]
	}
	if len(data) == 0 {
		return nil, redCopies{}, errRED
	}
	return data, copies, nil
}

// redWriter makes RFC 2198 payloads of the newest packets.
type redWriter struct {
	past [maxFar]redPast // a ring by number
	n    int             // packets so far without a gap
	out  [redHeader*maxFar + 1 + (maxFar+1)*opusMax]byte
}

type redPast struct {
	rtpTime uint32
	size    int
	payload [opusMax]byte
}

const (
	maxFar     = 3
	redMost    = 1100    // bytes: with headers still one datagram anywhere
	redOffsets = 1 << 14 // what a header's field can say
	redSizes   = 1 << 10 // and so here
)

// gap says that the next packet does not continue the last one.
func (r *redWriter) gap() { r.n = 0 }

// pack gives the payload with copies of the packets so far before it, the oldest first; what there is no copy of is
// left out. It is nil when there is none at all: a plain packet is smaller. The packet is kept for later ones.
func (r *redWriter) pack(rtpTime uint32, payload []byte, payloadType uint8, far []int) []byte {
	at, total := 0, redHeader*len(far)+1+len(payload)
	var use [maxFar]*redPast
	count := 0
	for _, back := range far {
		if back < 1 || back > maxFar || back > r.n {
			continue
		}
		p := &r.past[(r.n-back)%maxFar]
		if rtpTime-p.rtpTime >= redOffsets || p.size >= redSizes || total+p.size > redMost {
			continue
		}
		use[count] = p
		count++
		total += p.size
	}
	for _, p := range use[:count] {
		binary.BigEndian.PutUint32(r.out[at:], uint32(redMore|payloadType)<<24|(rtpTime-p.rtpTime)<<10|uint32(p.size))
		at += redHeader
	}
	r.out[at] = payloadType
	at++
	for _, p := range use[:count] {
		at += copy(r.out[at:], p.payload[:p.size])
	}
	at += copy(r.out[at:], payload)
	keep := &r.past[r.n%maxFar]
	keep.rtpTime, keep.size = rtpTime, copy(keep.payload[:], payload)
	r.n++
	if count == 0 {
		return nil
	}
	return r.out[:at]
}
