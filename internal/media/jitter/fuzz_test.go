package jitter

import (
	"testing"
	"time"
)

// FuzzPlayer does what a wicked sender and network could, and checks what must always hold.
func FuzzPlayer(f *testing.F) {
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 600)]
		b := Buffer{Inspect: inspectFake}
		codec := &fake{}
		p := Player{Buffer: &b, Decoder: codec}
		out := make([]int16, block)
		now := time.Unix(0, 0)
		seq, at, frame := uint16(65530), uint32(1<<32-5000), frameLen
		for n := 0; n+1 < len(ops); n += 2 {
			v := int(int8(ops[n+1]))
			switch ops[n] & 15 {
			case 0, 1, 2:
				seq, at = seq+1, at+uint32(frame)
			case 3: // lost, reordered
				seq, at = seq+uint16(v), at+uint32(v*frame)
			case 4:
				seq += uint16(v * 300)
			case 5:
				at += uint32(v * 40000)
			case 6:
				at += uint32(v)
			case 7:
				frame = []int{120, 240, 480, 960, 1920, 2880, 5760, 961}[ops[n+1]&7]
			case 8:
				now = now.Add(time.Duration(v) * 7 * ms) // backwards, too
			case 9:
				now = now.Add(time.Duration(v) * time.Second)
			case 10:
				b.PutCopy(seq, at, uint32(v*frame), fakePacket(n, frame, v&1 != 0, false), now)
			case 11:
				b.SetExtraDelay(time.Duration(v) * 20 * ms)
			case 12:
				b.Put(seq, at, make([]byte, max(v, 0)*20), now) // malformed
			default:
				now = now.Add(10 * ms)
			}
			if ops[n]&15 < 8 {
				b.Put(seq, at, fakePacket(n, frame, ops[n]&64 != 0, ops[n]&128 != 0), now)
			}
			if ops[n]&16 == 0 {
				step(t, &p, out, now)
			}
		}
		for range 300 {
			now = now.Add(10 * ms)
			step(t, &p, out, now)
		}
	})
}

func step(t *testing.T, p *Player, out []int16, now time.Time) {
	p.Pull(out, now)
	b := p.Buffer
	if len(b.queue) > maxPackets || p.ahead() < 0 || p.ahead() > 2*maxSamples {
		t.Fatalf("%d packets wait, %d samples are ahead", len(b.queue), p.ahead())
	}
	for i, k := range b.queue {
		if i > 0 && k.time <= b.queue[i-1].time {
			t.Fatalf("packets of time %d and %d in that order", b.queue[i-1].time, k.time)
		}
	}
	c := b.Counts()
	if c.SilentConcealed > c.Concealed || c.CopiesUsed > c.CopiesReceived || c.Missing < 0 {
		t.Fatalf("%+v", c)
	}
	if c.Target > 2*defaultMax {
		t.Fatalf("target %v", c.Target)
	}
}
