package jitter

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ms        = time.Millisecond
	frameTime = 20 * ms
	frameLen  = 960
)

// said is what the made-up sender says, over and over.
var said = sync.OnceValue(func() []int16 {
	pcm := make([]int16, 12*rate)
	(&capture.Speech{Voice: 1}).Fill(pcm)
	return pcm
})

// fake is a codec whose packets say only which frame of said they are, how long, and whether a copy of the one before is
// inside.
type fake struct {
	decoded []int // frames, in order
	copies  []int
	made    int // samples concealed
	last    int16
}

var errFake = errors.New("no packet")

func fakePacket(n, samples int, fec, pause bool) []byte {
	if pause {
		return []byte{0xff}
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	b = binary.BigEndian.AppendUint16(b, uint16(samples))
	if fec {
		return append(b, 1)
	}
	return append(b, 0)
}

func inspectFake(b []byte) (samples int, fec bool, err error) {
	if len(b) == 1 && b[0] == 0xff {
		return frameLen, false, nil
	}
	if len(b) != 7 {
		return 0, false, errFake
	}
	return int(binary.BigEndian.Uint16(b[4:])), b[6] == 1, nil
}

func (f *fake) speak(n, samples int, pcm []int16) int {
	all := said()
	at := (n*samples%len(all) + len(all)) % len(all) // the copy in a first packet is of one before it
	copy(pcm[copy(pcm[:samples], all[at:]):samples], all)
	f.last = pcm[samples-1]
	return samples
}

func (f *fake) Decode(b []byte, pcm []int16) (int, error) {
	if len(b) == 1 {
		return copy(pcm, make([]int16, frameLen)), nil
	}
	n := int(binary.BigEndian.Uint32(b))
	f.decoded = append(f.decoded, n)
	return f.speak(n, int(binary.BigEndian.Uint16(b[4:])), pcm), nil
}

func (f *fake) DecodeFEC(b []byte, pcm []int16) (int, error) {
	n := int(binary.BigEndian.Uint32(b)) - 1
	f.copies = append(f.copies, n)
	return f.speak(n, len(pcm), pcm), nil
}

func (f *fake) Conceal(pcm []int16) (int, error) {
	if len(pcm)%grain != 0 {
		return 0, errFake
	}
	for i := range pcm {
		pcm[i] = f.last
		f.last = f.last * 99 / 100
	}
	f.made += len(pcm)
	return len(pcm), nil
}

// sim is a sender, a network and a listener in made-up time.
type sim struct {
	rand   *rand.Rand
	delay  func(n int) time.Duration // of packet n's journey; negative: lost
	pauses func(n int) bool          // DTX: nothing is sent, but every 20th
	drift  float64                   // of the sender's clock: 200e-6 is faster
	red    []int                     // how far back the copies in each packet are from, farthest first
	fec    bool
	late   time.Duration // of the listener's pulls, at random
	twice  int           // one in so many packets comes twice
	frame  int           // samples
	extra  time.Duration
	keep   bool // what is played, in out: a minute of it is six megabytes

	b     Buffer
	p     Player
	codec *fake
	out   []int16
	// Of each pull with sound: when, and how old what is played is.
	at   []time.Duration
	ages []time.Duration
}

type arriving struct {
	at time.Duration
	n  int
}

func newSim() *sim {
	s := &sim{
		rand: rand.New(rand.NewPCG(1, 2)), codec: &fake{}, frame: frameLen,
		delay: func(int) time.Duration { return 30 * ms }, pauses: func(int) bool { return false },
	}
	s.b.Inspect = inspectFake
	s.p = Player{Buffer: &s.b, Decoder: s.codec}
	return s
}

func (s *sim) frameTime() time.Duration { return time.Duration(s.frame) * time.Second / rate }

// sent is when packet n leaves: its sound has been captured by then.
func (s *sim) sent(n int) time.Duration {
	return time.Duration(float64(n+1) * float64(s.frameTime()) / (1 + s.drift))
}

const (
	firstSeq  = 65500 // wraps soon
	firstTime = 1<<32 - 96000
)

// run plays so much of the call.
func (s *sim) run(length time.Duration) Counts {
	start := time.Unix(1700000000, 0)
	frames := int(length / s.frameTime())
	seqs := make([]int, frames)
	var queue []arriving
	quiet := 0
	for n, seq := 0, 0; n < frames; n++ {
		seqs[n] = -1
		if s.pauses(n) {
			if quiet++; quiet > 1 && quiet%20 != 0 {
				continue
			}
		} else {
			quiet = 0
		}
		seqs[n] = seq
		seq++
		if d := s.delay(n); d >= 0 {
			queue = append(queue, arriving{s.sent(n) + d, n})
			if s.twice > 0 && s.rand.IntN(s.twice) == 0 {
				queue = append(queue, arriving{s.sent(n) + d + 30*ms, n})
			}
		}
	}
	slices.SortStableFunc(queue, func(a, b arriving) int { return int(a.at - b.at) })
	s.b.SetExtraDelay(s.extra)
	blockOf := make([]int16, media.BlockSamples)
	for at := 3 * ms; at < length; at += 10 * ms {
		now := at
		if s.late > 0 {
			now += time.Duration(s.rand.Int64N(int64(s.late)))
		}
		for len(queue) > 0 && queue[0].at <= now {
			s.put(queue[0].n, seqs, start.Add(queue[0].at))
			queue = queue[1:]
		}
		if !s.p.Pull(blockOf, start.Add(now)) {
			continue
		}
		if s.keep {
			s.out = append(s.out, blockOf...)
		}
		if t, ok := s.p.Position(); ok {
			captured := time.Duration(float64(int32(t-uint32(firstTime))-media.BlockSamples) / rate * 1e9 / (1 + s.drift))
			s.at = append(s.at, now)
			s.ages = append(s.ages, now-captured)
		}
	}
	return s.b.Counts()
}

func (s *sim) put(n int, seqs []int, now time.Time) {
	seq := uint16(firstSeq + seqs[n])
	s.b.Put(seq, uint32(firstTime+n*s.frame), s.payload(n), now)
	for _, d := range s.red {
		if k := n - d; k >= 0 && seqs[k] == seqs[n]-d {
			s.b.PutCopy(seq, uint32(firstTime+n*s.frame), uint32(d*s.frame), s.payload(k), now)
		}
	}
}

func (s *sim) payload(n int) []byte { return fakePacket(n, s.frame, s.fec && n > 0, s.pauses(n)) }

// age is the mean and the highest delay from capture to playing, between two times.
func (s *sim) age(from, to time.Duration) (mean, worst time.Duration) {
	n := 0
	for i, at := range s.at {
		if at >= from && at < to {
			mean += s.ages[i]
			worst = max(worst, s.ages[i])
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	return mean / time.Duration(n), worst
}

// losing loses that share of packets at random.
func (s *sim) losing(share float64, then func(int) time.Duration) func(int) time.Duration {
	return func(n int) time.Duration {
		d := then(n)
		if s.rand.Float64() < share {
			return -1
		}
		return d
	}
}

// bursts loses runs of packets (Gilbert): share of all, of that mean length.
func (s *sim) bursts(share, length float64, then func(int) time.Duration) func(int) time.Duration {
	bad := false
	return func(n int) time.Duration {
		d := then(n)
		if bad {
			bad = s.rand.Float64() >= 1/length
		} else {
			bad = s.rand.Float64() < share/(1-share)/length
		}
		if bad {
			return -1
		}
		return d
	}
}

// uneven is base plus up to spread, evenly spread; packets overtake each other only if reorder.
func (s *sim) uneven(base, spread time.Duration, reorder bool) func(int) time.Duration {
	last := time.Duration(0)
	return func(n int) time.Duration {
		d := base + time.Duration(s.rand.Int64N(int64(spread)))
		if !reorder {
			last = max(last, s.sent(n)+d)
			return last - s.sent(n)
		}
		return d
	}
}
