package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

// plain is a server without TLS, because these tests connect a thousand times, and without a limit of messages.
func plain(c *server.Config) {
	c.HTTP = true
	c.Limits.Messages = limit.Rate{Burst: 1 << 20, Every: time.Microsecond}
}

// talker is a real client that counts what it hears.
type talker struct {
	t       *testing.T
	c       *signal.Client
	line    *breaker
	events  chan signal.Event // all but what is counted
	got     atomic.Int64      // pushes that are the other's requests
	replied atomic.Int64      // replies to one's own
	resumed atomic.Int64
	begun   atomic.Int64 // sessions
}

// talker connects a guest's client through the breaker.
func (b *breaker) talker(g *guest, device string) *talker {
	b.t.Helper()
	k := &talker{t: b.t, line: b, events: make(chan signal.Event, 4096)}
	k.c = &signal.Client{
		URL: b.url(), Token: g.token, Connect: signal.Connect{DeviceID: device + "-0123456789abcdef", Device: device},
		BackoffMin: time.Millisecond, BackoffMax: 4 * time.Millisecond,
	}
	if err := k.c.Start(); err != nil {
		b.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); k.listen() }()
	b.t.Cleanup(func() { k.c.Close(); <-done })
	k.event("online", func(e signal.Event) bool { return e.Connected != nil })
	return k
}

// listen checks the order of what is numbered here: the replies to "1", "2", … and the pushes of the same numbers.
func (k *talker) listen() {
	for e := range k.c.Events() {
		switch {
		case e.Connected != nil && e.Connected.Resumed:
			k.resumed.Add(1)
		case e.Reply != nil && e.Reply.Method == signal.CallMedia:
			k.count(&k.replied, "reply", e.Reply.RequestID, e.Reply.Fail())
		case e.Push != nil && e.Push.Code == signal.CodeMedia:
			m, err := signal.Decode[signal.Media](*e.Push)
			k.count(&k.got, "push", fmt.Sprint(m.Change), err)
		default:
			if e.Connected != nil {
				k.begun.Add(1)
			}
			select {
			case k.events <- e:
			default:
			}
		}
		k.line.heard.L.Lock()
		k.line.heard.Broadcast()
		k.line.heard.L.Unlock()
	}
}

func (k *talker) count(n interface{ Add(int64) int64 }, what, name string, err error) {
	if want := fmt.Sprint(n.Add(1)); err != nil || name != want {
		k.t.Errorf("%s %q where %s was to come, %v", what, name, want, err)
	}
}

func (k *talker) event(what string, pick func(signal.Event) bool) signal.Event {
	k.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-k.events:
			if pick(e) {
				return e
			}
		case <-late:
			k.t.Fatalf("no %s", what)
		}
	}
}

func (k *talker) must(m signal.Method, to, call string, data any) signal.Envelope {
	k.t.Helper()
	e, err := k.c.Request(k.t.Context(), signal.Envelope{Method: m, ToID: to, CallID: call, Data: signal.Encode(data)})
	if err != nil {
		k.t.Fatalf("%s: %v", m, err)
	}
	return e
}

// until waits for something that talkers count.
func (b *breaker) until(ctx context.Context, ok func() bool) bool {
	defer context.AfterFunc(ctx, func() {
		b.heard.L.Lock()
		defer b.heard.L.Unlock()
		b.heard.Broadcast()
	})()
	b.heard.L.Lock()
	defer b.heard.L.Unlock()
	for !ok() && ctx.Err() == nil {
		b.heard.Wait()
	}
	return ok()
}

// say sends a numbered request that becomes a push for the other.
func (k *talker) say(call string, n int64) error {
	return k.c.Send(signal.Envelope{Method: signal.CallMedia, CallID: call, RequestID: fmt.Sprint(n), Data: signal.Encode(signal.Media{Change: n})})
}

// converse lets two people talk.
func converse(t *testing.T, from, to *talker, callee signal.User) (call string) {
	t.Helper()
	call = signal.NewID()
	from.must(signal.CallInvite, callee.ID, call, signal.Invite{})
	to.event("invite", func(e signal.Event) bool { return e.Push != nil && e.Push.Code == signal.CodeInvite })
	to.must(signal.CallAccept, "", call, signal.Accept{})
	from.event("accept", func(e signal.Event) bool { return e.Push != nil && e.Push.Code == signal.CodeAccepted })
	return call
}

// R1: a thousand cuts while ten thousand messages go both ways. None is lost, none comes twice, and their order stays:
// neither of the requests, nor of their replies, nor of the pushes that they become.
func TestAThousandCuts(t *testing.T) {
	const each, cuts = 5000, 1000
	s := open(t, plain)
	a, b := s.guest("alice"), s.guest("bob")
	line := newBreaker(t, s.srv.Addr().String())
	alice, bob := line.talker(a, "a"), line.talker(b, "b")
	call := converse(t, alice, bob, b.user)
	line.breaking.Store(true)
	line.cutAll()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	say := func(from, to *talker) {
		for n := int64(1); n <= each; n++ {
			// As in a call, nobody is far ahead of the other: more than can be kept would be too much.
			if !line.until(ctx, func() bool { return n-from.replied.Load() <= 32 && n-to.got.Load() <= 96 }) {
				t.Errorf("stopped at %d: %d replies, %d at the other end", n, from.replied.Load(), to.got.Load())
				return
			}
			if err := from.say(call, n); err != nil {
				t.Errorf("message %d: %v", n, err)
				return
			}
		}
		line.until(ctx, func() bool { return from.replied.Load() == each })
	}
	var both sync.WaitGroup
	both.Go(func() { say(alice, bob) })
	both.Go(func() { say(bob, alice) })
	both.Wait()
	for _, k := range []*talker{alice, bob} {
		line.until(ctx, func() bool { return k.got.Load() == each })
		if k.got.Load() != each || k.replied.Load() != each || k.begun.Load() != 1 {
			t.Errorf("%d of %d pushes, %d replies, %d sessions", k.got.Load(), each, k.replied.Load(), k.begun.Load())
		}
	}
	if n := line.cuts.Load(); n < cuts {
		t.Errorf("only %d cuts", n)
	}
	t.Logf("%d cuts, %d times resumed", line.cuts.Load(), alice.resumed.Load()+bob.resumed.Load())
}

// What is too much to keep, or too long ago, ends in a clean beginning: the client is told all that there is to know.
func TestTooFarBehind(t *testing.T) {
	s := open(t, plain)
	a, b := s.guest("alice"), s.guest("bob")
	line := newBreaker(t, s.srv.Addr().String())
	alice, bob := line.talker(a, "a"), line.talker(b, "b")
	call := converse(t, alice, bob, b.user)
	straight := newBreaker(t, s.srv.Addr().String()) // alice's way, while the other is shut
	again := straight.talker(a, "a")
	line.shut.Store(true)
	line.cutAll()
	bob.event("cut", func(e signal.Event) bool { return e.State == signal.StateConnecting })
	for range signal.MaxKept + 60 {
		again.must(signal.CallRestart, "", call, nil)
	}
	line.shut.Store(false)
	e := bob.event("online", func(e signal.Event) bool { return e.Connected != nil })
	if c := e.Connected; c.Resumed || c.CallID != call || len(c.Users) == 0 || c.Session == "" {
		t.Errorf("bob is told %+v", c)
	}
	// The newest of what was kept for the call's device come as ever.
	bob.event("restart", func(e signal.Event) bool { return e.Push != nil && e.Push.Code == signal.CodeRestart })
}

// Nobody waits longer than a minute for who was cut off.
func TestACutSessionEndsAfterAMinute(t *testing.T) {
	s := open(t, plain)
	g := s.guest("alice")
	p := g.raw()
	hello := p.number(signal.Resume{}, "a")
	p.cut()
	s.srv.SweepStreams(time.Now().Add(signal.ResumeWithin / 2))
	p = g.raw()
	if again := p.number(signal.Resume{Session: hello.Session}, "a"); !again.Resumed || again.Session != hello.Session {
		t.Fatalf("after half a minute: %+v", again)
	}
	p.cut()
	// The server may not have noticed yet; when it has, the time is over.
	for again := hello; again.Session == hello.Session; p.cut() {
		s.srv.SweepStreams(time.Now().Add(signal.ResumeWithin + time.Second))
		p = g.raw()
		again = p.number(signal.Resume{Session: hello.Session}, "a")
	}
}

// What an operator says of sessions holds for messages and for time.
func TestSessionsKeepTheLimits(t *testing.T) {
	s := open(t, plain, func(c *server.Config) { c.Limits.ResumeMessages, c.Limits.ResumeWait = 64, 5*time.Second })
	g := s.guest("alice")
	p := g.raw()
	resume := signal.Resume{Session: p.number(signal.Resume{}, "a").Session}
	for range 80 {
		p.must(signal.UserList, "", "", nil)
	}
	p.cut()
	resume.Got = 16
	if p = g.raw(); !p.number(resume, "a").Resumed {
		t.Fatal("the last 64 of 80 messages are not kept")
	}
	p.cut()
	resume.Got = 15
	p = g.raw()
	if resume.Session = p.number(resume, "a").Session; resume.Session == "" {
		t.Fatal("no new session")
	}
	p.cut()
	resume.Got = 0
	for until := time.Now().Add(patience); ; {
		s.srv.SweepStreams(time.Now().Add(6 * time.Second))
		p = g.raw()
		again := p.number(resume, "a")
		if p.cut(); !again.Resumed { // else the server had not noticed yet that it was cut
			break
		}
		if time.Now().After(until) {
			t.Fatal("a session is resumed after the time for it")
		}
	}
}

// again is another sign-in of somebody who has an account.
func (s *site) again(name string) *guest {
	s.t.Helper()
	a := s.login(name, password)
	var in signal.SignedIn
	if err := json.Unmarshal(a.body, &in); err != nil || in.Token == "" {
		s.t.Fatalf("login %s: %d %s", name, a.status, a.body)
	}
	return &guest{site: s, user: in.User, token: in.Token}
}

// number says User/Connect as a client that numbers.
func (p *phone) number(r signal.Resume, device string) signal.Connected {
	p.t.Helper()
	c := signal.Connect{DeviceID: device + "-0123456789abcdef", Device: device, Client: "test/2", Resume: &r}
	return decode[signal.Connected](p.t, p.must(signal.UserConnect, "", "", c))
}

// Row 25: a request that was carried out is not carried out again, whoever says it again, on whichever socket.
func TestARepeatedRequestIsDoneOnce(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	bob := b.phone("b")
	p := a.raw()
	hello := p.number(signal.Resume{}, "a")
	if hello.Session == "" || hello.Resumed {
		t.Fatalf("%+v", hello)
	}
	say := func(seq uint64, text string) signal.Envelope {
		return signal.Envelope{
			Method: signal.MessageSendTo, ToID: b.user.ID, RequestID: fmt.Sprint("say", seq), Seq: seq, Data: signal.Encode(signal.Text{Text: text}),
		}
	}
	p.write(say(1, "one"))
	p.write(say(1, "one, again"))
	p.write(say(2, "two"))
	for _, want := range []string{"one", "two"} {
		if m := decode[signal.ChatMessage](t, bob.push(signal.CodeChat, "")); m.Text != want {
			t.Fatalf("bob reads %q, want %q", m.Text, want)
		}
	}
	reply := func(id string) signal.Envelope {
		t.Helper()
		e, err := p.wait(func(e signal.Envelope) bool { return e.RequestID == id })
		if err != nil {
			t.Fatalf("no reply to %s: %v", id, err)
		}
		return e
	}
	one, two := reply("say1"), reply("say2")
	if one.Seq == 0 || two.Seq <= one.Seq || two.Ack != 2 {
		t.Fatalf("the replies are numbered %d and %d, acknowledging %d", one.Seq, two.Seq, two.Ack)
	}
	p.cut()
	p = a.raw()
	again := p.number(signal.Resume{Session: hello.Session, Got: two.Seq - 1}, "a")
	if !again.Resumed || again.Got != 2 || len(again.Users) != 0 {
		t.Fatalf("resumed as %+v", again)
	}
	if e := reply("say2"); e.Seq != two.Seq || string(e.Data) != string(two.Data) {
		t.Fatalf("what was missed is %+v, not %+v", e, two)
	}
	p.write(say(2, "two, again"))
	p.write(say(3, "three"))
	if m := decode[signal.ChatMessage](t, bob.push(signal.CodeChat, "")); m.Text != "three" {
		t.Fatalf("bob reads %q", m.Text)
	}
	if e := reply("say3"); e.Seq <= two.Seq || e.Ack != 3 {
		t.Fatalf("the reply is %+v", e)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.got {
		if e.RequestID != "" {
			t.Errorf("another reply: %+v", e)
		}
	}
}

// Nobody goes on with a session but the device and the sign-in that began it, and who asks learns nothing.
func TestASessionBelongsToItsDevice(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	p := a.raw()
	mine := p.number(signal.Resume{}, "a").Session
	for what, ask := range map[string]func() signal.Connected{
		"somebody else":        func() signal.Connected { return b.raw().number(signal.Resume{Session: mine}, "a") },
		"another device":       func() signal.Connected { return a.raw().number(signal.Resume{Session: mine}, "b") },
		"another sign-in":      func() signal.Connected { return s.again("alice").raw().number(signal.Resume{Session: mine}, "c") },
		"a session never made": func() signal.Connected { return a.raw().number(signal.Resume{Session: signal.NewID()}, "d") },
		"a number never given": func() signal.Connected {
			other := a.raw().number(signal.Resume{}, "e").Session
			return a.raw().number(signal.Resume{Session: other, Got: 1000}, "e")
		},
	} {
		if got := ask(); got.Resumed || got.Session == mine || got.Session == "" {
			t.Errorf("%s gets %+v", what, got)
		}
	}
	q := a.raw()
	if got := q.number(signal.Resume{Session: mine}, "a"); !got.Resumed {
		t.Errorf("its own device gets %+v", got)
	}
	if code := p.closed(); code != 4000 {
		t.Errorf("the socket before is closed with %d", code)
	}
	if a := s.send("POST", "/api/logout", "", "Authorization", "Bearer "+a.token); a.status != 204 {
		t.Fatalf("sign-out: %d", a.status)
	}
	q.closed()
	if got := s.again("alice").raw().number(signal.Resume{Session: mine}, "a"); got.Resumed {
		t.Errorf("after the sign-out: %+v", got)
	}
}

// Numbers that cannot be end the socket, and its session.
func TestImpossibleNumbers(t *testing.T) {
	s := open(t)
	g := s.guest("alice")
	for what, e := range map[string]signal.Envelope{
		"a gap":                     {Method: signal.UserList, RequestID: "x", Seq: 2},
		"an ack of what never was":  {Method: signal.UserList, RequestID: "x", Seq: 1, Ack: 1000},
		"an ack alone, of the same": {Method: signal.SessionAck, Ack: 1000},
	} {
		p := g.raw()
		hello := p.number(signal.Resume{}, "a")
		p.write(e)
		if code := p.closed(); code != websocket.ClosePolicyViolation {
			t.Errorf("%s: closed with %d", what, code)
		}
		if again := g.raw().number(signal.Resume{Session: hello.Session}, "a"); again.Resumed {
			t.Errorf("%s: and the session goes on", what)
		}
	}
}

// A client that says much without asking for replies still hears that it has come, and one that says nothing need not.
func TestAcknowledgements(t *testing.T) {
	s := open(t)
	p := s.guest("alice").raw()
	p.number(signal.Resume{}, "a")
	for seq := uint64(1); seq <= signal.AckEvery; seq++ {
		p.write(signal.Envelope{Method: signal.UserList, Seq: seq})
	}
	e, err := p.wait(func(e signal.Envelope) bool { return e.Method == signal.SessionAck })
	if err != nil || e.Code != signal.CodeAck || e.Ack != signal.AckEvery || e.Seq != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

// Clients from before there were sessions go on as they did.
func TestClientsWithoutSessions(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice := a.phone("a")
	if alice.hello.Session != "" || alice.hello.Resumed {
		t.Errorf("greeted with %+v", alice.hello)
	}
	bob := b.raw()
	bob.number(signal.Resume{}, "b")
	for range 50 {
		alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: "hello"})
	}
	p := a.phone("a")
	if p.hello.Session != "" || p.hello.Resumed {
		t.Errorf("greeted again with %+v", p.hello)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.got {
		if e.Seq != 0 || e.Ack != 0 {
			t.Errorf("gets %+v", e)
		}
	}
}
