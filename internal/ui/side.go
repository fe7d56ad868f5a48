package ui

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

type choiceKind uint8

const (
	chooseNothing choiceKind = iota
	chooseChat
	chooseCall
	chooseSettings
	chooseAccount
)

// choice is what the page beside the side bar shows: a chat by user id, or a call by its id.
type choice struct {
	kind choiceKind
	id   string
}

const (
	tabPeople = 0
	tabCalls  = 1
	rowHeight = 66
)

// sideBar lists people and calls.
type sideBar struct {
	w    *window
	m    *mainPage
	root fyne.CanvasObject

	me     *widget.Avatar
	name   *widget.Text
	state  *widget.Text
	moon   *widget.IconButton
	tabs   *widget.Tabs
	search *widget.Field
	none   *widget.Note
	people *widget.Virtual
	calls  *widget.Virtual

	s         app.Snapshot
	chosen    choice
	found     []app.Person // the lobby is row 0, these follow
	lobbyHit  bool
	foundCall []signal.CallRecord
	callsSeen string // newest call when the list was last in sight
	callsOld  bool   // what was in the list at the start is known, be it nothing
}

func newSideBar(w *window, m *mainPage) *sideBar {
	b := &sideBar{w: w, m: m}
	b.me = widget.NewAvatar(40, theme.ToneSurface)
	b.name = widget.NewText("", theme.Name, theme.ToneText).Strong().Short()
	b.state = widget.NewText("", theme.Caption, theme.ToneMuted).Short()
	b.tabs = widget.NewTabs([]string{"People", "Calls"}, func(int) { b.changeTab() })
	b.search = widget.NewSearchField("Search")
	b.search.SetIcon(theme.Drawing("search", theme.ToneMuted))
	b.search.OnChanged = func(string) { b.refill() }
	b.search.OnEscape = func() {
		b.search.SetText("")
		w.win.Canvas().Unfocus()
	}
	b.search.OnSubmitted = func(string) { b.chooseFirst() }
	b.none = widget.NewNote(theme.ToneMuted)
	b.none.Align = fyne.TextAlignCenter
	b.people, b.calls = b.newPeople(), b.newCalls()
	b.calls.Hide()
	gear := widget.NewIconButton("settings", "Settings", 40, m.openSettings)
	b.moon = widget.NewToggle(40, "Do not disturb", [2]string{"moon", "moon"}, [2]theme.Tone{theme.Clear, theme.ToneBad},
		[2]theme.Tone{theme.ToneMuted, theme.ToneOnColor}, func() { w.cmd.SetDND(!b.s.Self.DND, time.Time{}) })
	who := column(0, b.name, b.state)
	self := widget.NewTouch(stretch(12, who, b.me, who), m.openAccount)
	head := stretch(4, self, self, b.moon, gear)
	top := inset(16, 14, column(14, head, b.tabs, b.search))
	b.root = container.NewStack(widget.NewPanel(theme.ToneSurface, 0),
		container.NewBorder(top, nil, nil, nil, container.NewStack(inset(24, 24, b.none), b.people, b.calls)))
	return b
}

func (b *sideBar) newPeople() *widget.Virtual {
	v := widget.NewVirtual()
	v.Count = func() int { return len(b.found) + b.lobbyRows() }
	v.Height = func(int, float32) float32 { return rowHeight }
	v.New = func() fyne.CanvasObject { return newPersonRow(b) }
	v.Update = func(i int, row fyne.CanvasObject) {
		r := row.(*personRow)
		if i < b.lobbyRows() {
			r.setLobby(b.s.Lobby, b.s.LobbyUnread, b.chosen == choice{chooseChat, lobby})
			return
		}
		p := b.found[i-b.lobbyRows()]
		r.set(p, b.s.Chats[p.ID], b.chosen == choice{chooseChat, p.ID})
	}
	v.OnChoose = func(i int) {
		if i < b.lobbyRows() {
			b.m.openChat(lobby)
		} else {
			b.m.openChat(b.found[i-b.lobbyRows()].ID)
		}
	}
	return v
}

func (b *sideBar) newCalls() *widget.Virtual {
	v := widget.NewVirtual()
	more := func() int {
		if b.s.CallsMore {
			return 1
		}
		return 0
	}
	v.Count = func() int { return len(b.foundCall) + more() }
	v.Height = func(int, float32) float32 { return rowHeight }
	v.New = func() fyne.CanvasObject { return newCallRow(b) }
	v.Update = func(i int, row fyne.CanvasObject) {
		r := row.(*callRow)
		if i >= len(b.foundCall) {
			r.setMore()
			return
		}
		c := b.foundCall[i]
		r.set(c, b.chosen == choice{chooseCall, c.ID})
	}
	v.OnChoose = func(i int) {
		if i >= len(b.foundCall) {
			b.w.cmd.LoadCalls(true)
		} else {
			b.m.openCall(b.foundCall[i].ID)
		}
	}
	return v
}

func (b *sideBar) lobbyRows() int {
	if b.lobbyHit {
		return 1
	}
	return 0
}

func (b *sideBar) changeTab() {
	on := b.tabs.On()
	setVisible(b.people, on == tabPeople)
	setVisible(b.calls, on == tabCalls)
	if on == tabCalls {
		b.w.cmd.LoadCalls(false)
	}
	b.refill()
}

// choose marks what the page beside shows.
func (b *sideBar) choose(c choice) {
	b.chosen = c
	b.refill()
}

// forget drops what is remembered of whoever was signed in.
func (b *sideBar) forget() {
	b.s, b.callsSeen, b.callsOld = app.Snapshot{}, "", false
	b.search.SetText("")
	b.tabs.Select(tabPeople)
	b.refill()
}

func (b *sideBar) chooseFirst() {
	switch {
	case b.tabs.On() == tabCalls && len(b.foundCall) > 0:
		b.m.openCall(b.foundCall[0].ID)
	case b.tabs.On() == tabPeople && len(b.found) > 0:
		b.m.openChat(b.found[0].ID)
	}
}

// show draws s.
func (b *sideBar) show(s app.Snapshot) {
	b.s = s
	self := s.Self
	self.Online = s.Link == app.Online
	b.me.Set(nameOf(self), "", presence(self))
	b.name.SetText(nameOf(self))
	b.moon.SetOn(self.DND)
	b.state.SetText(selfWords(s, b.w.now()))
	b.refill()
}

// refill works out what is listed, from the snapshot and the search.
func (b *sideBar) refill() {
	want := strings.ToLower(strings.TrimSpace(b.search.Text))
	match := func(name string) bool { return want == "" || strings.Contains(strings.ToLower(name), want) }
	b.lobbyHit = match("lobby")
	b.found = b.found[:0]
	for _, p := range b.s.People {
		if match(p.Name) {
			b.found = append(b.found, p)
		}
	}
	b.foundCall = b.foundCall[:0]
	for _, c := range b.s.Calls {
		if match(c.Peer.Name) {
			b.foundCall = append(b.foundCall, c)
		}
	}
	b.counts()
	b.people.Reload()
	b.calls.Reload()
	none := ""
	switch {
	case b.tabs.On() == tabPeople && b.people.Count() == 0:
		none = "Nobody is called that."
	case b.tabs.On() == tabCalls && b.calls.Count() == 0:
		none = either(want == "", "No calls yet.", "No calls with that name.")
	}
	b.none.SetText(none)
}

// counts sets the numbers at the tabs.
func (b *sideBar) counts() {
	n := b.s.LobbyUnread
	for _, p := range b.s.People {
		n += p.Unread
	}
	b.tabs.SetCount(tabPeople, n)
	// What was missed before the start is in the list, and not news.
	if old := b.s.CallsLoaded && !b.callsOld; len(b.s.Calls) > 0 && (old || b.tabs.On() == tabCalls) {
		b.callsSeen = b.s.Calls[0].ID
	}
	b.callsOld = b.s.CallsLoaded
	missed := 0
	for _, c := range b.s.Calls {
		if c.ID == b.callsSeen {
			break
		}
		if c.Missed {
			missed++
		}
	}
	b.tabs.SetCount(tabCalls, missed)
}

func presence(u signal.User) widget.Presence {
	switch {
	case u.Online && u.DND:
		return widget.Undisturbed
	case u.Online:
		return widget.Online
	}
	return widget.Offline
}
