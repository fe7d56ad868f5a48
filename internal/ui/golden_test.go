package ui

import (
	"image"
	"testing"

	"fyne.io/fyne/v2/test"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
)

// Goldens live in testdata; a missing one fails and is written to testdata/failed: look at it, then move it up.

func TestCallLooksAsItDid(t *testing.T) {
	s := signedIn()
	inCall(&s, call.Active)
	s.Call.Microphone = false
	w, _ := open(t, 640, 400, s)
	flat(w.call.video, 64, 40, 90)
	flat(w.call.self, 64, 36, 150)
	test.AssertRendersToImage(t, "call.png", w.win.Canvas())
}

func TestRingingLooksAsItDid(t *testing.T) {
	w, f := open(t, 600, 500, signedIn())
	f.set(func(s *app.Snapshot) { inCall(s, call.Incoming) })
	w.ring.waves.stop()
	w.ring.waves.draw(0.5)
	test.AssertRendersToImage(t, "ringing.png", w.ring.win.Canvas())
}

func TestChatLooksAsItDid(t *testing.T) {
	s := signedIn()
	s.Settings.Theme = "light"
	w, _ := open(t, 800, 500, s)
	w.main.openChat("bob")
	w.win.Canvas().Unfocus()
	test.AssertRendersToImage(t, "chat.png", w.win.Canvas())
}

func TestSignInReadsAsItDid(t *testing.T) {
	w, _ := open(t, 480, 700, app.Snapshot{SignInError: "The password is wrong."})
	w.win.Canvas().Unfocus()
	test.AssertRendersToMarkup(t, "signin.xml", w.win.Canvas())
}

func flat(p interface {
	Buffer(w, h int) *image.RGBA
	Push(*image.RGBA)
}, w, h int, shade uint8,
) {
	b := p.Buffer(w, h)
	for i := range b.Pix {
		if i%4 != 3 {
			b.Pix[i] = shade
		}
	}
	p.Push(b)
}
