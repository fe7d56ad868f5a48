package signal

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// numbering greets a client that numbers, and answers every request with its own number in the acknowledgement. It goes on
// from session to session like a server that keeps everything.
type numbering struct {
	mu        sync.Mutex // one socket after the other
	id        string
	got, sent uint64
	kept      []Envelope
	asked     []string // request ids, once each
}

// serve greets each socket and goes on as said.
func (n *numbering) serve(t *testing.T, then func(i int, c *websocket.Conn)) func(int, *websocket.Conn) {
	return func(i int, c *websocket.Conn) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if err := n.greet(c); err != nil {
			t.Error(err)
			return
		}
		then(i, c)
	}
}

func (n *numbering) greet(c *websocket.Conn) error {
	e, err := receive(c)
	if err != nil {
		return err
	}
	hello, err := Decode[Connect](e)
	if err != nil || hello.Resume == nil {
		return fmt.Errorf("connect %+v, %w", hello, err)
	}
	connected := Connected{Server: "test", Session: n.id}
	if connected.Resumed = n.id != "" && hello.Resume.Session == n.id; connected.Resumed {
		connected.Got = n.got
	} else {
		n.id, n.got, n.sent, n.kept = NewID(), 0, 0, nil
		connected.Session = n.id
	}
	if err := c.WriteJSON(Envelope{Method: e.Method, RequestID: e.RequestID, Data: Encode(connected)}); err != nil {
		return err
	}
	for _, m := range n.kept {
		if m.Seq > hello.Resume.Got {
			_ = c.WriteJSON(m)
		}
	}
	return nil
}

// keep numbers what is to be said, to whoever comes.
func (n *numbering) keep(e Envelope) Envelope {
	n.sent++
	e.Seq, e.Ack = n.sent, n.got
	n.kept = append(n.kept, e)
	return e
}

func (n *numbering) say(c *websocket.Conn, e Envelope) { _ = c.WriteJSON(n.keep(e)) }

// take reads one request; false: the socket has ended.
func (n *numbering) take(t *testing.T, c *websocket.Conn) (Envelope, bool) {
	for {
		e, err := receive(c)
		switch {
		case err != nil:
			return e, false
		case e.Ack > n.sent || e.Seq > n.got+1:
			t.Errorf("%+v after %d, and %d were sent", e, n.got, n.sent)
		case e.Method == SessionAck || e.Seq <= n.got:
			continue
		}
		n.got = e.Seq
		n.asked = append(n.asked, e.RequestID)
		return e, true
	}
}

func (n *numbering) answerAll(t *testing.T, c *websocket.Conn) {
	for {
		e, ok := n.take(t, c)
		if !ok {
			return
		}
		n.say(c, Envelope{Method: e.Method, RequestID: e.RequestID})
	}
}

// A request whose reply is lost with the socket gets it from the next one, and is carried out once; pushes of the time
// between are not missed.
func TestResume(t *testing.T) {
	n := &numbering{}
	s := newWS(t, n.serve(t, func(i int, c *websocket.Conn) {
		if i == 0 {
			_, _ = n.take(t, c)
			n.keep(Envelope{Method: UserList, RequestID: n.asked[0]})
			n.keep(Envelope{Method: UserOnline, Code: CodeUserOnline, Message: "meanwhile"})
			_ = c.NetConn().Close() // before the reply
			return
		}
		n.answerAll(t, c)
	}))
	c := s.client(t)
	if e := next(t, c, "online", isOnline); e.Connected.Resumed {
		t.Error("the first session is resumed")
	}
	if _, err := c.Request(t.Context(), Envelope{Method: UserList}); err != nil {
		t.Errorf("request over a cut: %v", err)
	}
	if e := next(t, c, "offline", isOffline); e.Lost {
		t.Error("the session is given up at once")
	}
	if e := next(t, c, "online", isOnline); !e.Connected.Resumed {
		t.Error("not resumed")
	}
	if e := next(t, c, "push", isPush); e.Push.Message != "meanwhile" {
		t.Errorf("%+v", e.Push)
	}
	for range 3 {
		if _, err := c.Request(t.Context(), Envelope{Method: UserList}); err != nil {
			t.Error(err)
		}
	}
	c.Close()
	s.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.asked) != 4 {
		t.Errorf("the server was asked %q", n.asked)
	}
}

// A server that knows nothing of the session any more: what was asked before gets no reply.
func TestResumeRefused(t *testing.T) {
	n := &numbering{}
	s := newWS(t, n.serve(t, func(i int, c *websocket.Conn) {
		if _, ok := n.take(t, c); ok && i == 0 {
			n.id = ""
			_ = c.NetConn().Close()
			return
		}
		_, _ = receive(c)
	}))
	c := s.client(t)
	next(t, c, "online", isOnline)
	if _, err := c.Request(t.Context(), Envelope{Method: UserList}); !errors.Is(err, ErrLost) {
		t.Errorf("request: %v", err)
	}
	if e := next(t, c, "online", isOnline); e.Connected.Resumed {
		t.Error("resumed")
	}
	c.Close()
}

// Numbers that skip something cannot be mended: the client begins anew.
func TestAGapEndsTheSession(t *testing.T) {
	n := &numbering{}
	s := newWS(t, n.serve(t, func(i int, c *websocket.Conn) {
		if i == 0 {
			n.sent++
		}
		n.say(c, Envelope{Method: UserOnline, Code: CodeUserOnline, Message: fmt.Sprint(i)})
		_, _ = receive(c)
	}))
	c := s.client(t)
	next(t, c, "online", isOnline)
	if e := next(t, c, "offline", isOffline); !e.Lost || !errors.Is(e.Err, ErrMalformed) {
		t.Errorf("%+v", e)
	}
	if e := next(t, c, "online", isOnline); e.Connected.Resumed {
		t.Error("resumed")
	}
	if e := next(t, c, "push", isPush); e.Push.Message != "1" {
		t.Errorf("%+v", e.Push)
	}
	c.Close()
}

// Nor can a message that is too long be: on the next socket it would come again.
func TestATooLongMessageEndsTheSession(t *testing.T) {
	n := &numbering{}
	s := newWS(t, n.serve(t, func(i int, c *websocket.Conn) {
		if i == 0 {
			n.say(c, Envelope{Method: UserOnline, Code: CodeUserOnline, Message: strings.Repeat("x", MaxMessage)})
		}
		_, _ = receive(c)
	}))
	c := s.client(t)
	next(t, c, "online", isOnline)
	if e := next(t, c, "offline", isOffline); !e.Lost || !errors.Is(e.Err, websocket.ErrReadLimit) {
		t.Errorf("%+v", e)
	}
	if e := next(t, c, "online", isOnline); e.Connected.Resumed {
		t.Error("resumed")
	}
	c.Close()
}

// A client that only listens acknowledges after so many messages, and when it is pinged.
func TestListenersAcknowledge(t *testing.T) {
	acks := make(chan uint64, 10)
	n := &numbering{}
	s := newWS(t, n.serve(t, func(_ int, c *websocket.Conn) {
		hear := func() {
			e, err := receive(c)
			if err != nil || e.Method != SessionAck || e.Seq != 0 {
				t.Errorf("%+v, %v", e, err)
			}
			acks <- e.Ack
		}
		for range AckEvery {
			n.say(c, Envelope{Method: UserOnline, Code: CodeUserOnline})
		}
		hear()
		n.say(c, Envelope{Method: UserOnline, Code: CodeUserOnline})
		_ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
		hear()
		_, _ = receive(c)
	}))
	c := s.client(t)
	for _, want := range []uint64{AckEvery, AckEvery + 1} {
		if got := <-acks; got != want {
			t.Errorf("%d acknowledged, want %d", got, want)
		}
	}
	c.Close()
}

// More than can be kept is refused, and nothing of what was taken is lost by that.
func TestTooMuchOnItsWay(t *testing.T) {
	n := &numbering{}
	taken := make(chan struct{})
	s := newWS(t, n.serve(t, func(_ int, c *websocket.Conn) {
		<-taken
		n.answerAll(t, c)
	}))
	c := s.client(t)
	next(t, c, "online", isOnline)
	sent := 0
	for ; ; sent++ {
		if err := c.Send(Envelope{Method: UserList, RequestID: fmt.Sprint(sent)}); errors.Is(err, ErrBehind) {
			break
		} else if err != nil || sent > MaxKept {
			t.Fatalf("message %d: %v", sent, err)
		}
	}
	close(taken)
	for i := range sent {
		if e := next(t, c, "reply", func(e Event) bool { return e.Reply != nil }); e.Reply.RequestID != fmt.Sprint(i) {
			t.Fatalf("reply %d is %+v", i, e.Reply)
		}
	}
	if sent != MaxKept {
		t.Errorf("%d messages were taken", sent)
	}
	c.Close()
}

// A server that stops says when to come back; until it closes the socket all goes on.
func TestComesBackWhenTold(t *testing.T) {
	const after = 400 * time.Millisecond
	closed := make(chan time.Time, 1)
	n := &numbering{}
	s := newWS(t, n.serve(t, func(i int, c *websocket.Conn) {
		if i > 0 {
			_, _ = receive(c)
			return
		}
		n.say(c, Envelope{Method: ServerStopping, Code: CodeStopping, Data: Encode(Stopping{AfterMs: after.Milliseconds()})})
		e, _ := n.take(t, c)
		n.say(c, Envelope{Method: e.Method, RequestID: e.RequestID})
		closed <- time.Now()
		_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseServiceRestart, ""))
		_, _ = receive(c)
	}))
	c := s.client(t)
	next(t, c, "online", isOnline)
	if _, err := c.Request(t.Context(), Envelope{Method: UserList}); err != nil {
		t.Errorf("a request meanwhile: %v", err)
	}
	next(t, c, "online again", isOnline)
	if took := time.Since(<-closed); took < after || took > after+5*time.Second {
		t.Errorf("back after %v", took)
	}
	c.Close()
}
