package app

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

const theirs = "call-of-bert-0123456789"

// test runs f in a bubble of made-up time with an App that is online, and closes it.
func test(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		f(t, r)
		r.Close()
		if r.media.open != 0 || !r.media.closed {
			t.Errorf("%d media connections left open, media closed: %v", r.media.open, r.media.closed)
		}
	})
}

// talking brings r into a call with Bert that Anna dialled, media flowing.
func talking(r *rig) string {
	r.t.Helper()
	r.Dial(bert.ID, true)
	r.phase(call.Dialing)
	id := r.now().Call.ID
	r.server.push(signal.CallRinging, signal.CodeRinging, id, signal.Ringing{Devices: 2})
	r.phase(call.RingingOut)
	r.server.push(signal.CallAccept, signal.CodeAccepted, id, signal.Accepted{Video: true, ICEServers: ice})
	r.phase(call.Connecting)
	r.media.say(MediaUp{Path: signal.PathDirect})
	r.phase(call.Active)
	return id
}

func TestCallFromDialToHangup(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		if c := r.media.opens[0]; !c.Offerer || c.CallID != id || len(c.ICEServers) != 1 || !c.Camera || !c.Microphone {
			t.Errorf("opened with %+v", c)
		}
		r.media.say(LocalOffer{SDP: "v=0 mine"})
		r.media.say(LocalCandidate{signal.Candidate{Candidate: "c1"}})
		if o := r.server.said(signal.MessageOffer); len(o) != 1 || o[0].CallID != id {
			t.Errorf("offers: %+v", o)
		}
		if len(r.server.said(signal.MessageCandidate)) != 1 {
			t.Error("no candidate sent")
		}
		r.server.push(signal.MessageAnswer, signal.CodeAnswer, id, signal.SDP{SDP: "v=0 theirs"})
		r.server.push(signal.MessageAnswer, signal.CodeAnswer, "another-call-0123456789", signal.SDP{SDP: "v=0 forged"})
		if !slices.Equal(r.media.did, []string{"answer v=0 theirs"}) {
			t.Errorf("peer got %q", r.media.did)
		}
		time.Sleep(300 * time.Millisecond)
		r.media.say(FirstVideo{Width: 640, Height: 360})
		r.media.say(FirstAudio{})
		r.media.say(MediaUp{Path: signal.PathRelay})
		reports := r.server.said(signal.CallReport)
		last, _ := signal.Decode[signal.Report](reports[len(reports)-1])
		if len(reports) != 3 || last.Path != signal.PathRelay || last.SetupMs != 300 {
			t.Errorf("%d reports, the last %+v", len(reports), last)
		}
		time.Sleep(10*time.Second - 300*time.Millisecond)
		r.Hangup()
		r.ended(signal.EndHangup)
		if got := r.last.Call.Lasted; got != 10*time.Second {
			t.Errorf("lasted %v", got)
		}
		want := []string{"signed-in", "dialing", "ringing", "accepted", "connected", "first-remote-frame", "first-remote-audio", "ended"}
		if got := r.names(); !slices.Equal(got, want) {
			t.Errorf("events %v", got)
		}
		if len(r.server.said(signal.CallHangup)) != 1 {
			t.Error("the hub was not told")
		}
		r.Dismiss()
		r.phase(call.Idle)
	})
}

func TestIncomingCallRingsAndIsAccepted(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{Video: true, From: &bert, ExpiresMs: 45000})
		r.phase(call.Incoming)
		if c := r.last.Call; c.Peer.Name != "Bert" || !c.PeerVideo || r.media.rings() != "ringtone" {
			t.Errorf("incoming %+v, rings %q", c, r.media.rings())
		}
		r.Accept(false)
		r.phase(call.Connecting)
		if r.media.rings() != "" {
			t.Error("rings on")
		}
		if c := r.media.opens[0]; c.Offerer || c.Camera || !c.Microphone {
			t.Errorf("opened with %+v", c)
		}
		m, _ := signal.Decode[signal.Media](r.server.said(signal.CallMedia)[0])
		if !m.Microphone || m.Camera {
			t.Errorf("the other was told %+v", m)
		}
		r.server.push(signal.CallMedia, signal.CodeMedia, theirs, signal.Media{Camera: true})
		if p := r.now().Call.Peers; p.Microphone || !p.Camera {
			t.Errorf("the other's switches: %+v", p)
		}
		r.server.push(signal.CallEnded, signal.CodeEnded, theirs, signal.Ended{Reason: signal.EndPeerGone})
		r.ended(signal.EndPeerGone)
	})
}

// A slow camera must not lose what the other sends meanwhile.
func TestSignalsBeforeThePeerExistsAreKept(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.media.slow = 2 * time.Second
		r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{From: &bert})
		r.Accept(true)
		r.phase(call.Connecting)
		r.server.push(signal.MessageOffer, signal.CodeOffer, theirs, signal.SDP{SDP: "v=0"})
		for range maxHeld + 10 {
			r.server.push(signal.MessageCandidate, signal.CodeCandidate, theirs, signal.Candidate{Candidate: "k"})
		}
		r.SetCamera(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := len(r.media.did); n != maxHeld || r.media.did[0] != "offer v=0" {
			t.Errorf("%d kept, first %q", n, r.media.did[0])
		}
	})
}

// Hanging up while devices are still being opened must close what then comes.
func TestHangupWhileOpening(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.media.slow = 2 * time.Second
		r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{From: &bert})
		r.Accept(true)
		r.phase(call.Connecting)
		r.Hangup()
		r.ended(signal.EndHangup)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(r.media.opens) != 1 || r.media.open != 0 {
			t.Errorf("opened %d, still open %d", len(r.media.opens), r.media.open)
		}
	})
}

func TestCloseWhileOpening(t *testing.T) {
	test(t, func(_ *testing.T, r *rig) {
		r.media.slow = 3 * time.Second
		r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{From: &bert})
		r.Accept(true)
		r.phase(call.Connecting)
	}) // test closes, and checks that nothing is left open
}

func TestEndsWithoutAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(r *rig, id string)
		want signal.EndReason
		said signal.Method
	}{
		"cancel":   {func(r *rig, _ string) { r.Hangup() }, signal.EndCancelled, signal.CallCancel},
		"declined": {func(r *rig, id string) { r.endedBy(id, signal.EndDeclined) }, signal.EndDeclined, ""},
		"busy":     {func(r *rig, id string) { r.endedBy(id, signal.EndBusy) }, signal.EndBusy, ""},
		"offline":  {func(r *rig, id string) { r.endedBy(id, signal.EndOffline) }, signal.EndOffline, ""},
		"silence":  {func(*rig, string) { time.Sleep(call.RingTimeout + time.Second) }, signal.EndNoAnswer, signal.CallCancel},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, r *rig) {
				r.Dial(bert.ID, true)
				id := r.now().Call.ID
				r.server.push(signal.CallRinging, signal.CodeRinging, id, signal.Ringing{Devices: 1})
				if r.media.rings() != "ringback" {
					t.Error("no ringback")
				}
				c.do(r, id)
				r.ended(c.want)
				if r.media.rings() != "" {
					t.Error("rings on")
				}
				if c.said != "" && len(r.server.said(c.said)) != 1 {
					t.Errorf("the hub was not told by %s", c.said)
				}
			})
		})
	}
}

func (r *rig) endedBy(id string, reason signal.EndReason) {
	r.server.push(signal.CallEnded, signal.CodeEnded, id, signal.Ended{Reason: reason})
}

func TestRefusedInvite(t *testing.T) {
	test(t, func(_ *testing.T, r *rig) {
		r.server.replies[signal.CallInvite] = func(signal.Envelope) any {
			return &signal.Error{Code: signal.ErrAlreadyInCall, Message: "You are in a call."}
		}
		r.Dial(bert.ID, true)
		r.ended(signal.ErrAlreadyInCall)
	})
}

func TestLateAcceptIsAnsweredElsewhere(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.replies[signal.CallAccept] = func(signal.Envelope) any {
			return &signal.Error{Code: signal.ErrAlreadyAnswered, Message: "x"}
		}
		r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{From: &bert})
		r.Accept(true)
		r.ended(signal.EndAnsweredElsewhere)
		if len(r.media.opens) != 0 {
			t.Error("devices were opened")
		}
	})
}

// Both dial at once: the reply to our invite names the other's call, and we are its callee.
func TestGlare(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.replies[signal.CallInvite] = nil // not answered yet
		r.Dial(bert.ID, true)
		r.phase(call.Dialing)
		r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{From: &bert})
		if len(r.server.said(signal.CallReject)) != 0 {
			t.Fatal("the other's invite was called busy")
		}
		mine := r.server.said(signal.CallInvite)[0]
		in := signal.Invited{Merged: theirs, ICEServers: ice, Peer: &bert, Video: true}
		reply := signal.Envelope{Method: mine.Method, RequestID: mine.RequestID, Data: signal.Encode(in)}
		r.server.events <- signal.Event{State: signal.StateOnline, Reply: &reply}
		r.phase(call.Connecting)
		if c := r.media.opens[0]; c.CallID != theirs || c.Offerer || len(c.ICEServers) != 1 {
			t.Errorf("opened with %+v", c)
		}
		r.server.push(signal.MessageOffer, signal.CodeOffer, theirs, signal.SDP{SDP: "v=0"})
		if !slices.Contains(r.media.did, "offer v=0") {
			t.Errorf("peer got %q", r.media.did)
		}
	})
}

func TestSecondInviteIsBusy(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		talking(r)
		r.server.push(signal.CallInvite, signal.CodeInvite, "call-of-cleo-0123456789", signal.Invite{From: &cleo})
		r.phase(call.Active)
		got := r.server.said(signal.CallReject)
		if len(got) != 1 || got[0].CallID != "call-of-cleo-0123456789" {
			t.Errorf("%+v", got)
		}
	})
}

func TestSwitches(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		talking(r)
		before := len(r.server.said(signal.CallMedia))
		r.SetMicrophone(false)
		r.SetMicrophone(false) // changes nothing
		r.SetScreen("Screen 1")
		r.SetSettings(Settings{Camera: "Other"})
		r.now()
		want := []string{"microphone off", "screen Screen 1", "devices Other"}
		if !slices.Equal(r.media.did, want) {
			t.Errorf("peer got %q", r.media.did)
		}
		said := r.server.said(signal.CallMedia)[before:]
		m, _ := signal.Decode[signal.Media](said[len(said)-1])
		if len(said) != 2 || m.Microphone || !m.Screen || !m.Camera {
			t.Errorf("%d said, last %+v", len(said), m)
		}
		r.media.say(VideoPaused{On: true})
		r.media.say(VideoPaused{On: true}) // changes nothing
		r.now()
		said = r.server.said(signal.CallMedia)[before:]
		if m, _ := signal.Decode[signal.Media](said[len(said)-1]); len(said) != 3 || !m.Paused || !m.Camera {
			t.Errorf("paused: %d said, last %+v", len(said), m)
		}
		r.server.push(signal.CallMedia, signal.CodeMedia, r.now().Call.ID, signal.Media{Camera: true, Paused: true})
		if s := r.now(); !s.Call.Paused || !s.Call.Peers.Paused {
			t.Errorf("ours %v, theirs %v", s.Call.Paused, s.Call.Peers.Paused)
		}
		r.media.say(VideoPaused{})
		if s := r.now(); s.Call.Paused {
			t.Error("still paused")
		}
		told := slices.DeleteFunc(r.names(), func(name string) bool { return !strings.HasPrefix(name, "picture-") })
		if !slices.Equal(told, []string{"picture-paused", "picture-resumed"}) {
			t.Errorf("scripts are told %q", told)
		}
		r.media.say(MediaNotice{Text: "No camera found"})
		r.media.say(MediaLacks{Camera: true})
		if s := r.now(); s.Call.Camera || !slices.Contains(s.Notices, "No camera found") {
			t.Errorf("camera %v, notices %q", s.Call.Camera, s.Notices)
		}
	})
}

func TestMediaThatCannotBeOpened(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.media.openErr = errors.New("no sockets left")
		r.server.push(signal.CallInvite, signal.CodeInvite, theirs, signal.Invite{From: &bert})
		r.Accept(true)
		r.ended(signal.EndConnectionFailed)
		if h := r.server.said(signal.CallHangup); len(h) != 1 {
			t.Errorf("the hub was told %+v", h)
		}
	})
}

func TestMediaLostAndBack(t *testing.T) {
	test(t, func(_ *testing.T, r *rig) {
		talking(r)
		r.media.say(MediaDown{})
		r.phase(call.Reconnecting)
		r.media.say(MediaUp{Path: signal.PathDirect})
		r.phase(call.Active)
		r.media.say(MediaDown{})
		time.Sleep(call.ReconnectLimit + time.Second)
		r.ended(signal.EndConnectionFailed)
	})
}

// News of an old call's media must not touch the next call.
func TestLateMediaNewsOfAnOldCall(t *testing.T) {
	test(t, func(_ *testing.T, r *rig) {
		talking(r)
		old := r.media.post
		r.Hangup()
		r.ended(signal.EndHangup)
		talking(r)
		old(MediaFailed{Why: "late"})
		r.phase(call.Active)
	})
}
