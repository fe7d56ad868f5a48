package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const me = "device-0123456789ab"

// wsServer is a real WebSocket server whose every socket is one call of serve.
type wsServer struct {
	*httptest.Server
	refuse chan int // an upgrade is answered with the status from here, while there is one
}

func newWS(t *testing.T, serve func(n int, c *websocket.Conn)) *wsServer {
	t.Helper()
	s := &wsServer{refuse: make(chan int, 10)}
	up := websocket.Upgrader{Subprotocols: []string{Subprotocol}}
	n := make(chan int, 1)
	n <- 0
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case status := <-s.refuse:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error":"unauthorized","message":"who are you"}`))
			return
		default:
		}
		if r.Header.Get("Authorization") != "Bearer vc1_test" {
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		i := <-n
		n <- i + 1
		serve(i, c)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *wsServer) client(t *testing.T) *Client {
	t.Helper()
	c := &Client{
		URL: "ws" + strings.TrimPrefix(s.URL, "http"), Token: "vc1_test", Connect: Connect{DeviceID: me},
		BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond,
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// next gives the next event that pick accepts.
func next(t *testing.T, c *Client, what string, pick func(Event) bool) Event {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case e, ok := <-c.Events():
			if !ok {
				t.Fatalf("events ended before %s", what)
			}
			if pick(e) {
				return e
			}
		case <-limit:
			t.Fatalf("no %s", what)
		}
	}
}

func isOnline(e Event) bool  { return e.Connected != nil }
func isOffline(e Event) bool { return e.State == StateConnecting }
func isRefused(e Event) bool { return e.State == StateRefused }

// greet reads User/Connect and answers it.
func greet(c *websocket.Conn) error {
	e, err := receive(c)
	if err != nil {
		return err
	}
	if e.Method != UserConnect {
		return fmt.Errorf("first message is %s", e.Method)
	}
	hello, err := Decode[Connect](e)
	if err != nil || hello.DeviceID != me {
		return fmt.Errorf("connect %+v, %w", hello, err)
	}
	return c.WriteJSON(Envelope{Method: e.Method, RequestID: e.RequestID, Data: Encode(Connected{Server: "test"})})
}

func receive(c *websocket.Conn) (e Envelope, err error) {
	_, b, err := c.ReadMessage()
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(b, &e)
}

// answerAll answers every request, with an error for those in the lobby.
func answerAll(c *websocket.Conn) {
	for {
		e, err := receive(c)
		if err != nil {
			return
		}
		reply := Envelope{Method: e.Method, RequestID: e.RequestID, Data: e.Data}
		if e.Method == MessageSendToAll {
			reply.Code, reply.Message, reply.Data = CodeError, "slow down", Encode(Problem{Error: ErrTooMany})
		}
		if c.WriteJSON(reply) != nil {
			return
		}
	}
}

func TestRequestAndReply(t *testing.T) {
	s := newWS(t, func(_ int, c *websocket.Conn) {
		if greet(c) == nil {
			answerAll(c)
		}
	})
	c := s.client(t)
	if _, err := c.Request(t.Context(), Envelope{Method: UserList}); !errors.Is(err, ErrNotOnline) {
		t.Errorf("before it is online: %v", err)
	}
	if e := next(t, c, "online", isOnline); e.Connected.Server != "test" {
		t.Errorf("%+v", e.Connected)
	}
	got, err := c.Request(t.Context(), Envelope{Method: UserList, Data: Encode(Text{Text: "x"})})
	if text, _ := Decode[Text](got); err != nil || text.Text != "x" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err = c.Request(t.Context(), Envelope{Method: MessageSendToAll}); !IsCode(err, ErrTooMany) || err.Error() != "slow down" {
		t.Errorf("error reply: %v", err)
	}
	if _, err = c.Request(t.Context(), Envelope{Method: UserList, Data: Encode(strings.Repeat("x", MaxMessage))}); err == nil {
		t.Error("an oversized message was sent")
	}
}

// Replies to Send keep their place among the pushes.
func TestSendKeepsTheOrder(t *testing.T) {
	s := newWS(t, func(_ int, c *websocket.Conn) {
		if greet(c) != nil {
			return
		}
		for i := range 50 {
			e, err := receive(c)
			if err != nil || e.RequestID != fmt.Sprint("id", i) {
				t.Errorf("%d: %s %v", i, e.RequestID, err)
				return
			}
			_ = c.WriteJSON(Envelope{Method: UserOnline, Code: CodeUserOnline, Message: fmt.Sprint("before", i)})
			_ = c.WriteJSON(Envelope{Method: e.Method, RequestID: e.RequestID})
		}
		_, _ = receive(c) // until the client goes
	})
	c := s.client(t)
	next(t, c, "online", isOnline)
	for i := range 50 {
		if err := c.Send(Envelope{Method: UserList, RequestID: fmt.Sprint("id", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		e := next(t, c, "push or reply", func(Event) bool { return true })
		switch {
		case i%2 == 0 && (e.Push == nil || e.Push.Message != fmt.Sprint("before", i/2)):
			t.Fatalf("event %d: %+v", i, e)
		case i%2 == 1 && (e.Reply == nil || e.Reply.RequestID != fmt.Sprint("id", i/2)):
			t.Fatalf("event %d: %+v", i, e)
		}
	}
}

// However a socket ends, the next one comes, and who waits for a reply learns of the loss.
func TestCutsAreHealed(t *testing.T) {
	cuts := []func(c *websocket.Conn){
		func(c *websocket.Conn) { _ = c.NetConn().Close() },
		func(c *websocket.Conn) {
			_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseServiceRestart, "restart"))
		},
		func(c *websocket.Conn) {
			_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.ClosePolicyViolation, "flood"))
		},
		func(c *websocket.Conn) { _ = c.WriteMessage(websocket.TextMessage, make([]byte, MaxMessage+1)) },
	}
	s := newWS(t, func(n int, c *websocket.Conn) {
		if greet(c) != nil {
			return
		}
		if n < len(cuts) {
			_, _ = receive(c)
			cuts[n](c)
			_, _ = receive(c)
			return
		}
		answerAll(c)
	})
	c := s.client(t)
	for range cuts {
		next(t, c, "online", isOnline)
		if _, err := c.Request(t.Context(), Envelope{Method: UserList}); !errors.Is(err, ErrLost) {
			t.Errorf("request over a cut: %v", err)
		}
		if e := next(t, c, "offline", isOffline); e.Err == nil {
			t.Error("no reason for the loss")
		}
	}
	next(t, c, "online at last", isOnline)
	if _, err := c.Request(t.Context(), Envelope{Method: UserList}); err != nil {
		t.Error(err)
	}
}

func TestNonsenseFromTheServerIsSkipped(t *testing.T) {
	s := newWS(t, func(_ int, c *websocket.Conn) {
		if greet(c) != nil {
			return
		}
		for _, m := range []string{"nonsense", `{"method":""}`, `[]`, `{"method":"User/List","code":10000}`} {
			_ = c.WriteMessage(websocket.TextMessage, []byte(m))
		}
		_, _ = receive(c)
	})
	c := s.client(t)
	next(t, c, "online", isOnline)
	if e := next(t, c, "push", func(Event) bool { return true }); e.Push == nil || e.Push.Code != CodeUserList {
		t.Errorf("%+v", e)
	}
}

func TestRefusedSessionIsNotTriedAgain(t *testing.T) {
	s := newWS(t, func(int, *websocket.Conn) { t.Error("came back") })
	s.refuse <- http.StatusUnauthorized
	c := s.client(t)
	if e := next(t, c, "refusal", isRefused); !IsCode(e.Err, ErrUnauthorized) {
		t.Errorf("%v", e.Err)
	}
	select {
	case e := <-c.Events():
		t.Errorf("then %+v", e)
	case <-time.After(30 * time.Millisecond): // far more than the longest pause
	}
}

func TestConnectRefusedAndBusyServer(t *testing.T) {
	s := newWS(t, func(_ int, c *websocket.Conn) {
		e, _ := receive(c)
		_ = c.WriteJSON(Envelope{Method: e.Method, RequestID: e.RequestID, Code: CodeError, Data: Encode(Problem{Error: ErrUnauthorized})})
		_, _ = receive(c)
	})
	s.refuse <- http.StatusServiceUnavailable
	c := s.client(t)
	next(t, c, "offline", isOffline)
	next(t, c, "refusal", isRefused)
}

// A server that no longer pings is taken for dead; one that pings is not, however quiet it is.
func TestSilenceIsNoticed(t *testing.T) {
	const dead = 150 * time.Millisecond
	s := newWS(t, func(n int, c *websocket.Conn) {
		if greet(c) != nil {
			return
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for {
				if _, err := receive(c); err != nil {
					return
				}
			}
		}()
		for i := 0; n == 0 && i < 10; i++ {
			_ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
			select {
			case <-gone:
				t.Error("gave a server up that pings")
				return
			case <-time.After(dead / 3):
			}
		}
		<-gone // from now on silence; the client must go by itself
	})
	c := &Client{
		URL: "ws" + strings.TrimPrefix(s.URL, "http"), Token: "vc1_test", Connect: Connect{DeviceID: me},
		DeadAfter: dead, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond,
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	next(t, c, "online", isOnline)
	began := time.Now()
	next(t, c, "offline", isOffline)
	if took := time.Since(began); took < 3*dead {
		t.Errorf("gave up after %v", took)
	}
}

func TestCloseEndsWaiting(t *testing.T) {
	s := newWS(t, func(_ int, c *websocket.Conn) {
		if greet(c) == nil {
			for {
				if _, err := receive(c); err != nil {
					return
				}
			}
		}
	})
	c := s.client(t)
	next(t, c, "online", isOnline)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Request(context.Background(), Envelope{Method: UserList})
		failed <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Request(ctx, Envelope{Method: UserList}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled request: %v", err)
	}
	c.Close()
	if err := <-failed; !errors.Is(err, ErrLost) && !errors.Is(err, ErrNotOnline) {
		t.Errorf("waiting request: %v", err)
	}
	if _, ok := <-c.Events(); ok {
		t.Error("events go on")
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		failures int
		want     time.Duration
	}{{0, 250 * time.Millisecond}, {1, 500 * time.Millisecond}, {5, 8 * time.Second}, {6, 15 * time.Second}, {1000, 15 * time.Second}} {
		if got := backoff(c.failures, 250*time.Millisecond, 15*time.Second, 1); got != c.want {
			t.Errorf("after %d: %v, want %v", c.failures, got, c.want)
		}
		if got := backoff(c.failures, 250*time.Millisecond, 15*time.Second, 0.5); got != c.want/2 {
			t.Errorf("after %d with half a roll: %v", c.failures, got)
		}
	}
}

// A socket that says nothing after a change of the network is replaced at once, and not after DeadAfter; one that
// answers stays.
func TestNetworkChange(t *testing.T) {
	var deaf atomic.Bool
	s := newWS(t, func(_ int, c *websocket.Conn) {
		c.SetPingHandler(func(data string) error {
			if deaf.Load() {
				return nil
			}
			return c.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		})
		for {
			_, b, err := c.ReadMessage()
			if err != nil {
				return
			}
			if e, err := Parse(b); err == nil {
				_ = c.WriteJSON(Envelope{Method: e.Method, RequestID: e.RequestID, Data: Encode(Connected{Server: "test"})})
			}
		}
	})
	c := s.client(t)
	online := func(e Event) bool { return e.Connected != nil }
	next(t, c, "online", online)
	c.NetworkChanged()
	time.Sleep(hurryWithin * 3 / 2) // nothing tells that it stays but time
	if c.online() == nil {
		t.Fatal("a socket that answers was given up")
	}
	deaf.Store(true)
	began := time.Now()
	c.NetworkChanged()
	next(t, c, "lost", func(e Event) bool { return e.State == StateConnecting })
	next(t, c, "online again", online)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("noticed after %v", took)
	}
	if present(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 77)}) || !present(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}) {
		t.Error("knows not its own addresses")
	}
}

// numbering greets a client that numbers, and answers every request with its own number in the acknowledgement. It goes on
// from session to session like a server that keeps everything.
type numbering struct {
	mu        sync.Mutex // one socket after the other
	id        string
	got, sent uint64
	kept      []Envelope
	asked     []string // request ids, once each
}

func (n *numbering) alone(serve func(i int, c *websocket.Conn)) func(int, *websocket.Conn) {
	return func(i int, c *websocket.Conn) {
		n.mu.Lock()
		defer n.mu.Unlock()
		serve(i, c)
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

// A request whose reply is lost with the socket gets it from the next one, and is carried out once; pushes of the time
// between are not missed.
func TestResume(t *testing.T) {
	n := &numbering{}
	s := newWS(t, n.alone(func(i int, c *websocket.Conn) {
		if err := n.greet(c); err != nil {
			t.Error(err)
			return
		}
		if i == 0 {
			_, _ = n.take(t, c)
			n.keep(Envelope{Method: UserList, RequestID: n.asked[0]})
			n.keep(Envelope{Method: UserOnline, Code: CodeUserOnline, Message: "meanwhile"})
			_ = c.NetConn().Close() // before the reply
			return
		}
		for {
			e, ok := n.take(t, c)
			if !ok {
				return
			}
			n.say(c, Envelope{Method: e.Method, RequestID: e.RequestID})
		}
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
	if e := next(t, c, "push", func(e Event) bool { return e.Push != nil }); e.Push.Message != "meanwhile" {
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
	s := newWS(t, n.alone(func(i int, c *websocket.Conn) {
		if i == 1 {
			n.id = ""
		}
		if err := n.greet(c); err != nil {
			t.Error(err)
			return
		}
		if _, ok := n.take(t, c); ok && i == 0 {
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
	s := newWS(t, n.alone(func(i int, c *websocket.Conn) {
		if err := n.greet(c); err != nil {
			t.Error(err)
			return
		}
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
	if e := next(t, c, "push", func(e Event) bool { return e.Push != nil }); e.Push.Message != "1" {
		t.Errorf("%+v", e.Push)
	}
	c.Close()
}

// A client that only listens acknowledges after so many messages, and when it is pinged.
func TestListenersAcknowledge(t *testing.T) {
	acks := make(chan uint64, 10)
	n := &numbering{}
	s := newWS(t, n.alone(func(_ int, c *websocket.Conn) {
		if err := n.greet(c); err != nil {
			t.Error(err)
			return
		}
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
	s := newWS(t, n.alone(func(_ int, c *websocket.Conn) {
		if err := n.greet(c); err != nil {
			t.Error(err)
			return
		}
		<-taken
		for {
			e, ok := n.take(t, c)
			if !ok {
				return
			}
			n.say(c, Envelope{Method: e.Method, RequestID: e.RequestID})
		}
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
	s := newWS(t, n.alone(func(i int, c *websocket.Conn) {
		if err := n.greet(c); err != nil {
			t.Error(err)
			return
		}
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
