package hub

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// crowded is a world whose roster is several messages long.
func crowded(t *testing.T) *world {
	w := newWorld(t, "alice", "bob", "carol")
	for i := range 1999 {
		w.c.addUser(signal.User{ID: fmt.Sprintf("user-%021d", i), Name: strings.Repeat("ü", 16), Kind: signal.KindPerson})
	}
	w.c.NewsEvery = 100 * time.Millisecond
	w.pass(time.Second)
	return w
}

// arrive is numbering, with all that is said to who connects.
func (w *world) arrive(user, id string) *dev {
	w.t.Helper()
	d := &dev{w: w, user: user, id: id + "-0123456789abcdef"}
	w.c.connect(d, Hello{UserID: user, RequestID: "hello", Session: "s", Connect: signal.Connect{DeviceID: d.id, Resume: &signal.Resume{}}})
	return d
}

// knows is whom a device has heard of and how.
func (d *dev) knows() map[string]signal.User {
	d.w.t.Helper()
	all := map[string]signal.User{}
	for _, e := range d.got {
		switch e.Code {
		case signal.CodeUserOnline, signal.CodeUserOffline:
			u, _ := signal.Decode[signal.UserChange](e)
			all[u.User.ID] = u.User
		case signal.CodeOK, signal.CodeUserChanges: // both have users
			u, err := signal.Decode[signal.Users](e)
			if err != nil {
				d.w.t.Fatal(err)
			}
			for _, u := range u.Users {
				all[u.ID] = u
			}
		case signal.CodeUserRemoved:
			u, _ := signal.Decode[signal.UserChange](e)
			delete(all, u.User.ID)
		}
	}
	return all
}

// pages are the messages behind the reply to User/Connect.
func (d *dev) pages() (pages []signal.Envelope) {
	for _, e := range d.got[1:] {
		if e.Code == signal.CodeUserChanges {
			pages = append(pages, e)
		}
	}
	return pages
}

// What is kept for each session until its device has it must not be its own for each.
func TestALargeRosterIsSharedByAll(t *testing.T) {
	w := crowded(t)
	a := w.arrive("alice", "a")
	b := w.arrive("bob", "b")
	c := w.arrive("user-000000000000000001997", "c") // one of those in the messages that are shared
	for _, d := range []*dev{a, b, c} {
		if d.pages() == nil || &d.pages()[0].Data[0] != &a.pages()[0].Data[0] {
			t.Errorf("%s has a roster of its own", d.user)
		}
	}
	w.pass(100 * time.Millisecond)
	for _, d := range []*dev{a, b, c} {
		all := d.knows()
		delete(all, d.user) // who understands these messages knows oneself
		if len(all) != 2001 {
			t.Errorf("%s knows %d people", d.user, len(all))
		}
		for _, o := range []*dev{a, b, c} {
			if o != d && !all[o.user].Online {
				t.Errorf("for %s, %s is not here", d.user, o.user)
			}
		}
	}
	if d := w.arrive("bob", "b2"); &d.pages()[0].Data[0] == &a.pages()[0].Data[0] || len(d.knows()) != 2001 {
		t.Errorf("after news, %d people are known", len(d.knows()))
	}
}

// Between two rounds of news, who connects hears the same as all others: nothing is lost, nothing stays wrong.
func TestALargeRosterMeetsNews(t *testing.T) {
	w := crowded(t)
	for i := range 1500 { // more of them than the first message holds
		w.numbering(fmt.Sprintf("user-%021d", i), "u")
	}
	w.pass(time.Second)
	late, quiet := "user-000000000000000001997", w.c.people["user-000000000000000001400"]
	w.c.setQuiet(Quiet{UserID: quiet.user.ID}, true) // told at once; what follows waits
	l := w.connect(late, "l")
	w.c.addUser(signal.User{ID: "new", Name: "new", Kind: signal.KindPerson}).known = false
	w.c.mention(w.c.people["new"])
	early := w.arrive("alice", "a")
	if u := early.knows()[late]; u.Online {
		t.Errorf("told before all others: %+v", u)
	}
	w.c.removeUser("user-000000000000000001000")
	after := w.arrive("bob", "b")
	w.c.disconnect(l, Left) // so that there is no news of them
	for name, d := range map[string]*dev{"before somebody is removed": early, "afterwards": after} {
		w.pass(100 * time.Millisecond)
		all := d.knows()
		if u, there := all["new"]; !there || u.Online {
			t.Errorf("%s: the new one is %+v", name, u)
		}
		if u, there := all["user-000000000000000001000"]; there {
			t.Errorf("%s: who is no more is %+v", name, u)
		}
		if u := all[quiet.user.ID]; !u.Online || !u.DND {
			t.Errorf("%s: who is not to be disturbed is %+v", name, u)
		}
		if u := all["user-000000000000000001499"]; !u.Online {
			t.Errorf("%s: who is here is %+v", name, u)
		}
		if all[late].Online {
			t.Errorf("%s: who left again is here", name)
		}
	}
}

// Who connects is shown people as they are, of whom all others hear a moment later; if they are by then as they were, who
// connected must still hear it.
func TestWhoLeavesBeforeTheNews(t *testing.T) {
	small := newWorld(t, "alice", "bob", "carol")
	small.c.NewsEvery = 100 * time.Millisecond
	for name, w := range map[string]*world{"small": small, "large": crowded(t)} {
		w.connect("alice", "a") // told at once; what follows waits
		b := w.connect("bob", "b")
		for _, d := range []*dev{w.arrive("carol", "c"), w.connect("carol", "old")} {
			if !d.knows()["bob"].Online {
				t.Fatalf("%s: %s is not shown who is here", name, d.id)
			}
		}
		w.c.disconnect(b, Left)
		w.connect("carol", "later")
		w.pass(100 * time.Millisecond)
		for d := range w.c.devices {
			if d, _ := d.(*dev); d != nil && d.knows()["bob"].Online {
				t.Errorf("%s: for %s, who has left is still here", name, d.id)
			}
		}
	}
}

// Who is blocked is told on their own, and may not see from the order that the other is here.
func TestALargeRosterHidesWhoBlocks(t *testing.T) {
	w := crowded(t)
	other := "user-000000000000000001998"
	w.c.block(Block{Owner: other, Other: "bob"}, true)
	w.arrive(other, "o")
	w.pass(time.Second)
	a, b := w.arrive("alice", "a"), w.arrive("bob", "b")
	c, _ := signal.Decode[signal.Connected](b.got[0])
	if all := b.knows(); all[other].Online || len(all) != 2001 || c.Users[0].ID != "alice" || c.Users[1].Online {
		t.Errorf("bob knows %d people, %+v among them, the first are %+v", len(all), all[other], c.Users[:2])
	}
	if !a.knows()[other].Online {
		t.Error("alice is hidden from")
	}
}
