package peer

import (
	"testing"
	"time"
)

// A picture of 10 KB: 2.5 Mbit/s at 30 a second, as a good line gets at 1280x720.
const benchPackets = 9

// BenchmarkPayload720p cuts a picture into packets.
func BenchmarkPayload720p(b *testing.B) {
	cut, picture := newPayloader(), make([]byte, maxPayload*benchPackets)
	b.ReportAllocs()
	for b.Loop() {
		if n := len(cut.cut(codecVP9, picture, described{width: 1280, height: 720})); n != benchPackets {
			b.Fatal(n)
		}
	}
}

// BenchmarkAssemble720p makes a picture of packets that come in order.
func BenchmarkAssemble720p(b *testing.B) {
	var a assembler
	f, now := newFeed(codecVP9, 1), time.Unix(1, 0)
	first := f.picture(true, benchPackets)
	for _, p := range first {
		a.put(p, now)
	}
	if _, ok := a.take(now, 0); !ok {
		b.Fatal("no key frame to begin with")
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		packets := f.picture(false, benchPackets)
		b.StartTimer()
		now = now.Add(33 * time.Millisecond)
		for _, p := range packets {
			a.put(p, now)
		}
		if _, ok := a.take(now, 0); !ok {
			b.Fatal("no picture")
		}
	}
}
