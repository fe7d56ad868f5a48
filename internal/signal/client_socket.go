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
	// maxUnsent bounds what waits for a slow network: all that can be kept, and a few words of the client's own.
	maxUnsent = MaxKept + 16
)

// socket is one WebSocket from upgrade to loss: one goroutine reads, one writes.
type socket struct {
	conn *websocket.Conn
	out  chan outgoing
	lost chan struct{} // closed when reading has ended
}

// outgoing is one message on its way out.
type outgoing struct {
	message []byte
	seq     uint64   // 0: not numbered
	of      *session // whose acknowledgement goes with it; nil: none
}

// attempt is one socket's life; it returns why it ended.
func (c *Client) attempt(ctx context.Context) error {
	trying, quit := context.WithCancel(ctx)
	defer quit()
	c.setQuit(quit)
	k, err := c.dial(trying)
	c.setQuit(nil)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, k.goodbye)
	defer stop()
	var writer sync.WaitGroup
	writer.Go(k.write)
	defer func() {
		c.cutOff(k)
		close(k.lost)
		_ = k.conn.Close()
		writer.Wait()
	}()
	return c.read(k)
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
		if s := c.current(); s != nil {
			s.ack() // a client that only listens has no other occasion
		}
		err := conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
		if errors.Is(err, websocket.ErrCloseSent) {
			return nil
		}
		return err
	})
	conn.SetPongHandler(func(string) error { alive(); return nil })
	return &socket{conn: conn, out: make(chan outgoing, maxUnsent), lost: make(chan struct{})}, nil
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
func (c *Client) read(k *socket) error {
	const hello = "connect"
	connect := c.Connect
	connect.Resume = c.current().ask()
	b, err := encoded(Envelope{Method: UserConnect, RequestID: hello, Data: Encode(connect)})
	if err != nil {
		return err
	}
	if err := k.put(outgoing{message: b}); err != nil {
		return err
	}
	var s *session // nil until the server has answered
	for {
		_, b, err := k.conn.ReadMessage()
		if err != nil {
			if errors.Is(err, websocket.ErrReadLimit) {
				c.endSession(s) // to resume it would bring the same again
			}
			return fmt.Errorf("connection to the server: %w", err)
		}
		_ = k.conn.SetReadDeadline(time.Now().Add(c.DeadAfter))
		e, err := Parse(b)
		switch {
		case err != nil:
			c.Logger.Warn("message from the server not understood", "err", err)
		case s == nil && e.RequestID == hello:
			if s, err = c.welcome(k, e); err != nil {
				return err
			}
		case s != nil:
			if err := c.got(s, e); err != nil {
				c.endSession(s) // to resume it would bring the same again
				return fmt.Errorf("connection to the server: %w", err)
			}
		}
	}
}

// welcome takes the reply to User/Connect, which says whether the session before goes on.
func (c *Client) welcome(k *socket, e Envelope) (*session, error) {
	if err := e.Fail(); err != nil {
		return nil, err
	}
	hello, err := Decode[Connected](e)
	if err != nil {
		return nil, err
	}
	s := c.current()
	if hello.Resumed && s != nil && s.id == hello.Session {
		if err := s.resume(k, hello.Got); err != nil {
			c.endSession(s)
			return nil, err
		}
	} else {
		c.endSession(s)
		s = newSession(hello.Session, k)
		c.setCurrent(s) // before the event: its reader may send at once
	}
	c.mail.put(Event{State: StateOnline, Connected: &hello})
	return s, nil
}

// got takes one message of a session. An error means that the session cannot go on.
func (c *Client) got(s *session, e Envelope) error {
	fresh, err := s.arrived(e)
	switch {
	case err != nil:
		return err
	case !fresh || e.Method == SessionAck:
	case e.Code == CodeStopping:
		p, err := Decode[Stopping](e)
		if err != nil {
			c.Logger.Warn("message from the server not understood", "err", err)
			return nil
		}
		c.comeBack, c.told = time.Duration(p.AfterMs)*time.Millisecond, true
	case e.RequestID == "":
		c.mail.put(Event{State: StateOnline, Push: &e})
	case !s.answer(e):
		c.mail.put(Event{State: StateOnline, Reply: &e})
	}
	return nil
}

// write is the only goroutine that writes messages (control frames may come from others, says gorilla).
func (k *socket) write() {
	var numbered []byte
	for {
		select {
		case m := <-k.out:
			b := m.message
			if m.of != nil {
				numbered = AppendNumbered(numbered[:0], b, m.seq, m.of.tell())
				b = numbered
			}
			_ = k.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if err := k.conn.WriteMessage(websocket.TextMessage, b); err != nil {
				_ = k.conn.Close() // wakes the reader, who ends the attempt
				return
			}
		case <-k.lost:
			return
		}
	}
}

func encoded(e Envelope) ([]byte, error) {
	b, err := json.Marshal(e)
	if err == nil && len(b) > MaxUnnumbered {
		err = fmt.Errorf("message of %d bytes, at most %d", len(b), MaxUnnumbered)
	}
	return b, err
}

// put queues a message to be written.
func (k *socket) put(m outgoing) error {
	select {
	case <-k.lost:
		return ErrLost
	default:
	}
	select {
	case k.out <- m:
		return nil
	default:
		_ = k.conn.Close() // so much unsent means that the network is gone
		return ErrLost
	}
}

// check finds out whether the socket still lives.
func (k *socket) check(within time.Duration) {
	if !present(k.conn.LocalAddr()) {
		_ = k.conn.Close() // the reader ends the session
		return
	}
	// The reader's deadline is set anew by whatever comes.
	_ = k.conn.SetReadDeadline(time.Now().Add(within))
	_ = k.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(within))
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
func (k *socket) goodbye() {
	m := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = k.conn.WriteControl(websocket.CloseMessage, m, time.Now().Add(100*time.Millisecond))
	_ = k.conn.Close()
}
