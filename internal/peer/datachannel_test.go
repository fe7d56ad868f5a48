package peer

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// heardTexts is what p was told over the data channel.
func heardTexts(p *party) (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e, ok := e.(Heard); ok {
			list = append(list, e.Text)
		}
	}
	return list
}

func dataOpen(t *testing.T, a, b *party) {
	t.Helper()
	eventually(t, "an open data channel", func() bool { return has[DataOpen](a) && has[DataOpen](b) })
}

// Texts pass both ways, outlive an ICE restart, and a last word arrives though its sender closes at once.
func TestTextsBesideTheMedia(t *testing.T) {
	a, b := newPair(t, nil)
	if a.Say("too early") {
		t.Error("said something before there was anybody")
	}
	call(t, a, b)
	dataOpen(t, a, b)
	for _, p := range []*party{a, b} {
		if !p.Say("ä"+strings.Repeat("x", MaxSay-2)) || p.Say(strings.Repeat("x", MaxSay+1)) {
			t.Error("texts of up to MaxSay bytes are said, and no longer ones")
		}
	}
	flows(t, a, b)
	a.box.post(func() { a.wentDown(); a.sendOffer(true) })
	eventually(t, "another path", func() bool { _, n := find[Connected](a); return n > 1 })
	a.Say("after the restart")
	eventually(t, "the text after the restart", func() bool { return slices.Contains(heardTexts(b), "after the restart") })
	b.Say("bye")
	b.Close()
	eventually(t, "the last word", func() bool { return slices.Contains(heardTexts(a), "bye") })
	if got := heardTexts(b); len(got) != 2 || len(got[0]) != MaxSay {
		t.Errorf("b heard %d texts", len(got))
	}
	if n := a.data.refused.Load() + b.data.refused.Load(); n != 0 {
		t.Errorf("%d refused", n)
	}
}

// Whoever says nonsense over the data channel is not heard, is counted, and in the end has none; media goes on.
func TestNonsenseOverTheDataChannel(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	dataOpen(t, a, b)
	send := a.data.channel
	if err := send.Send([]byte("no text")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{strings.Repeat("x", MaxSay+1), "broken \xff\xfe", "good"} {
		if err := send.SendText(text); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the good text", func() bool { return slices.Equal(heardTexts(b), []string{"good"}) })
	if n := b.data.refused.Load(); n != 3 {
		t.Errorf("%d were refused, want 3", n)
	}
	for range 2 * maxRefused {
		_ = send.SendText("flood") // fails once the channel is closed
	}
	eventually(t, "the end of the flood", func() bool { return b.data.refused.Load() > maxRefused })
	if n := len(heardTexts(b)); n < textBurst/2 || n > 2*textBurst {
		t.Errorf("%d texts of the flood were heard", n)
	}
	eventually(t, "a closed channel", func() bool { return !b.Say("still there?") })
	flows(t, a, b)
}

// Other channels than the one are closed, and too many of them end the call.
func TestStrangeDataChannels(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	dataOpen(t, a, b)
	open := func(n int) {
		for range n {
			if _, err := b.pc.CreateDataChannel("files", nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	open(maxStrange)
	eventually(t, "all of them refused", func() bool { return a.data.refused.Load() == maxStrange })
	a.Say("still there")
	eventually(t, "the text", func() bool { return slices.Contains(heardTexts(b), "still there") })
	flows(t, a, b)
	open(1)
	eventually(t, "the end", func() bool { return has[Failed](a) })
}

// Who answers without a data channel is called as ever.
func TestAnswerWithoutDataChannel(t *testing.T) {
	a, b := newPair(t, nil)
	section := regexp.MustCompile(`(?s)m=application 9.*`)
	b.hold = func(e Event) bool {
		answer, ok := e.(Answer)
		if !ok {
			return false
		}
		sdp := section.ReplaceAllString(answer.SDP, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n")
		if sdp == answer.SDP {
			t.Error("there was no section to refuse")
		}
		b.forward(Answer{strings.Replace(sdp, "BUNDLE 0 1 2", "BUNDLE 0 1", 1)})
		return true
	}
	call(t, a, b)
	flows(t, a, b)
	if has[DataOpen](a) || a.Say("x") {
		t.Error("there is a data channel all the same")
	}
}

func TestAllowance(t *testing.T) {
	var a allowance
	now := time.Unix(1000, 0)
	took := func() (n int) {
		for range 3 * textBurst {
			if a.take(now) {
				n++
			}
		}
		return n
	}
	if n := took(); n != textBurst {
		t.Errorf("%d at once", n)
	}
	now = now.Add(3 * textEvery)
	if n := took(); n != 3 {
		t.Errorf("%d after a while", n)
	}
	now = now.Add(time.Hour)
	if n := took(); n != textBurst {
		t.Errorf("%d after a long while", n)
	}
}
