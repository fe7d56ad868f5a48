package ui

import (
	"fmt"
	"sync"
	"time"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// fake is an App that writes down what it is asked for, and does the simplest thing that could be right.
type fake struct {
	mu    sync.Mutex
	snap  app.Snapshot
	asked []string
	f     func(app.Snapshot)
}

func (a *fake) ask(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, fmt.Sprintf(format, args...))
}

// take gives what was asked for since the last take.
func (a *fake) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.asked
	a.asked = nil
	return got
}

// set changes the snapshot and publishes it.
func (a *fake) set(f func(*app.Snapshot)) {
	a.mu.Lock()
	f(&a.snap)
	s, to := a.snap, a.f
	a.mu.Unlock()
	if to != nil {
		to(s)
	}
}

func (a *fake) Subscribe(f func(app.Snapshot)) func() {
	a.mu.Lock()
	a.f = f
	s := a.snap
	a.mu.Unlock()
	f(s)
	return func() { a.ask("unsubscribe") }
}

func (a *fake) SignIn(server, name, password string) {
	a.ask("sign in %s %s %s", server, name, password)
}

func (a *fake) SignUp(server, name, password, invite string) {
	a.ask("sign up %s %s %s %q", server, name, password, invite)
}
func (a *fake) LookUp(server, invite string)          { a.ask("look up %s %q", server, invite) }
func (a *fake) SignOutEverywhere()                    { a.ask("sign out everywhere") }
func (a *fake) Silence()                              { a.ask("silence") }
func (a *fake) LoadAccount()                          { a.ask("load account") }
func (a *fake) ChangePassword(old, fresh string)      { a.ask("password %s %s", old, fresh) }
func (a *fake) EndSession(id string)                  { a.ask("end session %s", id) }
func (a *fake) EndOtherSessions()                     { a.ask("end other sessions") }
func (a *fake) Block(id string)                       { a.ask("block %s", id) }
func (a *fake) Unblock(id string)                     { a.ask("unblock %s", id) }
func (a *fake) CreateInvite()                         { a.ask("invite") }
func (a *fake) RevokeInvite(id string)                { a.ask("revoke %s", id) }
func (a *fake) Export()                               { a.ask("export") }
func (a *fake) DeleteAccount(pass string, lines bool) { a.ask("delete %s %v", pass, lines) }
func (a *fake) SetDND(on bool, until time.Time) {
	if until.IsZero() {
		a.ask("dnd %v", on)
	} else {
		a.ask("dnd %v until %s", on, until.Format("02 15:04"))
	}
}
func (a *fake) Trust(yes bool)             { a.ask("trust %v", yes) }
func (a *fake) SignOut()                   { a.ask("sign out") }
func (a *fake) Dial(id string, video bool) { a.ask("dial %s %v", id, video) }
func (a *fake) Accept(video bool)          { a.ask("accept %v", video) }
func (a *fake) Decline()                   { a.ask("decline") }
func (a *fake) Hangup()                    { a.ask("hang up") }
func (a *fake) Dismiss()                   { a.ask("dismiss") }
func (a *fake) SetMicrophone(on bool)      { a.ask("microphone %v", on) }
func (a *fake) SetCamera(on bool)          { a.ask("camera %v", on) }
func (a *fake) SetScreen(name string)      { a.ask("screen %q", name) }
func (a *fake) SendToAll(text string)      { a.ask("to all %q", text) }
func (a *fake) SendTo(id, text string)     { a.ask("to %s %q", id, text) }
func (a *fake) Resend(id string, n int64)  { a.ask("resend %s %d", id, n) }
func (a *fake) MarkRead(id string)         { a.ask("read %s", id) }
func (a *fake) LoadChat(id string)         { a.ask("load chat %s", id) }
func (a *fake) LoadOlder(id string)        { a.ask("load older %s", id) }
func (a *fake) LoadCalls(more bool)        { a.ask("load calls %v", more) }
func (a *fake) ShowCall(id string)         { a.ask("show call %s", id) }
func (a *fake) SetSettings(s app.Settings) { a.ask("settings %+v", s) }
func (a *fake) RefreshDevices()            { a.ask("devices") }
func (a *fake) DismissNotice(i int)        { a.ask("dismiss notice %d", i) }

// noon is when all tests happen.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.Local)

// signedIn is somebody's ordinary day.
func signedIn() app.Snapshot {
	self := signal.User{ID: "self-0000000000000000", Name: "Anna Brandt", Kind: signal.KindPerson, Online: true}
	people := []app.Person{
		{User: signal.User{ID: "bob", Name: "Bob", Kind: signal.KindPerson, Online: true}, Unread: 2},
		{User: signal.User{ID: "echo", Name: "Echo", Kind: signal.KindEcho, Online: true}},
		{User: signal.User{ID: "maria", Name: "Maria Keller", Kind: signal.KindPerson, Online: true}},
		{User: signal.User{ID: "xavier", Name: "Xavier Bartholomew Montgomery-Featherstone", Kind: signal.KindPerson, Online: true}},
		{User: signal.User{ID: "dilan", Name: "dilan", Kind: signal.KindPerson}},
		{User: signal.User{ID: "olga", Name: "Ольга Петрова", Kind: signal.KindPerson}},
	}
	return app.Snapshot{
		Server: "calls.example.org", Link: app.Online, Self: self, People: people,
		Lobby: []app.Line{
			said(1, "maria", "Maria Keller", "", "Good morning, everybody!", -26*time.Hour),
			said(2, "bob", "Bob", "", "Morning. Is the new server up?", -25*time.Hour),
			said(3, self.ID, self.Name, "", "Since yesterday. Calls go direct when they can, and through its relay when they cannot.", -2*time.Hour),
		},
		Chats: map[string][]app.Line{"bob": bobChat(self)},
		Calls: recordsForTest(), CallsMore: true, CallsLoaded: true,
		Settings: app.Settings{
			Server: "calls.example.org", Name: self.Name, Theme: "dark", EchoCancellation: true, NoiseSuppression: true, GainControl: true,
		},
		Devices: app.Devices{
			Cameras: []string{"Integrated Camera", "USB Camera HD"}, Screens: []string{"Screen 1"},
			Microphones: []string{"Internal Microphone", "Headset"}, Speakers: []string{"Internal Speakers", "Headset"},
		},
	}
}

func said(id int64, from, name, to, text string, ago time.Duration) app.Line {
	return app.Line{
		ChatMessage: signal.ChatMessage{ID: id, FromID: from, FromName: name, ToID: to, Text: text, Sent: noon.Add(ago)},
		Mine:        name == "Anna Brandt",
	}
}

func bobChat(self signal.User) []app.Line {
	lines := []app.Line{
		said(11, "bob", "Bob", self.ID, "Hi Anna, do you have a minute? I would like to show you the drawings for the garden before I send them off; "+
			"the terrace has moved a little to the south, and there is a pond now.", -90*time.Minute),
		said(12, self.ID, self.Name, "bob", "Sure, call me when you are ready", -88*time.Minute),
		said(13, "bob", "Bob", self.ID, "👍", -87*time.Minute),
		said(14, "bob", "Bob", self.ID, "https://example.org/a/very/long/address/that/has/no/spaces/at/all/and/must/be/broken/somewhere.html", -5*time.Minute),
		said(-1, self.ID, self.Name, "bob", "On my way", -time.Minute),
		said(-2, self.ID, self.Name, "bob", "Give me five minutes", 0),
	}
	lines[4].Failed, lines[5].Pending = true, true
	return lines
}

func recordsForTest() []signal.CallRecord {
	at := func(ago time.Duration) *time.Time { t := noon.Add(ago); return &t }
	bob := signal.User{ID: "bob", Name: "Bob", Kind: signal.KindPerson}
	maria := signal.User{ID: "maria", Name: "Maria Keller", Kind: signal.KindPerson}
	return []signal.CallRecord{
		{ID: "call-1", Direction: signal.Incoming, Peer: bob, Video: true, Started: *at(-time.Hour), Ended: at(-59 * time.Minute), Reason: signal.EndCancelled, Missed: true},
		{
			ID: "call-2", Direction: signal.Outgoing, Peer: maria, Video: true, Started: *at(-3 * time.Hour), Accepted: at(-3*time.Hour + 7*time.Second),
			Ended: at(-2 * time.Hour), Seconds: 764, Reason: signal.EndHangup, EndedBy: "maria", Path: signal.PathDirect, SetupMs: 420,
		},
		{ID: "call-3", Direction: signal.Outgoing, Peer: bob, Started: *at(-27 * time.Hour), Ended: at(-26 * time.Hour), Reason: signal.EndDeclined, EndedBy: "bob"},
		{
			ID: "call-4", Direction: signal.Incoming, Peer: maria, Started: *at(-200 * time.Hour), Accepted: at(-200*time.Hour + 4*time.Second),
			Ended: at(-199 * time.Hour), Seconds: 95, Reason: signal.EndPeerGone, Path: signal.PathRelay, SetupMs: 900,
		},
	}
}

// inCall puts a call with Maria into s.
func inCall(s *app.Snapshot, p call.Phase) {
	s.Call = app.Call{
		State:      call.State{Phase: p, ID: "call-9", PeerID: "maria", Outgoing: p != call.Incoming, Video: true},
		Peer:       signal.User{ID: "maria", Name: "Maria Keller", Kind: signal.KindPerson, Online: true},
		Microphone: true, Camera: true, PeerVideo: true, Ringing: 2,
	}
	if s.Call.HasPeer() {
		s.Call.Peers = signal.Media{Microphone: true, Camera: true}
	}
	if p == call.Active || p == call.Reconnecting || p == call.Ended {
		s.Call.Since = noon.Add(-12*time.Minute - 44*time.Second)
		s.Call.Quality = app.Quality{Path: signal.PathDirect, RTT: 34 * time.Millisecond}
	}
	if p == call.Ended {
		s.Call.Reason, s.Call.Lasted = string(signal.EndHangup), 764*time.Second
	}
}

// withAccount adds what the page of the own account shows; dilan is blocked, Maria does not want to be disturbed.
func withAccount(s *app.Snapshot) {
	s.Account = app.Account{
		MayInvite: true, NewInvite: "https://calls.example.org/#invite=Zq3-xw_81kLmPqRsTuVwXyZ012",
		Blocked: []signal.User{{ID: "dilan", Name: "dilan", Kind: signal.KindPerson}},
		Sessions: []signal.SessionInfo{
			{ID: "s1", Device: "Anna's laptop", Current: true, Used: noon},
			{ID: "s2", Device: "Firefox on Android", Used: noon.Add(-26 * time.Hour)},
			{ID: "s3", Used: noon.Add(-40 * 24 * time.Hour)},
		},
		Invites: []signal.InviteInfo{
			{ID: "i1", Created: noon, Expires: noon.Add(7 * 24 * time.Hour), UsesLeft: 1},
			{ID: "i2", Created: noon.Add(-9 * 24 * time.Hour), Expires: noon.Add(-2 * 24 * time.Hour), UsedBy: []string{"Maria Keller"}},
		},
	}
	people := append([]app.Person{}, s.People...)
	for i := range people {
		people[i].Blocked = people[i].ID == "dilan"
		people[i].DND = people[i].ID == "maria"
	}
	s.People = people
}
