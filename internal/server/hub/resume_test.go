package hub

import (
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// numbering is dev for a client whose connection can be resumed.
func (w *world) numbering(user, id string) *dev {
	w.t.Helper()
	d := &dev{w: w, user: user, id: id + "-0123456789abcdef"}
	c := signal.Connect{DeviceID: d.id, Resume: &signal.Resume{}}
	w.c.connect(d, Hello{UserID: user, Host: "example.org", RequestID: "hello", Session: "s-" + d.id, Connect: c})
	if c, err := signal.Decode[signal.Connected](d.got[0]); err != nil || c.Session != "s-"+d.id {
		w.t.Fatalf("%s is greeted with %+v, %v", user, c, err)
	}
	d.got = nil
	return d
}

// Who is cut off and back in a moment was never away for the others; who stays away is.
func TestACutIsNotSeenAtOnce(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.numbering("alice", "a"), w.numbering("bob", "b")
	take[signal.UserChange](a, signal.CodeUserOnline)
	w.c.cutOff(b)
	w.pass(4 * time.Second)
	w.c.resumed(b, "example.net")
	w.pass(time.Minute)
	a.noNews()
	if d := w.c.devices[b]; !d.here() || d.host != "example.net" {
		t.Errorf("the device is %+v", d)
	}
	w.c.cutOff(b)
	w.pass(5 * time.Second)
	if u, _ := take[signal.UserChange](a, signal.CodeUserOffline); u.User.ID != "bob" {
		t.Errorf("alice hears of %+v", u)
	}
	w.c.resumed(b, "example.net")
	take[signal.UserChange](a, signal.CodeUserOnline)
	// What was said meanwhile is the connection's: the hub goes on sending to it.
	w.c.cutOff(b)
	b.got = nil
	a.must(signal.MessageSendTo, "bob", "", signal.Text{Text: "there?"})
	take[signal.ChatMessage](b, signal.CodeChat)
	w.c.disconnect(b, Lost) // it cannot be resumed any more
	take[signal.UserChange](a, signal.CodeUserOffline)
	w.pass(time.Minute)
	a.noNews()
	if len(w.c.leaving) != 0 || len(w.c.people["bob"].devices) != 0 {
		t.Errorf("%d are leaving, %d devices are kept", len(w.c.leaving), len(w.c.people["bob"].devices))
	}
}

func (d *dev) noNews() {
	d.w.t.Helper()
	if len(d.got) != 0 {
		d.w.t.Fatalf("%s hears %+v", d.user, d.got)
	}
}

// A call waits for a device that is cut off as for one that is gone, and no longer.
func TestACallWaitsForWhoIsCutOff(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	a, b, c := w.numbering("alice", "a"), w.numbering("bob", "b"), w.numbering("carol", "c")
	w.pair(a, b, id(1))
	w.c.cutOff(b)
	w.pass(19 * time.Second)
	w.c.resumed(b, "")
	w.pass(time.Minute)
	w.c.cutOff(b)
	w.pass(20 * time.Second)
	a.quietBut(signal.CodeUserOnline)
	a.quietBut(signal.CodeUserOffline)
	a.ended(id(1), signal.EndPeerGone, "bob")
	w.c.resumed(b, "")
	b.quietBut(signal.CodeUserOnline)
	take[signal.Ended](b, signal.CodeEnded) // it was kept for it

	// A caller who is cut off while it rings has less time.
	c.got = nil
	a.must(signal.CallInvite, "carol", id(2), signal.Invite{})
	take[signal.Invite](c, signal.CodeInvite)
	w.c.cutOff(a)
	w.pass(5 * time.Second)
	c.quietBut(signal.CodeUserOffline)
	c.ended(id(2), signal.EndPeerGone, "alice")
	w.c.resumed(a, "")

	// It rings on a device that is cut off for a moment, and there in the end.
	w.c.cutOff(c)
	c.got = nil
	a.must(signal.CallInvite, "carol", id(3), signal.Invite{})
	w.c.resumed(c, "")
	take[signal.Invite](c, signal.CodeInvite)
	c.must(signal.CallAccept, "", id(3), signal.Accept{})
	a.must(signal.CallHangup, "", id(3), signal.Hangup{})

	// Who has been cut off for longer is offline.
	w.c.cutOff(c)
	w.pass(6 * time.Second)
	a.must(signal.CallInvite, "carol", id(4), signal.Invite{})
	if r := w.record(id(4)); r.Reason != string(signal.EndOffline) {
		t.Errorf("the call ended %q", r.Reason)
	}
}

// Nor does it ring for one that is signed out meanwhile.
func TestACutDeviceIsSignedOut(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.numbering("alice", "a"), w.numbering("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	w.c.cutOff(b)
	w.c.disconnect(b, SignedOut)
	a.quietBut(signal.CodeUserOnline)
	a.quietBut(signal.CodeRinging)
	a.quietBut(signal.CodeUserOffline)
	a.ended(id(1), signal.EndOffline, "")
}

// A device that cannot resume and begins anew takes the place of what it was.
func TestACutDeviceBeginsAnew(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.numbering("alice", "a"), w.numbering("bob", "b")
	w.pair(a, b, id(1))
	w.c.cutOff(b)
	a.got = nil
	again := &dev{w: w, user: "bob", id: b.id}
	w.c.connect(again, Hello{UserID: "bob", RequestID: "hello", Connect: signal.Connect{DeviceID: b.id}})
	if c, _ := signal.Decode[signal.Connected](again.got[0]); c.CallID != id(1) || c.Session != "" || b.closed != CloseReplaced {
		t.Errorf("greeted with %+v; the connection before was closed with %d", c, b.closed)
	}
	w.c.disconnect(b, Lost)
	w.c.resumed(b, "")
	w.pass(time.Minute)
	a.noNews()
	if w.c.people["bob"].here != 1 {
		t.Errorf("%d devices of bob are here", w.c.people["bob"].here)
	}
}

// When many come and go, each is told of once in a while, in one message where that is understood, and not of what has
// gone by.
func TestNewsAreToldTogether(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave", "erin")
	w.c.NewsEvery = 100 * time.Millisecond
	a := w.numbering("alice", "a")
	old := w.connect("bob", "old")
	a.got, old.got = nil, nil
	w.pass(100 * time.Millisecond)
	take[signal.UserChange](a, signal.CodeUserOnline) // bob's
	w.pass(time.Second)
	c := w.connect("carol", "c")
	take[signal.UserChange](a, signal.CodeUserOnline) // at once, for nothing was told lately
	d := w.connect("dave", "d")
	w.connect("erin", "e")
	w.c.disconnect(c, Left)
	c = w.connect("carol", "c")
	a.noNews()
	w.pass(100 * time.Millisecond)
	got, e := take[signal.Users](a, signal.CodeUserChanges)
	if len(got.Users) != 2 || got.Users[0].ID != "dave" || got.Users[1].ID != "erin" || !got.Users[0].Online || e.Method != signal.UserChanges {
		t.Errorf("alice hears %+v", got)
	}
	a.noNews()
	if len(old.got) != 3 {
		t.Errorf("who knows only single news hears %+v", old.got)
	}
	for range 10 { // a flood
		w.c.disconnect(d, Left)
		d = w.connect("dave", "d")
	}
	w.pass(time.Second)
	a.noNews()
	_ = c
}
