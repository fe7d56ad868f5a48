package app

import (
	"slices"
	"time"

	"visavis.example/internal/signal"
)

const (
	replyLimit    = 15 * time.Second
	farewellLimit = 1500 * time.Millisecond
)

// request is a message that has no reply yet.
type request struct {
	e     signal.Envelope
	done  func(signal.Envelope, error) // on the loop
	timer *time.Timer
	sent  bool // the signaler has it, and sees it through short cuts
	again bool // sent again after a reconnect, if the call is still the hub's
	bye   bool // ends a call: Close and SignOut wait for it
}

// ask sends e; done runs on the loop with the reply, the server's refusal, or the loss of the session with the server.
func (a *App) ask(e signal.Envelope, done func(signal.Envelope, error)) {
	r := a.begin(e, done)
	r.timer = time.AfterFunc(replyLimit, func() { a.post(func() { a.late(r) }) })
	if a.snap.Link != Online {
		a.post(func() { a.finish(r.e.RequestID, signal.Envelope{}, signal.ErrNotOnline) })
		return
	}
	a.send(r)
}

// late ends a request that has no reply. While the server cannot be reached that is no news: when it is back in time the
// reply comes, else the signaler says that it is lost.
func (a *App) late(r *request) {
	if r.sent && a.snap.Link == Connecting {
		r.timer.Reset(replyLimit)
		return
	}
	a.finish(r.e.RequestID, signal.Envelope{}, signal.ErrLost)
}

// insist is ask for what a call cannot do without: it outlives a lost socket. The call machine's timers end the waiting.
func (a *App) insist(e signal.Envelope, done func(signal.Envelope, error)) *request {
	r := a.begin(e, done)
	r.again = true
	if a.snap.Link == Online {
		a.send(r)
	}
	return r
}

// bid is insist for a call's last words.
func (a *App) bid(e signal.Envelope) {
	a.insist(e, func(signal.Envelope, error) {
		a.loadCalls(false) // the record is complete now
	}).bye = true
}

func (a *App) begin(e signal.Envelope, done func(signal.Envelope, error)) *request {
	e.RequestID = signal.NewID()
	r := &request{e: e, done: done}
	a.pending = append(a.pending, r)
	return r
}

func (a *App) send(r *request) {
	err := a.sess.signaler.Send(r.e)
	r.sent = err == nil
	if err != nil {
		// The socket has just been lost, and the event that says so is on its way; what is not sent again fails now.
		a.Logger.Debug("not sent", "method", r.e.Method, "err", err)
		if !r.again {
			a.post(func() { a.finish(r.e.RequestID, signal.Envelope{}, err) })
		}
	}
}

// finish ends a request, if it is still waiting.
func (a *App) finish(id string, reply signal.Envelope, err error) {
	i := slices.IndexFunc(a.pending, func(r *request) bool { return r.e.RequestID == id })
	if i < 0 {
		return
	}
	r := a.pending[i]
	a.pending = slices.Delete(a.pending, i, i+1)
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.done != nil {
		r.done(reply, err)
	}
	a.checkQuiet()
}

// fail ends those waiting requests that which picks.
func (a *App) fail(which func(*request) bool, err error) {
	for _, r := range slices.Clone(a.pending) {
		if which(r) {
			a.finish(r.e.RequestID, signal.Envelope{}, err)
		}
	}
}

// sayAgain sends what a lost socket may have swallowed; the server answers repeated messages as before. callID is the
// call the hub still counts this device to.
func (a *App) sayAgain(callID string) {
	a.fail(func(r *request) bool {
		fresh := r.e.Method == signal.CallInvite && a.snap.Call.Live() && r.e.CallID == a.snap.Call.ID
		return r.e.CallID != callID && !fresh
	}, signal.ErrLost)
	for _, r := range a.pending {
		if r.again {
			a.send(r)
		}
	}
}

// sayRest sends what could not be sent while the server was away; the rest was said again by the signaler.
func (a *App) sayRest() {
	for _, r := range a.pending {
		if r.again && !r.sent {
			a.send(r)
		}
	}
}

// whenQuiet runs f once every call's last words have been acknowledged, but not later than farewellLimit.
func (a *App) whenQuiet(f func()) {
	a.quiet = append(a.quiet, f)
	time.AfterFunc(farewellLimit, func() { a.post(a.runQuiet) })
	a.checkQuiet()
}

func (a *App) checkQuiet() {
	if a.snap.Link != Online || !slices.ContainsFunc(a.pending, func(r *request) bool { return r.bye }) {
		a.runQuiet()
	}
}

func (a *App) runQuiet() {
	for len(a.quiet) > 0 {
		f := a.quiet[0]
		a.quiet = a.quiet[1:]
		f()
	}
}
