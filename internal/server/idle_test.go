package server

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// A buffer that nobody uses knows no connection: it would keep the last one, with all that hangs on it, for as long as
// it lies in the pool.
func TestAReadingForgetsItsConnection(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
			_ = c.Close()
		}
	}))
	defer s.Close()
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	k := &socket{reader: &bufio.Reader{}}
	k.conn = conn
	k.lend()
	lent := k.reading
	k.giveBack()
	_ = conn.Close()
	defer func() {
		if recover() == nil {
			t.Error("it reads from a connection that is not its own any more")
		}
	}()
	_, _ = lent.buffer.ReadByte() // from nothing
}
