package hub

import (
	"slices"
	"strings"
	"testing"

	"visavis.example/internal/signal"
)

const (
	relayCandidate = "candidate:1 1 udp 41885439 198.51.100.1 50000 typ relay raddr 192.0.2.77 rport 4000"
	relayHidden    = "candidate:1 1 udp 41885439 198.51.100.1 50000 typ relay raddr 0.0.0.0 rport 0"
	hostCandidate  = "candidate:1 1 udp 2130706431 192.0.2.9 4321 typ host"
)

// ringEarly is a call that rings on b, with whom the caller may connect; it gives the name of b's device.
func ringEarly(w *world, a, b *dev, call string) string {
	w.t.Helper()
	rung, err := signal.Decode[signal.Rung](b.must(signal.CallRinging, "", call, signal.Ring{Early: true}))
	if err != nil || len(rung.ICEServers) != 1 || rung.ICEServers[0].Username != b.user+"/"+b.id+"/"+call {
		w.t.Fatalf("ringing is answered %+v, %v", rung, err)
	}
	r, _ := take[signal.Ringing](a, signal.CodeRinging)
	if r.Device == "" || len(r.ICEServers) != 1 || r.ICEServers[0].Username != a.user+"/"+a.id+"/"+call {
		w.t.Fatalf("the caller is told %+v", r)
	}
	return r.Device
}

func TestEarlyConnectionsOfTwoDevices(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b1, b2 := w.connect("alice", "a"), w.connect("bob", "b1"), w.connect("bob", "b2")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{Early: true})
	for _, b := range []*dev{b1, b2} {
		if in, _ := take[signal.Invite](b, signal.CodeInvite); !in.Early {
			t.Fatalf("%+v", in)
		}
	}
	one, two := ringEarly(w, a, b1, id(1)), ringEarly(w, a, b2, id(1))
	if one == two || strings.Contains(one+two, "b1-") {
		t.Fatalf("devices are called %q and %q", one, two)
	}

	sdp := "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\nc=IN IP4 192.0.2.9\r\na=" + relayCandidate + "\r\n"
	a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: sdp, Device: two})
	b1.quietBut(signal.CodeUserOnline)
	b1.quiet()
	want := "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\nc=IN IP4 0.0.0.0\r\na=" + relayHidden + "\r\n"
	if s, _ := take[signal.SDP](b2, signal.CodeOffer); s.SDP != want || s.Device != "" {
		t.Fatalf("the offer arrives as %+v", s)
	}
	b2.must(signal.MessageAnswer, "", id(1), signal.SDP{SDP: "v=0\r\n"})
	if s, _ := take[signal.SDP](a, signal.CodeAnswer); s.Device != two {
		t.Fatalf("the answer comes from %+v", s)
	}
	b1.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: relayCandidate})
	if k, _ := take[signal.Candidate](a, signal.CodeCandidate); k.Device != one || k.Candidate != relayHidden {
		t.Fatalf("the candidate arrives as %+v", k)
	}

	e := b2.must(signal.CallAccept, "", id(1), signal.Accept{Video: true, Early: true})
	if acc, _ := signal.Decode[signal.Accepted](e); len(acc.ICEServers) != 1 {
		t.Fatalf("%+v", acc)
	}
	if acc, _ := take[signal.Accepted](a, signal.CodeAccepted); acc.Device != two {
		t.Fatalf("the caller is told %+v, want device %q", acc, two)
	}
	b1.ended(id(1), signal.EndAnsweredElsewhere, "bob")
	hold := "hold " + id(1)
	if told := []string{hold, hold, "leave " + b1.id, "open " + id(1)}; !slices.Equal(w.held, told) {
		t.Fatalf("the relay was told %v, want %v", w.held, told)
	}
	// What crossed the accept still arrives, and what was for the other device does not.
	a.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: hostCandidate, Device: two})
	if k, _ := take[signal.Candidate](b2, signal.CodeCandidate); k.Candidate != hostCandidate {
		t.Fatalf("%+v", k)
	}
	a.refused(signal.ErrNotInCall, signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0", Device: one})
	onlyTheTwo(id(1), b1)
}

func TestAnEarlyConnectionThatWasNotKept(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{Early: true})
	ringEarly(w, a, b, id(1))
	b.must(signal.CallAccept, "", id(1), signal.Accept{})
	if acc, _ := take[signal.Accepted](a, signal.CodeAccepted); acc.Device != "" {
		t.Fatalf("%+v", acc)
	}
}

// Nobody's address passes before accept, and nobody but the two ends of an early connection may speak.
func TestAttackCandidatePrivacy(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	a, b, silent, c := w.connect("alice", "a"), w.connect("bob", "b1"), w.connect("bob", "b2"), w.connect("carol", "c")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{Early: true})
	name := ringEarly(w, a, b, id(1))
	srflx := "candidate:1 1 udp 1694498815 203.0.113.9 4321 typ srflx raddr 192.168.1.2 rport 1"
	false1 := strings.Replace(relayCandidate, "198.51.100.1", "203.0.113.9", 1) // to where a browser would send checks from its own address
	false2 := strings.Replace(relayCandidate, "198.51.100.1 50000", "198.51.100.1 50001", 1)
	false3 := strings.Replace(relayCandidate, "198.51.100.1", "a.example", 1)
	for _, bad := range []string{hostCandidate, srflx, "candidate:1 1 udp 1 192.0.2.9", "typ relay", hostCandidate + " typ relay", false1, false2, false3} {
		a.refused(signal.ErrBadRequest, signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: bad, Device: name})
		b.refused(signal.ErrBadRequest, signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: bad})
		b.refused(signal.ErrBadRequest, signal.MessageAnswer, "", id(1), signal.SDP{SDP: "v=0\na=candidate:" + bad + "\n"})
	}
	if len(w.peers) > 0 {
		t.Fatalf("the relay was told %v", w.peers)
	}
	a.refused(signal.ErrNotInCall, signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0"})
	a.refused(signal.ErrNotInCall, signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0", Device: "9"})
	a.refused(signal.ErrBadRequest, signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0", Device: strings.Repeat("1", 17)})
	a.refused(signal.ErrNotInCall, signal.CallMedia, "", id(1), signal.Media{})
	for _, d := range []*dev{silent, c} {
		d.refused(signal.ErrNotInCall, signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0"})
		d.refused(signal.ErrNotInCall, signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0", Device: name})
		d.refused(signal.ErrNotInCall, signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: relayCandidate})
	}
	take[signal.Invite](b, signal.CodeInvite)
	b.quiet()
}

func TestEarlyFloodsEnd(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	a, b := w.connect("alice", "a"), w.connect("bob", "b")
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{Early: true})
	name := ringEarly(w, a, b, id(1))
	for range signal.MaxEarlyMessages {
		a.must(signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0", Device: name})
	}
	a.refused(signal.ErrTooMany, signal.MessageOffer, "", id(1), signal.SDP{SDP: "v=0", Device: name})
	b.must(signal.CallAccept, "", id(1), signal.Accept{Early: true})
	a.must(signal.MessageCandidate, "", id(1), signal.Candidate{Candidate: hostCandidate})
}

// Only three devices are connected early, and none of a caller or a device that does not ask for it.
func TestWhoIsConnectedEarly(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol")
	a := w.connect("alice", "a")
	devs := []*dev{w.connect("bob", "b1"), w.connect("bob", "b2"), w.connect("bob", "b3"), w.connect("bob", "b4")}
	a.must(signal.CallInvite, "bob", id(1), signal.Invite{Early: true})
	for _, b := range devs[:3] {
		ringEarly(w, a, b, id(1))
	}
	rung, _ := signal.Decode[signal.Rung](devs[3].must(signal.CallRinging, "", id(1), signal.Ring{Early: true}))
	if r, _ := take[signal.Ringing](a, signal.CodeRinging); rung.ICEServers != nil || r.Device != "" || r.Devices != 4 {
		t.Fatalf("a fourth device: %+v, %+v", rung, r)
	}
	again, _ := signal.Decode[signal.Rung](devs[0].must(signal.CallRinging, "", id(1), signal.Ring{Early: true}))
	if a.quiet(); len(again.ICEServers) != 1 {
		t.Fatal("a repeated request is answered differently")
	}
	// A caller who comes back hears of them again.
	a = a.back()
	names := map[string]bool{}
	for range 4 {
		r, _ := take[signal.Ringing](a, signal.CodeRinging)
		names[r.Device] = true
	}
	if !names[""] || !names["1"] || !names["2"] || !names["3"] {
		t.Fatalf("%v", names)
	}
	a.must(signal.CallCancel, "", id(1), nil)

	c := w.connect("carol", "c")
	c.must(signal.CallInvite, "bob", id(2), signal.Invite{})
	rung, _ = signal.Decode[signal.Rung](devs[0].must(signal.CallRinging, "", id(2), signal.Ring{Early: true}))
	if r, _ := take[signal.Ringing](c, signal.CodeRinging); rung.ICEServers != nil || r.Device != "" || r.ICEServers != nil {
		t.Fatalf("an old caller: %+v, %+v", rung, r)
	}
}
