package peer

import (
	"bytes"
	"testing"
	"time"
)

// flexible makes the packets of a VP9 picture in flexible mode that refers to pictures so far back; none: a key frame.
func (f *feed) flexible(id uint16, packets int, back ...uint8) []received {
	list := f.picture(len(back) == 0, packets)
	for i := range list {
		p, _ := depayload(codecVP9, list[i].payload)
		b := byte(0x80 | 0x10)
		if len(back) > 0 {
			b |= 0x40
		}
		if i == 0 {
			b |= 0x08
		}
		if i == len(list)-1 {
			b |= 0x04
		}
		head := []byte{b, byte(id>>8) | 0x80, byte(id)}
		for j, n := range back {
			more := byte(1)
			if j == len(back)-1 {
				more = 0
			}
			head = append(head, n<<1|more)
		}
		list[i].payload = append(head, bytes.Clone(p.body)...)
	}
	return list
}

// After a hole the picture goes on with a recovery frame, without a key frame, and only with one whose reference is there.
func TestRecoveryFrame(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP9, 65533)
	b.put(f.flexible(32766, 2)...)
	b.put(f.flexible(32767, 2, 1)...)
	hit := f.flexible(0, 2, 1)
	b.put(hit[0])
	b.put(f.flexible(1, 1, 1)...)
	b.put(f.flexible(2, 1, 2)...) // a recovery from what was lost: of no use
	b.want(2)
	b.put(f.flexible(3, 2, 5)...) // 3-5 = 32766
	b.want(3)
	b.put(f.flexible(4, 1, 1, 6)...)
	b.want(4)
	if len(b.a.holes) > 0 || b.a.needKey || b.a.keysAsked > 0 || b.a.jumps != 1 {
		t.Errorf("%d holes, %d jumps", len(b.a.holes), b.a.jumps)
	}
	if b.a.dropped != 3 {
		t.Errorf("%d dropped", b.a.dropped)
	}
}

// A picture whose reference its sender threw away before it had a number is not decoded, though no packet is missing.
func TestThrownAwayReference(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP9, 7)
	b.put(f.flexible(10, 1)...)
	b.put(f.flexible(12, 1, 1)...)
	b.want(1)
	if !b.a.needKey {
		t.Error("nothing wanted")
	}
	b.put(f.flexible(13, 1, 3)...)
	b.want(2)
}

// References to before a key frame, or to before the decoder lost its way, are none.
func TestForgottenReferences(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP9, 7)
	b.put(f.flexible(10, 1)...)
	b.put(f.flexible(11, 1)...)
	b.put(f.flexible(12, 1, 2)...)
	b.want(2)
	b.put(f.flexible(13, 1)...)
	b.a.decoderLost(b.now)
	b.put(f.flexible(14, 1, 1)...)
	b.want(3)
	b.put(f.flexible(15, 1)...)
	b.want(4)
}

func TestNotifications(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP9, 100)
	notify := func() (lossNotification, bool) { return b.a.notify(b.now, b.rtt) }
	b.put(f.picture(true, 1)...)
	if _, ok := notify(); ok {
		t.Error("told a sender that cannot recover")
	}
	b.put(f.flexible(1, 2)...)
	if n, ok := notify(); !ok || n != (lossNotification{102, 102, true}) {
		t.Errorf("%+v %v", n, ok)
	}
	b.put(f.flexible(2, 1, 1)...)
	if _, ok := notify(); ok {
		t.Error("told again at once")
	}
	b.pass(ackEvery)
	if n, ok := notify(); !ok || n != (lossNotification{103, 103, true}) {
		t.Errorf("%+v %v", n, ok)
	}
	b.pass(ackEvery)
	if _, ok := notify(); ok {
		t.Error("told though nothing is new")
	}
	b.put(f.flexible(3, 2, 1)[1:]...)
	if _, ok := notify(); ok {
		t.Error("told before a repair had its chance")
	}
	b.pass(2*b.rtt + time.Millisecond)
	if n, ok := notify(); !ok || n != (lossNotification{103, 105, false}) {
		t.Errorf("%+v %v", n, ok)
	}
	if _, ok := notify(); ok {
		t.Error("told again at once")
	}
	if b.a.askKey(b.now, b.rtt, true) {
		t.Error("asked for a key frame, too")
	}
	b.pass(keyAfter * b.rtt)
	if b.a.askKey(b.now, b.rtt, true) {
		t.Error("a recovery frame gets no time")
	}
	b.pass(keyPauseMax)
	if !b.a.askKey(b.now, b.rtt, true) {
		t.Error("no key frame asked for though no recovery frame came")
	}
}

// Where repairs take now longer, now shorter, a late one is waited for.
func TestNotificationsWaitForRepairsThatVary(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP9, 100)
	b.put(f.flexible(1, 1)...)
	b.a.notify(b.now, b.rtt)
	b.a.trip, b.a.tripVar = 200*time.Millisecond, 40*time.Millisecond
	b.put(f.flexible(2, 2, 1)[1:]...)
	b.pass(260 * time.Millisecond)
	if n, ok := b.a.notify(b.now, 200*time.Millisecond); ok && !n.decodable {
		t.Error("told within what repairs vary by")
	}
	b.pass(40 * time.Millisecond)
	if n, ok := b.a.notify(b.now, 200*time.Millisecond); !ok || n.decodable {
		t.Error("not told after that")
	}
}
