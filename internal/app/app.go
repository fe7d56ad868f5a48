package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// App is the client. Set the fields, then Start; the methods are commands that only post into the loop and never wait.
// Close hangs up, says so to the server, and returns when every goroutine has ended; it must not be called from a
// subscriber. A call that only rings here is left to the person's other devices.
type App struct {
	Dialer       Dialer
	Media        Media
	Secrets      Secrets         // nil: a session is not kept
	SettingsFile string          // "": settings are not kept
	Initial      Settings        // where the file says nothing
	Override     func(*Settings) // what the command line says, over the file; nil: nothing
	Device       string          // for people: "Anna's laptop"
	Client       string          // name/version
	RelayOnly    bool            // calls go through the relay only, and Echo's answers too
	ExportDir    string          // where a person's data is saved; "": where downloads go
	Logger       *slog.Logger

	mail   *mailbox        // the loop's
	shelf  *mailbox        // settings and secrets, in order, on a goroutine of its own
	done   chan struct{}   // closed when everything has ended
	ctx    context.Context // ends with the App: HTTPS calls hang on it
	cancel context.CancelFunc
	wg     sync.WaitGroup // everything but the loop and the shelf
	subID  atomic.Int64
	init   sync.Once

	// The loop's own from here on.
	snap        Snapshot
	dirty       bool
	closing     bool
	subs        map[int64]func(Snapshot)
	told        []func(Event)
	deviceID    string
	kept        Settings // what the file holds
	sess        *session
	signIn      int // counts sign-ins, so that a late answer to an earlier one is known
	people      map[string]signal.User
	unread      unread
	serverRun   string // of the server, as it was heard last
	pending     []*request
	quiet       []func() // run once nothing is left to say to the server
	run         *callRun
	inviteEarly bool // of the invite that is being looked at
	timer       *time.Timer
	nextLine    int64
	newInvite   string          // id of the invitation in Snapshot.Account.NewInvite
	loaded      map[string]bool // chats whose newest lines have been asked for
	trustAgain  func()          // what waits for the answer to Snapshot.Untrusted
	distrusted  map[[3]string]bool
}

// setUp makes what commands need, so that they may come before Start.
func (a *App) setUp() {
	a.init.Do(func() {
		a.mail, a.shelf = newMailbox(), newMailbox()
		a.done = make(chan struct{})
		a.ctx, a.cancel = context.WithCancel(context.Background())
		a.subs, a.people, a.loaded = map[int64]func(Snapshot){}, map[string]signal.User{}, map[string]bool{}
		a.unread.clear()
		a.deviceID = signal.NewID()
		if a.Logger == nil {
			a.Logger = slog.New(slog.DiscardHandler)
		}
	})
}

// Start reads the settings, begins the loop, and signs in by itself when a session is kept.
func (a *App) Start() error {
	if a.Dialer == nil || a.Media == nil {
		return errors.New("app: needs a Dialer and Media")
	}
	a.setUp()
	settings, err := LoadSettings(a.SettingsFile, a.Initial)
	a.kept = settings
	if a.Override != nil {
		a.Override(&settings)
	}
	a.snap.Settings, a.snap.Server = settings, settings.Server
	if err != nil {
		a.notice("Your settings could not be read: " + err.Error())
	}
	a.timer = time.NewTimer(time.Hour)
	a.timer.Stop()
	end := make(chan struct{})
	shelved := make(chan struct{})
	go func() { defer close(shelved); a.shelf.keep(end) }()
	a.resume()
	go func() {
		defer close(a.done)
		a.loop()
		a.clear()
		close(end)
		<-shelved
	}()
	return nil
}

// Close ends the App.
func (a *App) Close() {
	a.setUp()
	if a.timer == nil {
		return // never started
	}
	a.post(func() { // after the commands that were given before
		if !a.closing {
			a.closing = true
			a.hangUp()
			a.whenQuiet(func() {})
		}
	})
	<-a.done
}

// Subscribe has f called from the loop with every new snapshot, the present one first. f must not block. After cancel f
// may be called once more.
func (a *App) Subscribe(f func(Snapshot)) (cancel func()) {
	id := a.subID.Add(1)
	a.post(func() {
		a.subs[id] = f
		f(a.snap)
	})
	return func() { a.post(func() { delete(a.subs, id) }) }
}

// View has f called once from the loop with the snapshot as it is after the commands given before.
func (a *App) View(f func(Snapshot)) { a.post(func() { f(a.snap) }) }

// Events has f called from the loop with everything worth a line in a log; f must not block for long. Register before
// Start to miss nothing.
func (a *App) Events(f func(Event)) { a.post(func() { a.told = append(a.told, f) }) }

// post hands f to the loop.
func (a *App) post(f func()) {
	a.setUp()
	a.mail.put(f)
}

// spawn runs f beside the loop; Close waits for it.
func (a *App) spawn(f func()) { a.wg.Go(f) }

func (a *App) loop() {
	for !a.closing || len(a.quiet) > 0 {
		a.publish()
		var events <-chan signal.Event
		if a.sess != nil && a.sess.signaler != nil {
			events = a.sess.signaler.Events()
		}
		select {
		case <-a.mail.wake:
			for _, f := range a.mail.take() {
				f()
			}
		case e, ok := <-events:
			if !ok {
				a.sess.signaler = nil
				continue
			}
			a.gotEvent(e)
		case <-a.timer.C:
			a.apply(call.Timeout{ID: a.snap.Call.ID})
		}
	}
	a.publish()
}

// clear lets go of everything once the loop has ended. What was posted meanwhile still runs, so that a media connection
// that was being opened is closed and not forgotten.
func (a *App) clear() {
	a.timer.Stop()
	a.cancel()
	a.closePeer()
	a.dropSession()
	for {
		a.wg.Wait()
		rest := a.mail.take()
		if len(rest) == 0 {
			break
		}
		for _, f := range rest {
			f()
		}
	}
	a.Media.Close()
}

// changed marks the snapshot; it is handed out when the loop has done what it has at hand.
func (a *App) changed() { a.dirty = true }

func (a *App) publish() {
	if !a.dirty {
		return
	}
	a.dirty = false
	for _, f := range a.subs {
		f(a.snap)
	}
}

const maxNotices = 3

// notice adds a line for people; the same one is not said twice.
func (a *App) notice(text string) {
	if slices.Contains(a.snap.Notices, text) {
		return
	}
	n := append(slices.Clone(a.snap.Notices), text)
	a.snap.Notices = n[max(len(n)-maxNotices, 0):]
	a.tell(Event{Event: "notice", Text: text})
	a.changed()
}
