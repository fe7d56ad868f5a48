package server_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// grown runs f and gives by how many MiB this process's memory has grown at its height; the server is part of it.
func grown(f func()) float64 {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(int64(after.Sys)-int64(before.Sys)) / (1 << 20)
}

// tooBig accepts 1009, and a cut: what was still on its way when the server closed resets the connection.
func tooBig(t *testing.T, what string, p *phone) {
	t.Helper()
	if code := p.closed(); code != websocket.CloseMessageTooBig && code != 0 {
		t.Errorf("%s: closed with %d, want 1009", what, code)
	}
}

func TestAttackOversizedFrame(t *testing.T) {
	s := open(t)
	g := s.guest("alice")
	other := s.guest("bob").phone("b")
	memory := grown(func() {
		p := g.phone("big")
		p.writeRaw(websocket.TextMessage, bytes.Repeat([]byte("x"), signal.MaxMessage+1))
		if code := p.closed(); code != websocket.CloseMessageTooBig {
			t.Errorf("a message of 64 KB and a byte: closed with %d, want 1009", code)
		}
		// Only the header has to come for that: nobody waits for a payload that may never end.
		for what, length := range map[string]uint64{"2^63": 1 << 63, "2^63-1": 1<<63 - 1, "2^40": 1 << 40, "2^64-1": 1<<64 - 1} {
			p := g.phone("header" + what[2:4])
			_ = p.pour(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, length))
			_ = p.pour([]byte{0, 0, 0, 0})
			if code := p.closed(); code != websocket.CloseMessageTooBig {
				t.Errorf("a header that says %s bytes: closed with %d, want 1009", what, code)
			}
		}
		p = g.phone("fragments")
		if p.pour(frame(0x01, []byte("x"))) == nil {
			some := bytes.Repeat(frame(0x00, []byte("x")), 1000)
			sent := 0
			for sent < 1_000_000 && p.pour(some) == nil {
				sent += 1000
			}
			if sent == 1_000_000 {
				t.Error("a message of a million fragments was taken")
			}
		}
		tooBig(t, "a message in fragments of one byte", p)
	})
	if memory > 16 {
		t.Errorf("memory has grown by %.1f MiB", memory)
	}
	other.must(signal.UserList, "", "", nil)
}

func TestAttackCompressionBomb(t *testing.T) {
	s := open(t)
	g := s.guest("alice")
	for _, offer := range []string{"permessage-deflate", "permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame", "permessage-bzip2, permessage-deflate"} {
		d := websocket.Dialer{TLSClientConfig: s.tls, Subprotocols: []string{signal.Subprotocol}}
		conn, res, err := d.DialContext(t.Context(), s.wsURL(), http.Header{"Authorization": {"Bearer " + g.token}, "Sec-WebSocket-Extensions": {offer}})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if e := res.Header.Get("Sec-WebSocket-Extensions"); e != "" {
			t.Errorf("%q: negotiated %q", offer, e)
		}
		_ = res.Body.Close()
	}
	p := g.phone("a")
	if err := p.pour(frame(0xc1, []byte("\xaa\x56\xca\x4d\x2d\xc9\xc8\x4f\x51\xb2\x52\x0a\x2d\x4e\x2d\xd2\xf7\xc9\x2c\x2e\x51\xaa\x05\x00"))); err != nil {
		t.Fatal(err)
	}
	if code := p.closed(); code != websocket.CloseProtocolError {
		t.Errorf("a compressed frame: closed with %d, want 1002", code)
	}
	if a := s.send("POST", "/api/login", "\x1f\x8b\x08\x00\x00\x00\x00\x00", "Content-Encoding", "gzip"); a.status != http.StatusBadRequest {
		t.Errorf("a compressed body: %d %s", a.status, a.body)
	}
}

func TestAttackMalformedJSON(t *testing.T) {
	s := open(t)
	var g *guest
	other := s.guest("bob").phone("b")
	deep := strings.Repeat(`{"data":`, 7_000)
	i := 0
	try := func(what, message, want string) {
		t.Helper()
		if i%8 == 0 { // a person has ten sockets
			g = s.guest(fmt.Sprint("alice", i))
		}
		i++
		p := g.phone(fmt.Sprint("device", i))
		defer p.conn.Close()
		p.writeRaw(websocket.TextMessage, []byte(message))
		e, err := p.wait(func(e signal.Envelope) bool { return e.Code == signal.CodeError })
		if err != nil || decode[signal.Problem](t, e).Error != want {
			t.Errorf("%s: %+v, %v; want %s", what, e, err, want)
		}
		if strings.Contains(e.Message, "goroutine") || strings.Contains(e.Message, ".go:") || len(e.Message) > 300 {
			t.Errorf("%s: it says %q", what, e.Message)
		}
	}
	for what, m := range map[string]string{
		"nothing": ``, "a text": `hello`, "a list": `[1,2]`, "null": `null`, "a number": `1`, "no method": `{"requestId":"x"}`, "half": `{"method":"User/List"`,
		"not UTF-8": "{\"method\":\"User/\xff\"}", "a surrogate alone": `{"method":"\ud800","type":9}`, "wrong type": `{"method":5}`,
		"long method": `{"method":"` + strings.Repeat("x", 65) + `"}`, "odd type": `{"method":"User/List","type":7}`, "NaN": `{"method":"User/List","type":NaN}`,
		"infinite": `{"method":"User/List","type":1e999}`, "fraction": `{"method":"User/List","type":0.5}`, "hex": `{"method":"User/List","type":0x1}`,
		"deep lists": strings.Repeat("[", 20_000), "deep objects": deep, "comment": `{"method":"User/List"/**/}`, "trailing": `{"method":"User/List"} {}`,
		"NUL": "{\"method\":\"User/List\"}\x00", "BOM": "\ufeff{\"method\":\"User/List\"}", "single quotes": `{'method':'User/List'}`,
		"deep data": `{"method":"User/List","data":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
	} {
		try(what, m, signal.ErrBadRequest)
	}
	for what, data := range map[string]string{
		"a text for an object": `"x"`, "a list for an object": `[]`, "a number for a text": `{"text":1}`, "a huge number": `{"text":1e999}`, "nothing": `{}`,
		"twice, the last one wrong": `{"text":"x","text":5}`, "an object for a text": `{"text":{"text":"x"}}`, "a control character": `{"text":"\u0007"}`,
	} {
		try(what, `{"method":"Message/SendToAll","requestId":"r","data":`+data+`}`, signal.ErrBadRequest)
	}
	for _, body := range []string{``, `[]`, `5`, `"x"`, `{`, `{"name":5}`, "{\"name\":\"\xff\"}", deep, `{"name":NaN}`, `{"name":"a","name":{}}`, `{}{}`, "\x00"} {
		for _, path := range []string{"/api/login", "/api/register"} {
			a := s.send("POST", path, body)
			if f := a.failure(); a.status < 400 || a.status >= 500 || f.Error == "" || f.Message == "" || strings.Contains(f.Message, ".go") {
				t.Errorf("%s %.40q: %d %s", path, body, a.status, a.body)
			}
		}
	}
	other.must(signal.UserList, "", "", nil)
	p := s.guest("carol").phone("c")
	p.refused(signal.ErrUnknownMethod, "User/Fly", "", "", nil)
	p.refused(signal.ErrBadRequest, signal.UserConnect, "", "", signal.Connect{DeviceID: signal.NewID()})
	p.refused(signal.ErrBadRequest, signal.CallInvite, server.EchoID, "no-id", signal.Invite{})
	p.refused(signal.ErrBadRequest, signal.MessageHistory, "", "", signal.History{Limit: signal.MaxHistory + 1})
	// Who sends nothing else is closed.
	for range 12 {
		if p.conn.WriteMessage(websocket.TextMessage, []byte(`{`)) != nil {
			break
		}
	}
	if code := p.closed(); code != websocket.ClosePolicyViolation {
		t.Errorf("after many malformed messages: closed with %d, want 1008", code)
	}
}

// TestAttackUnknownFieldsAndRepeats sends what a later version might, which must not pass through this one, and says
// everything several times.
func TestAttackUnknownFieldsAndRepeats(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	call := signal.NewID()
	say := func(p *phone, method signal.Method, id, data string) signal.Envelope {
		t.Helper()
		for range 3 {
			p.writeRaw(websocket.TextMessage, []byte(fmt.Sprintf(`{"method":%q,"evil":{"x":[1]},"fromId":"x","code":10103,"message":"<b>","toId":%q,"callId":%q,"requestId":%q,"data":%s}`,
				method, b.user.ID, call, id, data)))
		}
		var first signal.Envelope
		for i := range 3 {
			e, err := p.wait(func(e signal.Envelope) bool { return e.RequestID == id })
			if err != nil || e.Code != signal.CodeOK {
				t.Fatalf("%s is answered %+v, %v", method, e, err)
			}
			if i == 0 {
				first = e
			}
		}
		return first
	}
	once := func(p *phone, code signal.Code, want string) {
		t.Helper()
		if e := p.push(code, call); want != "" && string(e.Data) != want {
			t.Errorf("push %d is %s, want %s", code, e.Data, want)
		}
		p.must(signal.UserList, "", "", nil)
		if n := p.count(func(e signal.Envelope) bool { return e.Code == code }); n > 0 {
			t.Errorf("push %d came %d times more", code, n)
		}
	}
	say(alice, signal.CallInvite, "i", `{"video":true,"evil":1,"from":{"id":"x","name":"y"}}`)
	once(bob, signal.CodeInvite, "")
	say(bob, signal.CallRinging, "r", `{"evil":1}`)
	once(alice, signal.CodeRinging, `{"devices":1}`)
	say(bob, signal.CallAccept, "a", `{"video":true,"iceServers":[{"urls":["turn:evil.example"]}]}`)
	once(alice, signal.CodeAccepted, `{"video":true,"iceServers":[]}`)
	alice.writeRaw(websocket.TextMessage, []byte(`{"method":"Message/Offer","callId":"`+call+`","data":{"sdp":"v=0","type":"rollback","evil":{}}}`))
	once(bob, signal.CodeOffer, `{"sdp":"v=0"}`)
	alice.must(signal.CallHangup, "", call, signal.Hangup{})
	for range 3 {
		alice.refused(signal.ErrNotInCall, signal.CallHangup, "", call, signal.Hangup{})
	}
	once(bob, signal.CodeEnded, "")
	once(alice, signal.CodeEnded, "")
}

// TestAttackTrickledMessage begins a message and never ends it: a byte now and then, or fragments of nothing at all.
func TestAttackTrickledMessage(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *server.Config) { c.PingEvery = 500 * time.Millisecond })
	for what, piece := range map[string][]byte{"bytes": frame(0x00, []byte("x")), "empty fragments": frame(0x00, nil)} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			here := *s
			here.t = t
			p := here.guest("person" + what[:2]).phone("a")
			if err := p.pour(frame(0x01, []byte("{"))); err != nil {
				t.Fatal(err)
			}
			// The library at this end answers pings, so that the connection looks alive all the time.
			start := time.Now()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for p.pour(piece) == nil && time.Since(start) < patience {
				<-tick.C
			}
			p.closed()
			if waited := time.Since(start); waited > 5*time.Second {
				t.Errorf("a message that does not end is waited for %v", waited)
			}
		})
	}
}

// TestAttackPresenceFlood comes and goes as fast as it can: others must not have to hear of all of it, and hear the truth
// in the end.
func TestAttackPresenceFlood(t *testing.T) {
	s := open(t)
	alice, b := s.guest("alice").phone("a"), s.guest("bob")
	alice.push(signal.CodeUserOffline, "") // of the new account
	const times = 60
	refused := 0
	for i := range times {
		conn, status, err := s.dial(http.Header{"Authorization": {"Bearer " + b.token}}, signal.Subprotocol)
		if status == http.StatusTooManyRequests {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		p := newPhone(t, "bob", conn)
		p.connect(fmt.Sprint("device", i))
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
		p.closed()
	}
	alice.must(signal.UserList, "", "", nil)
	heard := alice.count(func(e signal.Envelope) bool {
		return e.Code == signal.CodeUserOnline || e.Code == signal.CodeUserOffline
	})
	if heard > times/4 {
		t.Errorf("bob has come and gone %d times, and alice was told %d times", times, heard)
	}
	t.Logf("%d of %d connections were refused; alice heard %d times", refused, times, heard)
	b.phone("last")
	if u := decode[signal.UserChange](t, alice.push(signal.CodeUserOnline, "")); u.User.ID != b.user.ID {
		t.Errorf("alice hears %+v", u)
	}
}

// TestAttackResumeOfAnotherPersonsSession asks for a session by its id: with another person's sign-in, with the same person's
// other sign-in, from another device, and when it is over. Nobody is given anything of it, nor told why not.
func TestAttackResumeOfAnotherPersonsSession(t *testing.T) {
	s := open(t)
	a, b, m := s.guest("alice"), s.guest("bob"), s.guest("mallory")
	hello := func(g *guest, device string, r signal.Resume) (*phone, signal.Connected) {
		t.Helper()
		p := g.raw()
		c := signal.Connect{DeviceID: device + "-0123456789abcdef", Device: device, Client: "test/1", Resume: &r}
		return p, decode[signal.Connected](t, p.must(signal.UserConnect, "", "", c))
	}
	alice, first := hello(a, "a", signal.Resume{})
	if first.Session == "" || first.Resumed {
		t.Fatalf("alice hears %+v", first)
	}
	bob := b.phone("b")
	alice.cut()
	bob.must(signal.MessageSendTo, a.user.ID, "", signal.Text{Text: "for alice alone"})
	for what, c := range map[string]struct {
		who    *guest
		device string
		resume signal.Resume
	}{
		"another person":         {m, "a", signal.Resume{Session: first.Session}},
		"another sign-in":        {a.again("b"), "a", signal.Resume{Session: first.Session}},
		"another device":         {a, "other", signal.Resume{Session: first.Session}},
		"what was never sent":    {a, "a", signal.Resume{Session: first.Session, Got: 1 << 40}},
		"a session that is none": {m, "m", signal.Resume{Session: signal.NewID()}},
	} {
		p, got := hello(c.who, c.device, c.resume)
		if got.Resumed || got.Session == first.Session || got.Session == "" || got.Self.ID != c.who.user.ID {
			t.Errorf("%s hears %+v", what, got)
		}
		p.must(signal.UserList, "", "", nil)
		if n := p.count(func(e signal.Envelope) bool { return strings.Contains(string(e.Data), "for alice alone") }); n > 0 {
			t.Errorf("%s is given what waits for alice", what)
		}
		p.cut()
	}
}
