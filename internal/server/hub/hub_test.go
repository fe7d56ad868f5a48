package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

func TestACallFromInviteToHangup(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	a, b1, b2, c := w.connect("alice", "a"), w.connect("bob", "b1"), w.connect("bob", "b2"), w.connect("carol", "c")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{Video: true, RelayOnly: true})
	for _, b := range []*dev{b1, b2} {
		in, e := take[signal.Invite](b, signal.CodeInvite)
		if !in.Video || !in.RelayOnly || in.From == nil || in.From.Name != "ALICE" || in.ExpiresMs != 45_000 || e.FromID != "alice" || e.CallID != id(1) {
			t.Fatalf("invite is %+v in %+v", in, e)
		}
	}
	b1.must(signal.CallRinging, "", id(1), nil)
	b2.must(signal.CallRinging, "", id(1), nil)
	b2.must(signal.CallRinging, "", id(1), nil)
	take[signal.Ringing](a, signal.CodeRinging)
	if r, _ := take[signal.Ringing](a, signal.CodeRinging); r.Devices != 2 {
		t.Fatalf("rings on %d devices, want 2", r.Devices)
	}
	a.quiet()
	for _, m := range []signal.Method{signal.MessageOffer, signal.MessageAnswer} {
		a.refused(signal.ErrNotInCall, m, "", id(1), signal.SDP{SDP: "v=0"})
	}
	w.pass(3 * time.Second)
	e := b2.must(signal.CallAccept, "", id(1), signal.Accept{Video: true})
	acc, err := signal.Decode[signal.Accepted](e)
	if err != nil || len(acc.ICEServers) != 1 || acc.ICEServers[0].Username != "bob/"+b2.id+"/"+id(1) || !acc.Video {
		t.Fatalf("accept is answered %+v, %v", acc, err)
	}
	acc, e = take[signal.Accepted](a, signal.CodeAccepted)
	if !acc.Video || acc.ICEServers[0].Username != "alice/"+a.id+"/"+id(1) || acc.ICEServers[0].URLs[0] != "turn:example.org" || e.FromID != "bob" {
		t.Fatalf("the caller is told %+v in %+v", acc, e)
	}
	b1.ended(id(1), signal.EndAnsweredElsewhere, "bob")
	b1.refused(signal.ErrAlreadyAnswered, signal.CallAccept, "", id(1), signal.Accept{})
	b1.refused(signal.ErrAlreadyAnswered, signal.CallReject, "", id(1), signal.Reject{})

	onlyTheTwo(id(1), b1, c)
	passesOn(t, w, a, b2)
	a.must(signal.CallReport, "", id(1), signal.Report{Path: signal.PathRelay, SetupMs: 300})
	b2.must(signal.CallReport, "", id(1), signal.Report{Path: signal.PathDirect, SetupMs: 450})
	w.pass(time.Minute)
	b2.must(signal.CallHangup, "", id(1), signal.Hangup{})
	a.quietBut(signal.CodeCandidate)
	a.ended(id(1), signal.EndHangup, "bob")
	b2.ended(id(1), signal.EndHangup, "bob")
	b1.quiet()
	c.quiet()
	want := Record{
		ID: id(1), Caller: "alice", Callee: "bob", CallerDevice: a.id, CalleeDevice: b2.id, Video: true, Started: noon,
		Accepted: noon.Add(3 * time.Second), Ended: noon.Add(63 * time.Second), Reason: "hangup", EndedBy: "bob", Path: "relay", SetupMs: 450,
	}
	if r := w.record(id(1)); r != want {
		t.Fatalf("recorded\n%+v, want\n%+v", r, want)
	}
	if !slices.Equal(w.ended, []string{id(1)}) {
		t.Fatalf("the relay was told of the ends %v", w.ended)
	}
	a.refused(signal.ErrNotInCall, signal.CallHangup, "", id(1), signal.Hangup{})
	if len(w.c.calls) != 0 || len(w.c.people["bob"].devices) != 2 {
		t.Fatalf("left behind: %v, %v", w.c.calls, w.c.people["bob"].devices)
	}
}

// passesOn: what two who are in call 1 tell each other arrives as it was said, and the relay hears of addresses.
func passesOn(t *testing.T, w *world, a, b *dev) {
	t.Helper()
	offer := "v=0\r\na=candidate:1 1 udp 2130706431 192.0.2.9 4321 typ host\r\n"
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: offer})
	if s, e := take[signal.SDP](b, signal.CodeOffer); s.SDP != offer || e.FromID != "alice" || e.Method != signal.MessageOffer {
		t.Fatalf("offer arrives as %+v in %+v", s, e)
	}
	b.must(signal.MessageAnswer, "", id(1), signal.SDP{SDP: "v=0\r\n"})
	take[signal.SDP](a, signal.CodeAnswer)
	b.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: "candidate:1 1 udp 1 2001:db8::7 9 typ host"})
	b.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: "candidate:1 1 udp 1 abc.local 9 typ host"})
	take[signal.Candidate](a, signal.CodeCandidate)
	if want := []string{id(1) + " 192.0.2.9", id(1) + " 2001:db8::7"}; !slices.Equal(w.peers, want) {
		t.Fatalf("the relay was told %v, want %v", w.peers, want)
	}
	a.must(signal.CallMedia, "", id(1), signal.Media{Microphone: true})
	if m, _ := take[signal.Media](b, signal.CodeMedia); !m.Microphone || m.Camera {
		t.Fatalf("switches arrive as %+v", m)
	}
	b.must(signal.CallRestart, "", id(1), nil)
	if _, e := take[struct{}](a, signal.CodeRestart); e.FromID != "bob" || e.Method != signal.CallRestart {
		t.Fatalf("a wish for another path arrives in %+v", e)
	}
}

func TestDecline(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b1, b2 := w.connect("alice", "a"), w.connect("bob", "b1"), w.connect("bob", "b2")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	take[signal.Invite](b1, signal.CodeInvite)
	take[signal.Invite](b2, signal.CodeInvite)
	a.refused(signal.ErrNotInCall, signal.CallReject, "", id(1), signal.Reject{})
	a.refused(signal.ErrNotInCall, signal.CallAccept, "", id(1), signal.Accept{})
	b1.must(signal.CallReject, "", id(1), signal.Reject{})
	a.ended(id(1), signal.EndDeclined, "bob")
	b1.ended(id(1), signal.EndDeclined, "bob")
	b2.ended(id(1), signal.EndDeclinedElsewhere, "bob")
	if r := w.record(id(1)); r.Reason != "declined" || r.EndedBy != "bob" || !r.Accepted.IsZero() {
		t.Fatalf("recorded %+v", r)
	}
}

func TestCancelAndNoAnswer(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	take[signal.Invite](b, signal.CodeInvite)
	b.refused(signal.ErrNotInCall, signal.CallCancel, "", id(1), nil)
	a.must(signal.CallCancel, "", id(1), nil)
	a.ended(id(1), signal.EndCancelled, "alice")
	b.ended(id(1), signal.EndCancelled, "alice")

	a.must(signal.CallInvite, "bob", id(2), signal.Invite{})
	take[signal.Invite](b, signal.CodeInvite)
	w.pass(45*time.Second - time.Millisecond)
	b.quiet()
	w.pass(time.Millisecond)
	a.ended(id(2), signal.EndNoAnswer, "")
	b.ended(id(2), signal.EndNoAnswer, "")
	if r := w.record(id(2)); r.Ended.Sub(r.Started) != 45*time.Second {
		t.Fatalf("recorded %+v", r)
	}
}

func TestBusyAndOffline(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave")
	a, b, c := w.connect("alice", "a"), w.connect("bob", "b"), w.connect("carol", "c")
	w.pair(a, b, id(1))
	c.must(signal.CallInvite, "bob", id(2), signal.Invite{})
	c.ended(id(2), signal.EndBusy, "bob")
	c.must(signal.CallInvite, "dave", id(3), signal.Invite{})
	c.ended(id(3), signal.EndOffline, "")
	b.quiet()
	for i, reason := range map[int]string{2: "busy", 3: "offline"} {
		if r := w.record(id(i)); r.Reason != reason || r.Ended != noon || r.Started != noon {
			t.Fatalf("recorded %+v, want %s", r, reason)
		}
	}
	a.refused(signal.ErrAlreadyInCall, signal.CallInvite, "carol", id(4), signal.Invite{})
	c.refused(signal.ErrBadRequest, signal.CallInvite, "carol", id(5), signal.Invite{})
	c.refused(signal.ErrNotFound, signal.CallInvite, "nobody", id(5), signal.Invite{})
	c.refused(signal.ErrBadRequest, signal.CallInvite, "alice", "short", signal.Invite{})
	c.refused(signal.ErrBadRequest, signal.CallInvite, "alice", id(1), signal.Invite{}) // an id in use
	// A call that rings keeps both people busy, too.
	b.must(signal.CallHangup, "", id(1), signal.Hangup{})
	c.must(signal.CallInvite, "alice", id(6), signal.Invite{})
	b.must(signal.CallInvite, "carol", id(7), signal.Invite{})
	if e, _ := take[signal.Ended](b, signal.CodeEnded); e.Reason != signal.EndHangup {
		t.Fatalf("first end is %q", e.Reason)
	}
	b.ended(id(7), signal.EndBusy, "carol")
}

func TestGlare(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b, b2 := w.connect("alice", "a"), w.connect("bob", "b"), w.connect("bob", "b2")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{Video: true})
	for range 2 { // the second time because the reply was lost
		e := b.must(signal.CallInvite, "alice", id(2), signal.Invite{Video: false})
		in, err := signal.Decode[signal.Invited](e)
		if err != nil || in.Merged != id(1) || in.Peer == nil || in.Peer.ID != "alice" || !in.Video || len(in.ICEServers) != 1 {
			t.Fatalf("the later inviter hears %+v, %v", in, err)
		}
	}
	if acc, e := take[signal.Accepted](a, signal.CodeAccepted); acc.Video || e.CallID != id(1) {
		t.Fatalf("the earlier inviter hears %+v in %+v", acc, e)
	}
	take[signal.Invite](b2, signal.CodeInvite)
	b2.ended(id(1), signal.EndAnsweredElsewhere, "bob")
	b.refused(signal.ErrAlreadyAnswered, signal.CallReject, "", id(1), signal.Reject{Reason: signal.EndBusy}) // its answer to the crossing invite
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0"})
	take[signal.SDP](b, signal.CodeOffer)
	a.must(signal.CallHangup, "", id(1), signal.Hangup{})
	b.ended(id(1), signal.EndHangup, "alice")
	a.ended(id(1), signal.EndHangup, "alice")
	for _, r := range w.saved {
		if r.ID != id(1) {
			t.Fatalf("a second call was recorded: %+v", r)
		}
	}
}

func TestCrossingCancelAndAccept(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	w.pair(a, b, id(1))
	a.must(signal.CallCancel, "", id(1), nil) // sent before CodeAccepted came
	b.ended(id(1), signal.EndHangup, "alice")
	a.ended(id(1), signal.EndHangup, "alice")

	a.must(signal.CallInvite, "bob", id(2), signal.Invite{})
	take[signal.Invite](b, signal.CodeInvite)
	b.must(signal.CallHangup, "", id(2), signal.Hangup{}) // its accept was lost
	a.ended(id(2), signal.EndDeclined, "bob")
	b.ended(id(2), signal.EndDeclined, "bob")

	w.pair(a, b, id(3))
	b.must(signal.CallHangup, "", id(3), signal.Hangup{Reason: signal.EndConnectionFailed})
	a.ended(id(3), signal.EndConnectionFailed, "bob")
	b.ended(id(3), signal.EndConnectionFailed, "bob")
	if r := w.record(id(3)); r.Reason != "connection_failed" || r.EndedBy != "bob" {
		t.Fatalf("recorded %+v", r)
	}
}

// Two dialled each other, and the later one gives up before it hears that its invite was joined to the other's call.
func TestACancelThatCrossesGlare(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b, other := w.connect("alice", "a"), w.connect("bob", "b"), w.connect("bob", "other")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	b.must(signal.CallInvite, "alice", id(2), signal.Invite{})
	take[signal.Accepted](a, signal.CodeAccepted)
	other.refused(signal.ErrNotInCall, signal.CallCancel, "", id(2), nil)
	b.refused(signal.ErrNotInCall, signal.CallCancel, "", "", nil)
	b.must(signal.CallCancel, "", id(2), nil)
	a.ended(id(1), signal.EndHangup, "bob")
	b.ended(id(1), signal.EndHangup, "bob")
}

func TestADeviceThatComesBackKeepsItsCall(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	w.pair(a, b, id(1))
	w.c.disconnect(b, Lost)
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0"})
	a.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: "candidate:1"})
	w.pass(19 * time.Second)
	b = b.back()
	if c, err := signal.Decode[signal.Connected](b.got[0]); err != nil || c.CallID != id(1) {
		t.Fatalf("it hears %+v, %v", c, err)
	}
	take[signal.SDP](b, signal.CodeOffer)
	take[signal.Candidate](b, signal.CodeCandidate)
	w.pass(time.Hour)
	a.quiet()
	// A second connection of the same device replaces the first, whose late end changes nothing.
	old := b
	b = b.back()
	if old.closed != CloseReplaced {
		t.Fatalf("the old connection was closed with %d", old.closed)
	}
	w.c.disconnect(old, Lost)
	w.pass(time.Hour)
	a.quiet()
	w.c.disconnect(b, Lost)
	w.pass(20 * time.Second)
	a.ended(id(1), signal.EndPeerGone, "bob")
	b = b.back()
	if c, _ := signal.Decode[signal.Connected](b.got[0]); c.CallID != "" {
		t.Fatalf("after 20 s it still hears of %s", c.CallID)
	}
	b.quiet()
	if r := w.record(id(1)); r.Reason != "peer_gone" || r.EndedBy != "bob" {
		t.Fatalf("recorded %+v", r)
	}
	// What is kept for a device that is away is bounded.
	w.pair(a, b, id(2))
	w.c.disconnect(b, Lost)
	big := signal.SDP{SDP: "v=0" + strings.Repeat("x", 40<<10)}
	for range 6 {
		a.must(signal.MessageOffer, "", id(2), big)
	}
	a.refused(signal.ErrTooMany, signal.MessageOffer, "", id(2), big)
}

func TestTheCallerIsGone(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	take[signal.Invite](b, signal.CodeInvite)
	w.c.disconnect(a, Left)
	b.ended(id(1), signal.EndCancelled, "alice")

	a = a.back()
	a.must(signal.CallInvite, "bob", id(2), signal.Invite{})
	take[signal.Invite](b, signal.CodeInvite)
	w.c.disconnect(a, Lost)
	w.pass(5 * time.Second)
	b.ended(id(2), signal.EndPeerGone, "alice")

	// Cut, answered meanwhile, and back: it hears that the call was accepted.
	a = a.back()
	a.must(signal.CallInvite, "bob", id(3), signal.Invite{})
	w.c.disconnect(a, Lost)
	b.must(signal.CallAccept, "", id(3), signal.Accept{})
	w.pass(4 * time.Second)
	a = a.back()
	take[signal.Accepted](a, signal.CodeAccepted)
	b.must(signal.CallAccept, "", id(3), signal.Accept{}) // said again because the reply was lost
	w.c.disconnect(a, SignedOut)
	take[signal.Invite](b, signal.CodeInvite)
	b.ended(id(3), signal.EndHangup, "alice")

	// The same invite again, because the reply was lost, is no second call.
	a = a.back()
	a.must(signal.CallInvite, "bob", id(4), signal.Invite{})
	a.must(signal.CallInvite, "bob", id(4), signal.Invite{})
	take[signal.Invite](b, signal.CodeInvite)
	b.quiet()
	w.c.disconnect(a, Lost)
	// A new program of the caller's need not wait for the one that is gone.
	a2 := w.connect("alice", "a2")
	a2.must(signal.CallInvite, "bob", id(5), signal.Invite{})
	if e, env := take[signal.Ended](b, signal.CodeEnded); e.Reason != signal.EndPeerGone || env.CallID != id(4) {
		t.Fatalf("the old call ended %+v", e)
	}
	take[signal.Invite](b, signal.CodeInvite)
}

func TestTheCalleeComesAndGoes(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	b.must(signal.CallRinging, "", id(1), nil)
	late := w.connect("bob", "late")
	w.pass(10 * time.Second)
	if in, _ := take[signal.Invite](late, signal.CodeInvite); in.ExpiresMs != 45_000 {
		t.Fatalf("a device that came at once hears %d ms", in.ExpiresMs)
	}
	w.c.disconnect(b, Lost)
	b = b.back()
	if c, _ := signal.Decode[signal.Connected](b.got[0]); c.CallID != id(1) {
		t.Fatalf("a device that rang hears of %q", c.CallID)
	}
	if in, _ := take[signal.Invite](b, signal.CodeInvite); in.ExpiresMs != 35_000 {
		t.Fatalf("after 10 s it rings for %d ms", in.ExpiresMs)
	}
	w.c.disconnect(late, Lost) // before it could say that it rings
	late = late.back()
	if c, _ := signal.Decode[signal.Connected](late.got[0]); c.CallID != id(1) {
		t.Fatalf("a device that was told hears of %q", c.CallID)
	}
	w.c.disconnect(b, Lost)
	w.c.disconnect(late, Left)
	a.quietBut(signal.CodeRinging)
	w.pass(20 * time.Second)
	a.ended(id(1), signal.EndPeerGone, "bob")
	if n := len(w.c.people["bob"].devices); n != 0 {
		t.Fatalf("%d devices are kept", n)
	}
}

func TestTheCalleeLeavesWhileItRings(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{})
	b.must(signal.CallRinging, "", id(1), nil)
	w.c.disconnect(b, Left)
	a.quietBut(signal.CodeRinging)
	w.pass(5*time.Second - time.Millisecond)
	a.quiet()
	w.pass(time.Millisecond)
	a.ended(id(1), signal.EndOffline, "")
	if r := w.record(id(1)); r.Reason != "offline" || r.EndedBy != "" || !r.Accepted.IsZero() {
		t.Fatalf("recorded %+v", r)
	}

	// A page that is loaded anew is another device, and rings on.
	b = b.back()
	a.must(signal.CallInvite, "bob", id(2), signal.Invite{})
	w.c.disconnect(b, Left)
	w.pass(3 * time.Second)
	b = w.connect("bob", "anew")
	take[signal.Invite](b, signal.CodeInvite)
	w.pass(20 * time.Second)
	a.quiet()

	// With another device there it rings on as if nothing had happened; who signs out on the last one is gone at once.
	b2 := w.connect("bob", "b2")
	w.c.disconnect(b, Left)
	w.pass(10 * time.Second)
	a.quiet()
	w.c.disconnect(b2, SignedOut)
	a.ended(id(2), signal.EndOffline, "")

	// One that was cut off may come back, whatever the others do.
	b, b2 = w.connect("bob", "b"), w.connect("bob", "b2")
	a.must(signal.CallInvite, "bob", id(3), signal.Invite{})
	w.c.disconnect(b, Lost)
	w.c.disconnect(b2, SignedOut)
	w.pass(19 * time.Second)
	a.quiet()
	b = b.back()
	take[signal.Invite](b, signal.CodeInvite)
	if len(w.c.calls) != 1 {
		t.Fatal("the call is over")
	}
}

func TestInvitesAreLimited(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	for i := range 10 {
		a.must(signal.CallInvite, "bob", id(i), signal.Invite{})
		a.must(signal.CallCancel, "", id(i), nil)
	}
	a.refused(signal.ErrTooMany, signal.CallInvite, "bob", id(20), signal.Invite{})
	b.got = nil
	w.pass(6 * time.Second)
	for i := range 30 { // calls that are wanted do not count
		w.pair(a, b, id(100+i))
		b.must(signal.CallHangup, "", id(100+i), signal.Hangup{})
	}
}

// Who calls one after the other in vain is stopped whoever they are; calls that are taken, and those that were refused for
// another reason, do not count.
func TestCallsOfOnePersonAreLimited(t *testing.T) {
	names := []string{"mallory", "bob"}
	for i := range 50 {
		names = append(names, fmt.Sprintf("p%d", i))
	}
	w := newWorld(t, names...)
	w.c.Invites.Every = time.Hour
	m, b := w.connect("mallory", "m"), w.connect("bob", "b")
	for i := range 40 {
		w.pair(m, b, id(i))
		b.must(signal.CallHangup, "", id(i), signal.Hangup{})
	}
	for i := range 20 { // bob's own limit is soon met, and takes nothing from the others
		m.ask(signal.CallInvite, "bob", id(100+i), signal.Invite{})
		m.ask(signal.CallCancel, "", id(100+i), nil)
	}
	for i := range DefaultCalls.Burst - DefaultInvites.Burst {
		m.must(signal.CallInvite, fmt.Sprintf("p%d", i), id(200+i), signal.Invite{}) // offline: it ends at once
	}
	for i := range 2 * DefaultInvites.Burst {
		m.refused(signal.ErrTooMany, signal.CallInvite, "p40", id(300+i), signal.Invite{})
	}
	b.must(signal.CallInvite, "p40", id(350), signal.Invite{}) // others may
	w.pass(DefaultCalls.Every)
	m.must(signal.CallInvite, "p40", id(351), signal.Invite{}) // what all together have used up was not p40's
	m.refused(signal.ErrTooMany, signal.CallInvite, "p41", id(352), signal.Invite{})
}

// What is passed on must fit into a message with the numbers that it still gets: a device that is sent a longer one gives
// the socket up, and would be sent the same on the next.
func TestForwardedFitsWithItsNumbers(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	w.pair(a, b, id(1))
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0"})
	empty := len((&Message{Envelope: b.got[0]}).JSON())
	b.got = nil
	const escaped = len(`\u003c`)
	room := signal.MaxUnnumbered - empty
	sdp := "v=0" + strings.Repeat("<", room/escaped) + strings.Repeat("x", room%escaped)
	a.refused(signal.ErrBadRequest, signal.MessageOffer, "", id(1), signal.SDP{SDP: sdp + "x"})
	if len(b.got) != 0 {
		t.Errorf("bob is sent %d messages", len(b.got))
	}
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: sdp})
	if n := len((&Message{Envelope: b.got[0]}).JSON()); n != signal.MaxUnnumbered {
		t.Errorf("the longest has %d bytes, want %d", n, signal.MaxUnnumbered)
	}
}
