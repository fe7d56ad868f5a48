package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

func (p *phone) writeRaw(kind int, b []byte) {
	p.t.Helper()
	if err := p.conn.WriteMessage(kind, b); err != nil {
		p.t.Fatal(err)
	}
}

func TestOversizedAndBinaryMessages(t *testing.T) {
	s := open(t)
	g := s.guest("alice")
	p := g.phone("a")
	p.writeRaw(websocket.TextMessage, bytes.Repeat([]byte("x"), signal.MaxMessage+1))
	if code := p.closed(); code != websocket.CloseMessageTooBig {
		t.Errorf("oversized: closed with %d, want 1009", code)
	}
	p = g.phone("b")
	p.writeRaw(websocket.BinaryMessage, []byte(`{"method":"User/List"}`))
	if code := p.closed(); code != websocket.CloseUnsupportedData {
		t.Errorf("binary: closed with %d, want 1003", code)
	}
	// One message in very many pieces is still one message.
	p = g.phone("c")
	w, err := p.conn.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
			break // it has been closed meanwhile
		}
	}
	_ = w.Close()
	if code := p.closed(); code != websocket.CloseMessageTooBig && code != 0 {
		t.Errorf("oversized in pieces: closed with %d", code)
	}
}

func TestUserConnectMustComeFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	g := s.guest("alice")
	p := g.raw()
	p.refused(signal.ErrNotConnected, signal.UserList, "", "", nil)
	p.refused(signal.ErrNotConnected, signal.MessageHistory, "", "", signal.History{})
	p.refused(signal.ErrBadRequest, signal.UserConnect, "", "", signal.Connect{DeviceID: "short"})
	p.connect("a")
	silent := g.raw()
	start := time.Now()
	if code := silent.closed(); code != websocket.ClosePolicyViolation {
		t.Errorf("a socket that says nothing is closed with %d, want 1008", code)
	}
	if waited := time.Since(start); waited > 10*time.Second {
		t.Errorf("a socket that says nothing is kept for %v", waited)
	}
	p.must(signal.UserList, "", "", nil)
}

func TestPresenceReachesEverybody(t *testing.T) {
	s := open(t)
	a := s.guest("alice")
	alice := a.phone("a")
	b := s.guest("bob")
	if u := decode[signal.UserChange](t, alice.push(signal.CodeUserOffline, "")); u.User.Name != "bob" || u.User.Online {
		t.Fatalf("alice hears of a new person as %+v", u)
	}
	bob := b.phone("b")
	if u := decode[signal.UserChange](t, alice.push(signal.CodeUserOnline, "")); u.User.ID != b.user.ID || !u.User.Online {
		t.Fatalf("alice hears %+v", u)
	}
	_ = bob.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	if u := decode[signal.UserChange](t, alice.push(signal.CodeUserOffline, "")); u.User.ID != b.user.ID {
		t.Fatalf("alice hears %+v", u)
	}
}

func TestAttackSilentSocket(t *testing.T) {
	s := open(t, func(c *server.Config) { c.PingEvery = 100 * time.Millisecond })
	alice := s.guest("alice").phone("a")
	b := s.guest("bob")
	conn, _, err := s.dial(http.Header{"Authorization": {"Bearer " + b.token}}, signal.Subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetPingHandler(func(string) error { return nil }) // does not answer
	bob := newPhone(t, "bob", conn)
	bob.connect("b")
	alice.push(signal.CodeUserOnline, "")
	alice.forget(signal.CodeUserOffline) // of the new account
	if u := decode[signal.UserChange](t, alice.push(signal.CodeUserOffline, "")); u.User.ID != b.user.ID {
		t.Fatalf("alice hears %+v", u)
	}
	alice.must(signal.UserList, "", "", nil) // answering pings keeps a socket for many times the limit
}

func TestAttackFlood(t *testing.T) {
	s := open(t, func(c *server.Config) { c.Limits.Messages = limit.Rate{Burst: 50, Every: time.Hour} })
	g := s.guest("alice")
	p := g.phone("a")
	go func(conn *websocket.Conn) {
		for conn.WriteJSON(signal.Envelope{Method: signal.UserList, RequestID: "flood"}) == nil {
		}
	}(p.conn)
	e, err := p.wait(func(e signal.Envelope) bool { return e.Code == signal.CodeError })
	if err != nil || decode[signal.Problem](t, e).Error != signal.ErrTooMany {
		t.Fatalf("a flood hears %+v, %v", e, err)
	}
	if code := p.closed(); code != websocket.ClosePolicyViolation && code != 0 {
		t.Fatalf("closed with %d", code)
	}
	// Pings count as well.
	p = g.phone("b")
	go func(conn *websocket.Conn) {
		for conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) == nil {
		}
	}(p.conn)
	p.closed()
	g.phone("c").must(signal.UserList, "", "", nil)
}

func TestAttackSlowReader(t *testing.T) {
	s := open(t, func(c *server.Config) { c.Limits.Messages = limit.Rate{Burst: 1 << 20, Every: time.Microsecond} })
	a, b := s.guest("alice"), s.guest("bob")
	alice := a.phone("a")
	conn, _, err := s.dial(http.Header{"Authorization": {"Bearer " + b.token}}, signal.Subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello, _ := json.Marshal(signal.Envelope{Method: signal.UserConnect, RequestID: "h", Data: signal.Encode(signal.Connect{DeviceID: signal.NewID()})})
	if err := conn.WriteMessage(websocket.TextMessage, hello); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadMessage(); err != nil { // the only thing bob ever reads
		t.Fatal(err)
	}
	call := signal.NewID()
	alice.must(signal.CallInvite, b.user.ID, call, signal.Invite{})
	accept, _ := json.Marshal(signal.Envelope{Method: signal.CallAccept, CallID: call})
	if err := conn.WriteMessage(websocket.TextMessage, accept); err != nil {
		t.Fatal(err)
	}
	alice.push(signal.CodeAccepted, call)
	big := signal.SDP{SDP: "v=0" + strings.Repeat("x", 40<<10)}
	gone := false
	for range 1000 { // 40 MB
		if e := alice.ask(signal.MessageOffer, "", call, big); e.Code == signal.CodeError {
			gone = true // what is kept for a device that is away has run out: its socket has been given up
			break
		}
	}
	if !gone {
		t.Fatal("40 MB were taken for somebody who never reads")
	}
	if !strings.Contains(s.log.String(), "does not read") {
		t.Error("the log does not say so")
	}
}

func TestTooManySockets(t *testing.T) {
	s := open(t)
	g := s.guest("alice")
	for i := range 10 {
		g.phone("device" + string(rune('a'+i)))
	}
	_, status, err := s.dial(http.Header{"Authorization": {"Bearer " + g.token}}, signal.Subprotocol)
	if err == nil || status != http.StatusTooManyRequests {
		t.Fatalf("the eleventh: %v", err)
	}
	a := s.send("GET", "/ws", "", "Authorization", "Bearer "+g.token, "Sec-WebSocket-Protocol", signal.Subprotocol)
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != http.StatusTooManyRequests || err != nil || wait < 1 {
		t.Fatalf("it is told %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	s.guest("bob").phone("b")
}

func TestTheSameDeviceReplacesItsSocket(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	call := talk(alice, bob, b.user)
	again := b.phone("b")
	if again.hello.CallID != call {
		t.Errorf("the device is told of the call %q, want %q", again.hello.CallID, call)
	}
	if code := bob.closed(); code != 4000 {
		t.Errorf("the old socket was closed with %d", code)
	}
	alice.must(signal.MessageOffer, "", call, signal.SDP{SDP: "v=0"})
	again.push(signal.CodeOffer, call)
}

func TestHistoryFitsIntoMessages(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	const lines = 40
	for range lines {
		alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: strings.Repeat("<é日", 600)})
	}
	seen, before := 0, int64(0)
	for {
		m := decode[signal.Messages](t, bob.must(signal.MessageHistory, "", "", signal.History{With: a.user.ID, Before: before, Limit: 200}))
		if len(m.Messages) == 0 {
			break
		}
		for i, l := range m.Messages {
			if before != 0 && l.ID >= before || i > 0 && l.ID <= m.Messages[i-1].ID {
				t.Fatalf("line %d is out of order", l.ID)
			}
		}
		seen, before = seen+len(m.Messages), m.Messages[0].ID
	}
	if seen != lines {
		t.Fatalf("%d lines read back, want %d", seen, lines)
	}
}
