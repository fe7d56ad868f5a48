package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
)

// person is what a robot can do in one's place; *app.App is the real one.
type person interface {
	Dial(userID string, video bool)
	Accept(video bool)
	Decline()
	Hangup()
	View(func(app.Snapshot))
}

// robot does what the command line asks for in a person's place: dials, answers, hangs up. Its methods event and
// snapshot run on the app's loop, and it only gives commands, which never wait.
type robot struct {
	o    *options
	app  person
	say  io.Writer // for people
	shot func()    // takes the screenshot; nil: none
	done chan int  // of capacity 1: the exit code, once

	dialled   bool
	connected bool
	online    bool
	others    string // id of the last call that somebody else rang with: how it ends is not our end
	answers   string // id of the call to accept when its connection is prepared
	timers    []*time.Timer
}

// finish ends the program with that code; only the first one counts.
func (r *robot) finish(code int) {
	select {
	case r.done <- code:
	default:
	}
}

func (r *robot) tell(format string, args ...any) { _, _ = fmt.Fprintf(r.say, format+"\n", args...) }

// windowless says whether this is a command that ends by itself when it cannot go on; a window stays for the person.
func (r *robot) windowless() bool { return r.o.command != "" }

func (r *robot) event(e app.Event) {
	switch e.Event {
	case "sign-in-failed":
		if r.windowless() || r.o.once {
			r.tell("Sign-in failed: %s", e.Text)
			r.finish(exitSignIn)
		}
	case "untrusted":
		r.untrusted(e)
	case "signed-in":
		r.tell("Signed in as %s.", e.User)
		r.online = true
	case "offline":
		r.tell("%s", e.Text)
	case "dialing":
		r.tell("Calling %s…", e.User)
	case "ringing":
		r.tell("It rings.")
	case "incoming":
		r.incoming(e)
	case "prepared":
		if e.CallID == r.answers {
			r.answers = ""
			r.app.Accept(r.o.media.camera != none)
		}
	case "connected":
		r.connect(e)
	case "notice":
		r.tell("%s", e.Text)
	case "ended":
		r.ended(e)
	}
}

// untrusted says what can be done about a certificate: there is nobody who could be asked.
func (r *robot) untrusted(e app.Event) {
	if !r.windowless() {
		return // the window asks
	}
	if !r.o.hasPassword || r.online {
		r.tell("%s", e.Text) // else the failed sign-in has said it
	}
	r.tell("%s", howToTrust(e.Server, e.Fingerprint, e.Changed))
	if !r.online {
		r.finish(exitSignIn)
	}
}

func howToTrust(host, fingerprint string, changed bool) string {
	address := signal.Address{Host: host, Secure: true}.Naming(fingerprint)
	if changed {
		return "Nothing was sent to it. If you are sure that it is the right one: --server " + address
	}
	return "If it is the right one: --server " + address
}

func (r *robot) incoming(e app.Event) {
	r.tell("%s calls.", e.User)
	switch {
	case r.o.peer != "" && strings.EqualFold(r.o.peer, e.User):
		r.app.Accept(r.o.media.camera != none) // whom we are about to call was faster
	case !r.o.autoAnswer:
		if r.windowless() { // it may ring where there is a person
			r.others = e.CallID
		}
	case r.o.from != "" && !strings.EqualFold(r.o.from, e.User):
		r.others = e.CallID
		r.app.Decline()
	case r.o.after > 0:
		r.acceptAfter(r.o.after, e.CallID)
	case e.Early: // nobody answers at once: the connection that is made while it rings may stand first
		r.answers = e.CallID
		r.acceptAfter(preparedLimit, e.CallID)
	default:
		r.app.Accept(r.o.media.camera != none)
	}
}

// preparedLimit is how long a robot waits for the connection that is made while it rings.
const preparedLimit = 3 * time.Second

func (r *robot) acceptAfter(d time.Duration, id string) {
	r.after(d, func(s app.Snapshot) {
		if s.Call.ID == id {
			r.app.Accept(r.o.media.camera != none)
		}
	})
}

func (r *robot) connect(e app.Event) {
	r.tell("Connected with %s (%s).", e.User, e.Path)
	r.connected = true
	if d := r.o.duration; d > 0 {
		id := e.CallID
		r.after(d, func(s app.Snapshot) {
			if s.Call.ID == id {
				r.app.Hangup()
			}
		})
	}
	if r.shot != nil {
		r.timers = append(r.timers, time.AfterFunc(r.o.screenshotAfter, r.shot))
	}
}

// after runs f on the app's loop with the snapshot of then.
func (r *robot) after(d time.Duration, f func(app.Snapshot)) {
	r.timers = append(r.timers, time.AfterFunc(d, func() { r.app.View(f) }))
}

func (r *robot) ended(e app.Event) {
	r.tell("%s", e.Text)
	if e.CallID == r.others && r.others != "" {
		return
	}
	was := r.connected
	r.connected = false
	if r.o.once || r.o.peer != "" && r.windowless() {
		r.finish(exitCode(e.Reason, was))
	}
}

// exitCode tells a script how a call ended; connected says whether media ever flowed.
func exitCode(reason signal.EndReason, connected bool) int {
	switch reason {
	case signal.EndHangup:
		if connected {
			return exitOK
		}
		return exitNoConnection // hung up while it was still connecting
	case signal.EndPeerGone, signal.EndConnectionFailed, signal.EndServerLost, signal.EndServerStopped:
		return exitNoConnection
	}
	return exitNotAnswered
}

func (r *robot) snapshot(s app.Snapshot) {
	if r.windowless() && s.Link == app.SignedOut && !s.SigningIn && !r.o.hasPassword {
		r.tell("There is no session of %s at %s. Set VISAVIS_PASSWORD or use --password-file.", s.Settings.Name, s.Settings.Server)
		r.finish(exitSignIn)
		return
	}
	if s.Link != app.Online || r.o.peer == "" || r.dialled || s.Call.Live() {
		return
	}
	for _, p := range s.People {
		if strings.EqualFold(p.Name, r.o.peer) {
			if r.o.wait && !p.Online {
				return // until they are
			}
			r.dialled = true
			r.app.Dial(p.ID, r.o.media.camera != none)
			return
		}
	}
	r.dialled = true
	text := fmt.Sprintf("There is nobody called %s on this server.", r.o.peer)
	if strings.EqualFold(s.Self.Name, r.o.peer) {
		text = "That is you: you cannot call yourself."
	}
	r.tell("%s", text)
	if r.windowless() || r.o.once {
		r.finish(exitNotAnswered)
	}
}

func (r *robot) stop() {
	for _, t := range r.timers {
		t.Stop()
	}
}
