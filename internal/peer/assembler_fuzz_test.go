package peer

import (
	"slices"
	"testing"
	"time"
)

// In the input of FuzzAssembler a packet is two bytes, the step of its sequence number and its flags and length, and its
// payload. These steps are something else that happens; the flags say how much of it.
const (
	opDecoderLost = 120 + iota
	opPass        // so many times 4 ms
	opRTT         // so many times 2 ms; 0: not known
	opRedundant   // whether there is redundancy, and whether it goes inside the stream
	opDecode      // a picture takes the decoder so many ms
	opCodec
	opFiller // a packet that is one: its step is 1
	opJump   // a packet, 3000 further on
)

// fuzzed is an assembler and what must hold of it whatever it gets.
type fuzzed struct {
	t        *testing.T
	a        assembler
	now      time.Time
	rtt      time.Duration
	c        codec
	sequence uint16

	needKey bool // what the decoder has is worth nothing
	asked   map[int64]int
	keyAt   time.Time
	toldAt  time.Time
	given   int64
	seqs    []uint16
}

// does carries out an op; ok is false for a packet.
func (z *fuzzed) does(op, flags byte) (ok bool) {
	switch op {
	case opDecoderLost:
		z.a.decoderLost(z.now)
		z.needKey = true
	case opPass:
		z.now = z.now.Add(time.Duration(flags) * 4 * time.Millisecond)
	case opRTT:
		z.rtt = time.Duration(flags) * 2 * time.Millisecond
	case opRedundant:
		z.a.redundant, z.a.inside = flags&1 != 0, flags&2 != 0
	case opDecode:
		z.a.showing.decode = time.Duration(flags) * time.Millisecond
	case opCodec:
		z.c = []codec{codecVP8, codecVP9, codecH264}[flags%3]
	default:
		return false
	}
	return true
}

// packet puts one.
func (z *fuzzed) packet(step, flags byte, payload []byte) {
	rtp := uint32(int8(step)) * 3000
	switch step {
	case opJump:
		z.sequence += 3000
	case opFiller:
		z.sequence++
	default:
		z.sequence += uint16(int8(step))
	}
	started := z.a.started
	before := z.a.newest
	z.a.put(received{
		sequence: z.sequence, rtpTime: z.a.newestRTP + rtp, marker: flags&64 != 0, how: how(flags >> 7), codec: z.c,
		payload: payload, filler: step == opFiller,
	}, z.now)
	if !started && z.a.started || z.a.newest < before || z.a.newest >= before+ringSize { // it began anew
		z.needKey, z.given, z.asked = true, -1, map[int64]int{}
	}
	z.now = z.now.Add(7 * time.Millisecond)
}

// turn is one round of the goroutine that has the assembler.
func (z *fuzzed) turn() {
	t, a := z.t, &z.a
	for range ringSize + 1 {
		p, ok := a.take(z.now, z.rtt)
		if !ok {
			break
		}
		if len(p.data) == 0 || len(p.data) > ringSize*80 {
			t.Fatalf("picture of %d bytes", len(p.data))
		}
		if z.needKey && !p.key {
			t.Fatal("the decoder has nothing, and got no key frame")
		}
		if a.given <= z.given {
			t.Fatalf("picture %d after %d", a.given, z.given)
		}
		z.needKey, z.given = false, a.given
	}
	if _, ok := a.take(z.now, z.rtt); ok {
		t.Fatal("pictures without end")
	}
	z.requests()
	z.tells()
	if len(a.holes) > maxHoles+ringSize || a.started && a.newest-a.next >= ringSize {
		t.Fatalf("unbounded: %d missing, %d kept", len(a.holes), a.newest-a.next)
	}
	if !slices.IsSortedFunc(a.holes, func(x, y hole) int { return int(x.sequence - y.sequence) }) {
		t.Fatal("holes out of order")
	}
}

// requests: each packet that is missing and wanted, a bounded number of times.
func (z *fuzzed) requests() {
	t, a := z.t, &z.a
	z.seqs = a.requests(z.now, z.rtt, z.seqs)
	if len(z.seqs) > askAtOnce {
		t.Fatalf("%d asked for at once", len(z.seqs))
	}
	last := a.next - 1
	for _, s := range z.seqs {
		sequence := a.newest + int64(int16(s-uint16(a.newest)))
		if sequence <= last || sequence > a.newest || a.at(sequence) != nil {
			t.Fatalf("asked for %d after %d; there are %d to %d", sequence, last, a.next, a.newest)
		}
		last = sequence
		if z.asked[sequence]++; z.asked[sequence] > askTimes*(1+repeatTimes) {
			t.Fatalf("asked for %d for the %dth time", sequence, z.asked[sequence])
		}
	}
}

// tells: key frames and notices are asked for and given now and then only, and say what is true.
func (z *fuzzed) tells() {
	t, a := z.t, &z.a
	if n, ok := a.notify(z.now, z.rtt); ok {
		if n.lastDecoded != uint16(a.given) || n.lastReceived != uint16(a.newest) || !a.flexible || a.needKey && n.decodable {
			t.Fatalf("told %+v: given %d, newest %d", n, a.given, a.newest)
		}
		if !n.decodable && z.now.Sub(z.toldAt) < tellEvery {
			t.Fatalf("told again after %v", z.now.Sub(z.toldAt))
		}
		z.toldAt = z.now
	}
	if a.askKey(z.now, z.rtt, a.flexible) {
		if z.now.Sub(z.keyAt) < keyPauseMin {
			t.Fatalf("a key frame asked for again after %v", z.now.Sub(z.keyAt))
		}
		if !a.needKey && len(a.holes) == 0 {
			t.Fatal("a key frame asked for though nothing is missing")
		}
		z.keyAt = z.now
	}
}

// fuzzPackets writes packets as FuzzAssembler reads them, each one step after the other; lost ones take a number only.
func fuzzPackets(list []received, lost ...int) (data []byte) {
	step := byte(1)
	for i, p := range list {
		if slices.Contains(lost, i) {
			step++
			continue
		}
		flags := byte(min(len(p.payload), 63))
		if p.marker {
			flags |= 64
		}
		if p.how == resent {
			flags |= 128
		}
		data = append(append(data, step, flags), p.payload[:flags&63]...)
		step = 1
	}
	return data
}

func fuzzSeeds(f *testing.F) {
	op := func(pairs ...byte) []byte { return pairs }
	flexible := newFeed(codecVP9, 0)
	key, second, third := flexible.flexible(1, 1), flexible.flexible(2, 2, 1), flexible.flexible(3, 1, 1)
	recovery, key2 := flexible.flexible(4, 1, 3), flexible.flexible(5, 1)
	// A recovery frame after a loss that was told of, then the decoder loses its way and only a key frame helps.
	f.Add(slices.Concat(fuzzPackets(key), fuzzPackets(second, 1), fuzzPackets(third), op(opPass, 20, opPass, 20, opPass, 60),
		fuzzPackets(recovery), op(opDecoderLost, 0), fuzzPackets(flexible.flexible(6, 1, 1)), fuzzPackets(key2)), uint16(65533), byte(1))
	// H.264: parameter sets and a slice in one packet, one in fragments with a loss, a picture that nothing says begins.
	sps := []byte{0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 1, 0, 3, 0x65, 0x88, 1}
	h264 := func(payload []byte, marker bool) received { return received{payload: payload, marker: marker} }
	f.Add(slices.Concat(op(opRTT, 25), fuzzPackets([]received{
		h264(sps, true), h264([]byte{0x7c, 0x81, 0x88, 1}, false), h264([]byte{0x7c, 0x01, 2}, false), h264([]byte{0x7c, 0x41, 3}, true),
		h264([]byte{0x41, 0x9a, 1}, true),
	}, 2), op(opPass, 20, opPass, 60, opPass, 80, opPass, 200), fuzzPackets([]received{h264(sps, true), h264([]byte{0x06, 1}, true)})), uint16(9), byte(2))
	// A hole that nobody fills, seen by a slow decoder; a codec changed in between; redundancy inside.
	vp8 := newFeed(codecVP8, 0)
	hole := fuzzPackets(append(vp8.picture(true, 1), vp8.picture(false, 3)...), 2)
	f.Add(slices.Concat(op(opDecode, 30, opRTT, 100), hole, op(opPass, 100, opPass, 100, opPass, 100, opCodec, 1, opRedundant, 3),
		fuzzPackets(key), op(opFiller, 1, 0, opPass, 250)), uint16(1), byte(0))
}

func FuzzAssembler(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte, sequence uint16, kind byte) {
		z := fuzzed{t: t, now: time.Unix(1, 0), rtt: 20 * time.Millisecond, sequence: sequence, asked: map[int64]int{}}
		z.does(opCodec, kind)
		z.a.inside = sequence&1 == 1
		for len(data) >= 2 {
			step, flags := data[0], data[1]
			data = data[2:]
			if !z.does(step, flags) {
				n := min(int(flags&63), len(data))
				z.packet(step, flags, data[:n])
				data = data[n:]
			}
			z.turn()
		}
	})
}
