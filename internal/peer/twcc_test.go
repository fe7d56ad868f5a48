package peer

import (
	"math/rand"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4/packetio"
)

// What the receiver notes must be what the sender reads: numbers, losses and times, through the real wire format.
func TestFeedbackThereAndBack(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	var l sentLog
	l.number = 65000 // wraps
	f := newFeedbackWriter(5)
	f.media = 7
	now, began := time.Unix(100, 0), time.Unix(100, 0)
	type overtaken struct {
		number uint16
		sent   time.Time
	}
	came, late := map[time.Time]time.Time{}, []overtaken{}
	lost, found, told := 0, 0, 0
	for i := range 4000 {
		sent := now
		n := l.add(1000, 0, true, sent)
		switch x := r.Float64(); {
		case x < 0.1:
			lost++
		case x < 0.15:
			late = append(late, overtaken{n, sent})
		default:
			f.add(n, 1000, now)
			came[sent] = now
		}
		now = now.Add(time.Duration(r.Intn(8000)) * time.Microsecond)
		if i%20 == 19 {
			for _, fb := range f.take(now) {
				for _, a := range l.feedback(through(t, fb), nil) {
					told++
					if a.lost {
						continue
					}
					if a.found {
						found++
					}
					want := came[a.sent].Sub(began)
					if d := a.received - want; d < -time.Millisecond || d > time.Millisecond {
						t.Fatalf("packet of %v: came %v, told %v", a.sent.Sub(began), want, a.received)
					}
				}
			}
			for _, o := range late { // by a whole feedback
				f.add(o.number, 1000, now)
				came[o.sent] = now
			}
			late = late[:0]
		}
	}
	if told < 3900 || found < 100 || l.foreign != 0 {
		t.Errorf("%d told, %d found later, %d unknown; %d were lost", told, found, l.foreign, lost)
	}
	if n := l.inFlight(); n > 60_000 {
		t.Errorf("%d bytes still in flight", n)
	}
}

// through writes and reads the packet, and checks the stated size.
func through(t *testing.T, fb *rtcp.TransportLayerCC) *rtcp.TransportLayerCC {
	t.Helper()
	b, err := fb.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 4*int(fb.Header.Length+1) || len(b) > 1200 {
		t.Fatalf("%d bytes, header says %d words", len(b), fb.Header.Length)
	}
	var got rtcp.TransportLayerCC
	if err := got.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	if got.MediaSSRC != 7 || got.SenderSSRC != 5 {
		t.Fatalf("%v", got)
	}
	return &got
}

// A sender may number as it likes: memory and packets stay small, and it is answered.
func TestFeedbackOfHostileNumbers(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	f := newFeedbackWriter(5)
	f.media = 7
	now := time.Unix(100, 0)
	for range 200 {
		for range 6000 {
			f.add(uint16(r.Uint32()), 100, now)
			now = now.Add(time.Duration(r.Intn(100)) * time.Microsecond)
		}
		if len(f.got) > 4*feedbackLimit {
			t.Fatalf("%d kept", len(f.got))
		}
		for _, fb := range f.take(now) {
			through(t, fb)
		}
	}
	now = now.Add(20 * time.Second)
	f.add(1, 100, now)
	if len(f.take(now)) != 1 || f.take(now) != nil {
		t.Error("no answer, or one to nothing")
	}
}

func TestFeedbackRhythm(t *testing.T) {
	for _, c := range []struct {
		bps  int
		want time.Duration
	}{{40_000, feedbackSlow}, {300_000, feedbackUsual}, {2_000_000, feedbackQuick}} {
		f, now := newFeedbackWriter(5), time.Unix(100, 0)
		for n := range uint16(100) {
			now = now.Add(time.Duration(1000 * 8 * float64(time.Second) / float64(c.bps)))
			f.add(n, 1000, now)
			if n == 90 {
				f.take(now)
			}
		}
		if d := f.every(now); d != c.want {
			t.Errorf("%v at %d bit/s", d, c.bps)
		}
	}
}

// A sender whose window is full because feedback was lost sends nearly nothing: there must not be less of it then.
func TestFeedbackStaysQuickWhenTheSenderStalls(t *testing.T) {
	f, now := newFeedbackWriter(5), time.Unix(100, 0)
	number := uint16(0)
	receive := func(d time.Duration, size int) { // in takes of 25 ms
		for end := now.Add(d); now.Before(end); f.take(now) {
			now = now.Add(feedbackQuick)
			f.add(number, size, now)
			number++
		}
	}
	receive(2*time.Second, 2_000_000/8/40)
	receive(300*time.Millisecond, 50_000/8/40)
	if d := f.every(now); d != feedbackQuick {
		t.Errorf("%v soon after the stall", d)
	}
	receive(3*time.Second, 50_000/8/40)
	if d := f.every(now); d != feedbackSlow {
		t.Errorf("%v long after", d)
	}
}

// Our reader of one number and pion's of whole headers must agree on anything.
func FuzzTransportNumber(f *testing.F) {
	for _, profile := range []uint16{0xbede, 0x1000} {
		h := rtp.Header{Version: 2, SSRC: 1, Extension: true, ExtensionProfile: profile}
		_ = h.SetExtension(1, []byte{9})
		_ = h.SetExtension(3, []byte{0x12, 0x34})
		b, _ := rtp.Packet{Header: h, Payload: []byte{1, 2, 3}}.Marshal()
		f.Add(b)
	}
	f.Add([]byte{0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x31, 7, 8, 0})
	f.Add([]byte{0x9f, 96})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := transportNumber(b, 3)
		var p rtp.Packet
		if err := p.Unmarshal(b); err != nil || !ok {
			return
		}
		if e := p.GetExtension(3); len(e) >= 2 && (uint16(e[0])<<8|uint16(e[1])) != n {
			t.Errorf("%d, pion reads %v", n, e)
		}
	})
}

func TestTransportNumber(t *testing.T) {
	for _, profile := range []uint16{0xbede, 0x1000} {
		h := rtp.Header{Version: 2, SSRC: 1, CSRC: []uint32{5, 6}, Extension: true, ExtensionProfile: profile}
		_ = h.SetExtension(1, []byte{9})
		_ = h.SetExtension(3, []byte{0x12, 0x34})
		b, err := rtp.Packet{Header: h, Payload: []byte{1}}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := transportNumber(b, 3); !ok || n != 0x1234 {
			t.Errorf("%#x: %#x, %v", profile, n, ok)
		}
		if _, ok := transportNumber(b, 4); ok {
			t.Errorf("%#x: an extension that is not there", profile)
		}
	}
}

// Feedback that names a stream which nobody reads is looked at all the same.
func TestStrayFeedback(t *testing.T) {
	s := &Session{}
	s.wire, _, _ = newTestWire(t)
	if _, ok := s.strayBuffers(packetio.RTCPBufferPacket, 2).(strayFeedback); !ok {
		t.Error("the stream of retransmissions is not known")
	}
	for _, kind := range []packetio.BufferPacketType{packetio.RTPBufferPacket, packetio.RTCPBufferPacket} {
		if _, ok := s.strayBuffers(kind, 1).(*packetio.Buffer); !ok {
			t.Error("another stream has no ordinary buffer")
		}
	}
	n := 0
	f := strayFeedback{packetio.NewBuffer(), func(*rtcp.TransportLayerCC) { n++ }}
	w := newFeedbackWriter(5)
	w.add(1, 100, time.Unix(1, 0))
	fb := w.take(time.Unix(1, 1))[0]
	b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}, fb})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{b, {1, 2, 3}, nil} {
		if m, err := f.Write(b); err != nil || m != len(b) {
			t.Errorf("%d, %v", m, err)
		}
	}
	if n != 1 {
		t.Errorf("%d read", n)
	}
}

// A loss is told at once, but not at each packet; where packets overtake each other, only as usual.
func TestFeedbackHurriesAfterALoss(t *testing.T) {
	f, now := newFeedbackWriter(5), time.Unix(100, 0)
	add := func(number uint16) bool {
		now = now.Add(3 * time.Millisecond)
		f.add(number, 1000, now)
		return f.urgent(now)
	}
	for n := range uint16(20) {
		if add(n) {
			t.Fatal("in a hurry without a loss")
		}
	}
	f.take(now)
	if add(25) || add(26) || !add(27) {
		t.Error("not told 8 ms after the last feedback")
	}
	f.take(now)
	if add(28) || add(29) || add(30) {
		t.Error("told twice")
	}
	for n := uint16(40); n < 80; n += 2 {
		add(n + 1)
		add(n)
	}
	f.take(now)
	if add(91) || add(90) || add(93) || add(94) {
		t.Error("in a hurry where packets overtake each other")
	}
}

// Streams that are read by goroutines of their own come a little out of order: that is no loss, and no line on which
// packets overtake each other.
func TestFeedbackIgnoresTheOrderOfGoroutines(t *testing.T) {
	f, now := newFeedbackWriter(5), time.Unix(100, 0)
	for n := uint16(0); n < 400; n += 2 {
		now = now.Add(10 * time.Millisecond)
		f.add(n+1, 1000, now)
		f.add(n, 1000, now.Add(feedbackSettle/2))
		if f.urgent(now.Add(feedbackHurry)) {
			t.Fatalf("in a hurry at packet %d, which came", n)
		}
		if n%10 == 8 {
			f.take(now.Add(feedbackSettle))
		}
	}
	now = now.Add(10 * time.Millisecond)
	if f.add(402, 1000, now); !f.urgent(now) {
		t.Error("a loss is not told at once")
	}
}
