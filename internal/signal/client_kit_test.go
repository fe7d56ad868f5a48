package signal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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
func isPush(e Event) bool    { return e.Push != nil }
func isAny(Event) bool       { return true }

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
