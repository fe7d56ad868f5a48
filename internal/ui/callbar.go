package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynewidget "fyne.io/fyne/v2/widget"

	"visavis.example/internal/app"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// callBar is the pill at the bottom with the switches of a call.
type callBar struct {
	p    *callPage
	root *fyne.Container
	row  *fyne.Container
	hint *hint
	gap  float32

	mic, cam, screen, chat, full, hang *widget.IconButton
}

func newCallBar(p *callPage) *callBar {
	b := &callBar{p: p, hint: newHint()}
	glass, red, blue := night(theme.ToneOnGlass), night(theme.ToneBad), night(theme.TonePrimary)
	white := night(theme.ToneOnColor)
	button := func(off, on string, lit theme.Tone, hint string, tapped func()) *widget.IconButton {
		t := widget.NewToggle(48, hint, [2]string{off, on}, [2]theme.Tone{glass, lit}, [2]theme.Tone{white, white}, tapped)
		t.OnHover = func(in bool) { b.hovered(t, in) }
		return t
	}
	b.mic = button("mic", "mic-off", red, "Mute (M)", b.toggleMic)
	b.cam = button("camera", "camera-off", red, "Camera off (V)", b.toggleCam)
	b.screen = button("screen", "screen-off", blue, "Share your screen (S)", b.toggleScreen)
	b.chat = button("chat", "chat", blue, "Chat (C)", p.toggleDrawer)
	b.full = button("fullscreen", "fullscreen-exit", glass, "Full screen (F)", p.fullScreen)
	b.hang = button("hang-up", "hang-up", red, "Hang up (Ctrl+D)", p.w.cmd.Hangup)
	b.hang.Fills[0] = red
	b.row = line(14, b.mic, b.cam, b.screen, b.chat, b.full, b.hang)
	b.root = container.NewStack(widget.NewPanel(theme.ToneGlass, canvas.RadiusMaximum), inset(18, 10, b.row))
	return b
}

// fit moves the buttons together where the window is narrow.
func (b *callBar) fit(width float32) {
	gap := clamp((width-24-36-6*48)/5, 4, 14)
	if gap != b.gap {
		b.gap = gap
		b.row.Layout = layout.NewCustomPaddedHBoxLayout(gap)
		b.row.Refresh()
	}
}

func (b *callBar) show(s app.Snapshot) {
	c := s.Call
	b.mic.SetOn(!c.Microphone)
	b.mic.Hint = either(c.Microphone, "Mute (M)", "Unmute (M)")
	b.cam.SetOn(!c.Camera)
	b.cam.Hint = either(c.Camera, "Camera off (V)", "Camera on (V)")
	b.screen.SetOn(c.Screen)
	b.screen.Hint = either(c.Screen, "Stop sharing (S)", "Share your screen (S)")
	b.screen.SetDisabled(!c.Screen && (!c.HasPeer() || len(s.Devices.Screens) == 0))
	if len(s.Devices.Screens) == 0 {
		b.screen.Hint = "No screen can be shared"
	}
	b.chat.SetOn(b.p.drawer.open())
	b.chat.SetCount(unread(s, c.PeerID))
	b.full.SetOn(b.p.w.win.FullScreen())
	b.full.Hint = either(b.p.w.win.FullScreen(), "Leave full screen (F)", "Full screen (F)")
	b.hang.Hint = either(c.HasPeer(), "Hang up (Ctrl+D)", "Cancel the call (Ctrl+D)")
	if t, ok := b.hint.over.(*widget.IconButton); ok {
		b.hint.say(t.Hint, t)
	}
}

func either(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

func unread(s app.Snapshot, id string) int {
	if id == lobby {
		return s.LobbyUnread
	}
	for _, p := range s.People {
		if p.ID == id {
			return p.Unread
		}
	}
	return 0
}

func (b *callBar) toggleMic() { b.p.w.cmd.SetMicrophone(!b.p.c.Microphone) }
func (b *callBar) toggleCam() { b.p.w.cmd.SetCamera(!b.p.c.Camera) }

// toggleScreen ends sharing, or begins it: at once when there is one screen, else after asking which.
func (b *callBar) toggleScreen() {
	screens := b.p.w.snap.Devices.Screens
	switch {
	case b.screen.Disabled():
	case b.p.c.Screen:
		b.p.w.cmd.SetScreen("")
	case len(screens) == 1:
		b.p.w.cmd.SetScreen(screens[0])
	case len(screens) > 1:
		var items []*fyne.MenuItem
		for _, name := range screens {
			items = append(items, fyne.NewMenuItem(name, func() { b.p.w.cmd.SetScreen(name) }))
		}
		menu := fynewidget.NewPopUpMenu(fyne.NewMenu("", items...), b.p.w.win.Canvas())
		at := fyne.CurrentApp().Driver().AbsolutePositionForObject(b.screen)
		menu.ShowAtPosition(at.SubtractXY(0, menu.MinSize().Height+12))
	}
}

// hovered keeps the controls awake and says what the button does.
func (b *callBar) hovered(t *widget.IconButton, in bool) {
	if in {
		b.hint.say(t.Hint, t)
	} else {
		b.hint.hide()
	}
	b.p.wake()
}

// hint is the small pill over the bar that names the button under the mouse.
type hint struct {
	root *fyne.Container
	text *widget.Text
	over fyne.CanvasObject
	wide float32
	base float32
}

func newHint() *hint {
	h := &hint{text: widget.NewText("", theme.Caption, night(theme.ToneText))}
	h.root = container.NewStack(widget.NewPanel(theme.ToneGlass, 8), inset(10, 5, h.text))
	h.root.Hide()
	return h
}

func (h *hint) say(s string, over fyne.CanvasObject) {
	if h.root.Visible() && h.over == over && h.text.Text() == s {
		return
	}
	h.over = over
	h.text.SetText(s)
	h.put()
	h.root.Show()
}

func (h *hint) hide() {
	h.over = nil
	if h.root.Visible() {
		h.root.Hide()
	}
}

// under is told how wide the window is and where the hint ends.
func (h *hint) under(width, base float32) {
	h.wide, h.base = width, base
	h.put()
}

func (h *hint) put() {
	m := h.root.MinSize()
	x := (h.wide - m.Width) / 2
	if h.over != nil {
		at := fyne.CurrentApp().Driver().AbsolutePositionForObject(h.over)
		x = at.X + h.over.Size().Width/2 - m.Width/2
	}
	widget.Place(h.root, clamp(x, 8, max(h.wide-m.Width-8, 8)), h.base-m.Height, m.Width, m.Height)
}
