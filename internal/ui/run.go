// Package ui is the window: it draws app.Snapshots and asks for things through Commands. Views are built once and changed
// by show; everything here runs on Fyne's thread, and the only way in from other goroutines is a mailbox that keeps the
// newest snapshot (or picture) and at most one fyne.Do on its way. cmd/client calls Run. Media, signaling and decoding never
// wait for this package, and it never reaches pion, devices or C of ours.
package ui

import (
	"errors"
	"image"
	"os"
	"runtime"
	"time"

	fyneapp "fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/driver/software"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
)

// Commands is what a person can ask for; *app.App is the real one. None of its methods blocks.
type Commands interface {
	SignIn(server, name, password string)
	SignUp(server, name, password, invite string)
	LookUp(server, invite string)
	SignOut()
	Trust(yes bool) // of the certificate in Snapshot.Untrusted
	SignOutEverywhere()
	AccountCommands

	Dial(userID string, video bool)
	Accept(video bool)
	Decline()
	Silence()
	Hangup()
	Dismiss()
	SetMicrophone(on bool)
	SetCamera(on bool)
	SetScreen(name string)

	SendToAll(text string)
	SendTo(userID, text string)
	Resend(userID string, id int64)
	MarkRead(userID string)
	LoadChat(userID string)
	LoadOlder(userID string)
	LoadCalls(more bool)
	ShowCall(id string)

	SetSettings(app.Settings)
	RefreshDevices()
	DismissNotice(i int)

	// Subscribe calls f with the present snapshot and with every later one, one after the other, from the app's loop.
	Subscribe(f func(app.Snapshot)) (cancel func())
}

// AccountCommands are those about the own account.
type AccountCommands interface {
	LoadAccount()
	SetDND(on bool, until time.Time)
	ChangePassword(old, fresh string)
	EndSession(id string)
	EndOtherSessions()
	Block(userID string)
	Unblock(userID string)
	CreateInvite()
	RevokeInvite(id string)
	Export()
	DeleteAccount(password string, lines bool)
}

// PictureTarget is a place for moving pictures. Its methods may be called from one goroutine at a time and never wait for
// the UI.
type PictureTarget interface {
	// Buffer gives an opaque image of that size to write into; every alpha byte is 255 and has to stay so.
	Buffer(w, h int) *image.RGBA
	// Push hands a filled buffer over; the caller must not touch it again. A picture that nobody saw yet is dropped.
	Push(*image.RGBA)
	// Wanted is the size in pixels at which pictures are shown, 0 by 0 when that is not known yet, and negative while nobody
	// can see them: skip the conversion then.
	Wanted() (w, h int)
}

// Config is what Run needs.
type Config struct {
	App Commands
	// AttachRemote and AttachSelf get the place of the other's picture and of one's own, once, before the window opens,
	// and nil when the window has closed.
	AttachRemote, AttachSelf func(PictureTarget)
	Title                    string // "": Visavis
	ID                       string // of the program, for the desktop; "": example.visavis
	// OnReady is called on a goroutine of its own when the window is open. May be nil.
	OnReady func(*Handle)
	// Width and Height of the window at the start, 0: 1100x700.
	Width, Height float32
	// NoDesktop leaves out tray and notifications: for automation.
	NoDesktop bool
}

// Handle lets automation reach the open window. Its methods wait for Fyne's thread: never call them on it.
type Handle struct{ w *window }

// Capture gives the window's picture; nil when the window has closed. It is drawn once more, in software: reading it back
// from the screen gives black under Mesa's software renderer, and whatever covers the window elsewhere.
func (h *Handle) Capture() (m image.Image) {
	h.w.doAndWait(func() {
		on := h.w.win.Canvas()
		paper := software.NewCanvas()
		paper.SetPadded(false)
		paper.SetScale(on.Scale())
		paper.Resize(on.Size())
		paper.SetContent(on.Content()) // has that size already, so that nothing moves
		m = paper.Capture()
	})
	return m
}

// Close closes the window, which ends Run. It may be called at any time and more than once.
func (h *Handle) Close() { h.w.do(h.w.quit) }

// Run opens the window and blocks until it has been closed. It must be called on the main goroutine (systems give the
// first thread alone the right to open windows).
func Run(cfg Config) error {
	if !displayThere() {
		return errors.New("no display: neither WAYLAND_DISPLAY nor DISPLAY is set")
	}
	if cfg.ID == "" {
		cfg.ID = "example.visavis"
	}
	a := fyneapp.NewWithID(cfg.ID)
	a.SetIcon(theme.AppIcon())
	w := newWindow(a, cfg)
	w.run()
	w.win.Show()
	a.Run()
	w.close()
	return nil
}

// displayThere says whether a window can be opened at all; Fyne would end the program without a word to its caller.
func displayThere() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}
