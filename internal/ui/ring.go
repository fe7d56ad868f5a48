package ui

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// ringWindow is the window that an incoming call opens: who calls, and yes or no. It is made once and hidden between
// calls. It is dark, as the call will be.
type ringWindow struct {
	w    *window
	win  fyne.Window // nil until the first call
	open bool

	avatar      *widget.Avatar
	name, words *widget.Text
	accept      *labelledButton
	other       *labelledButton // without camera; or, for a call without pictures, with one
	decline     *labelledButton
	waves       *waves

	video    bool   // the caller means to send a picture
	onlyRang string // id of the call that rings or rang here and was not accepted here
	put      string // id of the call whose window was put away: it rings on elsewhere, and can be answered in the main window
}

// labelledButton is a round button with words below it.
type labelledButton struct {
	root   fyne.CanvasObject
	button *widget.IconButton
	text   *widget.Text
}

func newLabelled(icon, words string, fill theme.Tone, tapped func()) *labelledButton {
	l := &labelledButton{text: widget.NewText(words, theme.Caption, night(theme.ToneMuted)).Centred()}
	l.button = widget.NewToggle(60, words, [2]string{icon, icon}, [2]theme.Tone{fill, fill},
		[2]theme.Tone{night(theme.ToneOnColor), night(theme.ToneOnColor)}, tapped)
	l.root = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(104, 86) },
		Place: func(s fyne.Size) {
			widget.Place(l.button, (s.Width-60)/2, 0, 60, 60)
			widget.Place(l.text, 0, 67, s.Width, 18)
		},
	}, l.button, l.text)
	return l
}

func newRingWindow(w *window) *ringWindow {
	r := &ringWindow{w: w}
	r.avatar = widget.NewAvatar(112, night(theme.TonePage))
	r.name = widget.NewText("", 24, night(theme.ToneText)).Strong().Centred().Short()
	r.words = widget.NewText("", theme.Name, night(theme.ToneMuted)).Centred()
	r.decline = newLabelled("hang-up", "Decline", night(theme.ToneBad), w.cmd.Decline)
	r.other = newLabelled("phone", "Without camera", night(theme.ToneOnGlass), func() { r.answer(!r.video) })
	r.accept = newLabelled("camera", "Accept", night(theme.ToneAccept), func() { r.answer(r.video) })
	r.waves = newWaves()
	return r
}

func (r *ringWindow) answer(video bool) {
	r.onlyRang = ""
	r.w.cmd.Accept(video)
}

// show opens the window for an incoming call and hides it when the ringing is over.
func (r *ringWindow) show(s app.Snapshot) {
	c := s.Call
	if c.Phase != call.Incoming {
		if c.HasPeer() || c.Phase == call.Accepting {
			r.onlyRang = ""
		}
		r.hide()
		return
	}
	r.onlyRang, r.video = c.ID, c.PeerVideo
	r.avatar.Set(nameOf(c.Peer), iconOf(c.Peer), widget.NoPresence)
	r.name.SetText(nameOf(c.Peer))
	r.words.SetText(either(r.video, "Incoming video call", "Incoming call"))
	icon, otherIcon := either(r.video, "camera", "phone"), either(r.video, "phone", "camera")
	r.accept.button.SetIcon(icon)
	r.other.button.SetIcon(otherIcon)
	r.other.text.SetText(either(r.video, "Without camera", "With camera"))
	if !r.open && r.put != c.ID {
		r.popUp()
	}
}

func (r *ringWindow) popUp() {
	r.open = true
	if r.win == nil {
		r.win = r.w.app.NewWindow("Incoming call")
		r.win.SetPadded(false)
		r.win.SetFixedSize(true)
		r.win.SetContent(r.content())
		r.win.Resize(fyne.NewSize(380, 420))
		r.win.SetCloseIntercept(r.putAway)
		r.win.Canvas().SetOnTypedKey(func(k *fyne.KeyEvent) {
			switch k.Name {
			case fyne.KeyReturn, fyne.KeyEnter:
				r.answer(r.video)
			case fyne.KeyEscape:
				r.w.cmd.Decline()
			}
		})
	}
	r.win.SetTitle(r.name.Text() + " is calling")
	r.win.CenterOnScreen()
	r.win.Show()
	r.win.RequestFocus()
	r.waves.start()
}

func (r *ringWindow) content() fyne.CanvasObject {
	back := canvas.NewRectangle(theme.Dark.Page)
	return container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(340, 400) },
		Place: func(s fyne.Size) {
			widget.Place(back, 0, 0, s.Width, s.Height)
			widget.Place(r.waves.root, (s.Width-220)/2, 14, 220, 220)
			widget.Place(r.avatar, (s.Width-112)/2, 68, 112, 112)
			widget.Place(r.name, 16, 218, s.Width-32, 34)
			widget.Place(r.words, 16, 254, s.Width-32, 22)
			y := s.Height - 86 - 24
			widget.Place(r.decline.root, s.Width/2-52-116, y, 104, 86)
			widget.Place(r.other.root, s.Width/2-52, y, 104, 86)
			widget.Place(r.accept.root, s.Width/2-52+116, y, 104, 86)
		},
	}, back, r.waves.root, r.avatar, r.name, r.words, r.decline.root, r.other.root, r.accept.root)
}

// putAway is what closing the window means: not now, and not here. It is not a refusal for all of the person's devices.
func (r *ringWindow) putAway() {
	r.put = r.onlyRang
	r.w.cmd.Silence()
	r.hide()
}

func (r *ringWindow) hide() {
	if r.open {
		r.open = false
		r.waves.stop()
		r.win.Hide()
	}
}

func (r *ringWindow) close() {
	if r.win != nil {
		r.waves.stop()
		r.win.Close()
		r.win = nil
	}
}

// waves are two rings that spread from the avatar while it rings.
type waves struct {
	root  *fyne.Container
	rings []*canvas.Circle
	anim  *fyne.Animation
}

func newWaves() *waves {
	v := &waves{}
	v.root = container.NewWithoutLayout()
	for range 2 {
		c := canvas.NewCircle(color.Transparent)
		c.StrokeWidth = 3
		v.rings = append(v.rings, c)
		v.root.Add(c)
	}
	v.anim = &fyne.Animation{Duration: 2 * time.Second, RepeatCount: fyne.AnimationRepeatForever, Curve: fyne.AnimationLinear, Tick: v.draw}
	return v
}

func (v *waves) draw(at float32) {
	for i, c := range v.rings {
		t := at + float32(i)*0.5
		if t > 1 {
			t--
		}
		d := 112 + t*100
		c.StrokeColor = theme.Alpha(theme.Dark.Good, uint8(150*(1-t)))
		widget.Place(c, (220-d)/2, (220-d)/2, d, d)
		c.Refresh()
	}
}

func (v *waves) start() { v.anim.Start() }
func (v *waves) stop()  { v.anim.Stop() }
