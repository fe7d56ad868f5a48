package ui

import (
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

func printOf(pair string) string { return strings.Repeat(pair+":", 31) + pair }

func stranger() *signal.Untrusted {
	return &signal.Untrusted{Host: "calls.example.org:8443", Shown: printOf("AB")}
}

func another() *signal.Untrusted {
	u := stranger()
	u.Known, u.Since = printOf("CD"), time.Date(2026, 2, 3, 12, 0, 0, 0, time.Local)
	return u
}

func init() {
	scenes["unknown-server"] = func(_ *window, f *fake) {
		f.set(func(s *app.Snapshot) { *s = app.Snapshot{Settings: s.Settings, Untrusted: stranger()} })
	}
	scenes["changed-server"] = func(_ *window, f *fake) {
		f.set(func(s *app.Snapshot) { s.Link, s.Untrusted = app.Connecting, another() })
	}
}

func TestAnUnknownServerIsAskedAbout(t *testing.T) {
	w, f := open(t, 700, 700, app.Snapshot{})
	if w.trust.root.Visible() {
		t.Fatal("asked about nothing")
	}
	w.win.Canvas().Focus(w.signIn.name)
	f.set(func(s *app.Snapshot) { s.Untrusted = stranger() })
	if !w.trust.root.Visible() || w.win.Canvas().Focused() != nil {
		t.Fatal("not asked, or the cursor is still in a field below")
	}
	if got := strings.Join(strings.Fields(w.trust.shownPrint.Text()), ":"); got != printOf("AB") {
		t.Errorf("it shows %q", w.trust.shownPrint.Text())
	}
	if w.trust.known.Visible() || w.trust.knownPrint.Visible() && w.trust.knownPrint.Text() != "" {
		t.Error("it shows a certificate that it should have")
	}
	test.Tap(w.trust.yes)
	asked(t, f, "trust true")
	test.Tap(w.trust.no)
	asked(t, f, "trust false")
	w.key(&fyne.KeyEvent{Name: fyne.KeyEscape})
	asked(t, f, "trust false")
	w.key(&fyne.KeyEvent{Name: fyne.KeyReturn})
	asked(t, f) // nobody trusts by habit
	f.set(func(s *app.Snapshot) { s.Untrusted = nil })
	if w.trust.root.Visible() {
		t.Error("the question stays")
	}
}

func TestAChangedServerIsWarnedOf(t *testing.T) {
	w, f := open(t, 480, 600, signedIn())
	f.set(func(s *app.Snapshot) { s.Link, s.Untrusted = app.Connecting, another() })
	c := w.trust
	if !c.root.Visible() || !strings.HasPrefix(c.title.Text(), "Warning") || !strings.Contains(c.known.Text(), "2026-02-03") || c.knownPrint.Text() == "" || !c.yes.Visible() {
		t.Errorf("%v %q %q", c.root.Visible(), c.title.Text(), c.known.Text())
	}
	f.set(func(s *app.Snapshot) {
		u := another()
		u.Named, u.Vouched = true, true
		s.Untrusted = u
	})
	if c.yes.Visible() || !strings.Contains(c.words.Text(), "authority vouches") || !strings.Contains(c.words.Text(), "another address") {
		t.Errorf("an address that names a certificate: %q", c.words.Text())
	}
	f.set(func(s *app.Snapshot) { inCall(s, call.Active) })
	if c.root.Visible() {
		t.Error("it hides a call")
	}
	f.set(func(s *app.Snapshot) { s.Call = app.Call{} })
	if !c.root.Visible() {
		t.Error("after the call it is not asked")
	}
}
