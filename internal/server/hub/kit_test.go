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
	t       *testing.T
	c       *core
	saved   []Record
	lines   []signal.ChatMessage
	reads   []string
	full    bool   // the disk
	blocked []bool // of each line
	peers   []string
	ended   []string        // calls the relay was told about
	lives   []time.Duration // of the credentials that were made
	held    []string        // what it was told of early connections
	next    int
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

func (w *world) SaveMessage(m signal.ChatMessage, blocked bool, done func(signal.ChatMessage, error)) {
	if w.full {
		done(m, fmt.Errorf("disk is full"))
		return
	}
	m.ID = int64(len(w.lines) + 1)
	w.lines, w.blocked = append(w.lines, m), append(w.blocked, blocked)
	done(m, nil)
}

func (w *world) SaveRead(user string, r signal.Read) {
	w.reads = append(w.reads, fmt.Sprint(user, " ", r.With, " ", r.ID))
}

func (w *world) ICEServers(host, user, device, call string, life time.Duration) []signal.ICEServer {
	w.lives = append(w.lives, life)
	return []signal.ICEServer{{URLs: []string{"turn:" + host}, Username: user + "/" + device + "/" + call}}
}

func (w *world) AllowPeer(call string, a netip.Addr) { w.peers = append(w.peers, call+" "+a.String()) }
func (w *world) HoldCall(call string)                { w.held = append(w.held, "hold "+call) }
func (w *world) OpenCall(call string)                { w.held = append(w.held, "open "+call) }
func (w *world) Owns(_, _ string, at netip.AddrPort) bool {
	return at == netip.MustParseAddrPort("198.51.100.1:50000")
}
func (w *world) Leave(call, device string) { w.held = append(w.held, "leave "+device) }
func (w *world) EndCall(call string)       { w.ended = append(w.ended, call) }

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

// quietBut drops pushes of a code.
func (d *dev) quietBut(code signal.Code) {
	d.got = slices.DeleteFunc(d.got, func(e signal.Envelope) bool { return e.Code == code })
}

// onlyTheTwo checks that nobody else may speak in a call.
func onlyTheTwo(call string, strangers ...*dev) {
	for _, stranger := range strangers {
		stranger.refused(signal.ErrNotInCall, signal.MessageOffer, "alice", call, signal.SDP{SDP: "v=0"})
		stranger.refused(signal.ErrNotInCall, signal.MessageCandidate, "alice", call, signal.Candidate{Candidate: "candidate:1"})
		stranger.refused(signal.ErrNotInCall, signal.CallMedia, "", call, signal.Media{})
		stranger.refused(signal.ErrNotInCall, signal.CallReport, "", call, signal.Report{})
		stranger.refused(signal.ErrNotInCall, signal.CallHangup, "", call, signal.Hangup{})
		stranger.refused(signal.ErrNotInCall, signal.CallCancel, "", call, nil)
	}
}
