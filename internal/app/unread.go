package app

import "visavis.example/internal/signal"

// unread is what of the chats has not been seen, by the other's user id, the lobby's being empty. The server counts what
// came while nobody was signed in here, this program what comes now.
type unread struct {
	count   map[string]int
	newest  map[string]int64     // the newest unread line of a chat
	asking  bool                 // the server
	arrived []signal.ChatMessage // while it is asked
}

func (u *unread) clear() { *u = unread{count: map[string]int{}, newest: map[string]int64{}} }

// MarkRead says that the lines of a chat ("": the lobby) have been seen.
func (a *App) MarkRead(userID string) {
	a.post(func() {
		if a.unread.count[userID] == 0 {
			return
		}
		delete(a.unread.count, userID)
		a.sortPeople()
		read := signal.Read{With: userID, ID: a.unread.newest[userID]}
		a.ask(signal.Envelope{Method: signal.MessageRead, Data: signal.Encode(read)}, func(_ signal.Envelope, err error) {
			if err != nil {
				a.Logger.Debug("not said to be read", "err", err) // it is marked again at the next sign-in, no more
			}
		})
	})
}

// chatOf is the chat that a line belongs to.
func (a *App) chatOf(m signal.ChatMessage) string {
	if m.ToID != "" && m.ToID == a.snap.Self.ID {
		return m.FromID
	}
	return m.ToID
}

// countUnread counts a line that has come.
func (a *App) countUnread(m signal.ChatMessage) {
	if m.FromID == a.snap.Self.ID {
		return
	}
	if a.unread.asking {
		a.unread.arrived = append(a.unread.arrived, m)
	}
	a.addUnread(m)
	a.sortPeople()
}

func (a *App) addUnread(m signal.ChatMessage) {
	with := a.chatOf(m)
	a.unread.count[with]++
	a.unread.newest[with] = max(a.unread.newest[with], m.ID)
}

// refreshUnread asks what came while nobody was signed in here, and what other devices have not read yet.
func (a *App) refreshUnread() {
	a.unread.asking, a.unread.arrived = true, nil
	a.ask(signal.Envelope{Method: signal.MessageUnread}, func(reply signal.Envelope, err error) {
		arrived := a.unread.arrived
		a.unread.asking, a.unread.arrived = false, nil
		if err != nil {
			a.Logger.Debug("unread lines not known", "err", err) // an older server does not count them
			return
		}
		decoded(a, reply, func(u signal.Unread) { a.gotUnread(u, arrived) })
	})
}

// gotUnread is the server's count; what it did not know of yet has arrived here meanwhile.
func (a *App) gotUnread(u signal.Unread, arrived []signal.ChatMessage) {
	clear(a.unread.count)
	for _, c := range u.Chats {
		a.unread.count[c.With] = c.Count
		a.unread.newest[c.With] = max(a.unread.newest[c.With], c.Last)
	}
	for _, m := range arrived {
		if m.ID > u.Newest {
			a.addUnread(m)
		}
	}
	a.sortPeople()
}

// gotRead hears what another device of this person's has shown.
func (a *App) gotRead(r signal.Read) {
	newer := 0
	for _, l := range a.lines(r.With) {
		if l.ID > r.ID && !l.Mine {
			newer++
		}
	}
	if n := min(a.unread.count[r.With], newer); n > 0 {
		a.unread.count[r.With] = n
	} else {
		delete(a.unread.count, r.With)
	}
	a.sortPeople()
}
