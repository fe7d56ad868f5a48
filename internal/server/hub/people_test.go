package hub

import (
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// sees gives one person as d sees them on the roster.
func (d *dev) sees(id string) (signal.User, bool) {
	d.w.t.Helper()
	l, err := signal.Decode[signal.Users](d.must(signal.UserList, "", "", nil))
	if err != nil {
		d.w.t.Fatal(err)
	}
	for _, u := range l.Users {
		if u.ID == id {
			return u, true
		}
	}
	return signal.User{}, false
}

// heard gives what d was told of a person by the next push of that code.
func (d *dev) heard(code signal.Code) signal.User {
	d.w.t.Helper()
	c, _ := take[signal.UserChange](d, code)
	return c.User
}

// Whom one blocks cannot tell it from somebody who is not there.
func TestBlockedNoticesNothing(t *testing.T) {
	w := newWorld(t, "owner", "other", "third", "gone")
	owner, other, third := w.connect("owner", "o"), w.connect("other", "x"), w.connect("third", "t")
	w.c.block(Block{"owner", "other"}, true)
	if u := other.heard(signal.CodeUserOffline); u.ID != "owner" || u.Online {
		t.Fatalf("other hears of %+v", u)
	}
	if u, ok := other.sees("owner"); !ok || u.Online {
		t.Errorf("other sees %+v", u)
	}
	if u, _ := third.sees("owner"); !u.Online {
		t.Error("a third person sees the owner offline")
	}
	if u, _ := owner.sees("other"); !u.Online {
		t.Error("the owner does not see the other")
	}

	// A call ends in the same way, in the same messages, as one to somebody who is gone.
	said := map[string][]signal.Envelope{}
	for n, to := range []string{"owner", "gone"} {
		other.got = nil
		other.w.c.request(other, signal.Envelope{Method: signal.CallInvite, ToID: to, CallID: id(n), RequestID: "r", Data: signal.Encode(signal.Invite{Early: true})})
		for _, e := range other.got {
			e.CallID = ""
			said[to] = append(said[to], e)
		}
	}
	if a, b := string(signal.Encode(said["owner"])), string(signal.Encode(said["gone"])); a != b || len(said["owner"]) != 2 {
		t.Errorf("a call to the owner says\n%s\none to who is gone\n%s", a, b)
	}
	other.got = nil
	if r := w.record(id(0)); !r.Blocked || r.Reason != string(signal.EndOffline) || r.EndedBy != "" {
		t.Errorf("the record is %+v", r)
	}
	owner.quiet()

	// Chat looks sent, to the writer's other devices too.
	second := w.connect("other", "y")
	other.must(signal.MessageSendTo, "owner", "", signal.Text{Text: "hello?"})
	if m, _ := take[signal.ChatMessage](second, signal.CodeChat); m.Text != "hello?" {
		t.Errorf("the other device got %+v", m)
	}
	if n := len(w.blocked); n != 1 || !w.blocked[0] {
		t.Errorf("the line is kept as %v", w.blocked)
	}
	owner.quiet()

	// Comings and goings stay unknown, and so do lobby lines, both ways.
	owner.must(signal.MessageSendToAll, "", "", signal.Text{Text: "good morning"})
	take[signal.ChatMessage](third, signal.CodeChat)
	other.must(signal.MessageSendToAll, "", "", signal.Text{Text: "good morning"})
	owner.quiet()
	w.c.setQuiet(Quiet{UserID: "owner"}, true)
	if u, _ := other.sees("owner"); u.DND {
		t.Error("other sees that the owner does not want to be disturbed")
	}
	w.c.setQuiet(Quiet{UserID: "owner"}, false)
	w.c.disconnect(owner, Left)
	owner = owner.back()
	second.quietBut(signal.CodeChat)
	for _, d := range []*dev{other, second} {
		for _, e := range d.got {
			if e.Code == signal.CodeChat || e.RequestID == "" && string(e.Data) != "" && containsID(e, "owner") {
				t.Errorf("%s hears %+v", d.id, e)
			}
		}
		d.got = nil
	}

	owner.refused(signal.ErrBlocked, signal.CallInvite, "other", id(5), signal.Invite{})
	owner.refused(signal.ErrBlocked, signal.MessageSendTo, "other", "", signal.Text{Text: "x"})
	w.c.block(Block{"owner", "other"}, false)
	if u := other.heard(signal.CodeUserOnline); u.ID != "owner" || !u.Online {
		t.Errorf("after the end of the block: %+v", u)
	}
	other.must(signal.CallInvite, "owner", id(6), signal.Invite{})
	take[signal.Invite](owner, signal.CodeInvite)
}

func containsID(e signal.Envelope, id string) bool {
	c, err := signal.Decode[signal.UserChange](e)
	return err == nil && c.User.ID == id
}

// A block that begins during a call ends it as the owner would.
func TestBlockEndsTheCallBetweenTheTwo(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		accepted bool
		want     signal.EndReason
	}{
		"talking":      {"other", "owner", true, signal.EndHangup},
		"it rings me":  {"other", "owner", false, signal.EndDeclined},
		"I ring":       {"owner", "other", false, signal.EndCancelled},
		"with a third": {"other", "third", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "owner", "other", "third")
			d := map[string]*dev{"owner": w.connect("owner", "o"), "other": w.connect("other", "x"), "third": w.connect("third", "t")}
			from, to := d[c.from], d[c.to]
			from.must(signal.CallInvite, c.to, id(1), signal.Invite{})
			take[signal.Invite](to, signal.CodeInvite)
			if c.accepted {
				to.must(signal.CallAccept, "", id(1), signal.Accept{})
				take[signal.Accepted](from, signal.CodeAccepted)
			}
			w.c.block(Block{"owner", "other"}, true)
			if c.want == "" {
				if w.c.calls[id(1)] == nil {
					t.Error("another call ended")
				}
				return
			}
			d["other"].ended(id(1), c.want, "owner")
			if r := w.record(id(1)); r.Reason != string(c.want) || r.EndedBy != "owner" {
				t.Errorf("the record is %+v", r)
			}
		})
	}
}

func TestDoNotDisturb(t *testing.T) {
	w := newWorld(t, "ann", "bob", "cyd")
	ann, bob := w.connect("ann", "a"), w.connect("bob", "b")
	tablet := w.connect("bob", "c")
	bob.got, tablet.got, ann.got = nil, nil, nil
	w.c.setQuiet(Quiet{UserID: "bob", Until: noon.Add(time.Hour)}, true)
	if u := ann.heard(signal.CodeUserOnline); !u.DND || !u.Online {
		t.Errorf("ann hears of %+v", u)
	}
	for _, d := range []*dev{bob, tablet} {
		if u := d.heard(signal.CodeUserSelf); !u.DND || u.ID != "bob" {
			t.Errorf("%s hears of %+v", d.id, u)
		}
	}
	ann.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	ann.ended(id(1), signal.EndDoNotDisturb, "bob")
	bob.quiet()
	if r := w.record(id(1)); r.Reason != string(signal.EndDoNotDisturb) || !r.Accepted.IsZero() || r.Blocked {
		t.Errorf("the record is %+v", r)
	}
	bob.must(signal.CallInvite, "ann", id(2), signal.Invite{}) // one may still call
	take[signal.Invite](ann, signal.CodeInvite)
	bob.must(signal.CallCancel, "", id(2), nil)
	ann.ended(id(2), signal.EndCancelled, "bob")
	bob.got, tablet.got = nil, nil

	// Longer, and then it ends by itself, not at the time that was said first.
	ann.got = nil
	for range 2 {
		w.c.setQuiet(Quiet{UserID: "bob", Until: noon.Add(2 * time.Hour)}, true)
	}
	for _, d := range []*dev{bob, tablet} {
		if u := d.heard(signal.CodeUserSelf); !u.DND {
			t.Errorf("%s hears of %+v", d.id, u)
		}
		d.quiet() // of what has changed nothing it hears nothing
	}
	if len(ann.got) > 0 {
		t.Errorf("ann hears of it: %+v", ann.got)
	}
	w.pass(90 * time.Minute)
	if u, _ := ann.sees("bob"); !u.DND {
		t.Fatal("it ended too early")
	}
	w.pass(31 * time.Minute)
	if u := ann.heard(signal.CodeUserOnline); u.DND {
		t.Errorf("ann hears of %+v", u)
	}
	if u := bob.heard(signal.CodeUserSelf); u.DND {
		t.Errorf("bob hears of %+v", u)
	}
	ann.must(signal.CallInvite, "bob", id(3), signal.Invite{})
	take[signal.Invite](bob, signal.CodeInvite)

	// Who is away with it on is offline in the first place.
	w.c.setQuiet(Quiet{UserID: "cyd"}, true)
	if r := w.callTo(t, "cyd", id(4)); r.Reason != string(signal.EndOffline) {
		t.Errorf("the record is %+v", r)
	}
}

// callTo is a call of a new person's.
func (w *world) callTo(t *testing.T, to, call string) Record {
	t.Helper()
	w.c.addUser(signal.User{ID: "new" + call, Kind: signal.KindPerson})
	w.connect("new"+call, "n").must(signal.CallInvite, to, call, signal.Invite{})
	return w.record(call)
}

// However often the time is changed, what the clock has to remember stays small.
func TestDoNotDisturbForgetsOldTimes(t *testing.T) {
	w := newWorld(t, "ann")
	for i := range 10_000 {
		w.c.setQuiet(Quiet{UserID: "ann", Until: noon.Add(time.Hour + time.Duration(i)*time.Second)}, true)
	}
	if n := len(w.c.due); n > 100 {
		t.Errorf("%d times are kept", n)
	}
	w.pass(time.Hour + 9998*time.Second)
	if !w.c.people["ann"].user.DND {
		t.Error("it ended before the last time")
	}
	w.pass(time.Second)
	if w.c.people["ann"].user.DND {
		t.Error("it did not end")
	}
}

func TestRemovedPersonIsGone(t *testing.T) {
	w := newWorld(t, "ann", "bob", "cyd")
	ann, bob, cyd := w.connect("ann", "a"), w.connect("bob", "b"), w.connect("cyd", "c")
	w.c.block(Block{"cyd", "ann"}, true)
	w.pair(ann, bob, id(1))
	bob.got, cyd.got = nil, nil
	w.c.removeUser("ann")
	take[signal.Ended](bob, signal.CodeEnded)
	if u := bob.heard(signal.CodeUserOffline); u.ID != "ann" {
		t.Errorf("bob hears of %+v", u)
	}
	if u := bob.heard(signal.CodeUserRemoved); u.ID != "ann" {
		t.Errorf("bob hears of %+v", u)
	}
	if ann.closed != CloseSignedOut {
		t.Errorf("ann's socket closed with %d", ann.closed)
	}
	if r := w.record(id(1)); r.Reason != string(signal.EndHangup) || r.EndedBy != "ann" {
		t.Errorf("the record is %+v", r)
	}
	if _, ok := bob.sees("ann"); ok {
		t.Error("ann is on the roster")
	}
	bob.refused(signal.ErrNotFound, signal.CallInvite, "ann", id(2), signal.Invite{})
	bob.refused(signal.ErrNotFound, signal.MessageSendTo, "ann", "", signal.Text{Text: "x"})
	w.c.disconnect(ann, Lost) // her socket's own end, later
	again := &dev{w: w, user: "ann", id: "a"}
	w.c.connect(again, Hello{UserID: "ann", RequestID: "r", Connect: signal.Connect{DeviceID: "a-0123456789abcdef"}})
	if len(again.got) != 1 || again.got[0].Code != signal.CodeError {
		t.Errorf("she comes back: %+v", again.got)
	}
	bob.must(signal.CallInvite, "cyd", id(3), signal.Invite{}) // he is free
	take[signal.Invite](cyd, signal.CodeInvite)
	if n := len(w.c.people["cyd"].blocked); n != 0 {
		t.Errorf("cyd still blocks %d", n)
	}
}

// A line that is on its way to disk when its reader leaves.
func TestLineToSomebodyWhoLeaves(t *testing.T) {
	w := newWorld(t, "ann", "bob")
	ann := w.connect("ann", "a")
	var later []func()
	w.c.journal = slowly{w, &later}
	ann.w.c.request(ann, signal.Envelope{Method: signal.MessageSendTo, ToID: "bob", RequestID: "r", Data: signal.Encode(signal.Text{Text: "bye"})})
	w.c.removeUser("bob")
	for _, f := range later {
		f()
	}
	for _, e := range ann.got {
		if e.RequestID == "r" && e.Code == signal.CodeOK {
			return
		}
	}
	t.Errorf("no reply in %+v", ann.got)
}

// slowly is a disk that is not done yet.
type slowly struct {
	*world
	later *[]func()
}

func (s slowly) SaveMessage(m signal.ChatMessage, blocked bool, done func(signal.ChatMessage, error)) {
	*s.later = append(*s.later, func() { s.world.SaveMessage(m, blocked, done) })
}

// News of several people look to whom one of them blocks as if that one had no news.
func TestBlockedInTheMiddleOfNews(t *testing.T) {
	for name, others := range map[string][]string{"one other": {"p"}, "two others": {"p", "q"}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			told := map[bool]string{}
			for _, blocks := range []bool{true, false} {
				w := newWorld(t, "owner", "other", "p", "q")
				w.c.NewsEvery = 100 * time.Millisecond
				x := w.numbering("other", "x") // told at once, so that what follows waits
				come := others
				if blocks {
					w.c.block(Block{"owner", "other"}, true)
					come = append([]string{"owner"}, others...)
				}
				for _, who := range come {
					w.connect(who, "d")
				}
				w.pass(time.Second)
				told[blocks] = string(signal.Encode(x.got))
			}
			if told[true] != told[false] {
				t.Errorf("with the owner:\n%s\nwithout:\n%s", told[true], told[false])
			}
		})
	}
}
