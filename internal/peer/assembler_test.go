package peer

import (
	"bytes"
	"math/rand"
	"slices"
	"testing"
	"time"
)

// feed makes the packets of pictures as a sender would: key on multiples of keyEvery, count packets each.
type feed struct {
	codec    codec
	cut      *payloader
	sequence uint16
	rtpTime  uint32
}

func newFeed(c codec, sequence uint16) *feed {
	return &feed{codec: c, cut: newPayloader(), sequence: sequence, rtpTime: 4_294_900_000}
}

// vp8 and vp9 key frames as far as a header goes, 16x16.
var keyHeaders = map[codec][]byte{
	codecVP8: {0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0},
	codecVP9: {0x82, 0x49, 0x83, 0x42, 0, 0, 0xf0, 0, 0xf0, 0, 0, 0},
}

func (f *feed) picture(key bool, packets int) []received {
	data := make([]byte, maxPayload*(packets-1)+50)
	for i := range data {
		data[i] = byte(f.rtpTime/3000) + byte(i)
	}
	data[0] = 0x11 // VP8: not a key frame
	if f.codec == codecVP9 {
		data[0] = 0x86
	}
	if key {
		copy(data, keyHeaders[f.codec])
	}
	var list []received
	parts := f.cut.cut(f.codec, data, described{key: key, width: 16, height: 16})
	for i, p := range parts {
		list = append(list, received{
			sequence: f.sequence, rtpTime: f.rtpTime, marker: i == len(parts)-1, codec: f.codec, payload: bytes.Clone(p),
		})
		f.sequence++
	}
	f.rtpTime += 3000
	return list
}

// bench runs an assembler on a made-up clock.
type bench struct {
	t   *testing.T
	a   assembler
	now time.Time
	rtt time.Duration
	got []picture
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, now: time.Unix(1000, 0), rtt: 50 * time.Millisecond}
}

func (b *bench) put(list ...received) {
	for _, r := range list {
		b.a.put(r, b.now)
		b.take()
	}
}

func (b *bench) take() {
	for {
		p, ok := b.a.take(b.now, b.rtt)
		if !ok {
			return
		}
		b.got = append(b.got, p)
	}
}

func (b *bench) pass(d time.Duration) { b.now = b.now.Add(d) }

func (b *bench) want(pictures int) {
	b.t.Helper()
	if len(b.got) != pictures {
		b.t.Fatalf("%d pictures, want %d", len(b.got), pictures)
	}
}

func TestAssembleInOrder(t *testing.T) {
	for _, c := range []codec{codecVP8, codecVP9} {
		b, f := newBench(t), newFeed(c, 65530) // wraps within
		for i := range 20 {
			b.put(f.picture(i == 0, 1+i%4)...)
			b.want(i + 1)
			p := b.got[i]
			if p.key != (i == 0) || p.codec != c || len(p.data) != maxPayload*(i%4)+50 {
				t.Fatalf("%s picture %d: key %v, %d bytes", c, i, p.key, len(p.data))
			}
		}
		if b.a.lost != 0 || b.a.dropped != 0 || b.a.waiting() {
			t.Errorf("lost %d, dropped %d", b.a.lost, b.a.dropped)
		}
	}
}

func TestAssembleReordered(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 100)
	var all []received
	for i := range 30 {
		all = append(all, f.picture(i == 0, 3)...)
	}
	r := rand.New(rand.NewSource(1))
	for i := 1; i+4 < len(all); i += 4 { // the first stays: nothing is known before it
		r.Shuffle(4, func(x, y int) { all[i+x], all[i+y] = all[i+y], all[i+x] })
	}
	for _, p := range all {
		b.put(p, p) // each one twice
	}
	b.want(30)
	if !slices.IsSortedFunc(b.got, func(x, y picture) int { return int(int32(x.rtpTime - y.rtpTime)) }) {
		t.Error("pictures out of order")
	}
	if b.a.lost != 0 || b.a.repaired != 0 {
		t.Errorf("lost %d, repaired %d", b.a.lost, b.a.repaired)
	}
}

func TestHoleIsRepaired(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP9, 7)
	b.put(f.picture(true, 2)...)
	hit, next := f.picture(false, 3), f.picture(false, 1)
	b.put(hit[0], hit[2])
	b.put(next...)
	b.want(1)
	if asked := b.a.requests(b.now, b.rtt, nil); !slices.Equal(asked, []uint16{hit[1].sequence}) {
		t.Errorf("asked for %v", asked)
	}
	b.pass(40 * time.Millisecond)
	if asked := b.a.requests(b.now, b.rtt, nil); len(asked) != 0 {
		t.Errorf("asked again within a round trip for %v", asked)
	}
	b.pass(20 * time.Millisecond)
	if asked := b.a.requests(b.now, b.rtt, nil); len(asked) != 1 {
		t.Errorf("did not ask again: %v", asked)
	}
	hit[1].how = resent
	b.put(hit[1])
	b.want(3)
	if !b.got[1].mended || b.got[2].mended {
		t.Error("which picture was asked for again is not known")
	}
	if b.a.lost != 1 || b.a.repaired != 1 || b.a.dropped != 0 || b.a.waiting() {
		t.Errorf("lost %d, repaired %d, dropped %d", b.a.lost, b.a.repaired, b.a.dropped)
	}
}

// After a hole that is not repaired nothing may be decoded until a key frame.
func TestLostReference(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 2)...)
	b.put(f.picture(false, 2)[:1]...)
	for range 40 {
		b.pass(33 * time.Millisecond)
		b.put(f.picture(false, 2)...)
	}
	b.want(1)
	if !b.a.needKey {
		t.Fatal("no key frame wanted")
	}
	if !b.a.askKey(b.now, b.rtt, false) || b.a.askKey(b.now, b.rtt, false) {
		t.Error("a key frame is asked for once")
	}
	b.pass(keyPauseMin - time.Millisecond)
	if b.a.askKey(b.now, b.rtt, false) {
		t.Error("asked again too early")
	}
	key := f.picture(true, 3)
	b.put(key[:2]...)
	b.pass(2 * time.Millisecond)
	if b.a.askKey(b.now, b.rtt, false) {
		t.Error("asked while one is coming in")
	}
	b.put(key[2])
	b.put(f.picture(false, 1)...)
	b.want(3)
	if !b.got[1].key {
		t.Error("went on without a key frame")
	}
	if b.a.waiting() || b.a.dropped == 0 {
		t.Errorf("waiting %v, dropped %d", b.a.waiting(), b.a.dropped)
	}
}

func TestKeyFrameOvertakesHole(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 1)...)
	b.put(f.picture(false, 3)[1:]...)
	b.pass(40 * time.Millisecond)
	b.put(f.picture(true, 2)...)
	b.want(2)
	if !b.got[1].key || len(b.a.holes) != 0 {
		t.Errorf("%d still missing", len(b.a.holes))
	}
}

func TestJoinInTheMiddle(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP9, 7)
	f.picture(true, 2)
	b.put(f.picture(false, 2)[1:]...)
	b.put(f.picture(false, 2)...)
	b.want(0)
	if !b.a.askKey(b.now, b.rtt, false) {
		t.Error("no key frame asked for")
	}
	b.put(f.picture(true, 2)...)
	b.want(1)
}

func TestNoMarkerAndPadding(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 65535)
	first, second := f.picture(true, 2), f.picture(false, 2)
	for i := range first {
		first[i].marker = false
	}
	b.put(first...)
	b.want(0)
	b.put(second...)
	b.want(2)
	padding := received{sequence: f.sequence, rtpTime: second[0].rtpTime, codec: codecVP8}
	f.sequence++
	b.put(padding)
	b.put(f.picture(false, 1)...)
	b.want(3)
}

func TestStreamBeginsAnew(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 1)...)
	f.sequence += 20_000
	b.put(f.picture(false, 1)...)
	b.want(1)
	b.put(f.picture(true, 1)...)
	b.want(2)
	if len(b.a.holes) > 0 {
		t.Errorf("%d missing", len(b.a.holes))
	}
}

func TestBoundedAsking(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 1)...)
	f.sequence += 250
	b.put(f.picture(false, 1)...)
	b.pass(20 * time.Millisecond)
	if n := len(b.a.requests(b.now, b.rtt, nil)); n != askAtOnce {
		t.Errorf("%d asked for at once", n)
	}
	asks := 0
	for range 1000 {
		b.pass(10 * time.Millisecond)
		asks += len(b.a.requests(b.now, b.rtt, nil))
	}
	if asks > 250*askTimes*(1+repeatTimes) {
		t.Errorf("%d requests for 250 packets", asks)
	}
	f.sequence += 400
	b.put(f.picture(false, 1)...)
	if len(b.a.holes) > maxHoles || !b.a.needKey {
		t.Errorf("%d holes kept", len(b.a.holes))
	}
}

func TestRingIsBounded(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 1)...)
	b.put(f.picture(false, 3)[1:]...) // waits for its first packet
	for range 3 * ringSize {
		b.put(f.picture(false, 1)...)
	}
	if b.a.newest-b.a.next > ringSize || !b.a.needKey {
		t.Errorf("%d packets kept", b.a.newest-b.a.next)
	}
	b.put(f.picture(true, 1)...)
	b.want(2)
}

// chaos loses, repeats and shuffles, and checks what a decoder would see: whole pictures, each after its reference.
func TestChaosKeepsReferences(t *testing.T) {
	for seed := range int64(30) {
		r := rand.New(rand.NewSource(seed))
		b, f := newBench(t), newFeed(codecVP9, uint16(r.Intn(65536)))
		whole := map[uint32][]byte{}
		previous := map[uint32]uint32{}
		var wire []received
		last := uint32(0)
		for i := range 300 {
			list := f.picture(i%40 == 0, 1+r.Intn(5))
			at := list[0].rtpTime
			previous[at], last = last, at
			for _, p := range list {
				d, _ := depayload(p.codec, p.payload)
				whole[at] = append(whole[at], d.body...)
				if r.Intn(100) < 8 {
					continue
				}
				wire = append(wire, p)
				if r.Intn(20) == 0 {
					wire = append(wire, p)
				}
			}
		}
		for i := range wire {
			j := min(i+r.Intn(6), len(wire)-1)
			wire[i], wire[j] = wire[j], wire[i]
		}
		for _, p := range wire {
			b.pass(5 * time.Millisecond)
			b.put(p)
		}
		if len(b.got) < 3 {
			t.Fatalf("seed %d: only %d pictures", seed, len(b.got))
		}
		for i, p := range b.got {
			if !bytes.Equal(p.data, whole[p.rtpTime]) {
				t.Fatalf("seed %d: picture %d is not what was sent", seed, i)
			}
			if !p.key && (i == 0 || b.got[i-1].rtpTime != previous[p.rtpTime]) {
				t.Fatalf("seed %d: picture %d without its reference", seed, i)
			}
		}
	}
}
