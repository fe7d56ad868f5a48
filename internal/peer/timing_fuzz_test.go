package peer

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzTiming plays pictures with any times through the buffer that waits for when to show them: none waits longer than the
// bounds say, the queue is bounded, none that is due is withheld, and they come out in the order they went in.
func FuzzTiming(f *testing.F) {
	step := func(passed uint16, rtp uint32, flags byte) []byte {
		return append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, passed), rtp), flags)
	}
	even, jumps, still := []byte{}, []byte{}, []byte{}
	for i := range uint32(40) {
		even = append(even, step(33, 3000*i, byte(i%7/6))...)
		jumps = append(jumps, step(uint16(i*i*40), 1<<31*(i%3)+i, 1)...)
		still = append(still, step(0, 90000*i, 2)...)
	}
	f.Add(even)
	f.Add(jumps)
	f.Add(still)
	f.Add(step(65535, 1<<32-1, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		var timing timing
		var seen freezes
		q, now := newDecodeQueue(), time.Unix(9000, 0)
		put, taken := int64(0), int64(0)
		for ; len(data) >= 7; data = data[7:] {
			now = now.Add(time.Duration(binary.BigEndian.Uint16(data)) * time.Millisecond)
			timing.extra = time.Duration(data[6]>>1) * 4 * time.Millisecond
			show := timing.show(binary.BigEndian.Uint32(data[2:]), now, data[6]&1 == 1)
			if wait := show.Sub(now); wait > maxShowDelay+timing.extra {
				t.Fatalf("a picture waits for %v", wait)
			}
			if timing.delay < 0 || timing.delay > maxShowDelay {
				t.Fatalf("delay %v", timing.delay)
			}
			if put++; !q.put(timedPicture{picture: picture{number: pictureNumber{uint16(put), true}}, show: show}) {
				taken = put // all of them are gone
			}
			for {
				p, behind, wait, ok := q.due(now, decodeMargin, seen.still())
				if !ok {
					if left := put - taken; left > decodeQueueLimit || left > 0 && wait <= 0 {
						t.Fatalf("%d pictures wait, the next for %v", left, wait)
					}
					break
				}
				seen.shown(now)
				if taken++; p.number.low != uint16(taken) || behind < 0 || behind > decodeQueueLimit {
					t.Fatalf("picture %d came instead of %d, %d behind it", p.number.low, taken, behind)
				}
			}
		}
	})
}
