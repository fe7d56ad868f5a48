package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	// maxUnsent bounds what waits for a slow network; a call's whole exchange is some 40 messages. Beyond it Send fails.
	maxUnsent = 256
)

// socket is one WebSocket from upgrade to loss: one goroutine reads, one writes.
type socket struct {
	conn *websocket.Conn
	out  chan []byte
	lost chan struct{} // closed when reading has ended

	mu      sync.Mutex
	waiting map[string]chan Envelope // by request id: callers of Request
}

// session is one socket's life; it returns why it ended.
func (c *Client) session(ctx context.Context) error {
	trying, quit := context.WithCancel(ctx)
	defer quit()
	c.setQuit(quit)
	s, err := c.dial(trying)
	c.setQuit(nil)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, s.goodbye)
	defer stop()
	var writer sync.WaitGroup
	writer.Go(s.write)
	defer func() {
		c.setOnline(nil)
		close(s.lost)
		_ = s.conn.Close()
		writer.Wait()
	}()
	return c.read(s)
}

func (c *Client) setQuit(quit func()) {
	c.mu.Lock()
	c.quit = quit
	c.mu.Unlock()
}

func (c *Client) dial(ctx context.Context) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := websocket.Dialer{
		Proxy:           http.ProxyFromEnvironment,
		NetDialContext:  (&net.Dialer{}).DialContext,
		TLSClientConfig: c.TLS,
		Subprotocols:    []string{Subprotocol},
		ReadBufferSize:  4096,
		WriteBufferSize: 4096,
	}
	//nolint:bodyclose // upgradeProblem closes it; after a good upgrade there is none
	conn, res, err := d.DialContext(ctx, c.URL, http.Header{"Authorization": {"Bearer " + c.Token}})
	if err != nil {
		return nil, upgradeProblem(c.URL, res, err)
	}
	if conn.Subprotocol() != Subprotocol {
		_ = conn.Close()
		return nil, &Error{Code: ErrBadRequest, Message: "The server does not speak " + Subprotocol + "."}
	}
	conn.SetReadLimit(MaxMessage)
	alive := func() { _ = conn.SetReadDeadline(time.Now().Add(c.DeadAfter)) }
	alive()
	conn.SetPingHandler(func(data string) error {
		alive()
		err := conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
		if errors.Is(err, websocket.ErrCloseSent) {
			return nil
		}
		return err
	})
	conn.SetPongHandler(func(string) error { alive(); return nil })
	return &socket{
		conn: conn, out: make(chan []byte, maxUnsent), lost: make(chan struct{}),
		waiting: map[string]chan Envelope{},
	}, nil
}

// upgradeProblem turns a refused upgrade into the server's own words where it has any.
func upgradeProblem(url string, res *http.Response, err error) error {
	if res == nil {
		return explain(url, err)
	}
	defer func() { _ = res.Body.Close() }()
	var f Failure
	_ = json.NewDecoder(http.MaxBytesReader(nil, res.Body, MaxMessage)).Decode(&f)
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return &Error{Code: ErrUnauthorized, Message: "The session has ended. Please sign in again.", Status: res.StatusCode}
	case f.Message != "":
		// Never over() by the body alone: a proxy before a server that restarts answers what it likes.
		return fmt.Errorf("server says %d: %s", res.StatusCode, f.Message)
	}
	return &Error{Code: ErrNotVisavis, Message: fmt.Sprintf("%s does not answer like a Visavis server (HTTP %d).", hostOf(url), res.StatusCode), Status: res.StatusCode}
}

// read says User/Connect and hands on all that comes, until the socket ends.
func (c *Client) read(s *socket) error {
	const hello = "connect"
	if err := s.send(Envelope{Method: UserConnect, RequestID: hello, Data: Encode(c.Connect)}); err != nil {
		return err
	}
	for {
		_, b, err := s.conn.ReadMessage()
		if err != nil {
			return fmt.Errorf("connection to the server: %w", err)
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(c.DeadAfter))
		e, err := Parse(b)
		switch {
		case err != nil:
			c.Logger.Warn("message from the server not understood", "err", err)
		case e.RequestID == hello:
			if err := c.welcome(s, e); err != nil {
				return err
			}
		case e.RequestID == "":
			c.mail.put(Event{State: StateOnline, Push: &e})
		case !s.answer(e):
			c.mail.put(Event{State: StateOnline, Reply: &e})
		}
	}
}

func (c *Client) welcome(s *socket, e Envelope) error {
	if err := e.Fail(); err != nil {
		return err
	}
	hello, err := Decode[Connected](e)
	if err != nil {
		return err
	}
	c.setOnline(s) // before the event: its reader may send at once
	c.mail.put(Event{State: StateOnline, Connected: &hello})
	return nil
}

// write is the only goroutine that writes messages (control frames may come from others, says gorilla).
func (s *socket) write() {
	for {
		select {
		case b := <-s.out:
			_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if err := s.conn.WriteMessage(websocket.TextMessage, b); err != nil {
				_ = s.conn.Close() // wakes the reader, who ends the session
				return
			}
		case <-s.lost:
			return
		}
	}
}

func (s *socket) send(e Envelope) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(b) > MaxMessage {
		return fmt.Errorf("message of %d bytes, at most %d", len(b), MaxMessage)
	}
	select {
	case <-s.lost:
		return ErrLost
	default:
	}
	select {
	case s.out <- b:
		return nil
	default:
		_ = s.conn.Close() // so much unsent means that the network is gone
		return ErrLost
	}
}

// check finds out whether the socket still lives.
func (s *socket) check(within time.Duration) {
	if !present(s.conn.LocalAddr()) {
		_ = s.conn.Close() // the reader ends the session
		return
	}
	// The reader's deadline is set anew by whatever comes.
	_ = s.conn.SetReadDeadline(time.Now().Add(within))
	_ = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(within))
}

// present says whether an address is still one of this machine's. Interfaces that are down may keep theirs.
func present(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	list, err := net.Interfaces()
	if !ok || err != nil {
		return true
	}
	for _, i := range list {
		addresses, _ := i.Addrs()
		up := i.Flags&net.FlagUp != 0 && i.Flags&net.FlagRunning != 0
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && up && n.IP.Equal(tcp.IP) {
				return true
			}
		}
	}
	return false
}

// goodbye tells the server that this end is closing on purpose, then closes.
func (s *socket) goodbye() {
	m := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = s.conn.WriteControl(websocket.CloseMessage, m, time.Now().Add(100*time.Millisecond))
	_ = s.conn.Close()
}

func (s *socket) await(id string) <-chan Envelope {
	ch := make(chan Envelope, 1)
	s.mu.Lock()
	s.waiting[id] = ch
	s.mu.Unlock()
	return ch
}

func (s *socket) forget(id string) {
	s.mu.Lock()
	delete(s.waiting, id)
	s.mu.Unlock()
}

// answer gives a reply to the Request that waits for it, if one does.
func (s *socket) answer(e Envelope) bool {
	s.mu.Lock()
	ch := s.waiting[e.RequestID]
	delete(s.waiting, e.RequestID)
	s.mu.Unlock()
	if ch == nil {
		return false
	}
	ch <- e
	return true
}
