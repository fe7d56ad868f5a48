package ui

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
)

func asked(t *testing.T, f *fake, want ...string) {
	t.Helper()
	if got := f.take(); !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

func TestSignIn(t *testing.T) {
	w, f := open(t, 700, 700, app.Snapshot{Settings: app.Settings{Server: "calls.example.org", Name: "anna"}})
	p := w.signIn
	if !p.root.Visible() || w.main.root.Visible() || p.server.Text != "calls.example.org" || p.name.Text != "anna" {
		t.Fatalf("%v %q %q", p.root.Visible(), p.server.Text, p.name.Text)
	}
	if w.win.Canvas().Focused() != fyne.Focusable(p.password) {
		t.Error("the cursor is not in the first empty field")
	}
	test.Tap(p.submit)
	asked(t, f)
	if p.note.Text() == "" || w.win.Canvas().Focused() != fyne.Focusable(p.password) {
		t.Error("a missing password was not pointed out")
	}
	p.password.SetText("secret words")
	p.password.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	asked(t, f, "sign in calls.example.org anna secret words")

	f.set(func(s *app.Snapshot) { s.SigningIn = true })
	if p.submit.Text() != "Signing in…" || !p.submit.Disabled() || p.note.Visible() {
		t.Error("not busy:", p.submit.Text())
	}
	p.enter()
	test.Tap(p.submit)
	asked(t, f)
	f.set(func(s *app.Snapshot) { s.SigningIn, s.SignInError = false, "The password is wrong." })
	if p.note.Text() != "The password is wrong." || p.submit.Disabled() || p.password.Text == "" {
		t.Error("the failure is not shown, or what was typed is lost")
	}
	p.mode.Select(1)
	test.Tap(p.submit)
	asked(t, f, `look up calls.example.org ""`, `sign up calls.example.org anna secret words ""`)

	f.set(func(s *app.Snapshot) { *s = signedIn() })
	if p.root.Visible() || !w.main.root.Visible() || p.password.Text != "" {
		t.Error("the main page is not there, or the password still is")
	}
}

func TestTabOrderOfSignIn(t *testing.T) {
	w, _ := open(t, 700, 700, app.Snapshot{Settings: app.Settings{Server: "x"}})
	c := w.win.Canvas()
	c.Focus(w.signIn.server)
	for _, want := range []fyne.Focusable{w.signIn.name, w.signIn.password, w.signIn.submit} {
		if c.FocusNext(); c.Focused() != want {
			t.Fatalf("%T is focused, want %T", c.Focused(), want)
		}
	}
}

func TestPeople(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	b := w.main.side
	row := func(i int) *personRow { return b.people.Row(i).(*personRow) }
	if row(0).name.Text() != "Lobby" || row(1).name.Text() != "Bob" || row(1).badge.Count() != 2 || row(2).sub.Text() != "Test call: see and hear yourself" {
		t.Error("rows:", row(0).name.Text(), row(1).name.Text(), row(1).badge.Count(), row(2).sub.Text())
	}
	test.Tap(row(3).camera)
	test.Tap(row(3).phone)
	asked(t, f, "dial maria true", "dial maria false")
	if row(5).phone.Visible() || !row(5).chat.Visible() {
		t.Error("somebody offline has the wrong buttons")
	}
	test.Tap(row(5).chat)
	asked(t, f, "load chat dilan")
	test.Tap(row(1))
	asked(t, f, "load chat bob", "read bob")
	if !row(1).Chosen || row(5).Chosen || w.main.chat.head.name.Text() != "Bob" {
		t.Error("Bob's row is not marked")
	}
	b.search.SetText("RIA")
	if n := b.people.Count(); n != 1 || row(0).name.Text() != "Maria Keller" {
		t.Error(n, "found")
	}
	b.search.OnSubmitted("")
	asked(t, f, "load chat maria")
	b.search.SetText("nobody at all")
	if !b.none.Visible() {
		t.Error("an empty list says nothing")
	}
}

func TestManyPeopleStayFew(t *testing.T) {
	s := signedIn()
	for i := range 500 {
		s.People = append(s.People, app.Person{User: signal.User{ID: fmt.Sprint("p", i), Name: fmt.Sprint("Person ", i), Online: i%2 == 0}})
	}
	w, f := open(t, 1100, 700, s)
	if n := w.main.side.people.Held(); n > 12 {
		t.Errorf("%d rows held", n)
	}
	for range 20 {
		f.set(func(s *app.Snapshot) {})
	}
	if n := w.main.side.people.Held(); n > 12 {
		t.Errorf("%d rows held after 20 snapshots", n)
	}
}

func TestChat(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	w.main.openChat("bob")
	f.take()
	v := w.main.chat.view
	v.field.SetText("  see you  ")
	if v.send.Disabled() {
		t.Error("cannot be sent")
	}
	v.field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	asked(t, f, `to bob "see you"`)
	if v.field.Text != "" || !v.send.Disabled() {
		t.Error("the field was not emptied")
	}
	v.field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	asked(t, f)

	failed := v.log.Row(4).(*bubble)
	if failed.under.Hidden || failed.time.Text != "Not sent" || v.log.Row(5).(*bubble).time.Text != "Sending…" {
		t.Error("failed and pending lines look like others")
	}
	test.Tap(failed)
	asked(t, f, "resend bob -1")
	test.Tap(v.log.Row(1).(*bubble))
	asked(t, f)

	v.field.SetText("half a thou")
	w.main.openChat(lobby)
	if v.field.Text != "" || w.main.chat.phone.Visible() {
		t.Error("the lobby got Bob's draft or his buttons")
	}
	if b := v.log.Row(0).(*bubble); b.name.Text != "Maria Keller" || b.day.Text != "Yesterday" {
		t.Error("lobby line:", b.name.Text, b.day.Text)
	}
	v.field.SetText("hello")
	v.submit()
	w.main.openChat("bob")
	if v.field.Text != "half a thou" {
		t.Error("the draft is lost:", v.field.Text)
	}
	asked(t, f, "load chat ", `to all "hello"`, "load chat bob", "read bob")
}

func TestAnEmptyChatIsEmpty(t *testing.T) {
	w, _ := open(t, 1100, 450, signedIn())
	w.main.openChat("bob")
	v := w.main.chat.view
	v.log.ScrollToTop()
	w.main.openChat("maria")
	for i := range 6 {
		if v.log.Row(i) != nil {
			t.Errorf("line %d of Bob's chat is in Maria's", i)
		}
	}
	if !v.empty.Visible() {
		t.Error("nothing says that it is empty")
	}
}

func TestChatRefusesWhatTheServerWould(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	w.main.openChat("bob")
	f.take()
	long := string(make([]rune, signal.MaxChatRunes+1))
	w.main.chat.view.field.SetText(long)
	w.main.chat.view.submit()
	asked(t, f)
	if w.main.chat.view.field.Text != long || len(w.toasts.own) != 1 {
		t.Error("text lost, or nothing said")
	}
}

func TestLobbyUnread(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	f.set(func(s *app.Snapshot) {
		s.Lobby = append(slices.Clone(s.Lobby), said(4, "bob", "Bob", "", "news", 0))
		s.LobbyUnread = 1
	})
	if n := w.main.side.people.Row(0).(*personRow).badge.Count(); n != 1 {
		t.Error("unread:", n)
	}
	asked(t, f)
	w.main.openChat(lobby)
	asked(t, f, "load chat ", "read ")
	f.set(func(s *app.Snapshot) { s.LobbyUnread = 0 })
	if n := w.main.side.people.Row(0).(*personRow).badge.Count(); n != 0 {
		t.Error("unread after reading:", n)
	}
}

// What comes while another program has the keyboard is not read, though the chat is on the screen.
func TestNothingIsReadWhileAway(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	w.main.openChat("bob")
	asked(t, f, "load chat bob", "read bob")
	f.set(func(s *app.Snapshot) { s.People[0].Unread = 0 })
	w.setAway(true)
	f.set(func(s *app.Snapshot) { s.People[0].Unread = 1 })
	asked(t, f)
	if w.reads("bob") {
		t.Error("it counts as seen")
	}
	w.setAway(false)
	asked(t, f, "read bob")
	if !w.reads("bob") || w.reads(lobby) {
		t.Error("it does not count as seen")
	}
}

func TestCallsAndDetails(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	b := w.main.side
	b.tabs.Select(tabCalls)
	asked(t, f, "load calls false")
	row := b.calls.Row(0).(*callRow)
	if row.sub.Text() != "Missed video call" || row.time.Text() != "11:00" {
		t.Error(row.sub.Text(), row.time.Text())
	}
	test.Tap(row.again)
	test.Tap(b.calls.Row(4).(*callRow))
	asked(t, f, "dial bob true", "load calls true")
	test.Tap(b.calls.Row(1).(*callRow))
	asked(t, f, "show call call-2")
	d := w.main.details
	var got []string
	for _, x := range d.facts {
		got = append(got, x.value.Text())
	}
	want := []string{
		"Saturday, 14 March 2026, 09:00:00", "After 7 s", "12 min 44 s", "Maria Keller hung up", "Direct, from device to device",
		"0.4 s from answer to first sound or picture",
	}
	if !slices.Equal(got, want) || !d.root.Visible() {
		t.Errorf("%q", got)
	}
	f.set(func(s *app.Snapshot) {
		c := s.Calls[1]
		c.Path = signal.PathRelay
		s.CallDetails = &c
	})
	if got := d.facts[4].value.Text(); got != "Through the server's relay" {
		t.Error("the server's word did not win:", got)
	}
	test.Tap(d.again)
	test.Tap(d.chat)
	asked(t, f, "dial maria true", "load chat maria")
}

func TestMissedCallsAreCounted(t *testing.T) {
	missed := func(ids ...string) (list []signal.CallRecord) {
		for _, id := range ids {
			list = append(list, signal.CallRecord{ID: id, Missed: true})
		}
		return list
	}
	// Each step is what the server has said by then.
	for name, steps := range map[string][]struct {
		loaded bool
		calls  []signal.CallRecord
		want   int
	}{
		"somebody new":        {{false, nil, 0}, {true, nil, 0}, {true, missed("1"), 1}, {true, missed("2", "1"), 2}},
		"missed while away":   {{false, nil, 0}, {true, missed("1"), 0}, {true, missed("2", "1"), 1}},
		"not missed":          {{true, nil, 0}, {true, []signal.CallRecord{{ID: "1"}}, 0}, {true, append(missed("2"), signal.CallRecord{ID: "1"}), 1}},
		"loaded at first":     {{true, missed("1"), 0}, {true, missed("1"), 0}, {true, missed("2", "1"), 1}},
		"forgotten meanwhile": {{true, missed("1"), 0}, {true, nil, 0}, {true, missed("2"), 1}},
	} {
		t.Run(name, func(t *testing.T) {
			start := signedIn()
			start.Calls, start.CallsLoaded = steps[0].calls, steps[0].loaded
			w, f := open(t, 1100, 700, start)
			tabs := w.main.side.tabs
			for i, step := range steps {
				f.set(func(s *app.Snapshot) { s.Calls, s.CallsLoaded = step.calls, step.loaded })
				if got := tabs.Count(tabCalls); got != step.want {
					t.Errorf("step %d: %d missed calls, want %d", i, got, step.want)
				}
			}
			tabs.Select(tabCalls)
			tabs.Select(tabPeople)
			if got := tabs.Count(tabCalls); got != 0 {
				t.Errorf("%d missed calls after a look at the list", got)
			}
			f.set(func(s *app.Snapshot) { *s = app.Snapshot{} })
			f.set(func(s *app.Snapshot) { *s = signedIn() })
			if got := tabs.Count(tabCalls); got != 0 {
				t.Errorf("%d missed calls are news to somebody else", got)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	w, f := open(t, 1100, 900, signedIn())
	w.main.openSettings()
	asked(t, f, "devices")
	p := w.main.settings
	p.camera.SetSelected("USB Camera HD")
	p.sound.SetSelected("None")
	p.mic.SetSelected("System default")
	p.look.Select(1)
	test.Tap(p.voice[0])
	const voice = " EchoCancellation:true NoiseSuppression:true GainControl:true}"
	asked(t, f,
		"settings {Server:calls.example.org Name:Anna Brandt Camera:USB Camera HD Microphone: Speaker: Theme:dark"+voice,
		"settings {Server:calls.example.org Name:Anna Brandt Camera: Microphone: Speaker:none Theme:dark"+voice,
		"settings {Server:calls.example.org Name:Anna Brandt Camera: Microphone: Speaker: Theme:light"+voice,
		"settings {Server:calls.example.org Name:Anna Brandt Camera: Microphone: Speaker: Theme:dark EchoCancellation:false NoiseSuppression:true GainControl:true}")
	f.set(func(s *app.Snapshot) { s.Settings.EchoCancellation, s.Settings.GainControl = true, false })
	asked(t, f)
	if !p.voice[0].Checked || !p.voice[1].Checked || p.voice[2].Checked {
		t.Error("switches are not shown as they are")
	}
	f.set(func(s *app.Snapshot) { s.Settings.Theme, s.Settings.Camera = "light", "Camera that was unplugged" })
	asked(t, f) // showing is not choosing
	if theme.Now() != &theme.Light || p.camera.Selected != "Camera that was unplugged" || !slices.Contains(p.camera.Options, "Camera that was unplugged") {
		t.Error("look or camera not shown:", p.camera.Selected)
	}
}

func TestNarrowWindowTakesTurns(t *testing.T) {
	w, _ := open(t, 480, 600, signedIn())
	if !w.main.side.root.Visible() || w.main.welcome.root.Visible() {
		t.Fatal("the list is not what one sees first")
	}
	w.main.openChat("bob")
	if w.main.side.root.Visible() || !w.main.chat.root.Visible() || !w.main.chat.head.back.Visible() {
		t.Error("the chat does not take the place of the list")
	}
	test.Tap(w.main.chat.head.back)
	if !w.main.side.root.Visible() || w.main.chat.root.Visible() {
		t.Error("no way back")
	}
	w.main.openChat("bob")
	w.win.Resize(fyne.NewSize(1000, 600))
	if !w.main.side.root.Visible() || !w.main.chat.root.Visible() || w.main.chat.head.back.Visible() {
		t.Error("a wider window does not show both")
	}
}

func TestEverythingFitsSmallAndLarge(t *testing.T) {
	w, _ := open(t, 480, 600, signedIn())
	if m := w.root.MinSize(); m.Width > 480 || m.Height > 600 {
		t.Error("the window cannot be made small:", m)
	}
	for _, p := range w.root.Objects[:4] {
		if m := p.MinSize(); m.Width > 480 {
			t.Errorf("a page asks for %v", m)
		}
	}
}

func TestBannerAndNotices(t *testing.T) {
	w, f := open(t, 900, 600, signedIn())
	f.set(func(s *app.Snapshot) {
		s.Link, s.LinkNote, s.Notices = app.Connecting, "The server cannot be reached.", []string{"No camera found", "No microphone found"}
	})
	if !w.main.banner.root.Visible() || w.main.banner.text.Text() != "The server cannot be reached. Trying again…" {
		t.Error("banner:", w.main.banner.text.Text())
	}
	first := w.toasts.items[0]
	if !first.root.Visible() || first.note.Text() != "No camera found" || !w.toasts.items[1].root.Visible() || w.toasts.items[2].root.Visible() {
		t.Error("toasts")
	}
	w.toasts.dismiss(1)
	asked(t, f, "dismiss notice 1")
	w.now = func() time.Time { return noon.Add(toastFor) }
	w.tick()
	asked(t, f, "dismiss notice 0")
	w.toasts.add("Own words")
	w.now = func() time.Time { return noon.Add(3 * toastFor) }
	f.set(func(s *app.Snapshot) { s.Notices, s.Link = nil, app.Online })
	w.tick()
	if first.root.Visible() || w.main.banner.root.Visible() {
		t.Error("they stay for ever")
	}
}

func TestSigningOutForgets(t *testing.T) {
	w, f := open(t, 900, 600, signedIn())
	w.main.openChat("bob")
	w.main.chat.view.field.SetText("half a secret")
	f.set(func(s *app.Snapshot) { inCall(s, call.Active) })
	w.call.toggleDrawer()
	w.call.drawer.chat.field.SetText("the other half")
	f.set(func(s *app.Snapshot) { *s = app.Snapshot{Settings: s.Settings} })
	if !w.signIn.root.Visible() {
		t.Fatal("not at the sign-in page")
	}
	f.set(func(s *app.Snapshot) { *s = signedIn() })
	w.main.openChat("bob")
	if w.main.chat.view.field.Text != "" || w.main.side.search.Text != "" {
		t.Error("a draft of the former person is left")
	}
	f.set(func(s *app.Snapshot) { inCall(s, call.Active) })
	w.call.toggleDrawer()
	if text := w.call.drawer.chat.field.Text; text != "" {
		t.Errorf("%q of the former person is left in the call's chat", text)
	}
}

func TestMailboxKeepsTheNewest(t *testing.T) {
	var posted []func()
	var shown []string
	m := mailbox{show: func(s app.Snapshot) { shown = append(shown, s.Server) }, post: func(f func()) { posted = append(posted, f) }}
	for i := range 50 {
		m.put(app.Snapshot{Server: fmt.Sprint(i)})
	}
	if len(posted) != 1 {
		t.Fatal(len(posted), "calls on their way")
	}
	posted[0]()
	m.put(app.Snapshot{Server: "later"})
	m.closed.Store(true)
	posted[1]()
	m.put(app.Snapshot{Server: "too late"})
	if !slices.Equal(shown, []string{"49"}) || len(posted) != 2 {
		t.Error(shown, len(posted))
	}
}

func TestWelcomeOffersATestCall(t *testing.T) {
	w, f := open(t, 1100, 700, signedIn())
	test.Tap(w.main.welcome.echo)
	asked(t, f, "dial echo true")
	f.set(func(s *app.Snapshot) { s.People = nil })
	if w.main.welcome.echo.Visible() {
		t.Error("offered without Echo")
	}
}
