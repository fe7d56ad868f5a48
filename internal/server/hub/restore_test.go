package hub

import (
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// talked is a record of alice and bob talking since an hour.
func talked(call string) Record {
	return Record{
		ID: call, Caller: "alice", Callee: "bob", CallerDevice: "a-0123456789abcdef", CalleeDevice: "b-0123456789abcdef",
		Started: noon.Add(-time.Hour), Accepted: noon.Add(-time.Hour + 5*time.Second), Path: "direct", SetupMs: 100,
	}
}

// restarted is a world after a restart in the middle of that call; the server was last alive a minute ago.
func restarted(t *testing.T, r Record) *world {
	w := newWorld(t, "alice", "bob")
	w.c.Run = "second"
	w.c.restore(r, noon.Add(-time.Minute))
	return w
}

func hello(t *testing.T, d *dev) signal.Connected {
	t.Helper()
	c, err := signal.Decode[signal.Connected](d.got[0])
	if err != nil {
		t.Fatal(err)
	}
	d.got = d.got[1:]
	return c
}

// Both devices of a restored call hear that the server is another, and get what they need to seek another path.
func TestRestoredCallGoesOn(t *testing.T) {
	w := restarted(t, talked(id(1)))
	w.pass(30 * time.Second) // clients wait up to 15 s between two tries
	for _, d := range []*dev{w.connect("alice", "a"), w.connect("bob", "b")} {
		h := hello(t, d)
		if h.CallID != id(1) || h.Run != "second" || len(h.ICEServers) == 0 {
			t.Errorf("%s hears %+v", d.user, h)
		}
		d.quiet()
	}
	w.pass(time.Hour)
	if len(w.saved) != 0 {
		t.Errorf("recorded %+v", w.saved)
	}
}

// Servers are given to the devices of an accepted call only.
func TestNoServersBeforeAccept(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	w.c.disconnect(a, Lost)
	again := a.back()
	if h := hello(t, again); h.CallID != id(1) || len(h.ICEServers) != 0 {
		t.Errorf("the caller hears %+v", h)
	}
	b.must(signal.CallAccept, "", id(1), signal.Accept{})
	other := w.connect("bob", "other")
	if h := hello(t, other); h.CallID != "" || len(h.ICEServers) != 0 {
		t.Errorf("another device hears %+v", h)
	}
}

func TestNobodyComesBackToARestoredCall(t *testing.T) {
	w := restarted(t, talked(id(1)))
	w.pass(34 * time.Second)
	if len(w.saved) != 0 {
		t.Fatal("it was given up too soon")
	}
	w.pass(time.Second)
	if r := w.record(id(1)); r.Reason != "server_stopped" || r.Ended != noon.Add(-time.Minute) || r.EndedBy != "" {
		t.Errorf("recorded %+v", r)
	}
}

func TestOneComesBackToARestoredCall(t *testing.T) {
	w := restarted(t, talked(id(1)))
	a := w.connect("alice", "a")
	w.pass(35 * time.Second)
	if r := w.record(id(1)); r.Reason != "peer_gone" || r.EndedBy != "bob" || r.Ended != noon.Add(35*time.Second) {
		t.Errorf("recorded %+v", r)
	}
	hello(t, a)
	a.ended(id(1), signal.EndPeerGone, "bob")
}

// A caller that may not have heard of the accept hears of it again, if nothing says that media ever flowed.
func TestAcceptThatGotLostInARestart(t *testing.T) {
	r := talked(id(1))
	r.Path, r.SetupMs, r.Video = "", 0, true
	w := restarted(t, r)
	a := w.connect("alice", "a")
	hello(t, a)
	if got, _ := take[signal.Accepted](a, signal.CodeAccepted); !got.Video || len(got.ICEServers) == 0 {
		t.Errorf("alice hears %+v", got)
	}
}

// Who was told over the data channel that the other has hung up passes that on; it counts as the other's.
func TestHangupByTheOther(t *testing.T) {
	for by, want := range map[string]string{"alice": "alice", "bob": "bob", "carol": "bob", "": "bob"} {
		w := newWorld(t, "alice", "bob", "carol")
		a, b := w.connect("alice", "a"), w.connect("bob", "b")
		w.pair(a, b, id(1))
		b.must(signal.CallHangup, "", id(1), signal.Hangup{ByID: by})
		a.ended(id(1), signal.EndHangup, want)
		if r := w.record(id(1)); r.EndedBy != want {
			t.Errorf("by %q: recorded %+v", by, r)
		}
	}
}
