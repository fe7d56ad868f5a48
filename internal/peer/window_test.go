package peer

import (
	"math/rand"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// windowed is a pacer before a wire and a line on which everything gets stuck until it is let through, on a made-up clock.
type windowed struct {
	p       *pacer
	w       *wire
	r       *feedbackWriter
	now     time.Time
	stuck   []uint16        // transport-wide numbers
	ages    []time.Duration // of pictures' packets when they left
	sounds  int
	told    int   // that pictures were thrown away
	most    int64 // on its way when a picture's packet left
	skipped int   // pictures that there was no room for
}

const windowedPacket = 1000

func newWindowed() *windowed {
	l := &windowed{now: time.Unix(9000, 0), w: newWire(nil), r: newFeedbackWriter(9)}
	l.w.clock = func() time.Time { return l.now }
	out := interceptor.RTPWriterFunc(func(h *rtp.Header, _ []byte, _ interceptor.Attributes) (int, error) {
		b := h.GetExtension(3)
		l.stuck = append(l.stuck, uint16(b[0])<<8|uint16(b[1]))
		return 0, nil
	})
	info := interceptor.StreamInfo{
		SSRC: 1, SSRCRetransmission: 2, PayloadTypeRetransmission: 97, MimeType: webrtc.MimeTypeVP9,
		RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}},
	}
	video := l.w.BindLocalStream(&info, out)
	sound := l.w.BindLocalStream(&interceptor.StreamInfo{SSRC: 3, MimeType: webrtc.MimeTypeOpus, RTPHeaderExtensions: info.RTPHeaderExtensions}, out)
	sequence := uint16(0)
	l.p = newPacer(func(p *pacedPacket) error {
		l.ages, l.most = append(l.ages, l.now.Sub(p.put)), max(l.most, l.w.inFlight())
		sequence++
		_, err := video.Write(&rtp.Header{Version: 2, SSRC: 1, SequenceNumber: sequence}, p.payload, nil)
		return err
	}, func(p *pacedPacket) error {
		l.sounds++
		_, err := sound.Write(&rtp.Header{Version: 2, SSRC: 3}, p.payload, nil)
		return err
	})
	l.p.clock, l.p.wire, l.p.onDiscard = l.w.clock, l.w, func() { l.told++ }
	l.p.rate.Store(2e6)
	return l
}

// pass has a camera give a picture of 5 kB every 33 ms and a microphone a packet every 20.
func (l *windowed) pass(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(time.Millisecond) {
		at := l.now.UnixMilli()
		if at%33 == 0 {
			if l.p.room() {
				parts := make([][]byte, 5)
				for i := range parts {
					parts[i] = make([]byte, windowedPacket)
				}
				l.p.put(uint32(at*90), parts, pictureMeta{})
			} else {
				l.skipped++
			}
		}
		if at%20 == 0 {
			l.p.putSound(0, false, 0, make([]byte, 80))
		}
		l.p.step(l.now)
	}
}

// through lets everything that is stuck arrive, and its feedback too.
func (l *windowed) through() {
	for i, n := range l.stuck {
		l.r.add(n, windowedPacket, l.now.Add(time.Duration(i)*time.Microsecond))
	}
	l.stuck = l.stuck[:0]
	for _, p := range l.r.take(l.now.Add(time.Second)) {
		l.w.gotFeedback(p, nil)
	}
}

// When nothing is heard of what left, pictures stop at the window and sound goes on. The pictures that wait behind it get
// old there; they are thrown away, and what leaves when the line carries again is new.
func TestWindowHoldsPicturesBack(t *testing.T) {
	const window = 20_000
	l := newWindowed()
	l.p.window.Store(window)
	for range 20 {
		l.pass(50 * time.Millisecond)
		l.through()
	}
	if l.skipped > 0 || l.told > 0 || len(l.ages) < 29*5 {
		t.Fatalf("on a line that carries: %d pictures had no room, %d packets left", l.skipped, len(l.ages))
	}
	left, sounds := len(l.ages), l.sounds
	l.pass(3 * time.Second)
	if sent := (len(l.ages) - left) * windowedPacket; sent > window || l.most >= window {
		t.Errorf("%d bytes of pictures left into the dark, %d were on their way", sent, l.most)
	}
	if n := l.sounds - sounds; n != 150 {
		t.Errorf("%d packets of sound in 3 s", n)
	}
	if l.told == 0 || l.p.thrown() == 0 {
		t.Error("nothing was thrown away, or the encoder was not told")
	}
	left = len(l.ages)
	l.through()
	l.pass(100 * time.Millisecond)
	if len(l.ages) < left+10 {
		t.Errorf("%d packets left in 100 ms after the line came back", len(l.ages)-left)
	}
	for _, age := range l.ages {
		if age > staleAfter {
			t.Fatalf("a picture's packet left after %v", age)
		}
	}
}

// A line falls from 2 Mbit/s to 300 kbit/s, and its queue would hold ten seconds. Only what was on its way before anybody
// could know is late, nothing but sound leaves while the line holds more than it may, and a second and a half later
// pictures are as young as on any line of that rate.
func TestWindowBoundsADrop(t *testing.T) {
	thrown := int64(0)
	for seed := range int64(4) {
		s := newSimulator(t)
		s.rand = rand.New(rand.NewSource(seed))
		s.there.rateBps, s.there.queue = 2e6, 10*time.Second
		w := s.watch()
		s.open()
		beyond := 0
		send := s.pacer.sendVideo
		s.pacer.sendVideo = func(p *pacedPacket) error {
			if s.wire.inFlight() >= s.b.e.window() {
				beyond++
			}
			return send(p)
		}
		w.watched(15*time.Second + time.Duration(seed)*7*time.Millisecond)
		bound := time.Duration(float64(s.b.e.window()*8) / 300e3 * float64(time.Second))
		s.there.rateBps, s.there.deepest = 300e3, 0
		w.watched(1500 * time.Millisecond)
		if s.there.deepest > bound+100*time.Millisecond { // 100 ms of sound
			t.Errorf("seed %d: the queue held %v, the window %v", seed, s.there.deepest, bound)
		}
		if r := w.watched(5 * time.Second); r.p95 > 200 || r.fps < 27 {
			t.Errorf("seed %d: after 1.5 s pictures are %.0f ms old, %.1f a second", seed, r.p95, r.fps)
		}
		if beyond > 0 {
			t.Errorf("seed %d: %d packets beyond the window", seed, beyond)
		}
		thrown += s.pacer.thrown()
	}
	if thrown == 0 {
		t.Error("no picture was thrown away")
	}
}
