package hub

import (
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// A device that cannot reach the server has not gone while the other says that media flows.
func TestMediaFlowsThoughADeviceIsAway(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	w.pair(a, b, id(1))
	w.c.disconnect(a, Lost)
	saved := 0
	for range 60 {
		w.pass(10 * time.Second)
		b.must(signal.CallReport, "", id(1), signal.Report{Path: signal.PathDirect, Flows: true})
		if saved == 0 {
			saved = len(w.saved)
		}
	}
	if n := len(w.saved) - saved; n != 0 {
		t.Errorf("%d reports that say nothing new were written", n)
	}
	b.quiet()
	// Then media is gone too; asking whether the server is there is no sign of life of the other's.
	w.pass(15 * time.Second)
	b.must(signal.CallReport, "", id(1), signal.Report{Path: signal.PathDirect})
	w.pass(5 * time.Second)
	b.ended(id(1), signal.EndPeerGone, "alice")
}

// When both are cut off, most likely it is the server that nobody reaches.
func TestBothDevicesAreAway(t *testing.T) {
	for name, c := range map[string]struct {
		how  Parting
		wait time.Duration
	}{"cut off": {Lost, bothAway + 5*time.Second}, "one has closed its connection": {Left, 20 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "alice", "bob")
			a, b := w.connect("alice", "a"), w.connect("bob", "b")
			w.pair(a, b, id(1))
			w.c.disconnect(a, c.how)
			w.pass(5 * time.Second)
			w.c.disconnect(b, Lost)
			w.pass(c.wait - 6*time.Second)
			if r := w.record(id(1)); !r.Ended.IsZero() {
				t.Fatalf("given up too soon: %+v", r)
			}
			w.pass(time.Second)
			want := noon.Add(5 * time.Second) // the last sign of life
			if c.how != Lost {
				want = noon.Add(20 * time.Second)
			}
			if r := w.record(id(1)); r.Reason != "peer_gone" || r.EndedBy != "alice" || r.Ended != want {
				t.Errorf("recorded %+v, want the end at %v", r, want)
			}
		})
	}
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	w.pair(a, b, id(1))
	w.c.disconnect(a, Lost)
	w.c.disconnect(b, Lost)
	w.pass(9 * time.Minute)
	for _, d := range []*dev{a.back(), b.back()} {
		if h := hello(t, d); h.CallID != id(1) {
			t.Errorf("%s hears of %q after nine minutes", d.user, h.CallID)
		}
	}
}

// Such a call is in nobody's way: its people can be called on another device, and are then not busy.
func TestSilentCallGivesWay(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	a, b, carol := w.connect("alice", "a"), w.connect("bob", "b"), w.connect("carol", "c")
	w.pair(a, b, id(1))
	w.c.disconnect(a, Lost)
	carol.must(signal.CallInvite, "bob", id(2), signal.Invite{})
	carol.ended(id(2), signal.EndBusy, "bob")
	w.c.disconnect(b, Lost)
	w.pass(time.Minute)
	carol.must(signal.CallInvite, "bob", id(3), signal.Invite{})
	carol.ended(id(3), signal.EndBusy, "bob")
	other := w.connect("bob", "other")
	carol.must(signal.CallInvite, "bob", id(4), signal.Invite{})
	if _, e := take[signal.Invite](other, signal.CodeInvite); e.CallID != id(4) {
		t.Errorf("it rings for %s", e.CallID)
	}
	if r := w.record(id(1)); r.Reason != "peer_gone" {
		t.Errorf("recorded %+v", r)
	}
}
