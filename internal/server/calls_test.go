package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// ending is how a call between alice and bob ends, and what both read of it afterwards.
type ending struct {
	name     string
	run      func(t *testing.T, s *site, alice, bob *phone, b signal.User) (call string)
	reason   signal.EndReason
	by       string // alice, bob, or nobody
	accepted bool
	missed   bool
}

var endings = []ending{
	{"hangup by the caller", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		call := talk(alice, bob, b)
		alice.must(signal.CallHangup, "", call, signal.Hangup{})
		return call
	}, signal.EndHangup, "alice", true, false},
	{"hangup by the callee", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		call := talk(alice, bob, b)
		bob.must(signal.CallHangup, "", call, signal.Hangup{Reason: signal.EndHangup})
		return call
	}, signal.EndHangup, "bob", true, false},
	{"connection failed", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		call := talk(alice, bob, b)
		bob.must(signal.CallHangup, "", call, signal.Hangup{Reason: signal.EndConnectionFailed})
		return call
	}, signal.EndConnectionFailed, "bob", true, false},
	{"declined", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		call := invite(alice, b, bob)
		bob.must(signal.CallReject, "", call, signal.Reject{Reason: signal.EndDeclined})
		return call
	}, signal.EndDeclined, "bob", false, false},
	{"cancelled", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		call := invite(alice, b, bob)
		alice.push(signal.CodeRinging, call)
		alice.must(signal.CallCancel, "", call, nil)
		return call
	}, signal.EndCancelled, "alice", false, true},
	{"no answer", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		return invite(alice, b, bob)
	}, signal.EndNoAnswer, "", false, true},
	{"peer gone", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		call := talk(alice, bob, b)
		bob.cut()
		return call
	}, signal.EndPeerGone, "bob", true, false},
	{"caller gone while it rings", func(_ *testing.T, _ *site, alice, bob *phone, b signal.User) string {
		call := invite(alice, b, bob)
		alice.cut()
		return call
	}, signal.EndPeerGone, "alice", false, true},
}

func TestEndReasonsOnBothSidesAndInTheRecord(t *testing.T) {
	s := open(t, func(c *server.Config) { c.RingTimeout, c.PeerGoneAfter = 2*time.Second, time.Second })
	for i, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			here := *s
			here.t = t
			a, b := here.guest("alice"+string(rune('a'+i))), here.guest("bob"+string(rune('a'+i)))
			alice, bob := a.phone("a"), b.phone("b")
			call := e.run(t, &here, alice, bob, b.user)
			by := map[string]string{"alice": a.user.ID, "bob": b.user.ID, "": ""}[e.by]
			for _, p := range []*phone{alice, bob} {
				if p.wasCut {
					continue
				}
				if end := p.ended(call, e.reason); end.ByID != by {
					t.Errorf("%s hears that %q ended it, want %q", p.name, end.ByID, by)
				}
			}
			for _, g := range []*guest{a, b} {
				r := g.record(call)
				peer, direction := b, signal.Outgoing
				if g == b {
					peer, direction = a, signal.Incoming
				}
				if r.Reason != e.reason || r.EndedBy != by || r.Direction != direction || r.Peer.ID != peer.user.ID || r.Peer.Name != peer.user.Name ||
					r.Ended == nil || (r.Accepted != nil) != e.accepted || r.Missed != (e.missed && g == b) || !r.Video {
					t.Errorf("%s reads %+v", g.user.Name, r)
				}
			}
		})
	}
}

func TestBusyAndOfflineInTheRecord(t *testing.T) {
	s := open(t)
	a, b, c, d := s.guest("alice"), s.guest("bob"), s.guest("carol"), s.guest("dave")
	alice, bob, carol := a.phone("a"), b.phone("b"), c.phone("c")
	talk(alice, bob, b.user)
	busy, offline := invite(carol, b.user), invite(carol, d.user)
	carol.ended(busy, signal.EndBusy)
	carol.ended(offline, signal.EndOffline)
	for call, callee := range map[string]*guest{busy: b, offline: d} {
		if r := callee.record(call); !r.Missed || r.Direction != signal.Incoming || r.Seconds != 0 {
			t.Errorf("%s reads %+v", callee.user.Name, r)
		}
		if r := c.record(call); r.Missed || r.Direction != signal.Outgoing {
			t.Errorf("carol reads %+v", r)
		}
	}
	var list signal.Calls
	c.get("/api/calls?limit=1", &list)
	if len(list.Calls) != 1 || !list.More || list.Calls[0].ID != offline {
		t.Fatalf("the newest is %+v", list)
	}
	c.get("/api/calls?limit=5&before="+offline, &list)
	if len(list.Calls) != 1 || list.More || list.Calls[0].ID != busy {
		t.Fatalf("the older ones are %+v", list)
	}
	if st := a.get("/api/calls/"+busy, nil); st != http.StatusNotFound {
		t.Fatalf("somebody else's call: %d, want 404", st)
	}
	for _, q := range []string{"?limit=0", "?limit=x", "?limit=201", "?before=" + busy} {
		if st := a.get("/api/calls"+q, nil); st != http.StatusBadRequest && st != http.StatusNotFound {
			t.Errorf("%s: %d", q, st)
		}
	}
}

func TestTwoDevices(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, b1, b2 := a.phone("a"), b.phone("b1"), b.phone("b2")
	call := invite(alice, b.user, b1, b2)
	for range 2 {
		alice.push(signal.CodeRinging, call)
	}
	b2.must(signal.CallAccept, "", call, signal.Accept{})
	b1.ended(call, signal.EndAnsweredElsewhere)
	b1.refused(signal.ErrAlreadyAnswered, signal.CallAccept, "", call, signal.Accept{})
	b1.refused(signal.ErrNotInCall, signal.MessageOffer, "", call, signal.SDP{SDP: "v=0"})
	alice.push(signal.CodeAccepted, call)
	alice.must(signal.CallHangup, "", call, signal.Hangup{})
	b2.ended(call, signal.EndHangup)

	call = invite(alice, b.user, b1, b2)
	b1.must(signal.CallReject, "", call, signal.Reject{})
	b2.ended(call, signal.EndDeclinedElsewhere)
	b1.ended(call, signal.EndDeclined)
	alice.ended(call, signal.EndDeclined)
}

func TestBothDialEachOther(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	first, second := signal.NewID(), signal.NewID()
	alice.must(signal.CallInvite, b.user.ID, first, signal.Invite{Video: true})
	in := decode[signal.Invited](t, bob.must(signal.CallInvite, a.user.ID, second, signal.Invite{}))
	if in.Merged != first || in.Peer == nil || in.Peer.Name != "alice" || !in.Video {
		t.Fatalf("bob hears %+v", in)
	}
	alice.push(signal.CodeAccepted, first)
	alice.must(signal.MessageOffer, "", first, signal.SDP{SDP: "v=0"})
	bob.push(signal.CodeOffer, first)
	bob.must(signal.CallHangup, "", first, signal.Hangup{})
	alice.ended(first, signal.EndHangup)
	bob.ended(first, signal.EndHangup)
	if r := b.record(first); r.Direction != signal.Incoming || r.Accepted == nil || r.Missed {
		t.Fatalf("bob reads %+v", r)
	}
	if st := b.get("/api/calls/"+second, nil); st != http.StatusNotFound {
		t.Fatalf("the second invite is on record: %d", st)
	}
}

func TestBothDialAtTheSameInstant(t *testing.T) {
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	for range 20 {
		ids := map[*phone]string{alice: signal.NewID(), bob: signal.NewID()}
		merged := make(chan string, 2)
		for p, to := range map[*phone]signal.User{alice: b.user, bob: a.user} {
			go func() {
				in, _ := signal.Decode[signal.Invited](p.ask(signal.CallInvite, to.ID, ids[p], signal.Invite{}))
				merged <- in.Merged
			}()
		}
		into := <-merged + <-merged // exactly one of them hears of the other's
		if into != ids[alice] && into != ids[bob] {
			t.Fatalf("merged into %q, want one of %v", into, ids)
		}
		first := alice
		if into == ids[bob] {
			first = bob
		}
		first.push(signal.CodeAccepted, into)
		first.must(signal.CallHangup, "", into, signal.Hangup{})
		alice.ended(into, signal.EndHangup)
		bob.ended(into, signal.EndHangup)
	}
}

func TestEchoAnswers(t *testing.T) {
	s := open(t, func(c *server.Config) {
		c.TURNListen, c.EchoRingFor = "127.0.0.1:0", 10*time.Millisecond
	})
	g := s.guest("alice")
	alice := g.phone("a")
	echo := signal.User{}
	for _, u := range alice.hello.Users {
		if u.Kind == signal.KindEcho {
			echo = u
		}
	}
	if echo.ID != server.EchoID || !echo.Online {
		t.Fatalf("Echo is %+v", echo)
	}
	call := invite(alice, echo)
	alice.push(signal.CodeRinging, call)
	in := decode[signal.Accepted](t, alice.push(signal.CodeAccepted, call))
	if len(in.ICEServers) != 1 || len(in.ICEServers[0].URLs) != 4 || in.ICEServers[0].Credential == "" ||
		!strings.HasPrefix(in.ICEServers[0].URLs[0], "stun:127.0.0.1:") || strings.Contains(in.ICEServers[0].Credential, g.token) {
		t.Fatalf("alice is given %+v", in.ICEServers)
	}
	alice.must(signal.CallHangup, "", call, signal.Hangup{})
	alice.ended(call, signal.EndHangup)
	alice.must(signal.MessageSendTo, echo.ID, "", signal.Text{Text: "hello?"})
	if m := decode[signal.ChatMessage](t, alice.push(signal.CodeChat, "")); m.FromID != echo.ID || m.Text != "hello?" {
		t.Fatalf("Echo writes %+v", m)
	}
}
