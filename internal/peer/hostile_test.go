package peer

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// Candidates come before the description when signalling is fast: all are kept until then.
func TestEarlyCandidates(t *testing.T) {
	a, b := newPair(t, nil)
	a.hold = func(e Event) bool { _, ok := e.(Offer); return ok }
	b.hold = func(e Event) bool { _, ok := e.(Answer); return ok }
	call(t, a, b)
	eventually(t, "candidates of a", func() bool { return has[LocalCandidate](a) })
	a.forward(first[Offer](a))
	eventually(t, "answer and candidates of b", func() bool { return has[Answer](b) && has[LocalCandidate](b) })
	b.forward(first[Answer](b))
	flows(t, a, b)
}

func TestTooManyCandidates(t *testing.T) {
	s := &Session{Offerer: true}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 5000 {
		s.GotCandidate(Candidate{Candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host"})
	}
	s.GotCandidate(Candidate{Candidate: strings.Repeat("x", maxCandidate+1)})
	n := make(chan int, 1)
	s.box.post(func() { n <- len(s.talk.early) })
	if got := <-n; got != maxCandidates {
		t.Errorf("%d candidates kept", got)
	}
}

const hello = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"

func TestGarbageOffer(t *testing.T) {
	for name, sdp := range map[string]string{
		"empty":       "",
		"text":        "hello there",
		"no sections": hello,
		"too long":    hello + strings.Repeat("a=x\r\n", 20_000),
		"sections":    hello + strings.Repeat("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 100),
		"no mid":      hello + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendrecv\r\n",
		"no ice":      hello + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=sendrecv\r\na=rtpmap:96 VP8/90000\r\n",
		"binary":      hello + "m=\x00\xff\xfe\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := &party{}
			p.other = p
			p.hold = func(Event) bool { return true }
			p.Session = &Session{OnEvent: p.got}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.GotOffer(sdp)
			eventually(t, "Failed", func() bool { return has[Failed](p) })
			if e, n := find[Failed](p); n != 1 || e.Why == "" || strings.Contains(e.Why, "m=") {
				t.Errorf("%d times %q", n, e.Why)
			}
			p.GotOffer(sdp) // nothing more happens
			if has[Answer](p) {
				t.Error("answered")
			}
		})
	}
}

// Real descriptions with lines left out, repeated, swapped and bytes changed must end in an answer or in Failed.
func TestMutatedOffer(t *testing.T) {
	a, b := newPair(t, nil)
	a.hold = func(Event) bool { return true }
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "offer", func() bool { return has[Offer](a) })
	lines := strings.Split(first[Offer](a).SDP, "\r\n")
	_ = b
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		p := &party{hold: func(Event) bool { return true }}
		p.Session = &Session{OnEvent: p.got}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		p.GotOffer(mutate(r, lines))
		p.GotCandidate(Candidate{Candidate: mutate(r, []string{"candidate:1 1 udp 2130706431 127.0.0.1 9 typ host"})})
		eventually(t, "an answer or a failure", func() bool { return has[Answer](p) || has[Failed](p) })
		p.Close()
	}
}

func mutate(r *rand.Rand, lines []string) string {
	list := append([]string(nil), lines...)
	for range 1 + r.Intn(4) {
		i, j := r.Intn(len(list)), r.Intn(len(list))
		switch r.Intn(5) {
		case 0:
			list[i] = ""
		case 1:
			list[i] = list[j]
		case 2:
			list[i], list[j] = list[j], list[i]
		case 3:
			b := []byte(list[i])
			if len(b) > 0 {
				b[r.Intn(len(b))] = byte(r.Intn(256))
			}
			list[i] = string(b)
		case 4:
			list[i] = strings.Repeat(list[i], 1+r.Intn(50))
		}
	}
	return strings.Join(list, "\r\n")
}

// Messages that do not belong into the state of the negotiation change nothing.
func TestMessagesOutOfTurn(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	offer, answer := first[Offer](a).SDP, first[Answer](b).SDP
	a.GotOffer(offer)
	a.GotAnswer(answer)
	b.GotAnswer(answer)
	a.GotCandidate(Candidate{Candidate: "candidate:rubbish"})
	a.GotCandidate(Candidate{})
	a.eye.again()
	b.eye.again()
	flows(t, a, b)
	if has[Failed](a) || has[Failed](b) {
		t.Error("Failed was said")
	}
}

// An offer that is no restart begins no new count of candidates: pion keeps every one, and so do we.
func TestOffersDoNotPileUpCandidates(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	eventually(t, "connected", func() bool { return has[Connected](b) })
	offer, mid := first[Offer](a).SDP, "0"
	for n := range 3 * maxCandidates {
		if n%maxCandidates == 0 {
			b.GotOffer(offer)
		}
		b.GotCandidate(Candidate{Candidate: fmt.Sprintf("candidate:1 1 udp 1 192.0.2.1 %d typ host", 1000+n), SDPMid: &mid})
	}
	kept := make(chan int, 1)
	b.box.post(func() { kept <- len(b.talk.theirs) })
	if n := <-kept; n > 2*maxCandidates || has[Failed](b) {
		t.Errorf("%d candidates are kept, %d at a time may come", n, maxCandidates)
	}
}
