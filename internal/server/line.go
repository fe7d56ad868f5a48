package server

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// gatherMost is how many bytes are gathered before they are written: each write has a time in which it must be taken, and
// what is larger by itself need not be copied.
const gatherMost = 8 << 10

// line is a socket's connection as the library has it. While the outbox writes, it gathers the frames that the library
// writes, so that they go out together: one call of the system and one TLS record for all of them, not for each.
type line struct {
	net.Conn

	out sync.Mutex // held while what was gathered is written, so that it stays in order

	mu     sync.Mutex
	lent   *[]byte // from the pool; nil: it is not gathering
	frames []byte  // gathered
	rest   int     // bytes of the frame begun last that are still to come: the library writes a long one in two pieces
	until  time.Time
}

// NetConn is the connection below.
func (l *line) NetConn() net.Conn { return l.Conn }

// gather begins; only the outbox's writer gathers, flushes and settles.
func (l *line) gather() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lent = buffers.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put there
	l.frames, l.rest = (*l.lent)[:0], 0
}

// takes counts what is written, and says whether it is a close frame.
func (l *line) takes(b []byte) (closes bool) {
	const final = 0x80
	if l.rest == 0 && len(b) >= 2 {
		closes = b[0] == final|websocket.CloseMessage
		l.rest = frameSize(b)
	}
	l.rest = max(0, l.rest-len(b))
	return closes
}

// frameSize is the size of a frame with its header, which b begins with, as a server writes it: not masked (RFC 6455
// section 5.2).
func frameSize(b []byte) int {
	switch size := int(b[1]); {
	case size == 126 && len(b) >= 4:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		return 10 + int(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // it was an int when the library wrote it
	default:
		return 2 + size
	}
}

// Write implements net.Conn. A close frame, after which nothing comes, does not wait for others.
func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	if l.lent == nil {
		l.mu.Unlock()
		return l.Conn.Write(b)
	}
	closes := l.takes(b)
	if len(b) > gatherMost { // the rest of a long message: the library lets nobody else write before its end
		until := l.until
		l.mu.Unlock()
		if err := l.flush(until); err != nil {
			return 0, err
		}
		return l.Conn.Write(b)
	}
	l.frames = append(l.frames, b...)
	l.mu.Unlock()
	if closes {
		until := time.Now().Add(farewellWait)
		_ = l.Conn.SetWriteDeadline(until) // also of a write that goes on: the socket is about to end
		if err := l.flush(until); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// SetWriteDeadline implements net.Conn. What is gathered has the deadline of its flush.
func (l *line) SetWriteDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until = t; l.lent != nil {
		return nil
	}
	return l.Conn.SetWriteDeadline(t) // before the next gathering begins, whose flush it must not end
}

// full says whether it is time to flush.
func (l *line) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.frames) >= gatherMost
}

// flush writes what there is. Pings are answered meanwhile, into what is gathered next.
func (l *line) flush(until time.Time) error {
	l.out.Lock()
	defer l.out.Unlock()
	l.mu.Lock()
	b := l.frames
	l.frames = nil
	l.mu.Unlock()
	if err := l.Conn.SetWriteDeadline(until); err != nil || len(b) == 0 {
		return err
	}
	if _, err := l.Conn.Write(b); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frames == nil {
		l.frames = b[:0]
	}
	return nil
}

// settle ends the gathering; false: there is something to flush.
func (l *line) settle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.frames) > 0 {
		return false
	}
	if *l.lent = l.frames; cap(l.frames) <= 2*gatherMost {
		buffers.Put(l.lent)
	}
	l.lent, l.frames = nil, nil
	return true
}
