package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"visavis.example/internal/call"
)

// addKeys sets the window's own keys. Single letters reach it only while no entry has the focus.
func (w *window) addKeys() {
	c := w.win.Canvas()
	c.SetOnTypedKey(w.key)
	for _, s := range []struct {
		key fyne.KeyName
		do  func()
	}{
		{fyne.KeyD, func() { w.inCall(w.cmd.Hangup) }},
		{fyne.KeyM, func() { w.inCall(w.call.bar.toggleMic) }},
		{fyne.KeyE, func() { w.inCall(w.call.bar.toggleCam) }},
		{fyne.KeyQ, w.quit},
		{fyne.KeyK, w.main.search},
	} {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: s.key, Modifier: fyne.KeyModifierControl}, func(fyne.Shortcut) { s.do() })
	}
}

func (w *window) inCall(do func()) {
	if w.call.showing {
		w.call.wake()
		do()
	}
}

func (w *window) key(k *fyne.KeyEvent) {
	switch {
	case w.call.showing:
		w.callKey(k.Name)
	case w.trust.root.Visible():
		if k.Name == fyne.KeyEscape {
			w.cmd.Trust(false)
		}
	case w.ended.root.Visible():
		if k.Name == fyne.KeyEscape || k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter {
			w.cmd.Dismiss()
		}
	case w.snap.Call.Phase == call.Incoming && k.Name == fyne.KeyEscape:
		w.cmd.Decline()
	case k.Name == fyne.KeyEscape:
		w.main.back()
	}
}

func (w *window) callKey(k fyne.KeyName) {
	w.call.wake()
	switch k {
	case fyne.KeyM:
		w.call.bar.toggleMic()
	case fyne.KeyV:
		w.call.bar.toggleCam()
	case fyne.KeyS:
		w.call.bar.toggleScreen()
	case fyne.KeyC:
		w.call.toggleDrawer()
		w.call.drawer.chat.field.Deafen()
	case fyne.KeyI:
		w.call.top.toggleStats()
	case fyne.KeyF, fyne.KeyF11:
		w.call.fullScreen()
	case fyne.KeyEscape:
		if w.win.FullScreen() {
			w.call.fullScreen()
		}
	}
}
