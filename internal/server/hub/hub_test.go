package hub

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 7, 8, 12, 0, 0, 0, time.UTC)

// world is a core with a made-up clock, journal and relay.
type world struct {
	t     *testing.T
	c     *core
	saved []Record
	lines []signal.ChatMessage
	full  bool // the disk
	peers []string
	ended []string // calls the relay was told about
	next  int
}

func newWorld(t *testing.T, names ...string) *world {
	w := &world{t: t}
	w.c = newCore(Config{Server: "test/1"}, w, w, slog.New(slog.DiscardHandler), func(f func(*core)) { f(w.c) })
	w.c.now = noon
	for _, n := range names {
		kind := signal.KindPerson
		if n == "echo" {
			kind = signal.KindEcho
		}
		w.c.addUser(signal.User{ID: n, Name: strings.ToUpper(n), Kind: kind})
	}
	return w
}

func (w *world) SaveCall(r Record) { w.saved = append(w.saved, r) }

func (w *world) SaveMessage(m signal.ChatMessage, done func(signal.ChatMessage, error)) {
	if w.full {
		done(m, fmt.Errorf("disk is full"))
		return
	}
	m.ID = int64(len(w.lines) + 1)
	w.lines = append(w.lines, m)
	done(m, nil)
}

func (w *world) ICEServers(host, user, device, call string) []signal.ICEServer {
	return []signal.ICEServer{{URLs: []string{"turn:" + host}, Username: user + "/" + device + "/" + call}}
}

func (w *world) AllowPeer(call string, a netip.Addr) { w.peers = append(w.peers, call+" "+a.String()) }
func (w *world) EndCall(call string)                 { w.ended = append(w.ended, call) }

// record is the newest state of a call.
func (w *world) record(id string) Record {
	for _, r := range slices.Backward(w.saved) {
		if r.ID == id {
			return r
		}
	}
	w.t.Helper()
	w.t.Fatalf("call %s was never saved", id)
	return Record{}
}

func (w *world) pass(d time.Duration) {
	w.c.now = w.c.now.Add(d)
	w.c.expire()
}

// dev is a device that remembers what it was sent.
type dev struct {
	w        *world
	user, id string
	got      []signal.Envelope
	closed   int
}

func (d *dev) Send(m *Message)          { d.got = append(d.got, m.Envelope) }
func (d *dev) Close(code int, _ string) { d.closed = code }

func (w *world) connect(user, id string) *dev {
	w.t.Helper()
	d := &dev{w: w, user: user, id: id + "-0123456789abcdef"}
	w.c.connect(d, Hello{UserID: user, Host: "example.org", RequestID: "hello", Connect: signal.Connect{DeviceID: d.id}})
	if len(d.got) == 0 || d.got[0].RequestID != "hello" || d.got[0].Code != signal.CodeOK {
		w.t.Fatalf("%s/%s: reply to User/Connect is %+v", user, id, d.got)
	}
	return d
}

// back is the same device on a new connection.
func (d *dev) back() *dev {
	d.w.t.Helper()
	id, _, _ := strings.Cut(d.id, "-")
	return d.w.connect(d.user, id)
}

// ask sends a request and gives its reply, checking that there is exactly one, under the same method.
func (d *dev) ask(m signal.Method, to, call string, data any) signal.Envelope {
	d.w.t.Helper()
	d.w.next++
	id := fmt.Sprint("r", d.w.next)
	d.w.c.request(d, signal.Envelope{Method: m, ToID: to, CallID: call, RequestID: id, FromID: "forged", Data: signal.Encode(data)})
	var replies []signal.Envelope
	d.got = slices.DeleteFunc(d.got, func(e signal.Envelope) bool {
		if e.RequestID == id {
			replies = append(replies, e)
		}
		return e.RequestID == id
	})
	if len(replies) != 1 || replies[0].Method != m || replies[0].Code > signal.CodeError {
		d.w.t.Fatalf("%s: %d replies to %s: %+v", d.user, len(replies), m, replies)
	}
	return replies[0]
}

func (d *dev) must(m signal.Method, to, call string, data any) signal.Envelope {
	d.w.t.Helper()
	e := d.ask(m, to, call, data)
	if e.Code != signal.CodeOK {
		d.w.t.Fatalf("%s: %s is refused: %s %s", d.user, m, e.Message, e.Data)
	}
	return e
}

func (d *dev) refused(code string, m signal.Method, to, call string, data any) {
	d.w.t.Helper()
	e := d.ask(m, to, call, data)
	p, err := signal.Decode[signal.Problem](e)
	if e.Code != signal.CodeError || err != nil || p.Error != code || e.Message == "" {
		d.w.t.Fatalf("%s: %s gives %+v, want %s", d.user, m, e, code)
	}
}

// take gives the next push of a code and drops everything before it; it fails when there is none.
func take[T any](d *dev, code signal.Code) (T, signal.Envelope) {
	d.w.t.Helper()
	for i, e := range d.got {
		if e.Code == code && e.RequestID == "" {
			d.got = d.got[i+1:]
			v, err := signal.Decode[T](e)
			if err != nil {
				d.w.t.Fatal(err)
			}
			return v, e
		}
	}
	d.w.t.Fatalf("%s/%s: no push %d in %+v", d.user, d.id, code, d.got)
	panic("unreachable")
}

func (d *dev) ended(call string, want signal.EndReason, by string) {
	d.w.t.Helper()
	e, env := take[signal.Ended](d, signal.CodeEnded)
	if e.Reason != want || e.ByID != by || env.CallID != call {
		d.w.t.Fatalf("%s/%s: %s ended %q by %q, want %s %q by %q", d.user, d.id, env.CallID, e.Reason, e.ByID, call, want, by)
	}
	d.quiet()
}

// quiet fails when something is left but presence.
func (d *dev) quiet() {
	d.w.t.Helper()
	for _, e := range d.got {
		if e.Code != signal.CodeUserOnline && e.Code != signal.CodeUserOffline && e.RequestID != "hello" {
			d.w.t.Fatalf("%s/%s: unexpected %+v", d.user, d.id, e)
		}
	}
	d.got = nil
}

func id(n int) string { return fmt.Sprintf("call-%020d", n) }

// pair is a call between two people that has been accepted.
func (w *world) pair(a, b *dev, call string) {
	w.t.Helper()
	a.must(signal.CallInvite, b.user, call, signal.Invite{Video: true})
	take[signal.Invite](b, signal.CodeInvite)
	b.must(signal.CallAccept, "", call, signal.Accept{})
	take[signal.Accepted](a, signal.CodeAccepted)
}

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

	// Only the two devices, and the sender is who it is.
	for _, stranger := range []*dev{b1, c} {
		stranger.refused(signal.ErrNotInCall, signal.MessageOffer, "alice", id(1), signal.SDP{SDP: "v=0"})
		stranger.refused(signal.ErrNotInCall, signal.MessageCandidate, "alice", id(1), signal.Candidate{Candidate: "candidate:1"})
		stranger.refused(signal.ErrNotInCall, signal.CallMedia, "", id(1), signal.Media{})
		stranger.refused(signal.ErrNotInCall, signal.CallReport, "", id(1), signal.Report{})
		stranger.refused(signal.ErrNotInCall, signal.CallHangup, "", id(1), signal.Hangup{})
		stranger.refused(signal.ErrNotInCall, signal.CallCancel, "", id(1), nil)
	}
	offer := "v=0\r\na=candidate:1 1 udp 2130706431 192.0.2.9 4321 typ host\r\n"
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: offer})
	if s, e := take[signal.SDP](b2, signal.CodeOffer); s.SDP != offer || e.FromID != "alice" || e.Method != signal.MessageOffer {
		t.Fatalf("offer arrives as %+v in %+v", s, e)
	}
	b2.must(signal.MessageAnswer, "", id(1), signal.SDP{SDP: "v=0\r\n"})
	take[signal.SDP](a, signal.CodeAnswer)
	b2.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: "candidate:1 1 udp 1 2001:db8::7 9 typ host"})
	b2.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: "candidate:1 1 udp 1 abc.local 9 typ host"})
	take[signal.Candidate](a, signal.CodeCandidate)
	if want := []string{id(1) + " 192.0.2.9", id(1) + " 2001:db8::7"}; !slices.Equal(w.peers, want) {
		t.Fatalf("the relay was told %v, want %v", w.peers, want)
	}
	a.must(signal.CallMedia, "", id(1), signal.Media{Microphone: true})
	if m, _ := take[signal.Media](b2, signal.CodeMedia); !m.Microphone || m.Camera {
		t.Fatalf("switches arrive as %+v", m)
	}
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

// quietBut drops pushes of a code.
func (d *dev) quietBut(code signal.Code) {
	d.got = slices.DeleteFunc(d.got, func(e signal.Envelope) bool { return e.Code == code })
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
	w.c.disconnect(b, Lost)
	w.c.disconnect(late, Left)
	a.quietBut(signal.CodeRinging)
	w.pass(20 * time.Second)
	a.ended(id(1), signal.EndPeerGone, "bob")
	if n := len(w.c.people["bob"].devices); n != 0 {
		t.Fatalf("%d devices are kept", n)
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

	// A server that was away for long knows only when it was last alive.
	old := accepted
	old.ID = id(3)
	w.c.restore(old, noon.Add(-30*time.Minute))
	if r := w.record(id(3)); r.Reason != "server_stopped" || r.Ended != noon.Add(-30*time.Minute) {
		t.Fatalf("recorded %+v", r)
	}
	// Nobody comes back.
	old.ID = id(4)
	w.c.disconnect(a, Left)
	w.c.disconnect(b, Left)
	w.c.restore(old, w.c.now)
	w.pass(20 * time.Second)
	if r := w.record(id(4)); r.Reason != "peer_gone" {
		t.Fatalf("recorded %+v", r)
	}
}
