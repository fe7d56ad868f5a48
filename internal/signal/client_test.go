package signal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

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
		e := next(t, c, "push or reply", isAny)
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
	if e := next(t, c, "push", isAny); e.Push == nil || e.Push.Code != CodeUserList {
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
	next(t, c, "online", isOnline)
	c.NetworkChanged()
	time.Sleep(hurryWithin * 3 / 2) // nothing tells that it stays but time
	if c.online() == nil {
		t.Fatal("a socket that answers was given up")
	}
	deaf.Store(true)
	began := time.Now()
	c.NetworkChanged()
	next(t, c, "lost", isOffline)
	next(t, c, "online again", isOnline)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("noticed after %v", took)
	}
	if present(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 77)}) || !present(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}) {
		t.Error("knows not its own addresses")
	}
}
