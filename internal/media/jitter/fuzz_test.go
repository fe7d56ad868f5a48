package jitter

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzBuffer does what a wicked sender could, and checks what must always hold.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 2, 0, 1, 0, 1, 3, 200, 1, 0})
	f.Add([]byte{0, 0, 255, 255, 7, 1, 1, 1, 4, 128, 128, 3, 2, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		var b Buffer
		now := time.Unix(0, 0)
		seq, at := uint16(65530), uint32(1<<32-5000)
		put := map[string]bool{}
		for n := 0; n+1 < len(ops); n += 2 {
			v := int(int8(ops[n+1]))
			switch ops[n] % 8 {
			case 0, 1, 2:
				seq++
				at += 960
			case 3: // lost, reordered
				seq += uint16(v)
				at += uint32(v * 960)
			case 4:
				seq += uint16(v * 300)
			case 5:
				at += uint32(v * 40000)
			case 6:
				now = now.Add(time.Duration(max(v, -v)) * 7 * time.Millisecond)
			case 7:
				now = now.Add(frameTime)
			}
			if ops[n]%8 < 6 {
				p := binary.BigEndian.AppendUint32(nil, uint32(seq)<<16|uint32(n&0xffff))
				put[string(p)] = true
				b.Put(seq, at, p, now)
			}
			if ops[n]&8 == 0 {
				check(t, &b, now, put)
			}
		}
		for range 400 {
			now = now.Add(frameTime)
			check(t, &b, now, put)
		}
		if b.count != 0 {
			t.Fatalf("%d packets never come out", b.count)
		}
	})
}

func check(t *testing.T, b *Buffer, now time.Time, put map[string]bool) {
	a, p := b.Pull(now)
	switch a {
	case Decode:
		if !put[string(p)] {
			t.Fatalf("decode of %x, which was not put or already played", p)
		}
		delete(put, string(p))
	case FEC:
		if !put[string(p)] {
			t.Fatalf("FEC of %x, which was not put or already played", p)
		}
	}
	used := 0
	for i := range b.ring {
		if b.ring[i].used {
			used++
			if b.ring[i].seq < b.next && b.playing || b.ring[i].seq > b.highSeq {
				t.Fatalf("packet %d kept, next %d, highest %d", b.ring[i].seq, b.next, b.highSeq)
			}
		}
	}
	if used != b.count {
		t.Fatalf("%d packets, %d counted", used, b.count)
	}
}
