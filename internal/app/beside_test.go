package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// says gives what the app has said over the data channel under that method.
func (m *fakeMedia) says(t *testing.T, method signal.Method) (out []signal.Envelope) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range m.said {
		e, err := signal.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if e.Method == method {
			out = append(out, e)
		}
	}
	return out
}

func beside(m signal.Method, id string, data any) Heard {
	return Heard{Text: string(signal.Encode(signal.Envelope{Method: m, CallID: id, Data: signal.Encode(data)}))}
}

// While the server is away, switches and the end of the call go over the data channel; the server hears of it later.
func TestTheCallGoesOnWithoutTheServer(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		r.media.say(DataOpen{})
		r.server.cut()
		time.Sleep(10 * time.Minute)
		r.phase(call.Active)
		r.SetMicrophone(false)
		r.now()
		said := r.media.says(t, signal.CallMedia)
		last, _ := signal.Decode[signal.Media](said[len(said)-1])
		first, _ := signal.Decode[signal.Media](said[0])
		if last.Microphone || !first.Microphone || last.Change <= first.Change || said[0].CallID != id {
			t.Errorf("said %+v", said)
		}
		r.media.say(beside(signal.CallMedia, id, signal.Media{Camera: true, Paused: true, Change: 2}))
		r.media.say(beside(signal.CallMedia, id, signal.Media{Microphone: true, Change: 1})) // came late
		if got := r.now().Call.Peers; got != (signal.Media{Camera: true, Paused: true}) {
			t.Errorf("the other's switches: %+v", got)
		}
		r.Hangup()
		r.ended(signal.EndHangup)
		if n := len(r.media.says(t, signal.CallHangup)); n != 1 {
			t.Errorf("the other was told %d times", n)
		}
		r.server.online(id)
		if h := r.server.said(signal.CallHangup); len(h) != 1 || h[0].CallID != id {
			t.Errorf("the server was told %+v", h)
		}
	})
}

// The other hangs up over the data channel: the call has ended here, and the server hears from this side too who did it.
func TestHungUpOverTheDataChannel(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		r.server.cut()
		r.media.say(beside(signal.CallHangup, id, nil))
		r.ended(signal.EndHangup)
		r.server.online(id)
		h := r.server.said(signal.CallHangup)
		if len(h) != 1 || h[0].CallID != id {
			t.Fatalf("the server was told %+v", h)
		}
		if got, _ := signal.Decode[signal.Hangup](h[0]); got != (signal.Hangup{Reason: signal.EndHangup, ByID: bert.ID}) {
			t.Errorf("the server was told %+v", got)
		}
	})
}

// What comes over the data channel has passed no server.
func TestNonsenseOverTheDataChannel(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		before := r.now().Call
		bad := []Heard{
			{""},
			{"{"},
			{"null"},
			{`[]`},
			{`{"method":7}`},
			{strings.Repeat("[", 4000)},
			beside(signal.CallHangup, "another-call-0123456789", nil),
			beside(signal.CallHangup, "", nil),
			beside(signal.CallHangup, id, map[string]any{"reason": "declined"}),
			beside(signal.CallMedia, id, map[string]any{"camera": "yes"}),
			beside(signal.CallMedia, id, signal.Media{Change: -1}),
			beside(signal.CallRestart, id, map[string]any{"offers": -1}),
			beside(signal.CallInvite, id, nil), beside(signal.CallEnded, id, nil), beside(signal.MessageOffer, id, signal.SDP{SDP: "v=0"}),
		}
		for _, h := range bad {
			r.media.say(h)
		}
		if got := r.now().Call; got.Peers != before.Peers || got.Phase != call.Active {
			t.Errorf("it changed the call: %+v", got)
		}
		if n := r.App.run.strange; n != len(bad) {
			t.Errorf("%d of %d were counted", n, len(bad))
		}
		if slices.ContainsFunc(r.media.did, func(s string) bool { return strings.HasPrefix(s, "restart") }) {
			t.Errorf("the peer was told %q", r.media.did)
		}
	})
}

// A restart that was asked for before the last offer asks for what has been done.
func TestRestartThatComesLate(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		restarts := func() (n int) {
			r.now()
			for _, s := range r.media.did {
				if s == "restart on" {
					n++
				}
			}
			return n
		}
		r.media.say(LocalOffer{SDP: "v=0 first"})
		r.media.say(beside(signal.CallRestart, id, signal.Restart{Offers: 1}))
		if n := restarts(); n != 1 {
			t.Errorf("%d restarts", n)
		}
		r.media.say(LocalOffer{SDP: "v=0 second"})
		r.media.say(beside(signal.CallRestart, id, signal.Restart{Offers: 1}))
		r.server.push(signal.CallRestart, signal.CodeRestart, id, signal.Restart{Offers: 1})
		if n := restarts(); n != 1 {
			t.Errorf("%d restarts, and two came late", n)
		}
		r.server.push(signal.CallRestart, signal.CodeRestart, id, nil) // of a client that does not count
		if n := restarts(); n != 2 {
			t.Errorf("%d restarts", n)
		}
	})
}

// A server that was restarted has forgotten its relay: the caller of a relayed call seeks another path at once, with the
// servers it is given now. Nothing is sought when only the socket was cut, or when media is direct.
func TestRelayedCallAfterARestartOfTheServer(t *testing.T) {
	for _, c := range []struct {
		path     signal.Path
		run      string
		outgoing bool
		restarts bool
	}{
		{signal.PathRelay, "second", true, true},
		{signal.PathRelay, "first", true, false},
		{signal.PathRelay, "", true, false},
		{signal.PathDirect, "second", true, false},
		{signal.PathRelay, "second", false, false},
	} {
		t.Run(fmt.Sprintf("%s, %s run, outgoing %v", c.path, c.run, c.outgoing), func(t *testing.T) {
			test(t, func(t *testing.T, r *rig) {
				r.server.connected(signal.Connected{Run: "first"})
				id := theirs
				if c.outgoing {
					id = talking(r)
				} else {
					answered(r)
				}
				r.media.say(MediaUp{Path: c.path})
				r.server.cut()
				r.server.connected(signal.Connected{CallID: id, Run: c.run, ICEServers: []signal.ICEServer{{Username: "new"}}})
				r.now()
				want := []string{"servers new"}
				if c.restarts {
					want = append(want, "restart on")
				}
				if !slices.Equal(r.media.did, want) {
					t.Errorf("the peer was told %q, want %q", r.media.did, want)
				}
			})
		})
	}
}

// What the relay is asked with does not last for a whole call: newer ones take its place, in this call and nowhere else.
func TestServersAreRenewedDuringACall(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		for _, name := range []string{"second", "third"} {
			r.server.push(signal.CallServers, signal.CodeServers, id, signal.Servers{ICEServers: []signal.ICEServer{{Username: name}}})
		}
		r.server.push(signal.CallServers, signal.CodeServers, id, signal.Servers{}) // no relay is no reason to forget what there is
		r.server.push(signal.CallServers, signal.CodeServers, theirs, signal.Servers{ICEServers: []signal.ICEServer{{Username: "another call's"}}})
		r.now()
		if want := []string{"servers second", "servers third"}; !slices.Equal(r.media.did, want) {
			t.Errorf("the peer was told %q, want %q", r.media.did, want)
		}
	})
}

// While media is gone too, the server is asked for again and again, not after ever longer pauses.
func TestTheServerIsHurriedForACallThatWaits(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		talking(r)
		r.server.cut()
		time.Sleep(10 * time.Second)
		if n := r.server.hurried(); n != 0 {
			t.Errorf("hurried %d times though media flows", n)
		}
		r.media.say(MediaDown{})
		time.Sleep(7 * time.Second)
		if n := r.server.hurried(); n < 3 || n > 5 {
			t.Errorf("hurried %d times in 7 s", n)
		}
	})
}

// answered brings r into a call that Bert dialled, media flowing.
func answered(r *rig) {
	r.t.Helper()
	r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{Video: true, From: &bert})
	r.Accept(true)
	r.phase(call.Connecting)
	r.media.say(MediaUp{Path: signal.PathDirect})
	r.phase(call.Active)
}

// FuzzBeside: whatever the other says over the data channel, the call goes on, or has ended for a reason that one may give.
func FuzzBeside(f *testing.F) {
	files, err := filepath.Glob("../signal/testdata/*.beside.json")
	if err != nil || len(files) < 3 {
		f.Fatal(len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	const id = "call3456789abcdefghijklmno" // the golden messages'
	f.Add(`{"method":"Call/Hangup","callId":"` + id + `","data":{"reason":"declined","byId":7}}`)
	f.Add(`{"method":"Call/Media","callId":"` + id + `","data":{"change":-9223372036854775808}}`)
	f.Fuzz(func(t *testing.T, text string) {
		media := &fakeMedia{}
		a := &App{Media: media}
		a.setUp()
		a.timer = time.NewTimer(time.Hour)
		defer a.timer.Stop()
		a.snap.Call = Call{State: call.State{Phase: call.Active, ID: id, PeerID: bert.ID}}
		a.run = &callRun{conn: &connection{}}
		a.gotBeside(a.run, text)
		c := a.snap.Call
		if c.Phase != call.Active && (c.Phase != call.Ended || c.Reason != string(signal.EndHangup) && c.Reason != string(signal.EndConnectionFailed)) {
			t.Errorf("the call is %s, %q", c.Phase, c.Reason)
		}
		if c.Peers.Change != 0 || a.run.strange > 1 {
			t.Errorf("%+v, %d counted", c.Peers, a.run.strange)
		}
	})
}

// The server hears every ten seconds that media flows, and only while it does.
func TestTheServerHearsThatMediaFlows(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		talking(r)
		second := func(n int) {
			for range n {
				time.Sleep(time.Second)
				r.media.say(MediaStats{Quality: Quality{Path: signal.PathDirect}})
			}
		}
		flows := func() (n int) {
			for _, e := range r.server.said(signal.CallReport) {
				if report, _ := signal.Decode[signal.Report](e); report.Flows {
					n++
				}
			}
			return n
		}
		before := flows()
		second(30)
		if n := flows() - before; n != 3 {
			t.Errorf("said %d times in 30 s", n)
		}
		r.media.say(MediaDown{})
		before = flows()
		second(15)
		if n := flows() - before; n != 0 {
			t.Errorf("said %d times while media is gone", n)
		}
	})
}
