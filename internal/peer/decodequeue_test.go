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
	if p, behind, _, ok := q.due(now, 0); !ok || p.rtpTime != 0 || behind != 0 {
		t.Errorf("%v %d %v", p, behind, ok)
	}
	if _, _, wait, ok := q.due(now, 2*time.Millisecond); ok || wait != 7*time.Millisecond {
		t.Errorf("wait %v, %v", wait, ok)
	}
	if p, behind, _, ok := q.due(now.Add(time.Second), 0); !ok || p.rtpTime != 1 || behind != 3 {
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
