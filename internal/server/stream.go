package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server/hub"
	"visavis.example/internal/signal"
)

// stream is a session on the wire: what a client that numbers its messages has beyond one socket. For the hub it is the
// device's connection. It numbers and keeps what is sent until the client has it, and takes each of the client's messages
// once; after a cut the next socket goes on where the last one was. Two locks: order is held from the taking of a message
// until it is the hub's, by readers only; mu for the sending side, also by the hub's loop, never while anything waits.
type stream struct {
	id      string
	streams *streams
	user    string
	device  string
	session string // of package accounts: whose token opened it

	order sync.Mutex
	got   atomic.Uint64 // number of the last message that was taken
	told  atomic.Uint64 // the last one that was acknowledged

	mu    sync.Mutex
	at    *socket // nil: cut
	cutAt time.Time
	hail  string // request id of the User/Connect that began it, until it is answered
	kept  signal.Kept
	ended bool
}

// Send implements hub.Conn. While it is cut, what is sent is kept; more than can be kept ends it.
func (t *stream) Send(m *hub.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := m.JSON()
	switch {
	case t.ended:
		return
	case t.at == nil && !t.kept.Fits(len(b)):
		t.endLocked()
		t.streams.running.Go(func() { t.streams.gone(t, hub.Lost) }) // the hub's loop, which calls this, must not wait for itself
		return
	case t.hail != "" && m.RequestID == t.hail:
		// This reply is no part of the session: who does not get it knows of none.
		if t.hail = ""; t.at != nil {
			t.at.queue(frame{kind: websocket.TextMessage, data: b})
		}
		return
	case t.hail != "":
		return // the client could make nothing of it yet
	}
	seq := t.kept.Add(b)
	if t.at != nil {
		t.at.queue(frame{websocket.TextMessage, b, seq, t})
	}
}

// Close implements hub.Conn.
func (t *stream) Close(code int, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endLocked()
	if t.at != nil {
		t.at.Close(code, reason)
		return // its reader says that it is gone
	}
	t.streams.running.Go(func() { t.streams.gone(t, hub.Lost) })
}

func (t *stream) endLocked() {
	t.ended, t.kept = true, signal.Kept{}
}

// take looks at a message's numbers: fresh is false for what is no request of this moment, such as one that has been here
// already. The caller holds order.
func (t *stream) take(k *socket, e signal.Envelope) (fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at != k || t.ended {
		return false // another socket has its place: there the client says it again
	}
	if t.kept.Ack(e.Ack) != nil {
		t.refuseLocked(k, "what was never sent is acknowledged")
		return false
	}
	got := t.got.Load()
	switch {
	case e.Seq == 0:
		return e.Method != signal.SessionAck
	case e.Seq <= got:
		t.streams.meters.repeats.Inc()
		return false
	case e.Seq > got+1:
		t.refuseLocked(k, "numbered messages are missing")
		return false
	}
	t.got.Store(e.Seq)
	if e.Seq-t.told.Load() >= signal.AckEvery {
		t.told.Store(e.Seq)
		k.put(frame{websocket.TextMessage, ackMessage, 0, t})
	}
	return true
}

// refuseLocked ends it before the client hears why: who comes back at once must not find it going on.
func (t *stream) refuseLocked(k *socket, why string) {
	t.endLocked()
	k.Close(closePolicy, why)
}

var ackMessage = signal.Encode(signal.Envelope{Method: signal.SessionAck, Code: signal.CodeAck})

// tell gives the acknowledgement that goes with what is written now.
func (t *stream) tell() uint64 {
	got := t.got.Load()
	t.told.Store(got)
	return got
}

// resume goes on with another socket: the reply, and then all that the client has not got.
func (t *stream) resume(k *socket, h hub.Hello) bool {
	t.order.Lock()
	defer t.order.Unlock()
	if !t.attach(k, h) {
		return false
	}
	t.streams.hub.Resumed(t, h.Host)
	return true
}

func (t *stream) attach(k *socket, h hub.Hello) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	seq := h.Connect.Resume.Got
	missed, ok := t.kept.Since(seq)
	if t.ended || !ok {
		return false
	}
	self := k.session.User
	self.Online = true
	reply := hub.Reply(signal.Envelope{Method: signal.UserConnect, RequestID: h.RequestID}, signal.Connected{
		Self: self, Users: []signal.User{}, Server: "visavis-server/" + k.server.Version, Session: t.id, Resumed: true, Got: t.got.Load(),
	})
	k.queue(frame{kind: websocket.TextMessage, data: reply.JSON()})
	for i, m := range missed {
		k.queue(frame{websocket.TextMessage, m, seq + 1 + uint64(i), t})
	}
	_ = t.kept.Ack(seq) // Since knows the number
	if t.at != nil {
		t.at.Close(hub.CloseReplaced, "this device has connected again")
	}
	t.at, k.stream, k.free = k, t, signal.MaxKept
	return true
}

// leave follows the end of a socket. cut: the client may come back.
func (t *stream) leave(k *socket, how hub.Parting, cut bool) {
	t.order.Lock() // so that the hub hears of this before it hears of the next socket
	defer t.order.Unlock()
	t.mu.Lock()
	mine := t.at == k
	if mine {
		t.at, t.cutAt = nil, time.Now()
	}
	if mine && !cut {
		t.endLocked()
	}
	ended := t.ended
	t.mu.Unlock()
	switch {
	case !mine:
	case ended:
		t.streams.gone(t, how)
	default:
		t.streams.hub.CutOff(t)
	}
}

// cutSince says whether it has no socket, and since when.
func (t *stream) cutSince() (at time.Time, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cutAt, t.at == nil && !t.ended
}

// expire ends it if it has been cut since before that time.
func (t *stream) expire(before time.Time) (ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at != nil || t.ended || t.cutAt.After(before) {
		return false
	}
	t.endLocked()
	return true
}
