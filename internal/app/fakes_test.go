package app

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer is Dialer, Accounts and Signaler in one: a server that says what the test tells it to.
type fakeServer struct {
	mu       sync.Mutex
	events   chan signal.Event
	sent     []signal.Envelope
	replies  map[signal.Method]func(signal.Envelope) any // data of the reply, or an error; nil func: silence
	offline  bool
	checks   int // NetworkChanged
	hurries  int
	closed   bool
	loginErr error
	logins   []signal.Register
	logouts  []string
	tokens   []string // of Connect
	trusted  []string // server and fingerprint of Trust
	reached  string   // by Reach; empty: what was asked for
	records  map[string]signal.CallRecord
	list     []signal.CallRecord
	fakeOwn
}

func newFakeServer() *fakeServer {
	ok := func(signal.Envelope) any { return struct{}{} }
	f := &fakeServer{replies: map[signal.Method]func(signal.Envelope) any{}, records: map[string]signal.CallRecord{}}
	for _, m := range []signal.Method{
		signal.CallInvite, signal.CallRinging, signal.CallReject, signal.CallCancel, signal.CallHangup, signal.CallReport, signal.CallMedia,
		signal.MessageOffer, signal.MessageAnswer, signal.MessageCandidate, signal.MessageHistory,
	} {
		f.replies[m] = ok
	}
	f.replies[signal.CallAccept] = func(signal.Envelope) any { return signal.Accepted{ICEServers: ice} }
	return f
}

var (
	ice  = []signal.ICEServer{{URLs: []string{"turn:127.0.0.1:3478"}, Username: "u", Credential: "c"}}
	anna = signal.User{ID: "anna-0123456789ab", Name: "Anna", Kind: signal.KindPerson, Online: true}
	bert = signal.User{ID: "bert-0123456789ab", Name: "Bert", Kind: signal.KindPerson, Online: true}
	cleo = signal.User{ID: "cleo-0123456789ab", Name: "cleo", Kind: signal.KindPerson}
)

func (f *fakeServer) Accounts(server string) (Accounts, error) {
	if server == "" {
		return nil, &signal.Error{Code: signal.ErrBadAddress, Message: "no address"}
	}
	return f, nil
}

func (f *fakeServer) Connect(_, token string, _ signal.Connect) (Signaler, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = append(f.tokens, token)
	f.events, f.closed = make(chan signal.Event, 1000), false
	return f, nil
}

func (f *fakeServer) Reach(_ context.Context, server string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return cmp.Or(f.reached, server)
}

func (f *fakeServer) Trust(server, fingerprint string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trusted = append(f.trusted, server+" "+fingerprint)
	return nil
}

func (f *fakeServer) Register(_ context.Context, r signal.Register) (signal.SignedIn, error) {
	return f.Login(context.Background(), r)
}

func (f *fakeServer) Login(_ context.Context, r signal.Register) (signal.SignedIn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins = append(f.logins, r)
	if f.loginErr != nil {
		return signal.SignedIn{}, f.loginErr
	}
	return signal.SignedIn{User: anna, Token: "vc1_" + r.Name}, nil
}

func (f *fakeServer) Logout(_ context.Context, token string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logouts = append(f.logouts, token)
	return nil
}

func (f *fakeServer) Calls(_ context.Context, _, before string, limit int) (signal.Calls, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	if before != "" {
		i := slices.IndexFunc(list, func(r signal.CallRecord) bool { return r.ID == before })
		list = list[i+1:]
	}
	return signal.Calls{Calls: slices.Clone(list[:min(limit, len(list))]), More: len(list) > limit}, nil
}

func (f *fakeServer) Call(_ context.Context, _, id string) (signal.CallRecord, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.records[id]
	if !ok {
		return r, &signal.Error{Code: signal.ErrNotFound, Message: "no such call"}
	}
	return r, nil
}

func (f *fakeServer) Events() <-chan signal.Event { return f.events }

func (f *fakeServer) Send(e signal.Envelope) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.offline {
		return signal.ErrNotOnline
	}
	f.sent = append(f.sent, e)
	if reply := f.replies[e.Method]; reply != nil {
		r := signal.Envelope{Method: e.Method, CallID: e.CallID, RequestID: e.RequestID}
		switch data := reply(e).(type) {
		case *signal.Error:
			r.Code, r.Message, r.Data = signal.CodeError, data.Message, signal.Encode(signal.Problem{Error: data.Code})
		case nil:
			return nil
		default:
			r.Data = signal.Encode(data)
		}
		f.events <- signal.Event{State: signal.StateOnline, Reply: &r}
	}
	return nil
}

func (f *fakeServer) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.events)
	}
}

// online says that the socket stands and which call the hub counts this device to.
func (f *fakeServer) online(callID string) {
	f.connected(signal.Connected{CallID: callID})
}

// connected is online with more to say.
func (f *fakeServer) connected(c signal.Connected) {
	f.mu.Lock()
	f.offline = false
	f.mu.Unlock()
	c.Self, c.Users = anna, []signal.User{anna, bert, cleo}
	f.events <- signal.Event{State: signal.StateOnline, Connected: &c}
	synctest.Wait()
}

func (f *fakeServer) NetworkChanged() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checks++
}

func (f *fakeServer) Hurry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hurries++
}

func (f *fakeServer) hurried() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hurries
}

// cut loses the socket, and all that was said on it.
func (f *fakeServer) cut() { f.away(true) }

// away loses the socket; lost says that its session goes with it.
func (f *fakeServer) away(lost bool) {
	f.mu.Lock()
	f.offline = true
	f.mu.Unlock()
	f.events <- signal.Event{State: signal.StateConnecting, Err: signal.ErrLost, Lost: lost}
	synctest.Wait()
}

// resumed says that the session goes on.
func (f *fakeServer) resumed() {
	f.mu.Lock()
	f.offline = false
	f.mu.Unlock()
	f.events <- signal.Event{State: signal.StateOnline, Connected: &signal.Connected{Self: anna, Resumed: true}}
	synctest.Wait()
}

func (f *fakeServer) push(m signal.Method, code signal.Code, callID string, data any) {
	e := signal.Envelope{Method: m, Code: code, CallID: callID, FromID: bert.ID, Data: signal.Encode(data)}
	f.events <- signal.Event{State: signal.StateOnline, Push: &e}
	synctest.Wait()
}

// said gives the messages of that method that the app has sent.
func (f *fakeServer) said(m signal.Method) (out []signal.Envelope) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.sent {
		if e.Method == m {
			out = append(out, e)
		}
	}
	return out
}

// fakeMedia is Media and Peer.
type fakeMedia struct {
	mu      sync.Mutex
	ringing string
	opens   []MediaConfig
	post    func(MediaEvent)
	openErr error
	slow    time.Duration // Open and Close take so long
	open    int           // connections not closed
	did     []string
	said    []string // over the data channel
	closed  bool
}

func (m *fakeMedia) Open(c MediaConfig, post func(MediaEvent)) (Peer, error) {
	time.Sleep(m.slow)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opens = append(m.opens, c)
	if m.openErr != nil {
		return nil, m.openErr
	}
	m.post = post
	m.open++
	return fakePeer{m}, nil
}

func (m *fakeMedia) Devices() Devices { return Devices{Cameras: []string{"Cam"}} }

func (m *fakeMedia) Ring(incoming bool, _ Settings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ringing = map[bool]string{true: "ringtone", false: "ringback"}[incoming]
}

func (m *fakeMedia) Quiet() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ringing = ""
}

func (m *fakeMedia) Close() { m.closed = true }

func (m *fakeMedia) rings() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ringing
}

func (m *fakeMedia) say(e MediaEvent) {
	m.post(e)
	synctest.Wait()
}

type fakePeer struct{ m *fakeMedia }

func (p fakePeer) note(s string) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.m.did = append(p.m.did, s)
}
func (p fakePeer) GotOffer(s string)                  { p.note("offer " + s) }
func (p fakePeer) GotAnswer(s string)                 { p.note("answer " + s) }
func (p fakePeer) GotCandidate(c signal.Candidate)    { p.note("candidate " + c.Candidate) }
func (p fakePeer) Release(mic, cam bool)              { p.note("release " + onOff(mic) + " " + onOff(cam)) }
func (p fakePeer) Restart(asked bool)                 { p.note("restart " + onOff(asked)) }
func (p fakePeer) NetworkChanged(slept bool)          { p.note("network " + onOff(slept)) }
func (p fakePeer) SetICEServers(s []signal.ICEServer) { p.note("servers " + s[0].Username) }

func (p fakePeer) Say(text string) bool {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.m.said = append(p.m.said, text)
	return true
}
func (p fakePeer) SetMicrophone(on bool) { p.note("microphone " + onOff(on)) }
func (p fakePeer) SetCamera(on bool)     { p.note("camera " + onOff(on)) }
func (p fakePeer) SetScreen(name string) { p.note("screen " + name) }
func (p fakePeer) SetDevices(s Settings) { p.note("devices " + s.Camera) }
func (p fakePeer) Close() {
	time.Sleep(p.m.slow)
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.m.open--
}

func onOff(on bool) string { return map[bool]string{true: "on", false: "off"}[on] }

// rig is an App with fakes around it.
type rig struct {
	*App
	t      *testing.T
	server *fakeServer
	media  *fakeMedia
	mu     sync.Mutex
	last   Snapshot
	events []Event
}

func newRig(t *testing.T, change func(*App)) *rig {
	t.Helper()
	r := &rig{t: t, server: newFakeServer(), media: &fakeMedia{}}
	r.App = &App{Dialer: r.server, Media: r.media, Device: "test", Client: "visavis/test"}
	if change != nil {
		change(r.App)
	}
	r.Subscribe(func(s Snapshot) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.last = s
	})
	r.Events(func(e Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	})
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// signedIn is a rig that is online.
func signedIn(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, nil)
	r.SignIn("example.org", "anna", "password")
	synctest.Wait()
	r.server.online("")
	return r
}

func (r *rig) now() Snapshot {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *rig) phase(want call.Phase) {
	r.t.Helper()
	if got := r.now().Call.Phase; got != want {
		r.t.Fatalf("phase %d, want %d; call %+v", got, want, r.last.Call)
	}
}

func (r *rig) ended(want signal.EndReason) {
	r.t.Helper()
	r.phase(call.Ended)
	if got := r.last.Call.Reason; got != string(want) {
		r.t.Fatalf("ended with %q, want %q", got, want)
	}
}

// names gives the events so far, by name.
func (r *rig) names() (out []string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		out = append(out, e.Event)
	}
	return out
}
