package app

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"visavis.example/internal/signal"
)

// maxLines is how many lines of one chat are kept in memory; older ones can be asked for again.
const maxLines = 1000

// SendToAll says text in the lobby.
func (a *App) SendToAll(text string) { a.SendTo("", text) }

// SendTo says text to one person. The line is in the chat at once, pending; one that was not accepted stays, failed.
func (a *App) SendTo(userID, text string) {
	a.post(func() {
		a.nextLine--
		l := Line{Mine: true, Pending: true, ChatMessage: signal.ChatMessage{
			ID: a.nextLine, FromID: a.snap.Self.ID, FromName: a.snap.Self.Name, ToID: userID, Text: text, Sent: time.Now(),
		}}
		a.setLines(userID, append(slices.Clone(a.lines(userID)), l))
		a.sendLine(userID, l)
	})
}

// Resend tries a failed line once more.
func (a *App) Resend(userID string, id int64) {
	a.post(func() {
		lines := slices.Clone(a.lines(userID))
		i := slices.IndexFunc(lines, func(l Line) bool { return l.ID == id && l.Failed })
		if i < 0 {
			return
		}
		lines[i].Failed, lines[i].Pending, lines[i].Sent = false, true, time.Now()
		a.setLines(userID, lines)
		a.sendLine(userID, lines[i])
	})
}

// LoadChat makes sure that the newest lines of a chat ("": the lobby) are there.
func (a *App) LoadChat(userID string) {
	a.post(func() {
		if !a.loaded[userID] {
			a.loaded[userID] = true
			a.history(userID, 0)
		}
	})
}

// LoadOlder asks for lines before the oldest that are there.
func (a *App) LoadOlder(userID string) {
	a.post(func() {
		var before int64
		for _, l := range a.lines(userID) {
			if l.ID > 0 {
				before = l.ID
				break
			}
		}
		a.history(userID, before)
	})
}

func (a *App) sendLine(userID string, l Line) {
	text := signal.Text{Text: l.Text}
	if err := text.Check(); err != nil {
		a.lineFailed(userID, l.ID, "This message cannot be sent: "+err.Error()+".")
		return
	}
	e := signal.Envelope{Method: signal.MessageSendTo, Type: signal.TypeText, ToID: userID, Data: signal.Encode(text)}
	if userID == "" {
		e.Method = signal.MessageSendToAll
	}
	a.ask(e, func(reply signal.Envelope, err error) {
		if err != nil {
			a.lineFailed(userID, l.ID, "A message was not sent. "+words(err))
			return
		}
		decoded(a, reply, func(m signal.ChatMessage) {
			m.ToID = userID // whatever the reply leaves out
			a.dropLine(userID, l.ID)
			a.addLines(userID, []signal.ChatMessage{m})
		})
	})
}

func (a *App) lineFailed(userID string, id int64, why string) {
	lines := slices.Clone(a.lines(userID))
	for i := range lines {
		if lines[i].ID == id {
			lines[i].Pending, lines[i].Failed = false, true
			a.setLines(userID, lines)
			a.notice(why)
		}
	}
}

func (a *App) dropLine(userID string, id int64) {
	a.setLines(userID, slices.DeleteFunc(slices.Clone(a.lines(userID)), func(l Line) bool { return l.ID == id }))
}

// gotChat takes a line from the server into the chat it belongs to.
func (a *App) gotChat(m signal.ChatMessage) {
	with := a.chatOf(m)
	known := slices.ContainsFunc(a.lines(with), func(l Line) bool { return l.ID == m.ID })
	a.addLines(with, []signal.ChatMessage{m})
	if !known {
		a.countUnread(m)
	}
}

func (a *App) history(userID string, before int64) {
	req := signal.History{With: userID, Before: before, Limit: 50}
	a.ask(signal.Envelope{Method: signal.MessageHistory, Data: signal.Encode(req)}, func(reply signal.Envelope, err error) {
		if err != nil {
			a.Logger.Debug("history not loaded", "err", err)
			if before == 0 {
				delete(a.loaded, userID)
			}
			return
		}
		decoded(a, reply, func(m signal.Messages) { a.addLines(userID, m.Messages) })
	})
}

// refreshChats asks for what was said while this device was away.
func (a *App) refreshChats() {
	a.loaded[""] = true
	for userID := range a.loaded {
		a.history(userID, 0)
	}
}

// lines gives a chat; it must not be written.
func (a *App) lines(userID string) []Line {
	if userID == "" {
		return a.snap.Lobby
	}
	return a.snap.Chats[userID]
}

func (a *App) setLines(userID string, lines []Line) {
	if userID == "" {
		a.snap.Lobby = lines
	} else {
		chats := maps.Clone(a.snap.Chats)
		if chats == nil {
			chats = map[string][]Line{}
		}
		chats[userID] = lines
		a.snap.Chats = chats
	}
	a.changed()
}

// addLines merges lines from the server, by id; those not yet accepted stay last.
func (a *App) addLines(userID string, news []signal.ChatMessage) {
	lines := slices.Clone(a.lines(userID))
	for _, m := range news {
		if !slices.ContainsFunc(lines, func(l Line) bool { return l.ID == m.ID }) {
			lines = append(lines, Line{ChatMessage: m, Mine: m.FromID == a.snap.Self.ID})
		}
	}
	slices.SortStableFunc(lines, func(x, y Line) int {
		if (x.ID > 0) != (y.ID > 0) {
			return -cmp.Compare(x.ID, y.ID)
		}
		if x.ID > 0 {
			return cmp.Compare(x.ID, y.ID)
		}
		return -cmp.Compare(x.ID, y.ID) // own temporary ids count down
	})
	a.setLines(userID, lines[max(len(lines)-maxLines, 0):])
}
