package peer

import (
	"testing"
	"time"
)

func TestDecodeQueue(t *testing.T) {
	q, now := newDecodeQueue(), time.Unix(1, 0)
	for i := range 5 {
		q.put(timedPicture{picture: picture{rtpTime: uint32(i)}, show: now.Add(time.Duration(i) * 10 * time.Millisecond)})
	}
	if p, behind, _, ok := q.due(now, 0, time.Time{}); !ok || p.rtpTime != 0 || behind != 0 {
		t.Errorf("%v %d %v", p, behind, ok)
	}
	if _, _, wait, ok := q.due(now, 2*time.Millisecond, time.Time{}); ok || wait != 7*time.Millisecond {
		t.Errorf("wait %v, %v", wait, ok)
	}
	if p, behind, _, ok := q.due(now.Add(time.Second), 0, time.Time{}); !ok || p.rtpTime != 1 || behind != 3 {
		t.Errorf("%v %d %v", p, behind, ok)
	}
	for i := range decodeQueueLimit + 10 {
		if !q.put(timedPicture{show: now}) && i < decodeQueueLimit-3 {
			t.Fatalf("full after %d", i)
		}
	}
	if len(q.queue) > decodeQueueLimit {
		t.Errorf("%d kept", len(q.queue))
	}
}

// While a picture stands still the next one does not wait for its time, and is shown however many wait behind it.
func TestDecodeQueueEndsStandstill(t *testing.T) {
	q, z, now := newDecodeQueue(), freezes{}, time.Unix(1, 0)
	for range 10 {
		now = now.Add(33 * time.Millisecond)
		z.shown(now)
	}
	still := z.still()
	if d := still.Sub(now); d < 95*time.Millisecond || d > 105*time.Millisecond {
		t.Fatalf("stands still after %v", d)
	}
	show := now.Add(200 * time.Millisecond)
	q.put(timedPicture{picture: picture{rtpTime: 1}, show: show})
	if _, _, wait, ok := q.due(now.Add(50*time.Millisecond), 0, still); ok || wait > 60*time.Millisecond {
		t.Errorf("moving: %v, wait %v", ok, wait)
	}
	at := now.Add(120 * time.Millisecond)
	p, behind, _, ok := q.due(at, 0, still)
	if !ok || p.show.After(at) || !p.planned.Equal(show) || !shows(behind, at, still) {
		t.Errorf("standing still: %v, to be shown %v later", ok, p.show.Sub(at))
	}
	if at := now.Add(90 * time.Millisecond); shows(overdueLimit, at, still) || !shows(overdueLimit, at.Add(50*time.Millisecond), still) {
		t.Error("what is overdue is shown while pictures move, or not after a standstill")
	}
}
