package jitter

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const frameTime = 20 * time.Millisecond

// sim is a sender, a network and a listener in made-up time. Payloads carry the number of the frame, so that the order can
// be checked; quiet ones are small.
type sim struct {
	t    *testing.T
	b    Buffer
	rand *rand.Rand

	firstSeq  uint16
	firstTime uint32
	delay     func(n int) time.Duration // of packet n; negative: lost
	quiet     func(n int) bool
	sent      func(n int) (skip bool) // DTX
	senderFPS float64                 // 50 unless clocks drift

	log     []Action
	decoded []int
	delays  []time.Duration // from capture to Decode
}

type event struct {
	at time.Duration
	n  int
}

func newSim(t *testing.T) *sim {
	return &sim{
		t: t, rand: rand.New(rand.NewPCG(1, 2)), firstSeq: 65500, firstTime: 1<<32 - 96000, senderFPS: 50,
		delay: func(int) time.Duration { return 30 * time.Millisecond },
		quiet: func(int) bool { return false }, sent: func(int) bool { return false },
	}
}

func (s *sim) sendTime(n int) time.Duration { return time.Duration(float64(n) / s.senderFPS * 1e9) }

// run plays frames packets of speech against a listener who pulls every 20 ms, and 5 ms out of step.
func (s *sim) run(frames int) Stats {
	s.t.Helper()
	start := time.Unix(1700000000, 0)
	var queue []event
	seq := map[int]uint16{}
	next := s.firstSeq
	for n := range frames {
		if s.sent(n) {
			continue
		}
		seq[n] = next
		next++
		if d := s.delay(n); d >= 0 {
			queue = append(queue, event{s.sendTime(n) + d, n})
		}
	}
	sortEvents(queue)
	end := s.sendTime(frames) + time.Second
	for at := 5 * time.Millisecond; at < end; at += frameTime {
		for len(queue) > 0 && queue[0].at <= at {
			e := queue[0]
			queue = queue[1:]
			s.b.Put(seq[e.n], s.firstTime+uint32(e.n*960), s.payload(e.n), start.Add(e.at))
		}
		a, p := s.b.Pull(start.Add(at))
		s.log = append(s.log, a)
		if a == Decode {
			n := int(binary.BigEndian.Uint32(p))
			if len(s.decoded) > 0 && n <= s.decoded[len(s.decoded)-1] {
				s.t.Fatalf("frame %d decoded after %d", n, s.decoded[len(s.decoded)-1])
			}
			s.decoded = append(s.decoded, n)
			s.delays = append(s.delays, at-s.sendTime(n))
		}
	}
	return s.b.Stats()
}

func (s *sim) payload(n int) []byte {
	p := make([]byte, 80)
	if s.quiet(n) {
		p = p[:12]
	}
	binary.BigEndian.PutUint32(p, uint32(n))
	return p
}

func sortEvents(q []event) {
	for i := 1; i < len(q); i++ {
		for j := i; j > 0 && q[j].at < q[j-1].at; j-- {
			q[j], q[j-1] = q[j-1], q[j]
		}
	}
}

func (s *sim) count(a Action) int {
	n := 0
	for _, x := range s.log {
		if x == a {
			n++
		}
	}
	return n
}

// settled is the mean delay of the last quarter.
func (s *sim) settled() time.Duration {
	d := s.delays[len(s.delays)*3/4:]
	sum := time.Duration(0)
	for _, v := range d {
		sum += v
	}
	return sum / time.Duration(len(d))
}

func TestSteadyNetworkPlaysAllAndShortens(t *testing.T) {
	s := newSim(t)
	s.quiet = func(n int) bool { return n%10 > 6 }
	st := s.run(1500) // wraps both counters
	if got := len(s.decoded); got < 1490 || st.Lost != 0 || st.Late != 0 {
		t.Errorf("decoded %d of 1500, %+v", got, st)
	}
	if d := s.settled(); d > 30*time.Millisecond+3*frameTime {
		t.Errorf("30 ms of network became %v", d)
	}
	if st.Target > 30*time.Millisecond {
		t.Errorf("target %v on a steady network", st.Target)
	}
}

func TestJitterIsAbsorbed(t *testing.T) {
	s := newSim(t)
	s.delay = func(int) time.Duration { return 30*time.Millisecond + time.Duration(s.rand.IntN(80))*time.Millisecond }
	st := s.run(3000)
	wrong := s.count(Conceal) + s.count(FEC)
	if wrong > 15 || st.Late > 3 {
		t.Errorf("%d of 3000 frames made up: %+v", wrong, st)
	}
	if st.Target < 80*time.Millisecond || st.Target > 120*time.Millisecond {
		t.Errorf("target %v for 80 ms of spread", st.Target)
	}
	if d := s.settled(); d < 100*time.Millisecond || d > 160*time.Millisecond {
		t.Errorf("settled at %v behind 30 to 110 ms of network: %+v", d, st)
	}
	if st.Jitter < 15*time.Millisecond || st.Jitter > 45*time.Millisecond {
		t.Errorf("RFC 3550 jitter %v, of 80 ms evenly spread expected 27 ms", st.Jitter)
	}
}

func TestTargetFollowsTheNetworkUpAndDown(t *testing.T) {
	s := newSim(t)
	s.quiet = func(n int) bool { return n%25 > 20 }
	s.delay = func(n int) time.Duration {
		if n > 1000 && n < 2000 {
			return 30*time.Millisecond + time.Duration(s.rand.IntN(150))*time.Millisecond
		}
		return 30 * time.Millisecond
	}
	s.run(4000)
	calm, rough := s.delays[900], s.delays[1800]
	if rough < calm+60*time.Millisecond {
		t.Errorf("delay %v when rough, %v when calm", rough, calm)
	}
	if d := s.settled(); d > calm+2*frameTime {
		t.Errorf("delay stayed at %v after the network was calm again (%v before)", d, calm)
	}
}

func TestSingleLossesAreAskedForAsFEC(t *testing.T) {
	s := newSim(t)
	lost := 0
	s.delay = func(n int) time.Duration {
		if n > 50 && n%20 == 0 {
			lost++
			return -1
		}
		return 30 * time.Millisecond
	}
	st := s.run(2000)
	if int(st.Lost) != lost {
		t.Errorf("%d lost, %d counted", lost, st.Lost)
	}
	if n := s.count(Conceal); n > 15 || st.LeftOut > 10 {
		t.Errorf("for %d losses %d frames were made up and %d left out", lost, n, st.LeftOut)
	}
	if fec := s.count(FEC); fec < lost*9/10 {
		t.Errorf("%d of %d losses asked for as FEC: %+v", fec, lost, st)
	}
}

// One packet in ten is lost without any pattern: the copy in the next one must be there in time, so one more is kept.
func TestRandomLossKeepsOneMore(t *testing.T) {
	s := newSim(t)
	s.delay = func(int) time.Duration {
		if s.rand.IntN(10) == 0 {
			return -1
		}
		return 30 * time.Millisecond
	}
	st := s.run(6000)
	if n := s.count(Conceal); n > 110 || st.LeftOut > 25 {
		t.Errorf("%d lost, %d made up without a copy, %d left out: %+v", st.Lost, n, st.LeftOut, st)
	}
	if d := s.settled(); d > 100*time.Millisecond {
		t.Errorf("delay %v", d)
	}
}

func TestFECGivesTheNextPacketWhichComesAgain(t *testing.T) {
	var b Buffer
	now := time.Unix(0, 0)
	for i := range 8 {
		if i != 3 {
			b.Put(uint16(i), uint32(i*960), []byte{byte(i), 0, 0, 0}, now)
		}
	}
	var got []string
	for range 9 {
		a, p := b.Pull(now)
		text := a.String()
		if p != nil {
			text += " " + string('0'+p[0])
		}
		got = append(got, text)
		now = now.Add(frameTime)
	}
	want := []string{"decode 0", "decode 1", "decode 2", "fec 4", "decode 4", "decode 5", "decode 6", "decode 7", "conceal"}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestReorderedAndDuplicatePackets(t *testing.T) {
	s := newSim(t)
	s.delay = func(n int) time.Duration {
		if n%7 == 3 { // overtaken by two
			return 75 * time.Millisecond
		}
		return 30 * time.Millisecond
	}
	st := s.run(1000)
	if got := len(s.decoded); got < 985 {
		t.Errorf("decoded %d of 1000: %+v", got, st)
	}
	before := st.Duplicate + st.Late
	now := time.Unix(1700000000, 0).Add(time.Minute)
	for range 3 {
		s.b.Put(s.firstSeq+1000, s.firstTime+1000*960, []byte{1}, now)
	}
	if st = s.b.Stats(); st.Duplicate+st.Late != before+2 {
		t.Errorf("two duplicates counted as %d", st.Duplicate+st.Late-before)
	}
}

func TestPauseOfTheSenderIsSilence(t *testing.T) {
	s := newSim(t)
	s.sent = func(n int) bool { return n%100 >= 50 && n%20 != 0 } // DTX: one packet every 400 ms
	s.quiet = func(n int) bool { return n%100 >= 50 }
	st := s.run(2000)
	if st.Lost != 0 || st.Late != 0 || st.Restarts != 0 {
		t.Errorf("pauses count as losses: %+v", st)
	}
	talk := 0
	for _, n := range s.decoded {
		if n%100 < 50 {
			talk++
		}
	}
	if talk < 985 {
		t.Errorf("%d of 1000 spoken frames decoded: %+v", talk, st)
	}
	if d := s.settled(); d > 130*time.Millisecond {
		t.Errorf("delay %v", d)
	}
}

// The end of one sentence and the beginning of the next wait together: the pause between them is not made up frame by frame.
func TestPauseThatArrivesAtOnce(t *testing.T) {
	var b Buffer
	now := time.Unix(0, 0)
	for i := range 10 {
		at := i * 960
		if i >= 5 {
			at += 2 * rate
		}
		b.Put(uint16(i), uint32(at), make([]byte, 50), now)
	}
	decoded := 0
	for range 16 {
		if a, _ := b.Pull(now); a == Decode {
			decoded++
		}
		now = now.Add(frameTime)
	}
	if decoded != 10 {
		t.Errorf("%d of 10 frames in 320 ms, %+v", decoded, b.Stats())
	}
}

func TestClockDriftIsCorrectedBothWays(t *testing.T) {
	for name, fps := range map[string]float64{"fast": 50 * 1.0005, "slow": 50 * 0.9995} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.senderFPS = fps
			s.quiet = func(n int) bool { return n%25 > 20 }
			st := s.run(30000) // ten minutes: 300 ms apart by then
			worst := time.Duration(0)
			for _, d := range s.delays[500:] {
				worst = max(worst, d)
			}
			if worst > 150*time.Millisecond {
				t.Errorf("delay went to %v: %+v", worst, st)
			}
			for i := 1; i < len(s.decoded); i++ {
				for n := s.decoded[i-1] + 1; n < s.decoded[i]; n++ {
					if !s.quiet(n) {
						t.Errorf("frame %d was left out in the middle of speech", n)
					}
				}
			}
			if wrong := s.count(Conceal) + s.count(FEC); wrong > 40 || st.LeftOut > 40 {
				t.Errorf("%d frames made up for 15 of drift: %+v", wrong, st)
			}
		})
	}
}

func TestStandstillIsCaughtUp(t *testing.T) {
	s := newSim(t)
	s.delay = func(n int) time.Duration {
		if n >= 500 && n < 600 { // two seconds of packets come at once
			return s.sendTime(600) - s.sendTime(n) + 30*time.Millisecond
		}
		return 30 * time.Millisecond
	}
	st := s.run(2000)
	if d := s.settled(); d > 150*time.Millisecond {
		t.Errorf("still %v behind 28 s after a standstill: %+v", d, st)
	}
	for i, n := range s.decoded {
		if n > 650 {
			if d := s.delays[i]; d > 1200*time.Millisecond {
				t.Errorf("one second after it the delay is %v: %+v", d, st)
			}
			break
		}
	}
}

func TestRestartOfTheStream(t *testing.T) {
	var b Buffer
	now := time.Unix(0, 0)
	put := func(seq uint16, at uint32, c byte) { b.Put(seq, at, []byte{c, 0, 0, 0}, now) }
	for i := range uint16(20) {
		put(100+i, uint32(i)*960, 'a')
		b.Pull(now)
		now = now.Add(frameTime)
	}
	put(40000, 7, 'x') // a stray one changes nothing
	put(120, 20*960, 'a')
	if a, p := b.Pull(now); a != Decode || p[0] != 'a' {
		t.Fatalf("after a stray packet: %v %q", a, p)
	}
	for i := range uint16(20) {
		put(30000+i, 1<<31+uint32(i)*960, 'b')
		a, p := b.Pull(now)
		if a == Decode && p[0] == 'b' {
			if st := b.Stats(); st.Restarts != 1 {
				t.Errorf("%+v", st)
			}
			return
		}
		now = now.Add(frameTime)
	}
	t.Fatal("the new stream was never played")
}

func TestOtherFrameSizes(t *testing.T) {
	for _, ms := range []int{10, 40, 60} {
		var b Buffer
		now := time.Unix(0, 0)
		decoded, step := 0, time.Duration(ms)*time.Millisecond
		for i := range 400 {
			b.Put(uint16(i), uint32(i*ms*48), make([]byte, 50), now)
			if a, _ := b.Pull(now.Add(time.Millisecond)); a == Decode {
				decoded++
			}
			now = now.Add(step)
		}
		if b.FrameSamples() != ms*48 || decoded < 390 {
			t.Errorf("%d ms packets: frame %d samples, %d of 400 decoded, %+v", ms, b.FrameSamples(), decoded, b.Stats())
		}
	}
}

// The caller has room for the longest packet there is, and takes FrameSamples of it.
func TestNoFrameIsLongerThanAPacket(t *testing.T) {
	for _, samples := range []uint32{5760, 5761, 6000} {
		var b Buffer
		now := time.Unix(0, 0)
		for i := range uint32(20) {
			b.Put(uint16(i), i*samples, make([]byte, 50), now)
			now = now.Add(120 * time.Millisecond)
		}
		if n := b.FrameSamples(); n > 5760 {
			t.Errorf("packets %d samples apart: a frame of %d", samples, n)
		}
	}
}

func TestStoppedReaderIsBounded(t *testing.T) {
	var b Buffer
	now := time.Unix(0, 0)
	for i := range 5000 {
		b.Put(uint16(i), uint32(i*960), make([]byte, 100), now)
		now = now.Add(frameTime)
	}
	if b.count > slots {
		t.Errorf("%d packets kept", b.count)
	}
	a, _ := b.Pull(now)
	if d := b.Stats().Delay; a != Decode || d > 600*time.Millisecond {
		t.Errorf("%v, %v behind", a, d)
	}
	b.Put(5000, 5000*960, make([]byte, maxPayload+1), now) // no packet of ours
	if b.slot(b.highSeq+1) != nil {
		t.Error("a giant was kept")
	}
}

func TestAllocatesNothingOnceWarm(t *testing.T) {
	var b Buffer
	now := time.Unix(0, 0)
	payload := make([]byte, 120)
	i := 0
	round := func() {
		b.Put(uint16(i), uint32(i*960), payload, now)
		b.Pull(now)
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
