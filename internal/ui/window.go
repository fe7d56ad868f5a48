package ui

import (
	"os"
	signals "os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// Sizes of the window: the start, and the smallest that everything is made for.
const (
	startWidth  float32 = 1100
	startHeight float32 = 700
	minWidth    float32 = 360
	minHeight   float32 = 420
)

// window owns the program's window and its pages, of which one is visible. Everything in it belongs to Fyne's thread.
type window struct {
	app  fyne.App
	win  fyne.Window
	cfg  Config
	cmd  Commands
	mail mailbox
	now  func() time.Time

	snap     app.Snapshot // the newest shown
	wasPhase call.Phase
	look     *theme.Theme
	tray     bool
	notify   bool
	saver    bool // there is a screen saver that can be told to wait
	awake    bool // and it has been
	away     bool // another program has the keyboard: nobody reads here

	signIn *signInPage
	main   *mainPage
	call   *callPage
	ended  *endedPage
	toasts *toasts
	trust  *trustCard
	ring   *ringWindow
	root   *fyne.Container
	page   fyne.CanvasObject // the one in sight

	unsubscribe func()
	gone        atomic.Bool // the window has closed
	stopClock   chan struct{}
	clockEnded  chan struct{}
}

// newWindow builds everything, without showing it.
func newWindow(a fyne.App, cfg Config) *window {
	if cfg.Title == "" {
		cfg.Title = "Visavis"
	}
	w := &window{app: a, cfg: cfg, cmd: cfg.App, now: time.Now, look: &theme.Theme{}}
	w.mail.show, w.mail.post = w.show, fyne.Do
	a.Settings().SetTheme(w.look)
	w.win = a.NewWindow(cfg.Title)
	w.win.SetPadded(false) // else the picture has a border
	w.win.SetMaster()
	w.signIn = newSignInPage(w)
	w.main = newMainPage(w)
	w.call = newCallPage(w)
	w.ended = newEndedPage(w)
	w.toasts = newToasts(w)
	w.trust = newTrustCard(w)
	w.ring = newRingWindow(w)
	w.root = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(minWidth, minHeight) },
		Place: func(s fyne.Size) {
			for _, o := range w.root.Objects {
				widget.Place(o, 0, 0, s.Width, s.Height)
			}
		},
	}, w.signIn.root, w.main.root, w.call.root, w.ended.root, w.toasts.root, w.trust.root)
	for _, p := range w.root.Objects[1:4] {
		p.Hide()
	}
	w.win.SetContent(w.root)
	w.win.Resize(fyne.NewSize(orElse(cfg.Width, startWidth), orElse(cfg.Height, startHeight)))
	w.win.SetCloseIntercept(w.closeAsked)
	w.addKeys()
	if cfg.AttachRemote != nil {
		cfg.AttachRemote(w.call.video)
	}
	if cfg.AttachSelf != nil {
		cfg.AttachSelf(w.call.self)
	}
	w.unsubscribe = cfg.App.Subscribe(w.mail.put)
	cfg.App.RefreshDevices()
	return w
}

func orElse(v, other float32) float32 {
	if v > 0 {
		return v
	}
	return other
}

// show draws s: which page, and what is on it.
func (w *window) show(s app.Snapshot) {
	was := w.snap
	w.snap = s
	w.setTheme(s.Settings.Theme)
	w.endQuietly(s.Call)
	w.announce(was, s)
	w.stayAwake(s.Call.Live())
	page := w.choose(s)
	turned := w.turnTo(page)
	w.signIn.show(s)
	if turned && page == w.signIn.root {
		w.signIn.focus()
	}
	if s.Link != app.SignedOut {
		w.main.show(s)
	} else if was.Link != app.SignedOut {
		w.main.forget()
	}
	w.call.show(s, page == w.call.root)
	w.ended.show(s)
	w.toasts.show(s.Notices)
	w.trust.show(s, page == w.call.root)
	w.ring.show(s)
	if page != w.call.root && w.win.FullScreen() {
		w.win.SetFullScreen(false)
	}
	if page == w.call.root && w.wasPhase == call.Incoming && s.Call.Phase != call.Incoming {
		w.raise() // accepted in the ringing window
	}
	w.wasPhase = s.Call.Phase
}

// turnTo puts a page in sight and says whether it was not.
func (w *window) turnTo(page fyne.CanvasObject) bool {
	for _, p := range w.root.Objects[:4] {
		setVisible(p, p == page)
	}
	if page == w.page {
		return false
	}
	w.page = page
	w.win.Canvas().Unfocus() // keys must not go to a field that cannot be seen any more
	return true
}

// choose gives the page that s asks for.
func (w *window) choose(s app.Snapshot) fyne.CanvasObject {
	switch s.Call.Phase {
	case call.Dialing, call.RingingOut, call.Accepting, call.Connecting, call.Active, call.Reconnecting:
		return w.call.root
	case call.Ended:
		if !w.quiet(s.Call) {
			return w.ended.root
		}
	case call.Idle, call.Incoming:
	}
	if s.Link == app.SignedOut {
		return w.signIn.root
	}
	return w.main.root
}

// quiet says whether the end of a call needs no page: one that only rang here, where a line on the main page will do.
func (w *window) quiet(c app.Call) bool {
	return c.Phase == call.Ended && !c.Outgoing && c.ID == w.ring.onlyRang
}

// endQuietly leaves a note in place of a page and dismisses.
func (w *window) endQuietly(c app.Call) {
	if !w.quiet(c) {
		return
	}
	switch signal.EndReason(c.Reason) {
	case signal.EndDeclined:
	case signal.EndCancelled, signal.EndNoAnswer:
		w.toasts.add("You missed a call from " + nameOf(c.Peer) + ".")
	default:
		w.toasts.add(app.EndText(c.Reason, false, nameOf(c.Peer)))
	}
	w.cmd.Dismiss()
}

func (w *window) setTheme(choice string) {
	if choice != w.look.Choice {
		w.look = &theme.Theme{Choice: choice}
		w.app.Settings().SetTheme(w.look)
	}
}

// raise brings the window to the person.
func (w *window) raise() {
	w.win.Show()
	w.win.RequestFocus()
}

// closeAsked: with a tray the window hides and calls still come in; without one nobody could bring it back. A call that only
// rings is not refused by it: the ringing window stays, or the person's other devices ring on.
func (w *window) closeAsked() {
	if w.tray && (!w.snap.Call.Live() || w.snap.Call.Phase == call.Incoming) {
		w.win.Hide()
		return
	}
	w.quit()
}

func (w *window) quit() {
	if !w.gone.Load() {
		w.silence()
		w.ring.close()
		w.win.Close()
		w.app.Quit()
	}
}

// silence ends everything that would still call fyne.Do: after the loop's end Fyne runs such calls on the caller's own
// goroutine, beside everything else. Any goroutine.
func (w *window) silence() {
	w.gone.Store(true)
	w.mail.closed.Store(true)
	w.call.video.Stop()
	w.call.self.Stop()
}

// run starts what needs a real window: the clock, the desktop, the news that it is open.
func (w *window) run() {
	w.stopClock, w.clockEnded = make(chan struct{}), make(chan struct{})
	go w.clock()
	w.app.Lifecycle().SetOnEnteredForeground(func() { w.setAway(false) })
	w.app.Lifecycle().SetOnExitedForeground(func() { w.setAway(true) })
	w.app.Lifecycle().SetOnStarted(func() {
		w.app.Settings().SetTheme(w.look) // what was drawn before the loop began has not heard of it
		w.startDesktop()
		if w.cfg.OnReady != nil {
			go w.cfg.OnReady(&Handle{w})
		}
	})
}

// clock lets time pass on the call page and for toasts, twice a second, and only when somebody looks at either.
func (w *window) clock() {
	defer close(w.clockEnded)
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	term := make(chan os.Signal, 1)
	signals.Notify(term, syscall.SIGINT, syscall.SIGTERM) // Fyne ends its loop by itself at these
	defer signals.Stop(term)
	var queued atomic.Bool
	for {
		select {
		case <-w.stopClock:
			return
		case <-term:
			w.silence()
		case <-t.C:
			if !w.gone.Load() && queued.CompareAndSwap(false, true) {
				fyne.Do(func() {
					queued.Store(false)
					w.tick()
				})
			}
		}
	}
}

// setAway follows the keyboard: what comes while another program has it is unread until somebody is back.
func (w *window) setAway(away bool) {
	if w.away = away; !away {
		w.main.chat.view.read(w.snap)
		w.call.drawer.chat.read(w.snap)
	}
}

// reads says whether a chat is before the person's eyes.
func (w *window) reads(id string) bool {
	for _, v := range []*chatView{w.main.chat.view, w.call.drawer.chat} {
		if v.id == id && v.seen() {
			return true
		}
	}
	return false
}

func (w *window) tick() {
	w.call.tick()
	w.toasts.tick()
}

// close ends what was started, after the window has closed.
func (w *window) close() {
	w.silence()
	w.unsubscribe()
	if w.cfg.AttachRemote != nil {
		w.cfg.AttachRemote(nil)
	}
	if w.cfg.AttachSelf != nil {
		w.cfg.AttachSelf(nil)
	}
	if w.stopClock != nil {
		close(w.stopClock)
		<-w.clockEnded
	}
}

// do and doAndWait run f on Fyne's thread from another goroutine, unless the window has closed.
func (w *window) do(f func()) {
	if !w.gone.Load() {
		fyne.Do(f)
	}
}

func (w *window) doAndWait(f func()) {
	if !w.gone.Load() {
		fyne.DoAndWait(func() {
			if !w.gone.Load() {
				f()
			}
		})
	}
}
