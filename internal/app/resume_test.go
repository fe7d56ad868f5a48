package app

import (
	"testing"
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// confirm replies to a line that was sent.
func (f *fakeServer) confirm(sent signal.Envelope, m signal.ChatMessage) {
	reply := signal.Envelope{Method: sent.Method, RequestID: sent.RequestID, Data: signal.Encode(m)}
	f.events <- signal.Event{State: signal.StateOnline, Reply: &reply}
}

// A line whose reply was on its way when the line broke is neither failed nor sent twice when the session goes on.
func TestALineOutlivesAShortCut(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.SendTo(bert.ID, "hello")
		r.now()
		r.server.away(false)
		time.Sleep(replyLimit + 10*time.Second)
		if s := r.now(); texts(s.Chats[bert.ID]) != "hello…" || s.Link != Connecting {
			t.Fatalf("while it is away: %q, link %d", texts(s.Chats[bert.ID]), s.Link)
		}
		people := len(r.now().People)
		r.server.resumed()
		sent := r.server.said(signal.MessageSendTo)
		if len(sent) != 1 {
			t.Fatalf("sent %d times", len(sent))
		}
		r.server.confirm(sent[0], line(7, anna.ID, bert.ID, "hello"))
		if s := r.now(); texts(s.Chats[bert.ID]) != "hello" || s.Link != Online || len(s.People) != people {
			t.Errorf("afterwards: %q, link %d, %d people", texts(s.Chats[bert.ID]), s.Link, len(s.People))
		}
	})
}

// When the session cannot be resumed any more, or another one has begun, there will be no reply.
func TestALineDoesNotOutliveItsSession(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.SendTo(bert.ID, "one")
		r.now()
		r.server.away(false)
		r.server.away(true)
		if got := texts(r.now().Chats[bert.ID]); got != "one!" {
			t.Errorf("after a minute: %q", got)
		}
		r.server.online("")
		r.SendTo(bert.ID, "two")
		r.now()
		r.server.away(false)
		r.server.online("")
		if got := texts(r.now().Chats[bert.ID]); got != "one! two!" {
			t.Errorf("in another session: %q", got)
		}
	})
}

// What a call had to say meanwhile is said once, and nothing else again.
func TestACallOutlivesAShortCut(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		talking(r)
		r.server.away(false)
		r.media.say(LocalCandidate{signal.Candidate{Candidate: "meanwhile"}})
		r.SetMicrophone(false)
		r.phase(call.Active)
		r.server.resumed()
		r.phase(call.Active)
		if c := r.server.said(signal.MessageCandidate); len(c) != 1 {
			t.Errorf("%d candidates were said", len(c))
		}
		said := r.server.said(signal.CallMedia)
		if m, _ := signal.Decode[signal.Media](said[len(said)-1]); m.Microphone {
			t.Error("the other was not told of the microphone")
		}
		r.server.replies[signal.CallHangup] = nil // on its way when the line breaks again
		r.Hangup()
		r.ended(signal.EndHangup)
		r.server.away(false)
		r.server.resumed()
		if n := len(r.server.said(signal.CallHangup)); n != 1 {
			t.Errorf("hung up %d times", n)
		}
		r.server.away(false)
		r.server.online("") // in another session there is no call to hang up any more
		r.ended(signal.EndHangup)
		if n := len(r.server.said(signal.CallHangup)); n != 1 {
			t.Errorf("hung up %d times", n)
		}
	})
}
