package server

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dialled is the client's end of a WebSocket over a connection that wrap may change.
func dialled(t *testing.T, wrap func(net.Conn) net.Conn) *websocket.Conn {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
			_ = c.Close()
		}
	}))
	t.Cleanup(s.Close)
	d := websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}}
	conn, res, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A buffer that nobody uses knows no connection: it would keep the last one, with all that hangs on it, for as long as
// it lies in the pool.
func TestAReadingForgetsItsConnection(t *testing.T) {
	k := &socket{reader: &bufio.Reader{}}
	k.conn = dialled(t, func(c net.Conn) net.Conn { return c })
	k.lend()
	lent := k.reading
	k.giveBack()
	_ = k.conn.Close()
	defer func() {
		if recover() == nil {
			t.Error("it reads from a connection that is not its own any more")
		}
	}()
	_, _ = lent.buffer.ReadByte() // from nothing
}

// meanwhile does something just before a read deadline is set, once.
type meanwhile struct {
	net.Conn
	do    func()
	until time.Time
}

func (c *meanwhile) SetReadDeadline(t time.Time) error {
	if do := c.do; do != nil {
		c.do = nil
		do()
	}
	c.until = t
	return c.Conn.SetReadDeadline(t)
}

// A sign of life that comes while a socket is being closed gives it no more time.
func TestAClosingSocketIsGivenNoMoreTime(t *testing.T) {
	c := &meanwhile{}
	k := &socket{greeted: true, deadAfter: time.Hour}
	k.conn = dialled(t, func(under net.Conn) net.Conn {
		c.Conn = under
		return c
	})
	k.closed = true // nothing is written here
	k.alive()
	if time.Until(c.until) < time.Minute {
		t.Errorf("one that is open has until %v", c.until)
	}
	c.do = func() { k.Close(closePolicy, "") }
	k.alive()
	if time.Until(c.until) > farewellWait {
		t.Errorf("it has until %v", c.until)
	}
}

func TestWhoTalks(t *testing.T) {
	var k talk
	for round, c := range []struct {
		messages int
		want     bool // before the ping that follows
	}{{0, false}, {1, false}, {talkMost, false}, {talkMost + 1, true}, {1, true}, {0, true}, {1, false}, {talkMost, false}, {100, true}} {
		for range c.messages {
			k.heard()
		}
		if k.on != c.want {
			t.Errorf("round %d, %d messages: talks %v", round, c.messages, k.on)
		}
		k.pinged()
	}
}
