package peer

import (
	"testing"
	"time"
)

// On a bad line between two Visavis lost packets of pictures are worked out from others, before anybody could have sent
// them again, and no picture is smeared.
func TestRedundancyOverABadLine(t *testing.T) {
	l, nets := newLine(t, 40*time.Millisecond, 0, 0.2)
	a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, nets...)
	call(t, a, b)
	eventually(t, "b sees a", func() bool { return b.eye.sees(1, 10) })
	eventually(t, "redundancy", func() bool { return b.videoIn.count.recovered.Load() >= 20 })
	shown := b.eye.present.Load()
	eventually(t, "60 pictures more", func() bool { return b.eye.present.Load() >= shown+60 })
	b.eye.mu.Lock()
	defer b.eye.mu.Unlock()
	if b.eye.bad > 0 || b.eye.backs > 0 {
		t.Errorf("%d smeared pictures, %d went back", b.eye.bad, b.eye.backs)
	}
	c := &b.videoIn.count
	if made, asked := c.recovered.Load(), c.repaired.Load(); made < asked/2 {
		t.Errorf("%d packets worked out, %d asked for again", made, asked)
	}
	t.Logf("%d of %d lost; b: %d packets, %d parities; %d worked out, %d repaired; %d pictures, %d keys, %d asked for, %d freezes of %v; a left %d of 1000",
		l.lost.Load(), l.rtp.Load(), c.received.Load(), c.redundant.Load(), c.recovered.Load(), c.repaired.Load(), c.shown.Load(),
		c.keysDecoded.Load(), c.keysAsked.Load(), c.freezes.Load(), time.Duration(c.frozen.Load()), a.videoOut.protect.forPictures(1000))
}

// Who does not know redundancy is sent none.
func TestRedundancyIsNegotiated(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	for _, p := range []*party{a, b} {
		if pt, _ := p.videoOut.track.redundancy(); pt != payloadFEC || p.videoIn.parity.Load() != payloadFEC || !p.videoIn.told.Load() {
			t.Error("two of us did not agree on redundancy and loss notifications")
		}
		if n := p.videoOut.protect.sent.Load(); n > 0 {
			t.Errorf("%d parities on a clean line", n)
		}
	}
}
