package peer

import (
	"encoding/binary"
	"sync"
	"time"
)

// arrivalLog remembers when packets came to this machine. Feedback that told instead when we came round to reading them
// would say of a machine without time that the line is slow, and that what another goroutine has yet to read is lost.
// Sockets note what they receive before anybody has proved whom it is from: what is made up can at most be asked about.
type arrivalLog struct {
	mu    sync.Mutex
	id    uint8 // of the header extension with the transport-wide number; 0: not negotiated
	ssrcs map[uint32]struct{}
	slots [arrivalSlots]arrivalSlot // by number
}

type arrivalSlot struct {
	number uint16
	taken  bool // by the one who reads its stream
	at     time.Time
}

const (
	arrivalSlots = 1024        // more than wait between a socket and who reads its packets
	arrivalLife  = time.Second // numbers come back
	insideMost   = 500 * time.Millisecond
)

// reads adds a stream that somebody reads.
func (l *arrivalLog) reads(ssrc uint32, id uint8) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ssrcs == nil {
		l.ssrcs = map[uint32]struct{}{}
	}
	if l.ssrcs[ssrc] = struct{}{}; id != 0 {
		l.id = id
	}
}

func (l *arrivalLog) readsNoMore(ssrc uint32) {
	l.mu.Lock()
	delete(l.ssrcs, ssrc)
	l.mu.Unlock()
}

// saw takes what a socket received: RTP, or that in a relay's ChannelData (RFC 8656 section 12.4). All else is passed over.
func (l *arrivalLog) saw(b []byte, at time.Time) {
	if b0(b)>>6 == 1 && len(b) > 4 {
		b = b[4:]
	}
	if len(b) < 12 || b[0]>>6 != 2 || b[1]&0x60 == 0x40 { // not RTP, or RTCP (RFC 5761 section 4)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.ssrcs[binary.BigEndian.Uint32(b[8:])]; !ok {
		return
	}
	number, ok := transportNumber(b, l.id)
	if !ok {
		return
	}
	if s := &l.slots[number%arrivalSlots]; s.number != number || at.Sub(s.at) > arrivalLife {
		*s = arrivalSlot{number: number, at: at}
	}
}

// came says when a packet that is read now came: now, if no socket has told.
func (l *arrivalLog) came(number uint16, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.slots[number%arrivalSlots]
	if s.number != number || s.taken || now.Sub(s.at) > arrivalLife || s.at.After(now) {
		return now
	}
	s.taken = true
	return s.at
}

// inside is whether a packet has come, but nobody has read it yet.
func (l *arrivalLog) inside(number uint16, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.slots[number%arrivalSlots]
	return s.number == number && !s.taken && now.Sub(s.at) < insideMost
}
