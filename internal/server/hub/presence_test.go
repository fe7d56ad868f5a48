package hub

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

func TestPresence(t *testing.T) {
	w := newWorld(t, "alice", "bob", "echo")
	a := w.connect("alice", "a")
	c, err := signal.Decode[signal.Connected](a.got[0])
	if err != nil || c.Self.ID != "alice" || !c.Self.Online || c.Server != "test/1" || len(c.Users) != 2 || c.Users[0].Online {
		t.Fatalf("alice hears %+v, %v", c, err)
	}
	b1 := w.connect("bob", "b1")
	if u, e := take[signal.UserChange](a, signal.CodeUserOnline); !u.User.Online || u.User.Name != "BOB" || e.Method != signal.UserOnline {
		t.Fatalf("alice hears %+v in %+v", u, e)
	}
	b2 := w.connect("bob", "b2")
	w.c.disconnect(b1, Lost)
	if len(a.got) != 0 || len(b2.got) != 1 {
		t.Fatalf("the second device makes noise: %+v, %+v", a.got, b2.got)
	}
	w.c.disconnect(b2, Left)
	if u, _ := take[signal.UserChange](a, signal.CodeUserOffline); u.User.ID != "bob" || u.User.Online {
		t.Fatalf("alice hears %+v", u)
	}
	w.c.disconnect(b2, Left)
	if len(a.got) != 0 {
		t.Fatalf("a second end makes noise: %+v", a.got)
	}
	l, err := signal.Decode[signal.Users](a.must(signal.UserList, "", "", nil))
	if err != nil || len(l.Users) != 2 || l.Users[0].ID != "bob" {
		t.Fatalf("the list is %+v, %v", l, err)
	}
	a.refused(signal.ErrUnknownMethod, "Call/Teleport", "", "", nil)
	stranger := &dev{w: w, user: "stranger"}
	stranger.refused(signal.ErrNotConnected, signal.UserList, "", "", nil)
}

func TestALargeRosterFitsIntoMessages(t *testing.T) {
	w := newWorld(t, "alice")
	for i := range 3000 {
		w.c.addUser(signal.User{ID: fmt.Sprintf("user-%021d", i), Name: strings.Repeat("ü", 32), Kind: signal.KindPerson})
	}
	last := w.connect("user-000000000000000002999", "x")
	_ = last
	a := w.connect("alice", "a")
	seen := map[string]bool{}
	for i, e := range a.got {
		if n := len((&Message{Envelope: e}).JSON()); n > signal.MaxMessage {
			t.Fatalf("message %d has %d bytes", i, n)
		}
		if i == 0 {
			c, _ := signal.Decode[signal.Connected](e)
			if !c.Users[0].Online {
				t.Fatalf("first is %+v, not who is online", c.Users[0])
			}
			for _, u := range c.Users {
				seen[u.ID] = true
			}
			continue
		}
		u, _ := signal.Decode[signal.UserChange](e)
		seen[u.User.ID] = true
	}
	if len(seen) != 3000 {
		t.Fatalf("alice hears of %d people, want 3000", len(seen))
	}
}

func TestChat(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "echo")
	a1, a2, b, c := w.connect("alice", "a1"), w.connect("alice", "a2"), w.connect("bob", "b"), w.connect("carol", "c")
	for _, d := range []*dev{a1, a2, b, c} {
		d.got = nil
	}
	m, err := signal.Decode[signal.ChatMessage](a1.must(signal.MessageSendTo, "bob", "", signal.Text{Text: "hello"}))
	if err != nil || m.ID == 0 || m.FromID != "alice" || m.FromName != "ALICE" || m.ToID != "bob" || !m.Sent.Equal(noon) {
		t.Fatalf("acknowledged as %+v, %v", m, err)
	}
	for _, d := range []*dev{a2, b} {
		if got, e := take[signal.ChatMessage](d, signal.CodeChat); got != m || e.Type != signal.TypeText || e.FromID != "alice" {
			t.Fatalf("%s gets %+v in %+v", d.user, got, e)
		}
	}
	a1.quiet()
	c.quiet()
	b.must(signal.MessageSendToAll, "", "", signal.Text{Text: "all"})
	for _, d := range []*dev{a1, a2, c} {
		take[signal.ChatMessage](d, signal.CodeChat)
	}
	b.quiet()
	a1.refused(signal.ErrNotFound, signal.MessageSendTo, "nobody", "", signal.Text{Text: "x"})
	a1.refused(signal.ErrBadRequest, signal.MessageSendTo, "alice", "", signal.Text{Text: "x"})
	a1.refused(signal.ErrBadRequest, signal.MessageSendTo, "bob", "", signal.Text{Text: " \n"})
	a1.refused(signal.ErrBadRequest, signal.MessageSendTo, "bob", "", signal.Text{Text: strings.Repeat("x", 2001)})
	w.full = true
	a1.refused(signal.ErrInternal, signal.MessageSendTo, "bob", "", signal.Text{Text: "lost?"})
	b.quiet()
	w.full = false
	a1.must(signal.MessageSendTo, "echo", "", signal.Text{Text: "anybody there?"})
	if got, _ := take[signal.ChatMessage](a1, signal.CodeChat); got.FromID != "echo" || got.ToID != "alice" || got.Text != "anybody there?" {
		t.Fatalf("Echo says %+v", got)
	}
}

func TestEchoTakesManyCalls(t *testing.T) {
	w := newWorld(t, "alice", "bob", "echo")
	echo := w.connect("echo", "e")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	w.pair(a, echo, id(1))
	w.pair(b, echo, id(2))
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0 alice"})
	if s, e := take[signal.SDP](echo, signal.CodeOffer); s.SDP != "v=0 alice" || e.CallID != id(1) {
		t.Fatalf("Echo gets %+v in %+v", s, e)
	}
	a.must(signal.CallHangup, "", id(1), signal.Hangup{})
	echo.ended(id(1), signal.EndHangup, "alice")
	echo.must(signal.MessageAnswer, "", id(2), signal.SDP{SDP: "v=0"})
	take[signal.SDP](b, signal.CodeAnswer)
	w.c.stop()
	b.ended(id(2), signal.EndServerStopped, "")
}

func TestStopEndsWhatRings(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave")
	a, b, c, d := w.connect("alice", "a"), w.connect("bob", "b"), w.connect("carol", "c"), w.connect("dave", "d")
	w.pair(a, b, id(1))
	c.must(signal.CallInvite, "dave", id(2), signal.Invite{})
	take[signal.Invite](d, signal.CodeInvite)
	w.c.stop()
	c.ended(id(2), signal.EndServerStopped, "")
	d.ended(id(2), signal.EndServerStopped, "")
	a.quiet()
	b.quiet()
	if r := w.record(id(1)); !r.Ended.IsZero() {
		t.Fatalf("an accepted call is recorded as ended: %+v", r)
	}
}

func TestRestart(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	start := noon.Add(-time.Hour)
	accepted := Record{
		ID: id(1), Caller: "alice", Callee: "bob", CallerDevice: "a-0123456789abcdef", CalleeDevice: "b-0123456789abcdef",
		Started: start, Accepted: start.Add(5 * time.Second),
	}
	rang := Record{ID: id(2), Caller: "carol", Callee: "bob", CallerDevice: "c", Started: noon.Add(-20 * time.Minute)}
	w.c.restore(accepted, noon.Add(-10*time.Second))
	w.c.restore(rang, noon.Add(-10*time.Second))
	if r := w.record(id(2)); r.Reason != "server_stopped" || r.Ended != rang.Started.Add(45*time.Second) {
		t.Fatalf("a call that rang is recorded as %+v", r)
	}
	a := w.connect("alice", "a")
	b := w.connect("bob", "b")
	for _, d := range []*dev{a, b} {
		if c, _ := signal.Decode[signal.Connected](d.got[0]); c.CallID != id(1) {
			t.Fatalf("%s hears of %q after the restart", d.user, c.CallID)
		}
		d.got = nil
	}
	w.pass(time.Minute)
	a.must(signal.CallHangup, "", id(1), signal.Hangup{})
	b.ended(id(1), signal.EndHangup, "alice")

	// A server that was away for too long knows only when it was last alive.
	old := accepted
	old.ID = id(3)
	w.c.restore(old, w.c.now.Add(-13*time.Hour))
	if r := w.record(id(3)); r.Reason != "server_stopped" || r.Ended != old.Accepted {
		t.Fatalf("recorded %+v", r)
	}
	w.c.disconnect(a, Left)
	w.c.disconnect(b, Left)
	for _, name := range []string{"alice", "bob"} {
		if n := len(w.c.people[name].devices); n != 0 {
			t.Fatalf("%d devices of %s are kept", n, name)
		}
	}
}
