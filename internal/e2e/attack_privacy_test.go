package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/signal"
)

// TestAttackCalleesAddressWhileItRings calls somebody with a program of our own, connects early, and reads all that comes
// while it rings: nothing of it may say where the callee is. After the accept the callee's own addresses do come.
func TestAttackCalleesAddressWhileItRings(t *testing.T) {
	s := newScene(t, []string{"bob"})
	v := s.visitor("127.0.0.1")
	d := v.device(v.register("mallory").Token, "m")
	bob := s.answer("bob", "--once", "--after", "3s")
	list, err := d.ask(signal.Envelope{Method: signal.UserList})
	s.must(err)
	users, err := signal.Decode[signal.Users](list)
	s.must(err)
	call, callee := signal.NewID(), ""
	for _, u := range users.Users {
		if u.Name == "bob" {
			callee = u.ID
		}
	}
	_, err = d.ask(signal.Envelope{Method: signal.CallInvite, ToID: callee, CallID: call, Data: signal.Encode(signal.Invite{Video: true, Early: true})})
	s.must(err)

	var pc *webrtc.PeerConnection
	var before, after []string
	accepted := false
	for !hasHost(after) {
		var e signal.Envelope
		_ = d.SetReadDeadline(time.Now().Add(limit))
		s.must(d.ReadJSON(&e))
		if e.CallID != call || e.Code < 10000 {
			continue
		}
		if e.Code == signal.CodeEnded {
			t.Fatalf("the call ended: %s; after accept there was %q", e.Data, after)
		}
		if accepted = accepted || e.Code == signal.CodeAccepted; accepted {
			after = append(after, string(e.Data))
		} else {
			before = append(before, string(e.Data))
		}
		switch r, _ := signal.Decode[signal.Ringing](e); {
		case e.Code == signal.CodeRinging && r.Device != "" && pc == nil:
			var offer string
			pc, offer = relayedOffer(t, r.ICEServers)
			s.must(d.WriteJSON(signal.Envelope{Method: signal.MessageOffer, CallID: call, Data: signal.Encode(signal.SDP{SDP: offer, Device: r.Device})}))
		case e.Code == signal.CodeAnswer && pc != nil:
			sdp, err := signal.Decode[signal.SDP](e)
			s.must(err)
			s.must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp.SDP}))
		}
	}
	relayed := 0
	for _, data := range before {
		if strings.Contains(data, "typ host") || strings.Contains(data, "typ srflx") || strings.Contains(data, "typ prflx") {
			t.Errorf("before the accept there came %s", data)
		}
		relayed += strings.Count(data, "typ relay")
		for _, a := range ownAddresses(t) {
			if strings.Contains(data, a) {
				t.Errorf("before the accept there came the address %s in %s", a, data)
			}
		}
	}
	if pc == nil || relayed == 0 {
		t.Fatalf("they were not connected early, so nothing was tried: %q", before)
	}
	_, err = d.ask(signal.Envelope{Method: signal.CallHangup, CallID: call})
	s.must(err)
	bob.ended(signal.EndHangup)
}

func hasHost(data []string) bool {
	for _, d := range data {
		if strings.Contains(d, "typ host") {
			return true
		}
	}
	return false
}

// ownAddresses are this machine's but for loopback, where the test's relay is.
func ownAddresses(t *testing.T) (all []string) {
	t.Helper()
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			all = append(all, n.IP.String())
		}
	}
	return all
}

// relayedOffer is a connection that uses the relay only, and its complete offer.
func relayedOffer(t *testing.T, servers []signal.ICEServer) (*webrtc.PeerConnection, string) {
	t.Helper()
	conf := webrtc.Configuration{ICETransportPolicy: webrtc.ICETransportPolicyRelay}
	for _, i := range servers {
		conf.ICEServers = append(conf.ICEServers, webrtc.ICEServer{URLs: i.URLs, Username: i.Username, Credential: i.Credential})
	}
	pc, err := webrtc.NewPeerConnection(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := pc.AddTransceiverFromKind(kind); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gathered:
	case <-time.After(limit):
		t.Fatal("no relayed addresses")
	}
	return pc, pc.LocalDescription().SDP
}
