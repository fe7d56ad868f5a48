package hub

import (
	"slices"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// renewing is connect for a client that takes newer credentials.
func (w *world) renewing(user, id string) *dev {
	w.t.Helper()
	d := &dev{w: w, user: user, id: id + "-0123456789abcdef"}
	hello := signal.Connect{DeviceID: d.id, Resume: &signal.Resume{}, Renews: true}
	w.c.connect(d, Hello{UserID: user, Host: "example.org", RequestID: "hello", Connect: hello})
	return d
}

// renewed is how many newer credentials a device was given since it was last asked, checking whose they are.
func (d *dev) renewed(call string) (n int) {
	d.w.t.Helper()
	for _, e := range d.got {
		if e.Code != signal.CodeServers {
			continue
		}
		n++
		s, err := signal.Decode[signal.Servers](e)
		want := d.user + "/" + d.id + "/" + call
		if err != nil || e.Method != signal.CallServers || e.CallID != call || e.ToID != d.user || e.FromID != "" ||
			len(s.ICEServers) != 1 || s.ICEServers[0].Username != want {
			d.w.t.Fatalf("%s is given %+v, %v; want those of %s", d.user, e, err, want)
		}
	}
	d.quietBut(signal.CodeServers)
	return n
}

// Row 36 of the attack list: what is given to a device is worthless after minutes, and the device is given newer ones in
// time, for as long as the call lasts and no longer. A client of before that was known keeps what it has.
func TestCredentialsAreRenewed(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	alice, bob := w.renewing("alice", "a"), w.connect("bob", "b")
	w.pair(alice, bob, id(1))
	if want := []time.Duration{credentialsForAll, DefaultRelayLife}; !slices.Equal(w.lives, want) {
		t.Errorf("credentials live %v, want %v", w.lives, want)
	}
	alice.got, bob.got, w.lives = nil, nil, nil
	given := w.c.now
	for range 40 {
		w.pass(30 * time.Second)
		if alice.renewed(id(1)) > 0 {
			given = w.c.now
		}
		if left := DefaultRelayLife - w.c.now.Sub(given); left < DefaultRelayLife/2 {
			t.Fatalf("alice's credentials live %v more", left)
		}
	}
	if len(w.lives) != 8 || slices.Max(w.lives) != DefaultRelayLife {
		t.Errorf("in 20 minutes credentials were made for %v", w.lives)
	}
	bob.quiet()
	alice.must(signal.CallHangup, "", id(1), signal.Hangup{})
	alice.got, w.lives = nil, nil
	w.pass(time.Hour)
	alice.quiet()
	if len(w.lives) > 0 || len(w.c.renewals) > 0 {
		t.Errorf("after the call %v are made, %d are planned", w.lives, len(w.c.renewals))
	}
	if at, ok := w.c.nextDue(); ok {
		t.Errorf("there is something to do at %v", at)
	}
}

// A device that is cut off gets them when its session goes on, one that is gone when it connects, and a call that rings
// or was restored is no different.
func TestRenewalFindsTheDevice(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	alice, bob := w.renewing("alice", "a"), w.renewing("bob", "b")
	alice.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	w.pass(20 * time.Second)
	bob.must(signal.CallAccept, "", id(1), signal.Accept{})
	alice.got, bob.got = nil, nil
	w.pass(DefaultRelayLife/2 - time.Second)
	if a, b := alice.renewed(id(1)), bob.renewed(id(1)); a != 0 || b != 0 {
		t.Errorf("too early: %d, %d", a, b)
	}
	w.c.cutOff(alice)
	w.c.disconnect(bob, Lost)
	w.pass(time.Second)
	if a, b := alice.renewed(id(1)), bob.renewed(id(1)); a != 1 || b != 0 {
		t.Errorf("who is cut off is given %d, who is gone %d", a, b)
	}
	w.lives = nil
	bob = w.renewing("bob", "b")
	if hello := bob.got[0]; !slices.Equal(w.lives, []time.Duration{DefaultRelayLife}) {
		t.Errorf("who is back is given %v in %+v", w.lives, hello)
	}
	w.c.resumed(alice, "example.org")
	w.pass(DefaultRelayLife / 2)
	if a, b := alice.renewed(id(1)), bob.renewed(id(1)); a != 1 || b != 1 {
		t.Errorf("both are there again, and are given %d, %d", a, b)
	}

	again := newWorld(t, "alice", "bob")
	again.c.restore(w.record(id(1)), noon)
	alice, bob = again.renewing("alice", "a"), again.renewing("bob", "b")
	alice.got, bob.got = nil, nil
	again.pass(DefaultRelayLife / 2)
	if a, b := alice.renewed(id(1)), bob.renewed(id(1)); a != 1 || b != 1 {
		t.Errorf("after a restart they are given %d, %d", a, b)
	}
}

// Calls that have ended are not kept for their renewals, whose time may be hours away; the others still have theirs.
func TestEndedCallsPlanNoRenewal(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dora")
	w.c.RelayLife = 6 * time.Hour
	alice, bob := w.renewing("alice", "a"), w.renewing("bob", "b")
	carol, dora := w.connect("carol", "c"), w.connect("dora", "d")
	w.pair(alice, bob, id(1))
	for i := range 500 {
		w.pair(carol, dora, id(i+2))
		carol.must(signal.CallHangup, "", id(i+2), signal.Hangup{})
		carol.got, dora.got = nil, nil
		w.pass(time.Second)
	}
	if n := len(w.c.renewals); n > 100 {
		t.Errorf("one call goes on, and %d are planned", n)
	}
	alice.got, bob.got = nil, nil
	w.pass(w.c.RelayLife / 2)
	if a, b := alice.renewed(id(1)), bob.renewed(id(1)); a != 1 || b != 1 {
		t.Errorf("they are given %d, %d", a, b)
	}
}
