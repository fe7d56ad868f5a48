package ui

import (
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/widget"
)

// calling opens the window in a call with Maria, both pictures there.
func calling(t *testing.T, width, height float32) (*window, *fake) {
	t.Helper()
	s := signedIn()
	inCall(&s, call.Active)
	w, f := open(t, width, height, s)
	push(w.call.video, 320, 180, 80)
	push(w.call.self, 320, 180, 120)
	f.take()
	return w, f
}

func TestCallButtons(t *testing.T) {
	w, f := calling(t, 900, 600)
	b := w.call.bar
	if !w.call.root.Visible() || w.main.root.Visible() {
		t.Fatal("not the call page")
	}
	test.Tap(b.mic)
	test.Tap(b.cam)
	test.Tap(b.screen)
	test.Tap(b.hang)
	asked(t, f, "microphone false", "camera false", `screen "Screen 1"`, "hang up")
	if b.mic.On() {
		t.Error("a button changed before the call did")
	}
	f.set(func(s *app.Snapshot) { s.Call.Microphone, s.Call.Camera, s.Call.Screen = false, false, true })
	if !b.mic.On() || !b.cam.On() || !b.screen.On() {
		t.Error("switches not shown")
	}
	test.Tap(b.mic)
	test.Tap(b.screen)
	asked(t, f, "microphone true", `screen ""`)
	f.set(func(s *app.Snapshot) { s.Call.Screen, s.Devices.Screens = false, nil })
	test.Tap(b.screen)
	asked(t, f)
}

func TestCallWords(t *testing.T) {
	s := signedIn()
	inCall(&s, call.Dialing)
	w, f := open(t, 900, 600, s)
	at := func(p call.Phase) string {
		f.set(func(s *app.Snapshot) { inCall(s, p) })
		return w.call.top.state.Text()
	}
	for p, want := range map[call.Phase]string{
		call.Dialing: "Calling…", call.RingingOut: "Ringing on 2 devices…", call.Accepting: "Connecting…", call.Connecting: "Connecting…",
		call.Active: "12:44", call.Reconnecting: "Reconnecting…",
	} {
		if got := at(p); got != want {
			t.Errorf("phase %d: %q, want %q", p, got, want)
		}
	}
	at(call.Active)
	w.now = func() time.Time { return noon.Add(time.Hour) }
	w.tick()
	if got := w.call.top.state.Text(); got != "1:12:44" {
		t.Error("an hour later:", got)
	}
	if w.call.top.mutedBox.Visible() {
		t.Error("muted without being so")
	}
	f.set(func(s *app.Snapshot) { s.Call.Peers.Microphone = false })
	if !w.call.top.mutedBox.Visible() {
		t.Error("the other's mute is not shown")
	}
}

func TestPictureOrAvatar(t *testing.T) {
	w, f := calling(t, 900, 600)
	if !w.call.video.Visible() || w.call.noPic.root.Visible() || !w.call.self.Visible() {
		t.Fatal("no picture")
	}
	if wide, _ := w.call.video.Wanted(); wide < 0 {
		t.Error("pictures are not wanted")
	}
	f.set(func(s *app.Snapshot) { s.Call.Peers.Camera = false })
	if w.call.video.Visible() || !w.call.noPic.root.Visible() || w.call.noPic.state.Text() != "Camera is off" {
		t.Error("no avatar:", w.call.noPic.state.Text())
	}
	if wide, _ := w.call.video.Wanted(); wide >= 0 {
		t.Error("pictures that nobody sees are wanted")
	}
	f.set(func(s *app.Snapshot) { s.Call.Camera = false })
	if w.call.self.Visible() {
		t.Error("a self view in a call without any picture")
	}
	f.set(func(s *app.Snapshot) { inCall(s, call.Ended) })
	f.set(func(s *app.Snapshot) {
		inCall(s, call.Active)
		s.Call.ID = "call-10"
	})
	if w.call.video.HasPicture() || !w.call.noPic.root.Visible() {
		t.Error("the next call opens with the last one's picture")
	}
	push(w.call.video, 320, 180, 10)
	if w.call.noPic.root.Visible() {
		t.Error("the avatar covers the first picture")
	}
}

func TestPausedPictureSaysSo(t *testing.T) {
	w, f := calling(t, 800, 600)
	if w.call.still.Visible() || w.call.top.poorBox.Visible() {
		t.Fatal("paused without being so")
	}
	f.set(func(s *app.Snapshot) { s.Call.Peers.Paused = true })
	if !w.call.still.Visible() || !w.call.video.Visible() {
		t.Error("no word on the last picture")
	}
	f.set(func(s *app.Snapshot) { s.Call.Peers.Camera = false })
	if w.call.still.Visible() {
		t.Error("a camera that is off is no slow line")
	}
	f.set(func(s *app.Snapshot) {
		s.Call.Peers = signal.Media{Microphone: true, Camera: true}
		s.Call.Paused, s.Call.Camera = true, true
	})
	if w.call.still.Visible() || !w.call.top.poorBox.Visible() || w.call.top.poor.Text() != "Your picture is paused" {
		t.Error("no word on our own picture:", w.call.top.poor.Text())
	}
}

func TestSharedScreenIsShownWhole(t *testing.T) {
	w, f := calling(t, 800, 600)
	if w.call.video.MaxCrop != mostCrop {
		t.Error(w.call.video.MaxCrop)
	}
	f.set(func(s *app.Snapshot) { s.Call.Peers = signal.Media{Screen: true} })
	if !w.call.video.Visible() || w.call.video.MaxCrop != 0 {
		t.Error("text at the edges is cut off:", w.call.video.MaxCrop)
	}
}

func TestSelfViewStaysWhereItWasPut(t *testing.T) {
	w, f := calling(t, 1000, 700)
	v := w.call.self
	before := v.Position()
	test.Drag(w.win.Canvas(), before.AddXY(40, 40), -300, -200)
	moved := v.Position()
	if moved != before.SubtractXY(300, 200) {
		t.Fatalf("from %v to %v", before, moved)
	}
	w.now = func() time.Time { return noon.Add(idleAfter) }
	w.tick() // hides the controls, which lays out
	f.set(func(s *app.Snapshot) { s.Call.Microphone = false })
	if v.Position() != moved {
		t.Error("jumped to", v.Position())
	}
	w.win.Resize(fyne.NewSize(1200, 800)) // it was nearest to the bottom right
	if got := v.Position(); got != moved.AddXY(200, 100) {
		t.Error("in a larger window at", got, "was", moved)
	}
	w.win.Resize(fyne.NewSize(480, 600))
	if p, s := v.Position(), v.Size(); p.X < 0 || p.Y < 0 || p.X+s.Width > 480 || p.Y+s.Height > 600 {
		t.Error("outside a smaller window:", p, s)
	}
	test.Drag(w.win.Canvas(), v.Position().AddXY(20, 20), -5000, -5000)
	if p := v.Position(); p.X < 0 || p.Y < 0 {
		t.Error("dragged out of the window:", p)
	}
}

func TestControlsGoAndComeBack(t *testing.T) {
	w, f := calling(t, 900, 600)
	later := func(d time.Duration) { w.now = func() time.Time { return noon.Add(d) } }
	later(idleAfter - time.Millisecond)
	w.tick()
	if !w.call.bar.root.Visible() {
		t.Error("gone too early")
	}
	later(idleAfter)
	w.tick()
	if w.call.bar.root.Visible() || w.call.top.root.Visible() {
		t.Fatal("still there")
	}
	test.MoveMouse(w.win.Canvas(), fyne.NewPos(300, 200))
	if !w.call.bar.root.Visible() || !w.call.top.root.Visible() {
		t.Fatal("the mouse does not bring them back")
	}
	later(2 * idleAfter)
	w.tick()
	w.key(&fyne.KeyEvent{Name: fyne.KeyTab})
	if !w.call.bar.root.Visible() {
		t.Error("a key does not bring them back")
	}
	f.set(func(s *app.Snapshot) { s.Call.Phase = call.Reconnecting })
	later(9 * idleAfter)
	w.tick()
	if !w.call.bar.root.Visible() {
		t.Error("gone while there is trouble")
	}
}

func TestHintsNameTheButtons(t *testing.T) {
	w, f := calling(t, 900, 600)
	w.call.bar.mic.MouseIn(&desktop.MouseEvent{})
	h := w.call.bar.hint
	if !h.root.Visible() || h.text.Text() != "Mute (M)" {
		t.Error("hint:", h.text.Text())
	}
	f.set(func(s *app.Snapshot) { s.Call.Microphone = false })
	if h.text.Text() != "Unmute (M)" {
		t.Error("hint after muting:", h.text.Text())
	}
	w.call.bar.mic.MouseOut()
	if h.root.Visible() {
		t.Error("the hint stays")
	}
}

func TestKeysInACall(t *testing.T) {
	w, f := calling(t, 900, 600)
	press := func(k fyne.KeyName) { w.win.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: k}) }
	press(fyne.KeyM)
	press(fyne.KeyV)
	press(fyne.KeyS)
	asked(t, f, "microphone false", "camera false", `screen "Screen 1"`)
	press(fyne.KeyF)
	if !w.win.FullScreen() || !w.call.bar.full.On() {
		t.Error("no full screen")
	}
	press(fyne.KeyEscape)
	if w.win.FullScreen() {
		t.Error("Escape does not leave full screen")
	}
	press(fyne.KeyF11)
	f.set(func(s *app.Snapshot) { inCall(s, call.Ended) })
	if w.win.FullScreen() {
		t.Error("the page after the call is full screen")
	}
	press(fyne.KeyEscape)
	asked(t, f, "dismiss")
	f.set(func(s *app.Snapshot) { s.Call = app.Call{} })
	press(fyne.KeyM)
	shortcut := &desktop.CustomShortcut{KeyName: fyne.KeyD, Modifier: fyne.KeyModifierControl}
	w.win.Canvas().(fyne.Shortcutable).TypedShortcut(shortcut)
	asked(t, f)
	f.set(func(s *app.Snapshot) { inCall(s, call.RingingOut) })
	w.win.Canvas().(fyne.Shortcutable).TypedShortcut(shortcut)
	asked(t, f, "hang up")
}

// The letter that opens the chat of a call comes after its key, when the field has the focus already: it is no text.
func TestTheKeyThatOpensTheChatIsNoText(t *testing.T) {
	w, _ := calling(t, 900, 600)
	w.win.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyC})
	field, ok := w.win.Canvas().Focused().(*widget.Field)
	if !ok || !w.call.drawer.open() {
		t.Fatal("the chat is not open")
	}
	field.TypedRune('c')
	if field.Text != "" {
		t.Errorf("the field begins with %q", field.Text)
	}
	field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyC})
	field.TypedRune('c')
	if field.Text != "c" {
		t.Errorf("then somebody types a c, and it has %q", field.Text)
	}
}

// TestKeysDoNotGoToHiddenFields: somebody types a message when the call they accepted comes up.
func TestKeysDoNotGoToHiddenFields(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	w.main.openChat("bob")
	if w.win.Canvas().Focused() == nil {
		t.Fatal("the chat is not ready for typing")
	}
	f.set(func(s *app.Snapshot) { inCall(s, call.Active) })
	if o := w.win.Canvas().Focused(); o != nil {
		t.Errorf("%T has the keys", o)
	}
}

// TestHiddenChatsAreNotRead: what comes during a call was not seen on the page behind it.
func TestHiddenChatsAreNotRead(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	w.main.openChat("bob")
	f.set(func(s *app.Snapshot) { inCall(s, call.Active) })
	f.take()
	f.set(func(s *app.Snapshot) { s.People[0].Unread = 5 })
	asked(t, f)
	f.set(func(s *app.Snapshot) { s.Call = app.Call{} })
	asked(t, f, "read bob")
}

func TestChatInTheCall(t *testing.T) {
	w, f := calling(t, 1100, 700)
	f.set(func(s *app.Snapshot) { s.People[2].Unread = 3 })
	test.Tap(w.call.bar.chat)
	asked(t, f, "load chat maria", "read maria")
	field := w.call.drawer.chat.field
	if !w.call.drawer.open() || w.win.Canvas().Focused() != fyne.Focusable(field) {
		t.Fatal("not open for writing")
	}
	if w.call.video.Size().Width != 1100-drawerWidth {
		t.Error("the drawer covers the picture:", w.call.video.Size())
	}
	field.SetText("m") // a letter in a message mutes nobody
	field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	asked(t, f, `to maria "m"`)
	field.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyM, Modifier: fyne.KeyModifierControl})
	asked(t, f, "microphone false")
	field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if w.call.drawer.open() || w.win.Canvas().Focused() != nil {
		t.Error("Escape does not close it, or the hidden field keeps the keys")
	}
	w.win.Resize(fyne.NewSize(480, 600))
	test.Tap(w.call.bar.chat)
	if y := w.call.drawer.root.Position().Y; y < 200 || w.call.bar.root.Position().Y > y {
		t.Error("in a narrow window the drawer covers the buttons:", y)
	}
}

func TestIncomingCall(t *testing.T) {
	s := signedIn()
	w, f := open(t, 900, 600, s)
	f.set(func(s *app.Snapshot) { inCall(s, call.Incoming) })
	r := w.ring
	if !r.open || r.name.Text() != "Maria Keller" || r.words.Text() != "Incoming video call" || r.win.Title() != "Maria Keller is calling" {
		t.Fatal("no ringing window:", r.open, r.name.Text(), r.words.Text())
	}
	if !w.main.incoming.root.Visible() || !w.main.root.Visible() {
		t.Error("the main window says nothing")
	}
	test.Tap(r.accept.button)
	test.Tap(r.other.button)
	test.Tap(r.decline.button)
	asked(t, f, "accept true", "accept false", "decline")
	f.set(func(s *app.Snapshot) { inCall(s, call.Accepting); s.Call.Outgoing = false })
	if r.open || !w.call.root.Visible() {
		t.Error("the ringing window stays")
	}
	f.set(func(s *app.Snapshot) { s.Call = app.Call{} })

	f.set(func(s *app.Snapshot) { inCall(s, call.Incoming); s.Call.PeerVideo = false })
	test.Tap(r.accept.button)
	test.Tap(r.other.button)
	asked(t, f, "accept false", "accept true")
	if r.words.Text() != "Incoming call" || r.other.text.Text() != "With camera" {
		t.Error("a call without pictures:", r.words.Text(), r.other.text.Text())
	}
	r.win.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyReturn})
	r.win.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyEscape})
	asked(t, f, "accept false", "decline")
}

// TestPuttingTheRingingWindowAway: closing it is not declining, which would stop the ringing on the person's other devices.
func TestPuttingTheRingingWindowAway(t *testing.T) {
	w, f := open(t, 900, 600, signedIn())
	f.set(func(s *app.Snapshot) { inCall(s, call.Incoming) })
	w.ring.putAway()
	asked(t, f, "silence")
	f.set(func(s *app.Snapshot) { s.Call.Ringing = 1 })
	if w.ring.open || !w.main.incoming.root.Visible() {
		t.Error("the window comes back, or the call cannot be answered here any more")
	}
	f.set(func(s *app.Snapshot) { s.Call = app.Call{} })
	f.set(func(s *app.Snapshot) { inCall(s, call.Incoming); s.Call.ID = "call-10" })
	if !w.ring.open {
		t.Error("the next call does not pop up")
	}
}

// TestClosingWhileItRings: with a tray the window only hides; the call goes on ringing.
func TestClosingWhileItRings(t *testing.T) {
	w, f := open(t, 900, 600, signedIn())
	w.tray = true
	f.set(func(s *app.Snapshot) { inCall(s, call.Incoming) })
	w.closeAsked()
	asked(t, f)
	if w.gone.Load() || !w.ring.open {
		t.Error("the program ended, or the ringing window went")
	}
}

func TestCallThatOnlyRangLeavesALine(t *testing.T) {
	for reason, want := range map[signal.EndReason]string{
		signal.EndCancelled: "You missed a call from Maria Keller.", signal.EndAnsweredElsewhere: "You answered on another device.", signal.EndDeclined: "",
	} {
		w, f := open(t, 900, 600, signedIn())
		f.set(func(s *app.Snapshot) { inCall(s, call.Incoming) })
		f.set(func(s *app.Snapshot) { s.Call.Phase, s.Call.Reason = call.Ended, string(reason) })
		asked(t, f, "dismiss")
		if w.ended.root.Visible() || w.ring.open {
			t.Error(reason, "has a page, or rings on")
		}
		got := ""
		if len(w.toasts.own) > 0 {
			got = w.toasts.own[0].text
		}
		if got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

func TestEndPage(t *testing.T) {
	w, f := calling(t, 900, 600)
	end := func(reason signal.EndReason, lasted time.Duration) (string, string) {
		f.set(func(s *app.Snapshot) {
			inCall(s, call.Ended)
			s.Call.Reason, s.Call.Lasted = string(reason), lasted
		})
		return w.ended.title.Text(), w.ended.more.Text()
	}
	for reason, want := range map[signal.EndReason]string{
		signal.EndDeclined: "Maria Keller declined the call", signal.EndBusy: "Maria Keller is in another call", signal.EndNoAnswer: "Maria Keller did not answer",
		signal.EndOffline: "Maria Keller is not online", signal.EndServerLost: "The server could not be reached", signal.EndCancelled: "You cancelled the call",
		signal.EndConnectionFailed: "No connection to Maria Keller could be made or kept", signal.EndServerStopped: "The server was shut down",
	} {
		if got, _ := end(reason, 0); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
	if got, more := end(signal.EndHangup, 764*time.Second); got != "The call has ended" || more != "You talked for 12 min 44 s." {
		t.Error(got, more)
	}
	test.Tap(w.ended.again)
	test.Tap(w.ended.back)
	test.Tap(w.ended.chat)
	asked(t, f, "dial maria true", "dismiss", "dismiss", "load chat maria")
}

func TestStatsLine(t *testing.T) {
	w, f := calling(t, 900, 600)
	test.Tap(w.call.top.root)
	f.set(func(s *app.Snapshot) {
		s.Call.Quality = app.Quality{
			Path: signal.PathRelay, RTT: 34 * time.Millisecond, LossPercent: 1.25, SendKbps: 900, ReceiveKbps: 1200,
			ReceiveSize: [2]int{1280, 720}, ReceiveFPS: 29.7, VideoCodec: "VP8",
		}
	})
	if got, want := w.call.top.numbers.Text(), "relayed · 34 ms · 1.2 % lost · ↓ 1200 ↑ 900 kbit/s · 1280×720 at 30 · VP8"; got != want || !w.call.top.stats.Visible() {
		t.Errorf("%q, want %q", got, want)
	}
	test.Tap(w.call.top.root)
	if w.call.top.stats.Visible() {
		t.Error("cannot be closed")
	}
}

// TestMergeKeepsThePicture: both dialled each other, and the call goes on under the other's id.
func TestMergeKeepsThePicture(t *testing.T) {
	w, f := calling(t, 900, 600)
	f.set(func(s *app.Snapshot) { s.Call.ID = "the other's" })
	if !w.call.video.HasPicture() {
		t.Error("the picture was thrown away")
	}
}

func TestClosingStopsPictures(t *testing.T) {
	var remote, self []PictureTarget
	f := &fake{snap: signedIn()}
	w := newWindow(test.NewTempApp(t), Config{
		App: f, AttachRemote: func(p PictureTarget) { remote = append(remote, p) }, AttachSelf: func(p PictureTarget) { self = append(self, p) },
	})
	w.close()
	if len(remote) != 2 || remote[0] == nil || remote[1] != nil || len(self) != 2 || self[1] != nil {
		t.Error(remote, self)
	}
	if wide, _ := remote[0].Wanted(); wide >= 0 {
		t.Error("a closed window wants pictures")
	}
	asked(t, f, "devices", "unsubscribe")
}
