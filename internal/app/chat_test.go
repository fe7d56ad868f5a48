package app

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/signal"
)

func texts(lines []Line) string {
	var out []string
	for _, l := range lines {
		mark := ""
		switch {
		case l.Pending:
			mark = "…"
		case l.Failed:
			mark = "!"
		}
		out = append(out, l.Text+mark)
	}
	return strings.Join(out, " ")
}

func line(id int64, from, to, text string) signal.ChatMessage {
	return signal.ChatMessage{ID: id, FromID: from, ToID: to, Text: text}
}

func TestChatLineGoesOutAndIsConfirmed(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.SendTo(bert.ID, "hello")
		if got := texts(r.now().Chats[bert.ID]); got != "hello…" {
			t.Fatalf("%q", got)
		}
		sent := r.server.said(signal.MessageSendTo)[0]
		// The push to our own devices may be faster than the reply.
		r.server.push(signal.MessageSendTo, signal.CodeChat, "", line(7, anna.ID, bert.ID, "hello"))
		reply := signal.Envelope{Method: sent.Method, RequestID: sent.RequestID, Data: signal.Encode(line(7, anna.ID, bert.ID, "hello"))}
		r.server.events <- signal.Event{State: signal.StateOnline, Reply: &reply}
		s := r.now()
		if got := s.Chats[bert.ID]; texts(got) != "hello" || !got[0].Mine || got[0].ID != 7 {
			t.Errorf("%+v", got)
		}
		if s.People[0].Unread != 0 {
			t.Error("own line counted as unread")
		}
	})
}

func TestFailedLinesAreKeptAndSentAgain(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.SendTo("", "lost")
		r.now()
		r.server.cut()
		lobby := r.now().Lobby
		if texts(lobby) != "lost!" {
			t.Fatalf("%q", texts(lobby))
		}
		r.SendToAll("offline")
		r.SendToAll(strings.Repeat("x", signal.MaxChatRunes+1))
		if got := texts(r.now().Lobby[:2]); got != "lost! offline!" || len(r.last.Lobby) != 3 || !r.last.Lobby[2].Failed {
			t.Fatalf("%q", got)
		}
		r.server.replies[signal.MessageSendToAll] = func(e signal.Envelope) any {
			text, _ := signal.Decode[signal.Text](e)
			return line(9, anna.ID, "", text.Text)
		}
		r.server.online("")
		r.Resend("", lobby[0].ID)
		r.Resend("", 12345) // no such line
		if got := texts(r.now().Lobby[:2]); got != "lost offline!" {
			t.Errorf("%q", got)
		}
	})
}

func TestNoReplyFailsTheLine(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.SendTo(bert.ID, "hello")
		r.now()
		time.Sleep(replyLimit + time.Second)
		if got := texts(r.now().Chats[bert.ID]); got != "hello!" {
			t.Errorf("%q", got)
		}
	})
}

func TestUnreadAndHistory(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.push(signal.MessageSendTo, signal.CodeChat, "", line(5, bert.ID, anna.ID, "five"))
		r.server.push(signal.MessageSendTo, signal.CodeChat, "", line(6, bert.ID, anna.ID, "six"))
		r.server.push(signal.MessageSendTo, signal.CodeChat, "", line(6, bert.ID, anna.ID, "six"))
		r.server.push(signal.MessageSendToAll, signal.CodeChat, "", line(8, bert.ID, "", "all"))
		before := r.now()
		if before.People[0].Unread != 2 || texts(before.Lobby) != "all" {
			t.Fatalf("%+v, lobby %q", before.People[0], texts(before.Lobby))
		}
		r.server.replies[signal.MessageHistory] = func(e signal.Envelope) any {
			h, _ := signal.Decode[signal.History](e)
			if h.With == "" {
				return signal.Messages{}
			}
			if h.Before == 0 {
				return signal.Messages{Messages: []signal.ChatMessage{line(4, anna.ID, bert.ID, "four"), line(5, bert.ID, anna.ID, "five"), line(6, bert.ID, anna.ID, "six")}}
			}
			return signal.Messages{Messages: []signal.ChatMessage{line(h.Before-1, bert.ID, anna.ID, fmt.Sprint("before ", h.Before))}}
		}
		r.LoadChat(bert.ID)
		r.LoadChat(bert.ID) // once is enough
		r.MarkRead(bert.ID)
		r.now()
		r.LoadOlder(bert.ID)
		s := r.now()
		if got := texts(s.Chats[bert.ID]); got != "before 4 four five six" || s.People[0].Unread != 0 {
			t.Errorf("%q, unread %d", got, s.People[0].Unread)
		}
		if texts(before.Chats[bert.ID]) != "five six" {
			t.Error("a snapshot changed after it was handed out")
		}
		n := len(r.server.said(signal.MessageHistory))
		r.server.cut()
		r.server.online("")
		if got := len(r.server.said(signal.MessageHistory)) - n; got != 2 {
			t.Errorf("%d chats asked for after a reconnect", got)
		}
	})
}

func TestCallsList(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		if s := r.now(); !s.CallsLoaded || len(s.Calls) > 0 {
			t.Errorf("loaded %v, %d calls", s.CallsLoaded, len(s.Calls))
		}
		for i := range 120 {
			r.server.list = append(r.server.list, signal.CallRecord{ID: fmt.Sprintf("call-%03d-0123456789", i)})
		}
		for range 3 {
			r.LoadCalls(len(r.now().Calls) > 0)
		}
		if s := r.now(); len(s.Calls) != 120 || s.CallsMore {
			t.Fatalf("%d calls, more %v", len(s.Calls), s.CallsMore)
		}
		fresh := signal.CallRecord{ID: "call-new-0123456789", Seconds: 3}
		r.server.list = append([]signal.CallRecord{fresh}, r.server.list...)
		r.LoadCalls(false)
		if s := r.now(); len(s.Calls) != 121 || s.Calls[0].ID != fresh.ID {
			t.Errorf("%d calls, first %s", len(s.Calls), s.Calls[0].ID)
		}
		r.server.records[fresh.ID] = signal.CallRecord{ID: fresh.ID, Path: signal.PathRelay}
		r.ShowCall(fresh.ID)
		if d := r.now().CallDetails; d == nil || d.Path != signal.PathRelay {
			t.Errorf("%+v", d)
		}
		r.ShowCall("no-such-call-0123456789")
		if s := r.now(); s.CallDetails != nil || len(s.Notices) != 1 {
			t.Errorf("%+v %q", s.CallDetails, s.Notices)
		}
		r.DismissNotice(0)
		r.RefreshDevices()
		if s := r.now(); len(s.Notices) != 0 || len(s.Devices.Cameras) != 1 {
			t.Errorf("%q %+v", s.Notices, s.Devices)
		}
	})
}

func TestSubscribersCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		n := 0
		cancel := r.Subscribe(func(Snapshot) { n++ })
		synctest.Wait()
		cancel()
		synctest.Wait()
		r.RefreshDevices()
		r.Close()
		r.Close() // twice is harmless
		if n != 1 {
			t.Errorf("called %d times", n)
		}
	})
}

// What came while nobody was signed in here is the server's to count; what comes meanwhile is counted once.
func TestUnreadSinceLastTime(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		ask := func() signal.Envelope {
			r.server.cut()
			r.server.online("")
			asked := r.server.said(signal.MessageUnread)
			return asked[len(asked)-1]
		}
		answer := func(asked signal.Envelope, u signal.Unread) {
			reply := signal.Envelope{Method: asked.Method, RequestID: asked.RequestID, Data: signal.Encode(u)}
			r.server.events <- signal.Event{State: signal.StateOnline, Reply: &reply}
		}
		check := func(bert, lobby int) {
			t.Helper()
			if s := r.now(); s.People[0].Unread != bert || s.LobbyUnread != lobby {
				t.Errorf("unread %d and %d in the lobby, want %d and %d", s.People[0].Unread, s.LobbyUnread, bert, lobby)
			}
		}
		asked := ask()
		for id := int64(8); id <= 9; id++ {
			r.server.push(signal.MessageSendTo, signal.CodeChat, "", line(id, bert.ID, anna.ID, "hi"))
		}
		r.server.push(signal.MessageSendToAll, signal.CodeChat, "", line(10, bert.ID, "", "all"))
		check(2, 1)
		answer(asked, signal.Unread{Newest: 8, Chats: []signal.UnreadChat{{With: bert.ID, Count: 4, Last: 8}}})
		check(5, 1) // 8 is among the four

		r.MarkRead(bert.ID)
		r.MarkRead(bert.ID) // once is enough
		r.MarkRead("")
		check(0, 0)
		var read []signal.Read
		for _, e := range r.server.said(signal.MessageRead) {
			v, _ := signal.Decode[signal.Read](e)
			read = append(read, v)
		}
		if len(read) != 2 || read[0] != (signal.Read{With: bert.ID, ID: 9}) || read[1] != (signal.Read{ID: 10}) {
			t.Errorf("said to be read: %+v", read)
		}

		// Another device shows some of what is new here.
		for id := int64(11); id <= 13; id++ {
			r.server.push(signal.MessageSendTo, signal.CodeChat, "", line(id, bert.ID, anna.ID, "news"))
		}
		r.server.push(signal.MessageRead, signal.CodeRead, "", signal.Read{With: bert.ID, ID: 12})
		check(1, 0)
		r.server.push(signal.MessageRead, signal.CodeRead, "", signal.Read{With: bert.ID, ID: 13})
		check(0, 0)

		// An older server refuses, and what this program has counted stays.
		r.server.push(signal.MessageSendTo, signal.CodeChat, "", line(14, bert.ID, anna.ID, "news"))
		r.server.replies[signal.MessageUnread] = func(signal.Envelope) any { return &signal.Error{Code: signal.ErrUnknownMethod} }
		ask()
		check(1, 0)
	})
}
