package server

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/signal"
)

// frame is one message on its way out.
type frame struct {
	kind   int // websocket.TextMessage, PingMessage or CloseMessage
	data   []byte
	seq    uint64  // its number; 0: none
	stream *stream // whose acknowledgement goes with it; nil: none
}

// outbox is the writing side of a socket. Nobody waits for the network: a message goes into a queue, and a goroutine
// that it has only as long as there is something to write empties it. An idle socket has neither.
type outbox struct {
	conn    *websocket.Conn
	line    *line // below it
	writers *writers
	limits  *Limits

	mu      sync.Mutex
	queue   []frame
	owed    int // bytes in queue
	writing bool
	closed  bool // nothing is taken any more
}

// buffers are for messages with their numbers, which are each receiver's own, and for frames that go out together.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// put queues a frame; ok is false when the reader is so slow that the socket must end.
func (o *outbox) put(f frame) (ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true
	}
	// The roster of a large server in single messages fits, ten megabytes to somebody who never reads do not.
	if o.owed+len(f.data) > o.limits.OwedBytes || len(o.queue) >= o.limits.OwedMessages {
		o.closed, o.queue = true, nil
		return false
	}
	o.queue, o.owed = append(o.queue, f), o.owed+len(f.data)
	o.closed = f.kind == websocket.CloseMessage
	if !o.writing {
		o.writing = true
		o.writers.start(o)
	}
	return true
}

// stop drops what has not been written.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.queue, o.owed = true, nil, 0
}

func (o *outbox) write() {
	o.line.gather()
	for {
		batch, over := o.next()
		if over {
			return
		}
		if err := o.writeAll(batch); err != nil {
			o.stop()
			_ = o.conn.Close() // the reading side ends the socket
		}
	}
}

// next takes what is queued. It is over when there is nothing any more, and the writer with it.
func (o *outbox) next() (batch []frame, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch = o.queue
	o.queue, o.owed = nil, 0
	if len(batch) == 0 && o.line.settle() {
		o.writing = false
		return nil, true
	}
	return batch, false
}

func (o *outbox) writeAll(batch []frame) error {
	numbered := buffers.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put there
	defer buffers.Put(numbered)
	for _, f := range batch {
		if f.stream != nil {
			*numbered = signal.AppendNumbered((*numbered)[:0], f.data, f.seq, f.stream.tell())
			f.data = *numbered
		}
		if err := o.writeFrame(f); err != nil {
			return err
		}
		if o.line.full() {
			if err := o.line.flush(time.Now().Add(o.limits.WriteWait)); err != nil {
				return err
			}
		}
	}
	return o.line.flush(time.Now().Add(o.limits.WriteWait))
}

// writeFrame has the library write one.
func (o *outbox) writeFrame(f frame) error {
	until := time.Now().Add(o.limits.WriteWait)
	if f.kind == websocket.CloseMessage {
		return o.conn.WriteControl(f.kind, f.data, until)
	}
	if err := o.conn.SetWriteDeadline(until); err != nil {
		return err
	}
	return o.conn.WriteMessage(f.kind, f.data)
}
