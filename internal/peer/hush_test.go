package peer

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// Where feedback is rare anyway, a usual pause between two is no silence. Nor is any on a full line, or one that loses
// single packets: there silence means a queue, or nothing.
func TestBandwidthIsHushedOnlyByUnusualSilence(t *testing.T) {
	const rows, singles = 15, 0 // of twenty losses, right behind another
	for _, c := range []struct {
		again         float64
		every, silent time.Duration
		full, want    bool
	}{
		{rows, feedbackQuick, 25 * time.Millisecond, false, false},
		{rows, feedbackQuick, 35 * time.Millisecond, false, true},
		{rows, feedbackSlow, 85 * time.Millisecond, false, false},
		{rows, feedbackSlow, 100 * time.Millisecond, false, true},
		{rows, feedbackQuick, 100 * time.Millisecond, true, false},
		{singles, feedbackQuick, 100 * time.Millisecond, false, false},
	} {
		now := time.Unix(1000, 0)
		w, _, _ := newTestWire(t)
		b := bandwidth{wire: w, line: &lossyLine{packets: 200, lost: 20, after: 20, again: c.again}, e: newEstimator(1e6, 1e5, 2e6)}
		b.e.usual, b.e.draining = c.every, c.full
		b.listen(now)
		if b.hushed(now.Add(c.silent)) {
			t.Errorf("%v of silence although nothing is on its way", c.silent)
		}
		w.log.add(1000, 0, true, now)
		if got := b.hushed(now.Add(c.silent)); got != c.want {
			t.Errorf("%v of silence where feedback comes every %v, full %v: %v", c.silent, c.every, c.full, got)
		}
	}
}

// A silence does not pass for how often feedback comes: the next one would be noticed later and later.
func TestSilenceIsNotUsual(t *testing.T) {
	e, now := newEstimator(1e6, 1e5, 2e6), time.Unix(1000, 0)
	listen := func(gap time.Duration) {
		now = now.Add(gap)
		e.listen([]arrival{{sent: now}}, now)
	}
	for range 50 {
		listen(feedbackQuick)
	}
	before := e.usual
	listen(400 * time.Millisecond)
	if e.usual > before+5*time.Millisecond {
		t.Errorf("usual %v, was %v", e.usual, before)
	}
	for range 100 {
		listen(feedbackSlow)
	}
	if absDuration(e.usual-feedbackSlow) > 2*time.Millisecond {
		t.Errorf("usual %v, comes every %v", e.usual, feedbackSlow)
	}
	for range 100 { // in pairs, as a radio or a stream brings them
		listen(100 * time.Microsecond)
		listen(60 * time.Millisecond)
	}
	if e.usual < 20*time.Millisecond {
		t.Errorf("usual %v, comes in pairs 60 ms apart", e.usual)
	}
}

// Far away, or where little is sent, what left just now is no more unanswered than ever.
func TestHushedOnlyByWhatShouldBeAnswered(t *testing.T) {
	now := time.Unix(1000, 0)
	w, _, _ := newTestWire(t)
	b := bandwidth{wire: w, line: &lossyLine{packets: 200, lost: 20, after: 20, again: 15}, e: newEstimator(1e6, 1e5, 2e6)}
	b.e.usual = feedbackQuick
	b.e.roundTrip.take(200*time.Millisecond, now)
	w.log.add(1000, 0, true, now)
	told(w, 0, true)
	b.listen(now)
	w.log.add(1000, 0, true, now.Add(10*time.Millisecond))
	w.log.add(1000, 0, true, now.Add(150*time.Millisecond))
	if b.hushed(now.Add(200 * time.Millisecond)) {
		t.Error("hushed before an answer could be here")
	}
	if !b.hushed(now.Add(230 * time.Millisecond)) {
		t.Error("not hushed by what was never answered")
	}
}

// In silence twice the window may be on its way, once: what a row of losses takes must not keep the next picture back.
func TestPacerSendsOnInSilence(t *testing.T) {
	w, _, _ := newTestWire(t)
	p, now := newPacer(nil, nil), time.Unix(1000, 0)
	p.wire, p.hush = w, &hush{}
	p.window.Store(10_000)
	w.log.add(12_000, 0, true, now)
	p.hush.expect(now, feedbackQuick, 0)
	blocked := func(after time.Duration) bool {
		p.checkWindowLocked(now.Add(after))
		return p.blocked
	}
	if !blocked(20*time.Millisecond) || blocked(40*time.Millisecond) {
		t.Error("the window is not wider in silence, or before")
	}
	w.log.add(9_000, 0, true, now)
	if !blocked(40 * time.Millisecond) {
		t.Error("there is no window in silence")
	}
	if p.hush.never(); !blocked(40 * time.Millisecond) {
		t.Error("silence on a line where it says nothing")
	}
}

// A picture that is sent into the silence goes again a little later, whole and in order, unless feedback has come.
func TestRepeatInSilence(t *testing.T) {
	for _, heard := range []bool{false, true} {
		w, out, video := newTestWire(t)
		now := time.Unix(1000, 0)
		w.clock = func() time.Time { return now }
		var later []resendRequest
		w.later = func(r resendRequest) bool { later = append(later, r); return true }
		for s := range uint16(5) { // two packets of a picture, and three of the next
			h := &rtp.Header{Version: 2, SSRC: 1, PayloadType: 96, SequenceNumber: s, Timestamp: uint32(s+1) / 3 * 3000, Marker: s == 1 || s == 4}
			if _, err := video.Write(h, []byte{1, 2, 3}, nil); err != nil {
				t.Fatal(err)
			}
		}
		w.repeat(1, now, 1e6)
		if len(later) != 3 {
			t.Fatalf("%d packets to be repeated", len(later))
		}
		if now = now.Add(resendSpaced); heard {
			told(w, 0, true)
		}
		for _, r := range later {
			if r.due.After(now) {
				t.Errorf("due in %v", r.due.Sub(now))
			}
			w.again(r, now)
		}
		again := out.packets[5:]
		if heard {
			if len(again) != 0 {
				t.Errorf("%d packets although the other side was heard", len(again))
			}
			continue
		}
		if len(again) != 3 {
			t.Fatalf("%d packets again", len(again))
		}
		for i, p := range again {
			if seq := binary.BigEndian.Uint16(p.Payload); p.SSRC != 2 || int(seq) != 2+i {
				t.Errorf("packet %d of %d", seq, p.SSRC)
			}
		}
	}
}
