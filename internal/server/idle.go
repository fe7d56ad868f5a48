package server

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// An idle socket has no goroutine and no buffer: its connection waits in a room with all others, and what reading, decoding
// and the hub's door need (8 KB of stack alone) lives only while there is a message. For that the connection must be able
// to say that there is nothing to read (waiter); on systems where it cannot, a socket has one goroutine for all of it, as
// is usual.

// waiter is the bottom of a connection that can tell whether there is something to read. Only the socket's reader uses it.
type waiter interface {
	net.Conn
	// Try makes Read return errNothing instead of waiting, until it is called with false.
	Try(on bool)
	// Await wakes the sleeper once, in a goroutine of its own, when there is something to read: bytes, the end, an error,
	// the read deadline, Close.
	Await(s sleeper)
}

// sleeper is woken.
type sleeper interface{ wake() }

// patientListener accepts connections that can wait.
type patientListener struct {
	net.Listener
	room *room
}

// Accept implements net.Listener.
func (l patientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return patient(c, l.room), nil
}

// SetDeadline ends an Accept that waits.
func (l patientListener) SetDeadline(t time.Time) error {
	if d, ok := l.Listener.(interface{ SetDeadline(t time.Time) error }); ok {
		return d.SetDeadline(t)
	}
	return errors.ErrUnsupported
}

// errNothing is what Read says in a try when nothing is there. crypto/tls goes on after a temporary error as if nothing
// had happened, and keeps what it has read of a record.
var errNothing error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing to read" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// waiterOf finds the bottom of a connection, under TLS and whatever else there is; nil: it cannot wait that way.
func waiterOf(c net.Conn) waiter {
	for c != nil {
		if w, ok := c.(waiter); ok {
			return w
		}
		under, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = under.NetConn()
	}
	return nil
}

// readBuffer is a reader's: what is larger is read past it. The library insists on more than 256.
const readBuffer = 1024

// largeMessage is more than most messages have, in bytes: room for one is not kept.
const largeMessage = 8 << 10

// reading is what a socket needs while there is something to read.
type reading struct {
	buffer  *bufio.Reader
	message bytes.Buffer
}

var readings = sync.Pool{New: func() any { return &reading{buffer: bufio.NewReaderSize(nil, readBuffer)} }}

// lend gives the socket a reading, and the library, which knows its reader, the buffer in it.
func (k *socket) lend() {
	k.reading = readings.Get().(*reading) //nolint:forcetypeassert // nothing else is put there
	k.reading.buffer.Reset(k.conn.NetConn())
	*k.reader = *k.reading.buffer
}

// giveBack takes it away; nothing may be left to read.
func (k *socket) giveBack() {
	*k.reader = bufio.Reader{}
	if k.reading.message.Cap() > largeMessage {
		k.reading.message = bytes.Buffer{}
	}
	k.reading.buffer.Reset(nil) // the pool must not keep a connection that ends
	readings.Put(k.reading)
	k.reading = nil
}

// upgraded is a ResponseWriter for the upgrader that keeps the reader it gives away, and with it the knowledge of
// whether bytes of the next message have been read already.
type upgraded struct {
	http.ResponseWriter
	reader *bufio.Reader
	line   *line
}

// Hijack implements http.Hijacker.
func (u *upgraded) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if rw.Reader.Buffered() > 0 {
		_ = conn.Close()
		return nil, nil, errors.New("messages before the upgrade")
	}
	u.line, u.reader = &line{Conn: conn}, bufio.NewReaderSize(conn, readBuffer)
	return u.line, bufio.NewReadWriter(u.reader, rw.Writer), nil
}

// run begins to read, until the socket ends. The handler that upgraded it has returned, so that its stack and buffers are
// free.
func (k *socket) run() {
	k.prepare()
	if k.waits == nil {
		go func() {
			for k.read() {
			}
			k.end()
		}()
		return
	}
	go k.wake()
}

// talk tells a socket on which many messages come from one that only says now and then that it is there, or has something.
type talk struct {
	on   bool // many come: the reader waits for the next one
	said int  // so many since the last ping or pong
}

// talkMost is how many messages are read one by one before the reader waits for more. A client that connects says a few, and
// while thousands connect, acknowledges news every few seconds: waiting readers would be most of what all that needs.
const talkMost = 4

// heard follows a message.
func (t *talk) heard() {
	t.said++
	t.on = t.on || t.said > talkMost
}

// pinged follows a ping or pong, which is the clock: no message since the last one means that the socket is idle.
func (t *talk) pinged() { *t = talk{on: t.on && t.said > 0} }

// wake reads all that is there, and leaves the waiting to the connection; while messages come, it waits itself, which costs
// less than to begin anew for each.
func (k *socket) wake() {
	k.lend()
	for {
		k.waits.Try(!k.talk.on)
		_, err := k.reader.Peek(1)
		k.waits.Try(false)
		if errors.Is(err, errNothing) {
			k.giveBack()
			k.waits.Await(k) // from here on the socket is the next wake's
			return
		}
		took, ok := false, true
		if err == nil {
			took, ok = k.readControl()
		}
		switch {
		case took:
			k.talk.pinged()
		case ok:
			k.talk.heard()
			ok = k.read() // any other error is met again
		}
		if !ok {
			k.end()
			return
		}
	}
}

// readControl takes a ping or pong, which is most of what an idle socket gets: the library would go on from it to wait
// for a message. Everything else, and everything that is not as RFC 6455 section 5.2 has it, is the library's.
func (k *socket) readControl() (took, ok bool) {
	const fin, masked = 0x80, 0x80
	b, err := k.reader.Peek(2)
	if err != nil {
		return false, true
	}
	kind, size := int(b[0]&^fin), int(b[1]&^masked)
	if kind != websocket.PingMessage && kind != websocket.PongMessage || b[0]&fin == 0 || b[1]&masked == 0 || size > 125 {
		return false, true
	}
	if b, err = k.reader.Peek(2 + 4 + size); err != nil {
		return false, true
	}
	data := slices.Clone(b[6:])
	for i := range data {
		data[i] ^= b[2+i%4]
	}
	_, _ = k.reader.Discard(2 + 4 + size) // it is there
	handle := k.conn.PongHandler()
	if kind == websocket.PingMessage {
		handle = k.conn.PingHandler()
	}
	if err := handle(string(data)); err != nil {
		k.why = err
		return true, false
	}
	return true, true
}
