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
