package server

import (
	"bufio"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

// Close codes (RFC 6455 section 7.4.1).
const (
	closeUnsupported = websocket.CloseUnsupportedData
	closePolicy      = websocket.ClosePolicyViolation
	closeRestart     = websocket.CloseServiceRestart
)

const (
	farewellWait = 2 * time.Second // for the other side of a close
	badStrikes   = 20              // what a malformed message counts
)

// socket is one WebSocket. Its reader checks and limits; what a message means is the hub's business.
type socket struct {
	outbox
	server  *Server
	session accounts.Session
	host    string // HOST:PORT at which the device reached us
	slot    int    // of the ping wheel
	reader  *bufio.Reader
	waits   waiter   // nil: reading waits
	reading *reading // nil: it is idle, or reading waits
	talk    talk
	why     error // it has ended

	deadAfter time.Duration
	within    bool    // a message, by its reader
	greeted   bool    // User/Connect has been said
	stream    *stream // its messages are numbered, and it may be resumed; nil: the client does not know how
	free      int     // numbered messages that are not counted: those said again
	bucket    limit.Bucket
	strikes   int
	known     atomic.Bool // the hub has been told of it, or its session goes on: stream is what it will be
	leaving   atomic.Bool // a close frame has been queued
	signedOut atomic.Bool
}

// Send implements hub.Conn, for a client that does not number.
func (k *socket) Send(m *hub.Message) {
	k.queue(frame{kind: websocket.TextMessage, data: m.JSON()})
}

// queue sends a frame, or gives a socket up that does not read.
func (k *socket) queue(f frame) {
	if !k.put(f) {
		k.server.Logger.Info("a socket does not read what is sent to it", "user", k.session.User.ID)
		k.server.meters.sockets.With(socketSlow).Inc()
		_ = k.conn.Close()
	}
}

// say answers by the way that the client understands.
func (k *socket) say(m *hub.Message) {
	if k.stream != nil {
		k.stream.Send(m)
		return
	}
	k.Send(m)
}

// Close implements hub.Conn: a close frame after what was sent, and the end soon after.
func (k *socket) Close(code int, reason string) {
	if k.leaving.Swap(true) {
		return
	}
	k.put(frame{kind: websocket.CloseMessage, data: websocket.FormatCloseMessage(code, reason)})
	_ = k.conn.NetConn().SetReadDeadline(time.Now().Add(farewellWait))
}

// signOut ends a socket whose session is over.
func (k *socket) signOut() {
	k.signedOut.Store(true)
	k.Close(closePolicy, "signed out")
}

// ping is the wheel's. It is sent even while other messages are: only the answer shows that the other side is there.
func (k *socket) ping() {
	if time.Now().After(k.session.Expires) {
		k.Close(closePolicy, "the session has ended")
		return
	}
	k.put(frame{kind: websocket.PingMessage})
}

// alive gives the other side more time; never a socket that is being closed.
func (k *socket) alive() {
	if k.leaving.Load() || !k.greeted || k.within {
		return
	}
	_ = k.conn.SetReadDeadline(time.Now().Add(k.deadAfter))
	if k.leaving.Load() { // since just now: its deadline must not be undone
		_ = k.conn.SetReadDeadline(time.Now().Add(farewellWait))
	}
}

// prepare sets what reading needs.
func (k *socket) prepare() {
	k.conn.SetReadLimit(signal.MaxMessage)
	_ = k.conn.SetReadDeadline(time.Now().Add(k.server.Limits.HelloWait))
	k.conn.SetPongHandler(func(string) error { return k.control(nil) })
	k.conn.SetPingHandler(func(data string) error {
		return k.control(func() error {
			err := k.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
			if errors.Is(err, websocket.ErrCloseSent) {
				return nil
			}
			return err
		})
	})
}

// read reads one message and does what it says; false: the socket has ended.
func (k *socket) read() bool {
	kind, b, err := k.readMessage()
	switch {
	case err != nil:
		k.sayWhy(err)
		k.why = err
		return false
	case kind != websocket.TextMessage:
		k.Close(closeUnsupported, "messages are text")
	case k.leaving.Load(): // until the other side's close, or the deadline
	default:
		k.alive()
		k.got(b)
	}
	return true
}

// end follows the last message.
func (k *socket) end() {
	how, cut := k.parting(k.why)
	k.server.meters.sockets.With(how.String()).Inc()
	switch {
	case k.stream != nil:
		k.stream.leave(k, how, cut)
	case k.greeted:
		k.server.hub.Disconnect(k, how)
	}
	k.stop()
	_ = k.conn.Close()
	k.server.sockets.remove(k)
}

// sayWhy tells a device that never said who it is why its socket ends; others are cut off because they are not there.
func (k *socket) sayWhy(err error) {
	var late net.Error
	if !k.greeted && errors.As(err, &late) && late.Timeout() {
		k.farewell(closePolicy, "User/Connect must come first")
	}
	if errors.Is(err, websocket.ErrReadLimit) { // the library has said it, but for lengths of 2^63 and more
		k.farewell(websocket.CloseMessageTooBig, "")
	}
}

func (k *socket) farewell(code int, why string) {
	_ = k.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(time.Second))
}

// control counts a ping or pong like a message: a flood of them costs as much.
func (k *socket) control(reply func() error) error {
	if !k.allowed(1) {
		return nil
	}
	k.alive()
	if reply == nil {
		return nil
	}
	return reply()
}

// parting says how a socket ended: closed in order, or cut. What this server has closed for a reason is not resumed.
func (k *socket) parting(err error) (how hub.Parting, cut bool) {
	switch {
	case k.signedOut.Load():
		return hub.SignedOut, false
	case websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway):
		return hub.Left, false
	}
	return hub.Lost, !k.leaving.Load() && !errors.Is(err, websocket.ErrReadLimit)
}

// allowed takes a message from the bucket. Who goes on long after it is empty is closed; a message within the rate takes
// one strike back.
func (k *socket) allowed(strikes int) bool {
	if ok, _ := k.bucket.Take(k.server.Limits.Messages, time.Now()); ok {
		k.strikes = max(0, k.strikes-1)
		return true
	}
	k.strike(strikes)
	return false
}

func (k *socket) strike(n int) {
	if k.strikes += n; k.strikes > k.server.Limits.Strikes {
		if !k.leaving.Load() {
			k.server.meters.sockets.With(socketFlood).Inc()
		}
		k.Close(closePolicy, "too many messages")
	}
}

func (k *socket) got(b []byte) {
	e, err := signal.Parse(b)
	fits := k.repeated(e) || k.allowed(1)
	if t := k.stream; t != nil {
		// From here to the hub nothing must overtake: the next socket of the same session may be at it already.
		t.order.Lock()
		fresh := t.take(k, e)
		if !fresh || looksUp(e) {
			t.order.Unlock()
		} else {
			defer t.order.Unlock()
		}
		if !fresh {
			return
		}
	}
	if err != nil {
		k.strike(badStrikes)
		k.say(refuseMalformed(e, err))
		return
	}
	switch {
	case !fits:
		k.refuse(e, signal.ErrTooMany, "Too many messages. Please slow down.")
	case e.Method == signal.UserConnect && !k.greeted:
		k.hello(e)
	case !k.greeted:
		k.refuse(e, signal.ErrNotConnected, "User/Connect must come first.")
	case e.Method == signal.UserConnect:
		k.refuse(e, signal.ErrBadRequest, "User/Connect has been said on this socket.")
	case looksUp(e):
		k.lookUp(e)
	case k.stream != nil:
		k.server.hub.Request(k.stream, e)
	default:
		k.server.hub.Request(k, e)
	}
}

// repeated takes one of those messages for which the session before was counted already, or would have been: what a
// client says again at once when it is back must not look like a flood.
func (k *socket) repeated(e signal.Envelope) bool {
	if e.Seq == 0 || k.free == 0 {
		return false
	}
	k.free--
	return true
}

// methodError is the method of the reply to what could not be read so far that a method was found.
const methodError signal.Method = "Error"

func refuseMalformed(e signal.Envelope, err error) *hub.Message {
	short := func(s string) string {
		if len(s) > 64 {
			return ""
		}
		return s
	}
	e.Method, e.CallID, e.RequestID = signal.Method(short(string(e.Method))), short(e.CallID), short(e.RequestID)
	if e.Method == "" {
		e.Method = methodError
	}
	return hub.Refuse(e, err)
}

func (k *socket) refuse(e signal.Envelope, code, message string) {
	if e.RequestID != "" {
		k.say(hub.Refuse(e, &signal.Error{Code: code, Message: message}))
	}
}

func (k *socket) hello(e signal.Envelope) {
	c, err := signal.Decode[signal.Connect](e)
	if err != nil {
		k.Send(hub.Refuse(e, err))
		return
	}
	k.greeted = true
	k.alive()
	h := hub.Hello{UserID: k.session.User.ID, Host: k.host, Connect: c, RequestID: e.RequestID}
	if c.Resume != nil {
		k.server.streams.open(k, h)
	} else {
		k.server.hub.Connect(k, h)
	}
	k.known.Store(true)
}
