package app

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

const bertsCall = "call-of-bert-0123456789"

func (m *fakeMedia) config(i int) MediaConfig {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opens[i]
}

func (m *fakeMedia) counts() (opens, open int, did []string) {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.opens), m.open, slices.Clone(m.did)
}

func TestCalleeConnectsWhileItRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		r.server.replies[signal.CallRinging] = func(signal.Envelope) any { return signal.Rung{ICEServers: ice} }
		r.server.push(signal.CallInvite, signal.CodeInvite, bertsCall, signal.Invite{Video: true, Early: true, From: &bert})
		if ring, _ := signal.Decode[signal.Ring](r.server.said(signal.CallRinging)[0]); !ring.Early {
			t.Fatal("does not say that it can connect early")
		}
		if c := r.media.config(0); !c.Held || c.Devices || c.Offerer || c.CallID != bertsCall || len(c.ICEServers) != 1 {
			t.Fatalf("opened with %+v", c)
		}
		r.server.push(signal.MessageOffer, signal.CodeOffer, bertsCall, signal.SDP{SDP: "v=0 early"})
		r.media.say(LocalAnswer{"v=0 answer"})
		r.media.say(MediaUp{signal.PathRelay})
		r.phase(call.Incoming)
		r.Accept(true)
		r.phase(call.Active)
		if a, _ := signal.Decode[signal.Accept](r.server.said(signal.CallAccept)[0]); !a.Early || !a.Video {
			t.Errorf("accept says %+v", a)
		}
		opens, _, did := r.media.counts()
		if want := []string{"offer v=0 early", "release on on"}; opens != 1 || !slices.Equal(did, want) {
			t.Errorf("%d opened, did %v", opens, did)
		}
		// The caller has lost its side: it offers anew, and this side begins anew.
		r.server.push(signal.MessageOffer, signal.CodeOffer, bertsCall, signal.SDP{SDP: "v=0 fresh", Fresh: true})
		if opens, open, did := r.media.counts(); opens != 2 || open != 1 || did[len(did)-1] != "offer v=0 fresh" || r.media.opens[1].Held {
			t.Errorf("%d opened, %d open, did %v", opens, open, did)
		}
	})
}

func TestCalleeOfAnOldCallerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		r.server.push(signal.CallInvite, signal.CodeInvite, bertsCall, signal.Invite{From: &bert})
		if ring, _ := signal.Decode[signal.Ring](r.server.said(signal.CallRinging)[0]); ring.Early {
			t.Error("offers what the caller cannot")
		}
		r.Accept(false)
		r.phase(call.Connecting)
		if a, _ := signal.Decode[signal.Accept](r.server.said(signal.CallAccept)[0]); a.Early || r.media.config(0).Held {
			t.Error("goes on with what there is not")
		}
	})
}

// ringOn dials Bert, two of whose devices ring and can be connected.
func ringOn(r *rig) (id string) {
	r.Dial(bert.ID, true)
	id = r.now().Call.ID
	for _, device := range []string{"1", "2", "1"} { // one is said again after a cut
		r.server.push(signal.CallRinging, signal.CodeRinging, id, signal.Ringing{Devices: 2, Device: device, ICEServers: ice})
	}
	return id
}

func TestCallerKeepsTheConnectionOfWhoAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		id := ringOn(r)
		if inv, _ := signal.Decode[signal.Invite](r.server.said(signal.CallInvite)[0]); !inv.Early {
			t.Error("the invite does not say early")
		}
		if opens, open, _ := r.media.counts(); opens != 2 || open != 2 || !r.media.config(0).Devices || r.media.config(1).Devices {
			t.Fatalf("%d opened, %d open: %+v", opens, open, r.media.opens)
		}
		r.media.say(LocalOffer{"v=0 second"})
		r.media.say(FirstVideo{640, 360}) // nothing to be shown before accept
		offers := r.server.said(signal.MessageOffer)
		if s, _ := signal.Decode[signal.SDP](offers[len(offers)-1]); s.Device != "2" || s.Fresh || slices.Contains(r.names(), "first-remote-frame") {
			t.Fatalf("offered %+v, events %v", s, r.names())
		}
		r.server.push(signal.MessageAnswer, signal.CodeAnswer, id, signal.SDP{SDP: "v=0 answer", Device: "2"})
		r.media.say(MediaUp{signal.PathRelay})
		r.server.push(signal.CallAccept, signal.CodeAccepted, id, signal.Accepted{Video: true, ICEServers: ice, Device: "2"})
		r.phase(call.Active)
		opens, open, did := r.media.counts()
		if want := []string{"answer v=0 answer", "release on on"}; opens != 2 || open != 1 || !slices.Equal(did, want) {
			t.Errorf("%d opened, %d open, did %v", opens, open, did)
		}
		if !slices.Contains(r.names(), "first-remote-frame") {
			t.Error("what came early is forgotten")
		}
	})
}

func TestCallerBeginsAnewWhenTheEarlyConnectionFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		id := ringOn(r)
		r.media.say(MediaFailed{"no relay"}) // the second
		r.phase(call.RingingOut)
		r.server.push(signal.CallAccept, signal.CodeAccepted, id, signal.Accepted{ICEServers: ice, Device: "2"})
		r.phase(call.Connecting)
		r.media.say(LocalOffer{"v=0 anew"})
		offers := r.server.said(signal.MessageOffer)
		if s, _ := signal.Decode[signal.SDP](offers[len(offers)-1]); !s.Fresh || s.Device != "" || s.SDP != "v=0 anew" {
			t.Errorf("offered %+v", s)
		}
		if opens, open, _ := r.media.counts(); opens != 3 || open != 1 || r.media.opens[2].Held {
			t.Errorf("%d opened, %d open", opens, open)
		}
	})
}

// Whether they stand after a change of network is for the connections to say.
func TestEarlyConnectionsHearOfTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		r.NetworkChanged(false) // no call: nobody
		ringOn(r)
		r.NetworkChanged(false)
		if _, _, did := r.media.counts(); !slices.Equal(did, []string{"network off", "network off"}) {
			t.Errorf("did %v", did)
		}
		r.Hangup()
		r.ended(signal.EndCancelled)
		r.NetworkChanged(true)
		if _, _, did := r.media.counts(); len(did) != 2 {
			t.Errorf("did %v after the end", did)
		}
	})
}

func TestEarlyConnectionsEndWithTheirCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		ringOn(r)
		r.Hangup()
		r.ended(signal.EndCancelled)
		if _, open, _ := r.media.counts(); open != 0 {
			t.Errorf("%d still open", open)
		}
	})
}

func TestAnotherPathIsSoughtWhenTheServerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		id := ringOn(r)
		r.server.push(signal.CallAccept, signal.CodeAccepted, id, signal.Accepted{ICEServers: ice, Device: "2"})
		r.media.say(MediaUp{signal.PathDirect})
		r.server.replies[signal.CallReport] = nil // the server is as dead as the path
		r.media.say(MediaDown{})
		time.Sleep(5 * time.Second)
		if _, _, did := r.media.counts(); slices.Contains(did, "restart off") {
			t.Fatal("the path was given up although the line is dead")
		}
		r.server.replies[signal.CallReport] = func(signal.Envelope) any { return struct{}{} }
		r.server.cut()
		r.NetworkChanged(true)
		synctest.Wait()
		r.server.online(id)
		time.Sleep(5 * time.Second)
		if _, _, did := r.media.counts(); !slices.Contains(did, "restart off") || !slices.Contains(did, "network on") || r.server.checks == 0 {
			t.Fatalf("did %v, the server was looked at %d times", did, r.server.checks)
		}
		r.server.push(signal.CallRestart, signal.CodeRestart, id, nil)
		if _, _, did := r.media.counts(); did[len(did)-1] != "restart on" {
			t.Errorf("did %v", did)
		}
		r.media.say(RestartWanted{})
		if len(r.server.said(signal.CallRestart)) != 1 {
			t.Error("the other was not asked")
		}
	})
}
