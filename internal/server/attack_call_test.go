package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// TestAttackRosterEnumeration looks for people. Everybody with an account sees the roster, by design; a stranger sees
// nothing, and nobody learns anything of people or calls by guessing ids.
func TestAttackRosterEnumeration(t *testing.T) {
	s := open(t)
	a, b, m := s.guest("alice"), s.guest("bob"), s.guest("mallory")
	alice, bob, mallory := a.phone("a"), b.phone("b"), m.phone("m")
	call := talk(alice, bob, b.user)
	alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: "between us"})

	theirs, nobodys := s.send("GET", "/api/calls/"+call, "", "Authorization", "Bearer "+m.token), s.send("GET", "/api/calls/"+signal.NewID(), "", "Authorization", "Bearer "+m.token)
	if theirs.status != http.StatusNotFound || string(theirs.body) != string(nobodys.body) {
		t.Errorf("somebody else's call: %d %s; no call: %d %s", theirs.status, theirs.body, nobodys.status, nobodys.body)
	}
	for _, path := range []string{"/api/me", "/api/calls", "/api/calls/" + call} {
		if st := s.send("GET", path, "").status; st != http.StatusUnauthorized {
			t.Errorf("%s for a stranger: %d", path, st)
		}
	}
	for _, path := range []string{"/api/users", "/api/users/" + a.user.ID, "/api/users/" + signal.NewID(), "/api/user/alice"} {
		if a := s.send("GET", path, ""); a.status != http.StatusNotFound && a.status != http.StatusUnauthorized {
			t.Errorf("%s for a stranger: %d %s", path, a.status, a.body)
		}
	}
	if h := decode[signal.Messages](t, mallory.must(signal.MessageHistory, "", "", signal.History{With: a.user.ID})); len(h.Messages) > 0 {
		t.Errorf("mallory reads %+v", h)
	}
	first := mallory.refused(signal.ErrNotFound, signal.MessageSendTo, signal.NewID(), "", signal.Text{Text: "x"})
	notFound, tooMany := 0, 0
	for i := range 300 {
		id := signal.NewID()
		if i%3 == 0 {
			id = strings.ToUpper(a.user.ID) // nearly somebody's
		}
		e := mallory.ask(signal.MessageSendTo, id, "", signal.Text{Text: "x"})
		switch decode[signal.Problem](t, e).Error {
		case signal.ErrNotFound:
			if notFound++; e.Message != first.Message {
				t.Errorf("nobody is told as %q and as %q", first.Message, e.Message)
			}
		case signal.ErrTooMany:
			tooMany++
		}
	}
	if notFound+tooMany != 300 || tooMany == 0 {
		t.Errorf("of 300 guesses %d were answered and %d refused as too many", notFound, tooMany)
	}
}

func TestAttackForgedSender(t *testing.T) {
	s := open(t)
	a, b, m := s.guest("alice"), s.guest("bob"), s.guest("mallory")
	alice, bob, mallory := a.phone("a"), b.phone("b"), m.phone("m")
	call := talk(alice, bob, b.user)
	forged := signal.Envelope{FromID: m.user.ID, ToID: m.user.ID, CallID: call}
	for method, c := range map[signal.Method]struct {
		data any
		code signal.Code
	}{
		signal.MessageOffer:     {signal.SDP{SDP: "v=0 of alice"}, signal.CodeOffer},
		signal.MessageAnswer:    {signal.SDP{SDP: "v=0 of alice"}, signal.CodeAnswer},
		signal.MessageCandidate: {signal.Candidate{}, signal.CodeCandidate},
		signal.CallMedia:        {signal.Media{}, signal.CodeMedia},
	} {
		forged.Method, forged.Data = method, signal.Encode(c.data)
		alice.write(forged)
		if e := bob.push(c.code, call); e.FromID != a.user.ID || e.ToID != b.user.ID {
			t.Errorf("bob hears of %s from %q to %q, want alice to bob", method, e.FromID, e.ToID)
		}
	}
	mallory.write(signal.Envelope{Method: signal.MessageSendTo, FromID: a.user.ID, ToID: b.user.ID, Data: json.RawMessage(
		`{"text":"it is me","fromId":"` + a.user.ID + `","fromName":"alice"}`,
	)})
	e := bob.push(signal.CodeChat, "")
	if c := decode[signal.ChatMessage](t, e); e.FromID != m.user.ID || c.FromID != m.user.ID || c.FromName != "mallory" {
		t.Errorf("bob reads %+v in %+v", c, e)
	}
	// Not even in an invite, which names the caller twice.
	alice.must(signal.CallHangup, "", call, signal.Hangup{})
	bob.ended(call, signal.EndHangup)
	second := signal.NewID()
	mallory.write(signal.Envelope{Method: signal.CallInvite, FromID: a.user.ID, ToID: b.user.ID, CallID: second, Data: signal.Encode(signal.Invite{From: &a.user})})
	e = bob.push(signal.CodeInvite, second)
	if in := decode[signal.Invite](t, e); e.FromID != m.user.ID || in.From == nil || in.From.ID != m.user.ID || in.From.Name != "mallory" {
		t.Errorf("bob is called by %+v in %+v", in.From, e)
	}
}

func TestAttackMessageIntoForeignCall(t *testing.T) {
	s := open(t, func(c *server.Config) { c.MetricsListen = "127.0.0.1:0" })
	a, b, m := s.guest("alice"), s.guest("bob"), s.guest("mallory")
	alice, bob, mallory := a.phone("a"), b.phone("b"), m.phone("m")
	call := talk(alice, bob, b.user)
	alice.push(signal.CodeRinging, call)
	idle := b.phone("idle")
	n := 0
	for method, data := range map[signal.Method]any{
		signal.MessageOffer: signal.SDP{SDP: "v=0"}, signal.MessageAnswer: signal.SDP{SDP: "v=0"}, signal.MessageCandidate: signal.Candidate{},
		signal.CallHangup: signal.Hangup{}, signal.CallCancel: nil, signal.CallMedia: signal.Media{}, signal.CallReport: signal.Report{},
		signal.CallRestart: nil,
	} {
		for _, p := range []*phone{mallory, idle} {
			p.refused(signal.ErrNotInCall, method, b.user.ID, call, data)
			p.refused(signal.ErrNotInCall, method, b.user.ID, signal.NewID(), data)
			n += 2
		}
	}
	alice.quiet(call)
	bob.quiet(call)
	if got := s.metric(`visavis_requests_refused_total{code="not_in_call"}`); got != float64(n) {
		t.Errorf("%v refusals were counted of %d", got, n)
	}
	alice.must(signal.CallHangup, "", call, signal.Hangup{})
	bob.ended(call, signal.EndHangup)
}

func TestAttackAnsweringSomebodyElsesCall(t *testing.T) {
	s := open(t)
	a, b, m := s.guest("alice"), s.guest("bob"), s.guest("mallory")
	alice, bob, mallory := a.phone("a"), b.phone("b"), m.phone("m")
	own := a.phone("own")
	call := invite(alice, b.user, bob)
	alice.push(signal.CodeRinging, call)
	for method, data := range map[signal.Method]any{
		signal.CallAccept: signal.Accept{}, signal.CallReject: signal.Reject{}, signal.CallRinging: signal.Ring{Early: true},
	} {
		mallory.refused(signal.ErrNotInCall, method, "", call, data)
		own.refused(signal.ErrNotInCall, method, "", call, data)
		alice.refused(signal.ErrNotInCall, method, "", call, data)
	}
	mallory.refused(signal.ErrBadRequest, signal.CallInvite, b.user.ID, call, signal.Invite{}) // nor take its id over
	mallory.refused(signal.ErrNotInCall, signal.CallCancel, "", call, nil)
	alice.quiet(call)
	bob.quiet(call)
	bob.must(signal.CallAccept, "", call, signal.Accept{})
	alice.push(signal.CodeAccepted, call)

	// Ids that could be guessed are not taken: 22 letters of 6 bits are the fewest for 128.
	for _, short := range []string{"", "1", "0123456789abcdef", strings.Repeat("a", 21), strings.Repeat("a", 65), "with spaces and more letters"} {
		mallory.refused(signal.ErrBadRequest, signal.CallInvite, a.user.ID, short, signal.Invite{})
	}
	seen := map[string]bool{}
	for range 1000 {
		id := signal.NewID()
		if len(id) < 26 || seen[id] {
			t.Fatalf("%s is no call id", id)
		}
		seen[id] = true
	}
}

func TestAttackCallSpam(t *testing.T) {
	s := open(t, realInviteLimit)
	m, b, x := s.guest("mallory"), s.guest("bob"), s.guest("xenia")
	mallory, bob := m.phone("m"), b.phone("b")
	x.phone("x")
	rung := 0
	for range 100 {
		call := signal.NewID()
		e := mallory.ask(signal.CallInvite, b.user.ID, call, signal.Invite{})
		if e.Code == signal.CodeError {
			if decode[signal.Problem](t, e).Error != signal.ErrTooMany {
				t.Fatalf("refused with %s", e.Data)
			}
			continue
		}
		rung++
		bob.push(signal.CodeInvite, call)
		mallory.must(signal.CallCancel, "", call, nil)
	}
	if rung > 11 {
		t.Errorf("bob's devices rang %d times", rung)
	}
	// Others can be called, and bob can be called by others.
	mallory.must(signal.CallCancel, "", invite(mallory, x.user), nil)
	carol := s.guest("carol").phone("c")
	invite(carol, b.user, bob)
}

// TestAttackCallsToEverybody goes through the whole roster: after thirty people in vain it is over, and those who were not
// called find nothing in their list.
func TestAttackCallsToEverybody(t *testing.T) {
	s := open(t, realInviteLimit)
	m := s.guest("mallory")
	mallory := m.phone("m")
	reached, refused := 0, 0
	for i := range 45 {
		v := s.guest(fmt.Sprintf("victim%d", i))
		e := mallory.ask(signal.CallInvite, v.user.ID, signal.NewID(), signal.Invite{})
		var theirs signal.Calls
		v.get("/api/calls", &theirs)
		switch {
		case e.Code == signal.CodeOK && len(theirs.Calls) == 1:
			reached++
		case e.Code == signal.CodeError && decode[signal.Problem](t, e).Error == signal.ErrTooMany && len(theirs.Calls) == 0:
			refused++
		default:
			t.Fatalf("call %d: %+v, and in their list is %+v", i, e, theirs)
		}
	}
	if reached < 30 || reached > 40 || refused == 0 { // one more each six seconds that this takes
		t.Errorf("%d people were called, and %d were not", reached, refused)
	}
	s.guest("carol").phone("c").must(signal.CallInvite, m.user.ID, signal.NewID(), signal.Invite{})
}

// TestAttackDoubleAnswer lets both devices of a person answer at the same instant. Every order in which messages can
// meet is in package hub, TestAttackInterleavings.
func TestAttackDoubleAnswer(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, devices := a.phone("a"), []*phone{b.phone("b1"), b.phone("b2"), b.phone("b3")}
	for range 20 {
		call := invite(alice, b.user, devices...)
		var mu sync.Mutex
		var won []*phone
		var all sync.WaitGroup
		for _, p := range devices {
			all.Go(func() {
				if e := p.ask(signal.CallAccept, "", call, signal.Accept{}); e.Code == signal.CodeOK {
					mu.Lock()
					defer mu.Unlock()
					won = append(won, p)
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("%d devices were first", len(won))
		}
		alice.push(signal.CodeAccepted, call)
		for _, p := range devices {
			if p != won[0] {
				p.ended(call, signal.EndAnsweredElsewhere)
				p.refused(signal.ErrNotInCall, signal.MessageAnswer, "", call, signal.SDP{SDP: "v=0"})
			}
		}
		alice.must(signal.CallHangup, "", call, signal.Hangup{})
		won[0].ended(call, signal.EndHangup)
		alice.quiet("")
		if n := alice.count(func(e signal.Envelope) bool { return e.Code == signal.CodeAccepted }); n > 0 {
			t.Fatalf("alice heard %d times more that it was accepted", n)
		}
		alice.ended(call, signal.EndHangup)
	}
}

// TestAttackSDPInjection sends what would break a description into pieces, or be too much. That media goes to nobody but
// whose fingerprint was signalled is in package peer, TestAttackFingerprintOfAThirdParty.
func TestAttackSDPInjection(t *testing.T) {
	s := open(t, noMessageLimit)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	call := talk(alice, bob, b.user)
	candidate := "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host"
	for _, bad := range []string{candidate + "\r\na=candidate:2 1 udp 1 192.0.2.2 9 typ host", candidate + "\n", "a\rb", strings.Repeat("x", 1025)} {
		alice.refused(signal.ErrBadRequest, signal.MessageCandidate, "", call, signal.Candidate{Candidate: bad})
	}
	for _, bad := range []string{"", "hello", "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "v=0" + strings.Repeat("\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host", 1200)} {
		alice.refused(signal.ErrBadRequest, signal.MessageOffer, "", call, signal.SDP{SDP: bad})
		alice.refused(signal.ErrBadRequest, signal.MessageAnswer, "", call, signal.SDP{SDP: bad})
	}
	bob.quiet(call)
	// As many candidates as anybody needs pass, and not ten thousand.
	passed := 0
	for range 10_000 {
		e := alice.ask(signal.MessageCandidate, "", call, signal.Candidate{Candidate: candidate})
		if e.Code == signal.CodeError {
			if decode[signal.Problem](t, e).Error != signal.ErrTooMany {
				t.Fatalf("%s", e.Data)
			}
			break
		}
		passed++
	}
	if passed < 100 || passed > 1000 {
		t.Errorf("%d candidates passed", passed)
	}
	// Another negotiation has room for its own.
	alice.must(signal.MessageOffer, "", call, signal.SDP{SDP: "v=0"})
	alice.must(signal.MessageCandidate, "", call, signal.Candidate{Candidate: candidate})
	// A megabyte does not even fit into a message.
	alice.pour(frame(0x81, []byte(`{"method":"Message/Offer","callId":"`+call+`","data":{"sdp":"v=0`+strings.Repeat("x", 1<<20)+`"}}`)))
	if code := alice.closed(); code != 1009 && code != 0 {
		t.Errorf("closed with %d", code)
	}
	bob.must(signal.UserList, "", "", nil)
}
