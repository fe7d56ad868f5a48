package jitter

import (
	"math"
	"testing"
	"time"
)

// A network that stands still gives back everything that was said, and the delay comes back within seconds.
func TestStandstillIsCaughtUp(t *testing.T) {
	for _, stall := range []time.Duration{300 * ms, 600 * ms, time.Second} {
		s := newSim()
		s.delay = func(n int) time.Duration {
			if at := s.sent(n); at > 10*time.Second && at < 10*time.Second+stall {
				return 10*time.Second + stall - at + 30*ms
			}
			return 30 * ms
		}
		c := s.run(40 * time.Second)
		before, _ := s.age(5*time.Second, 10*time.Second)
		in, _ := s.age(10*time.Second+stall+4*time.Second, 16*time.Second+stall)
		t.Logf("standstill of %v: delay %v before, %v four seconds after it, concealed %d ms, removed %d ms", stall, before, in, c.Concealed/48, c.Removed/48)
		if in > before+30*ms {
			t.Errorf("four seconds after a standstill of %v the delay is %v, it was %v", stall, in, before)
		}
		if c.Concealed > uint64(samples(stall+20*ms)) || c.Discarded > 0 {
			t.Errorf("standstill of %v: %+v", stall, c)
		}
		if n := len(s.codec.decoded); n < 1990 {
			t.Errorf("standstill of %v: %d of 2000 frames played", stall, n)
		}
		s.check(t)
	}
}

// After a long standstill the delay is not stretched away: what is too old is left out.
func TestLongStandstillLeavesOut(t *testing.T) {
	s := newSim()
	s.delay = func(n int) time.Duration {
		if at := s.sent(n); at > 10*time.Second && at < 13*time.Second {
			return 13*time.Second - at + 30*ms
		}
		return 30 * ms
	}
	c := s.run(30 * time.Second)
	if c.Discarded < 80 || c.Discarded > 150 {
		t.Errorf("of 150 packets that came at once %d were left out", c.Discarded)
	}
	if mean, _ := s.age(17*time.Second, 30*time.Second); mean > 120*ms {
		t.Errorf("delay %v", mean)
	}
	s.check(t)
}

// A blackout loses packets instead: it becomes soft noise, and after it the delay is as before.
func TestBlackout(t *testing.T) {
	s := newSim()
	s.keep = true
	s.delay = func(n int) time.Duration {
		if at := s.sent(n); at > 10*time.Second && at < 15*time.Second {
			return -1
		}
		return 30 * ms
	}
	c := s.run(25 * time.Second)
	if mean, worst := s.age(15500*ms, 25*time.Second); mean > 80*ms || worst > 100*ms {
		t.Errorf("delay %v, at most %v", mean, worst)
	}
	if ms := c.Concealed / 48; ms < 4900 || ms > 5100 || c.SilentConcealed < c.Concealed-10000 || c.ConcealedEvents != 1 {
		t.Errorf("%+v", c)
	}
	quiet := s.out[12*rate:][:rate]
	level, zeros := 0.0, 0
	for _, v := range quiet {
		level += float64(v) * float64(v)
		if v == 0 {
			zeros++
		}
	}
	if level = math.Sqrt(level / float64(len(quiet))); level < 1 || level > 100 || zeros > rate*2/3 {
		t.Errorf("the noise has a level of %.1f, and %d zeros a second", level, zeros)
	}
	s.check(t)
}

// Rough for a while, then calm: the delay follows both ways.
func TestDelayFollowsTheNetworkUpAndDown(t *testing.T) {
	s := newSim()
	rough := s.uneven(30*ms, 120*ms, true)
	s.delay = func(n int) time.Duration {
		if at := s.sent(n); at > 20*time.Second && at < 40*time.Second {
			return rough(n)
		}
		return 30 * ms
	}
	s.run(80 * time.Second)
	calm, _ := s.age(15*time.Second, 20*time.Second)
	in, _ := s.age(25*time.Second, 40*time.Second)
	after, _ := s.age(60*time.Second, 80*time.Second)
	t.Logf("calm %v, rough %v, calm again %v", calm, in, after)
	if in < calm+80*ms || in > calm+150*ms || after > calm+15*ms {
		t.Errorf("delay %v when calm, %v when rough, %v when calm again", calm, in, after)
	}
}

// Another path, 100 ms longer, is not taken for jitter.
func TestSlowerPathIsNoJitter(t *testing.T) {
	s := newSim()
	s.delay = func(n int) time.Duration {
		if s.sent(n) > 10*time.Second {
			return 130 * ms
		}
		return 30 * ms
	}
	c := s.run(40 * time.Second)
	before, _ := s.age(5*time.Second, 10*time.Second)
	after, _ := s.age(20*time.Second, 40*time.Second)
	if d := after - before; d < 90*ms || d > 120*ms || c.ConcealedEvents > 3 || c.Concealed > uint64(samples(120*ms)) {
		t.Errorf("100 ms more of network became %v: %+v", d, c)
	}
	s = newSim() // and back
	s.delay = func(n int) time.Duration {
		if s.sent(n) > 10*time.Second {
			return 30 * ms
		}
		return 130 * ms
	}
	s.run(40 * time.Second)
	if mean, _ := s.age(15*time.Second, 40*time.Second); mean > before+15*ms {
		t.Errorf("100 ms less of network: delay %v, it should be %v", mean, before)
	}
}

func TestExtraDelay(t *testing.T) {
	s := newSim()
	s.extra = 150 * ms
	s.run(30 * time.Second)
	if mean, _ := s.age(10*time.Second, 30*time.Second); mean < 190*ms || mean > 220*ms {
		t.Errorf("with 150 ms more, delay %v", mean)
	}
}

// No packet may be later than its place however the clocks jump.
func TestClockJumps(t *testing.T) {
	var b Buffer
	b.Inspect = inspectFake
	p := Player{Buffer: &b, Decoder: &fake{}}
	out := make([]int16, block)
	now := time.Unix(1000, 0)
	play := func(n, from int) (concealed uint64) {
		before := b.Counts().Concealed
		for i := range n {
			b.Put(uint16(from+i), uint32((from+i)*frameLen), fakePacket(from+i, frameLen, false, false), now)
			p.Pull(out, now)
			now = now.Add(10 * ms)
			p.Pull(out, now)
			now = now.Add(10 * ms)
		}
		return b.Counts().Concealed - before
	}
	play(100, 0)
	now = now.Add(time.Hour) // asleep
	play(150, 100)
	if n := play(100, 250); n > 0 {
		t.Errorf("three seconds after an hour's sleep %d samples are made up", n)
	}
	now = now.Add(-30 * time.Minute) // a clock without a monotonic part
	play(300, 350)
	if n := play(100, 650); n > 0 {
		t.Errorf("six seconds after the clock was set back %d samples are made up: %+v", n, b.Counts())
	}
}

func TestRestartOfTheStream(t *testing.T) {
	var b Buffer
	b.Inspect = inspectFake
	codec := &fake{}
	p := Player{Buffer: &b, Decoder: codec}
	out := make([]int16, block)
	now := time.Unix(0, 0)
	put := func(seq uint16, at uint32, n int) { b.Put(seq, at, fakePacket(n, frameLen, false, false), now) }
	pull := func() {
		for range 2 {
			p.Pull(out, now)
			now = now.Add(10 * ms)
		}
	}
	for i := range uint16(20) {
		put(100+i, uint32(i)*frameLen, int(i))
		pull()
	}
	put(40000, 7, 5555) // a stray one changes nothing
	for i := range uint16(10) {
		put(120+i, uint32(20+i)*frameLen, 20+int(i))
		pull()
	}
	if c := b.Counts(); c.Restarts != 0 || c.Concealed != 0 {
		t.Errorf("after a stray packet: %+v", c)
	}
	for i := range uint16(40) {
		put(30000+i, 1<<31+uint32(i)*frameLen, 1000+int(i))
		pull()
	}
	if c := b.Counts(); c.Restarts != 1 || codec.decoded[len(codec.decoded)-1] < 1030 {
		t.Errorf("%+v, last played %d", c, codec.decoded[len(codec.decoded)-1])
	}
}

func TestStoppedReaderIsBounded(t *testing.T) {
	var b Buffer
	b.Inspect = inspectFake
	p := Player{Buffer: &b, Decoder: &fake{}}
	now := time.Unix(0, 0)
	for i := range 5000 {
		b.Put(uint16(i), uint32(i*frameLen), fakePacket(i, frameLen, false, false), now)
		now = now.Add(frameTime)
	}
	if len(b.queue) > maxPackets || len(b.queue)+len(b.spare) > maxPackets+1 {
		t.Errorf("%d packets kept, %d spare", len(b.queue), len(b.spare))
	}
	out := make([]int16, block)
	if !p.Pull(out, now) {
		t.Fatal("nothing to hear")
	}
	if d, _, _ := p.delay(now); d > leaveOut {
		t.Errorf("%v behind", duration(d))
	}
	b.Put(5000, 5000*frameLen, make([]byte, maxPayload+1), now)
	b.Put(5001, 5001*frameLen, nil, now)
	b.Put(5002, 5002*frameLen, []byte{1, 2, 3}, now)
	if c := b.Counts(); c.Malformed != 3 {
		t.Errorf("%d malformed", c.Malformed)
	}
}

func TestAllocatesNothingOnceWarm(t *testing.T) {
	var b Buffer
	b.Inspect = inspectFake
	p := Player{Buffer: &b, Decoder: &fake{decoded: make([]int, 0, 10000)}}
	now := time.Unix(0, 0)
	out, packet := make([]int16, block), fakePacket(1, frameLen, false, false)
	i := 0
	round := func() {
		if i%9 != 0 {
			b.Put(uint16(i), uint32(i*frameLen), packet, now)
		}
		p.Pull(out, now)
		p.Pull(out, now.Add(10*ms))
		now = now.Add(frameTime)
		i++
	}
	for range 600 {
		round()
	}
	if n := testing.AllocsPerRun(1000, round); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// BenchmarkPull is the cost of 10 ms without a real decoder: on a clean line, with loss, and while sound is stretched.
func BenchmarkPull(b *testing.B) {
	for name, set := range map[string]struct {
		lose  int
		extra time.Duration
	}{"clean": {1 << 30, 0}, "loss": {10, 0}, "stretching": {1 << 30, 500 * ms}} {
		b.Run(name, func(b *testing.B) {
			buf := Buffer{Inspect: inspectFake}
			p := Player{Buffer: &buf, Decoder: &fake{decoded: make([]int, 0, b.N)}}
			now, out := time.Unix(0, 0), make([]int16, block)
			said()
			packet := make([]byte, 0, 16)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%2 == 0 && i/2%set.lose != 1 {
					packet = append(packet[:0], fakePacket(i/2, frameLen, false, false)...)
					buf.Put(uint16(i/2), uint32(i/2*frameLen), packet, now)
				}
				if set.extra > 0 && i%200 == 0 { // up and down again
					buf.SetExtraDelay(set.extra * time.Duration(i/200%2))
				}
				p.Pull(out, now)
				now = now.Add(10 * ms)
			}
		})
	}
}

// A sender that does not know the line yet fills its queue for a second; soon after that sound is not late any more.
func TestStartsQueueIsForgottenSoon(t *testing.T) {
	s := newSim()
	calm := s.uneven(30*ms, 40*ms, false)
	s.delay = func(n int) time.Duration {
		if at := s.sent(n); at < 1200*ms {
			return 30*ms + min(at*3/2, 1200*ms-at)
		}
		return calm(n)
	}
	c := s.run(20 * time.Second)
	soon, _ := s.age(6*time.Second, 7*time.Second)
	late, _ := s.age(15*time.Second, 20*time.Second)
	t.Logf("delay %v after six seconds, %v later, removed %d ms", soon, late, c.Removed/48)
	if soon > late+25*ms {
		t.Errorf("delay %v after six seconds, %v later", soon, late)
	}
	s.check(t)
}
