package main

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) } // Fyne starts one before main

// fakePerson notes what the robot does.
type fakePerson struct {
	mu   sync.Mutex // timers are the robot's own goroutines
	did  []string
	snap app.Snapshot
}

func (p *fakePerson) do(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.did = append(p.did, what)
}

func (p *fakePerson) done() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.did)
}

// show changes the snapshot that View gives.
func (p *fakePerson) show(s app.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.snap = s
}

func (p *fakePerson) Dial(id string, video bool) { p.do(fmt.Sprint("dial ", id, " ", video)) }
func (p *fakePerson) Accept(video bool)          { p.do(fmt.Sprint("accept ", video)) }
func (p *fakePerson) Decline()                   { p.do("decline") }
func (p *fakePerson) Hangup()                    { p.do("hangup") }

func (p *fakePerson) View(f func(app.Snapshot)) {
	p.mu.Lock()
	s := p.snap
	p.mu.Unlock()
	f(s)
}

func newRobot(o options) (*robot, *fakePerson, *bytes.Buffer) {
	p, said := &fakePerson{}, &bytes.Buffer{}
	return &robot{o: &o, app: p, say: said, done: make(chan int, 1)}, p, said
}

func (r *robot) code() int {
	select {
	case c := <-r.done:
		return c
	default:
		return -1
	}
}

func people(names ...string) app.Snapshot {
	s := app.Snapshot{Link: app.Online, Self: signal.User{Name: "anna"}}
	for _, n := range names {
		s.People = append(s.People, app.Person{User: signal.User{ID: "id-" + n, Name: n}})
	}
	return s
}

func TestRobotDialsOnce(t *testing.T) {
	r, p, _ := newRobot(options{command: "call", peer: "BOB", hasPassword: true})
	r.snapshot(app.Snapshot{Link: app.Connecting})
	r.snapshot(people("alice", "bob"))
	r.snapshot(people("alice", "bob"))
	if !slices.Equal(p.did, []string{"dial id-bob true"}) {
		t.Errorf("%q", p.did)
	}
	r, p, _ = newRobot(options{command: "call", peer: "bob", wait: true, hasPassword: true})
	s := people("bob")
	r.snapshot(s)
	s.People[0].Online = true
	if len(p.did) != 0 {
		t.Errorf("did not wait: %q", p.did)
	}
	if r.snapshot(s); len(p.did) != 1 {
		t.Errorf("%q", p.did)
	}
	// Somebody else's call that nobody here takes is not the end of it.
	r, p, _ = newRobot(options{command: "call", peer: "bob", wait: true, hasPassword: true})
	r.event(app.Event{Event: "incoming", User: "mallory", CallID: "c1"})
	r.event(app.Event{Event: "ended", User: "mallory", CallID: "c1", Reason: signal.EndNoAnswer})
	s.Call.Phase = call.Ended
	if r.snapshot(s); r.code() != -1 || !slices.Equal(p.did, []string{"dial id-bob true"}) {
		t.Errorf("after another's call: %q", p.did)
	}
	r, p, _ = newRobot(options{command: "call", peer: "bob"})
	r.event(app.Event{Event: "incoming", User: "Bob"})
	if !slices.Equal(p.did, []string{"accept true"}) {
		t.Errorf("bob was faster: %q", p.did)
	}
	for _, peer := range []string{"nobody", "Anna"} {
		r, p, said := newRobot(options{command: "call", peer: peer, hasPassword: true})
		r.snapshot(people("bob"))
		if code := r.code(); code != exitNotAnswered || len(p.did) != 0 {
			t.Errorf("call %s: exit %d, did %q, said %s", peer, code, p.did, said)
		}
	}
}

// A robot lets it ring until the connection that is made meanwhile stands.
func TestRobotWaitsForAPreparedConnection(t *testing.T) {
	r, p, _ := newRobot(options{command: "answer", autoAnswer: true, media: mediaOptions{camera: none}})
	r.event(app.Event{Event: "incoming", User: "Bob", CallID: "c1", Early: true})
	r.event(app.Event{Event: "prepared", User: "Bob", CallID: "another"})
	if len(p.did) != 0 {
		t.Fatalf("did not wait: %q", p.did)
	}
	r.event(app.Event{Event: "prepared", User: "Bob", CallID: "c1"})
	r.event(app.Event{Event: "prepared", User: "Bob", CallID: "c1"})
	r.stop()
	if !slices.Equal(p.did, []string{"accept false"}) {
		t.Errorf("did %q", p.did)
	}
}

func TestRobotAnswers(t *testing.T) {
	r, p, _ := newRobot(options{command: "answer", autoAnswer: true, from: "bob", once: true, media: mediaOptions{camera: none}})
	r.event(app.Event{Event: "incoming", User: "mallory", CallID: "c1"})
	r.event(app.Event{Event: "ended", User: "mallory", CallID: "c1", Reason: signal.EndDeclined})
	r.event(app.Event{Event: "incoming", User: "mallory", CallID: "c2"})
	r.event(app.Event{Event: "ended", User: "mallory", CallID: "c2", Reason: signal.EndCancelled}) // before the decline came
	if code := r.code(); code != -1 {
		t.Fatalf("a stranger ended it with %d", code)
	}
	r.event(app.Event{Event: "incoming", User: "Bob"})
	r.event(app.Event{Event: "connected", User: "Bob"})
	r.event(app.Event{Event: "ended", User: "Bob", Reason: signal.EndHangup})
	if code := r.code(); code != exitOK || !slices.Equal(p.did, []string{"decline", "decline", "accept false"}) {
		t.Errorf("exit %d, did %q", code, p.did)
	}
}

func TestRobotHangsUpAfterTheDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shots atomic.Int32
		r, p, _ := newRobot(options{command: "answer", duration: 10 * time.Second, screenshotAfter: time.Second})
		r.shot = func() { shots.Add(1) }
		p.show(app.Snapshot{Call: app.Call{State: call.State{ID: "c1"}}})
		r.event(app.Event{Event: "connected", CallID: "c1"})
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if len(p.done()) != 0 || shots.Load() != 1 {
			t.Fatalf("after 9 s: %q, %d shots", p.done(), shots.Load())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !slices.Equal(p.done(), []string{"hangup"}) {
			t.Fatalf("after 11 s: %q", p.done())
		}
		// The next call is not ended by what is left of the first.
		p.show(app.Snapshot{Call: app.Call{State: call.State{ID: "c3"}}})
		r.event(app.Event{Event: "connected", CallID: "c2"})
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if len(p.done()) != 1 {
			t.Errorf("another call was ended: %q", p.done())
		}
		r.event(app.Event{Event: "connected", CallID: "c3"})
		r.stop()
	})
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		reason    signal.EndReason
		connected bool
		want      int
	}{
		{signal.EndHangup, true, exitOK},
		{signal.EndHangup, false, exitNoConnection},
		{signal.EndPeerGone, true, exitNoConnection},
		{signal.EndConnectionFailed, false, exitNoConnection},
		{signal.EndServerLost, false, exitNoConnection},
		{signal.EndDeclined, false, exitNotAnswered},
		{signal.EndBusy, false, exitNotAnswered},
		{signal.EndOffline, false, exitNotAnswered},
		{signal.EndNoAnswer, false, exitNotAnswered},
		{signal.EndCancelled, false, exitNotAnswered},
		{signal.ErrNotFound, false, exitNotAnswered},
	} {
		if got := exitCode(c.reason, c.connected); got != c.want {
			t.Errorf("%s: %d, want %d", c.reason, got, c.want)
		}
	}
	for _, o := range []options{{command: "call", peer: "bob"}, {command: "answer", once: true}, {once: true}} {
		r, _, _ := newRobot(o)
		r.event(app.Event{Event: "sign-in-failed", Text: "no"})
		if code := r.code(); code != exitSignIn {
			t.Errorf("%+v: exit %d", o, code)
		}
	}
	r, _, _ := newRobot(options{}) // a window stays: the person can type again
	r.event(app.Event{Event: "sign-in-failed", Text: "no"})
	r.event(app.Event{Event: "ended", Reason: signal.EndHangup})
	if code := r.code(); code != -1 {
		t.Errorf("the window ended with %d", code)
	}
}
