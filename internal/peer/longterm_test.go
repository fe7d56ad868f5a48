package peer

import (
	"testing"
	"time"

	"visavis.example/internal/media/codec/vpx"
)

// stream plays a longTerm against a receiver that is only numbers: every picture is one packet.
type stream struct {
	longTerm
	id   int64
	now  time.Time
	have map[int64]bool // pictures that the receiver decoded
	last int64
}

func newStream() *stream {
	s := &stream{now: time.Unix(1, 0), have: map[int64]bool{}}
	s.reset(true)
	return s
}

// send encodes one picture and says what was planned; lost ones do not arrive.
func (s *stream) send(t *testing.T, lost bool) plan {
	t.Helper()
	p := s.next(s.id+1, s.now)
	key := s.id == 0 || p.key
	s.id++
	s.encoded(p, 1000+s.id, key, s.now)
	s.left(1000+s.id, uint16(s.id)+65500) // wraps early
	s.now = s.now.Add(33 * time.Millisecond)
	decodable := key || len(p.back) > 0
	for i, b := range p.back {
		if b == 0 || b > farthest || !key && i > 0 && p.back[i-1] == b {
			t.Fatalf("picture %d refers back %v", s.id, p.back)
		}
		decodable = decodable && (key || s.have[s.id-int64(b)])
	}
	if !lost && decodable {
		s.have[s.id], s.last = true, s.id
	}
	return p
}

func (s *stream) report() bool {
	return s.heard(lossNotification{lastDecoded: uint16(s.last) + 65500, lastReceived: uint16(s.id) + 65500, decodable: s.last == s.id})
}

func TestLongTermRecovers(t *testing.T) {
	s := newStream()
	for n := range 400 {
		s.send(t, false)
		if n%6 == 0 && s.report() {
			t.Fatal("lost on a clean line")
		}
	}
	if s.last != s.id {
		t.Fatal("not all decoded on a clean line")
	}
	for range 20 {
		s.send(t, true)
	}
	if !s.report() || !s.ask() {
		t.Fatal("the loss is not noticed, or nothing to refer to")
	}
	p := s.send(t, false)
	if !p.recover || p.key || len(p.back) != 1 || p.back[0] < 20 || p.refer.Avoid&vpx.Last == 0 || s.last != s.id {
		t.Fatalf("the next picture: %+v, decoded %v", p, s.last == s.id)
	}
	if s.report() {
		t.Error("still lost")
	}
	for range 200 { // and all after it
		s.send(t, false)
		s.report()
	}
	if s.last != s.id {
		t.Errorf("%d of %d decoded", s.last, s.id)
	}
}

// While a recovery is on its way, what the receiver said before it came is no new loss; when it gets lost, the next goes
// out.
func TestLongTermRecoveryLost(t *testing.T) {
	s := newStream()
	for range 60 {
		s.send(t, false)
		s.report()
	}
	s.send(t, true)
	before := lossNotification{lastDecoded: uint16(s.last) + 65500, lastReceived: uint16(s.id) + 65500}
	if !s.heard(before) || !s.ask() {
		t.Fatal("not noticed")
	}
	if s.heard(before) {
		t.Error("asked twice for the same")
	}
	s.send(t, true)
	if s.heard(before) {
		t.Error("asked again before the recovery can have come")
	}
	s.send(t, false)
	if !s.report() || !s.ask() {
		t.Fatal("the lost recovery is not noticed")
	}
	if p := s.send(t, false); !p.recover || s.last != s.id {
		t.Errorf("%+v", p)
	}
}

func TestLongTermFallsBackOnKey(t *testing.T) {
	s := newStream()
	s.send(t, false)
	if s.ask() {
		t.Error("nothing is acknowledged yet")
	}
	s.report()
	for range farthest + 3 { // nothing is heard any more
		s.send(t, true)
	}
	if !s.ask() {
		t.Error("the key frame was acknowledged")
	}
	if p := s.send(t, false); !p.key || s.last != s.id {
		t.Errorf("a reference farther back than can be said: %+v", p)
	}
	s.reset(false)
	if s.ask() || s.on {
		t.Error("the other side knows nothing of this")
	}
}

// A receiver that says nothing but lies costs nothing but its own picture.
func TestLongTermLies(t *testing.T) {
	s := newStream()
	for n := range 3000 {
		s.heard(lossNotification{lastDecoded: uint16(n * 7919), lastReceived: uint16(n * 104729), decodable: n%3 == 0})
		s.ask()
		s.send(t, n%2 == 0)
	}
}

func TestKeyGate(t *testing.T) {
	var g keyGate
	now := time.Unix(1, 0)
	count := func(d time.Duration) (keys int) {
		for end := now.Add(d); now.Before(end); now = now.Add(10 * time.Millisecond) {
			if g.may(now) {
				g.given(now, true)
				keys++
			}
		}
		return keys
	}
	if !g.may(now) {
		t.Fatal("the first has to wait")
	}
	if n := count(time.Second); n < 3 || n > 4 {
		t.Errorf("%d key frames in the first second of a flood", n)
	}
	count(3 * time.Second)
	if n := count(10 * time.Second); n < 9 || n > 10 {
		t.Errorf("%d key frames in ten seconds of a long flood", n)
	}
	now = now.Add(5 * time.Second)
	if n := count(400 * time.Millisecond); n != 2 {
		t.Errorf("%d key frames after a calm", n)
	}
}
