package peer

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/opus"
	"visavis.example/internal/media/jitter"
)

// lipLine is a made-up line with the real playout of sound behind it, the real timing of pictures, and lip sync between
// them. Sound has as many copies behind it as a sender gives at such losses; pictures that are lost come again.
type lipLine struct {
	name           string
	delay, jitter  time.Duration
	loss           float64
	row            float64 // mean length of losses
	copies         [5]int  // of each sound packet, in each nine seconds: the sender learns of the losses
	machine        bool    // the listener's stands still now and then: its ring of sound becomes deeper
	pictureLater   time.Duration
	soundLater     time.Duration
	laterFrom, end time.Duration // when it is so
}

var lipLines = []lipLine{
	{name: "even", delay: 10 * time.Millisecond},
	{name: "2 %", delay: 25 * time.Millisecond, loss: 0.02, copies: [5]int{0, 1, 0, 1, 2}},
	{name: "10 %", delay: 25 * time.Millisecond, loss: 0.1, copies: [5]int{1, 2, 3, 2, 3}},
	{name: "20 %", delay: 25 * time.Millisecond, loss: 0.2, copies: [5]int{1, 3, 2, 3, 3}},
	{name: "bursts", delay: 25 * time.Millisecond, loss: 0.05, row: 8, copies: [5]int{0, 3, 1, 3, 2}},
	{name: "jitter", delay: 40 * time.Millisecond, jitter: 30 * time.Millisecond},
	{name: "10 % on a busy machine", delay: 25 * time.Millisecond, loss: 0.1, copies: [5]int{1, 2, 3, 2, 3}, machine: true},
	{name: "pictures that become later", delay: 25 * time.Millisecond, pictureLater: 80 * time.Millisecond, laterFrom: 15 * time.Second, end: 30 * time.Second},
	{name: "sound that becomes later", delay: 25 * time.Millisecond, soundLater: 40 * time.Millisecond, laterFrom: 15 * time.Second, end: 30 * time.Second},
}

// hum is a codec of a tone.
type hum struct{ at int }

func (o *hum) speak(pcm []int16) int {
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*150*float64(o.at)/media.SampleRate))
		o.at++
	}
	return len(pcm)
}

func (o *hum) Decode(_ []byte, pcm []int16) (int, error)    { return o.speak(pcm[:humSamples]), nil }
func (o *hum) DecodeFEC(_ []byte, pcm []int16) (int, error) { return o.speak(pcm), nil }
func (o *hum) Conceal(pcm []int16) (int, error)             { return o.speak(pcm), nil }

const humSamples = media.SampleRate / 50

// lipScene runs it in steps of a millisecond.
type lipScene struct {
	lipLine
	rand        *rand.Rand
	now         time.Duration // since capture began
	lost        bool          // the line is in a row of losses
	events      map[time.Duration][]func(at time.Time)
	sync        *lipSync
	buffer      jitter.Buffer
	player      jitter.Player
	ahead, want int // blocks in the ring, and how many are to be
	speaker     playing
	when        timing
	picture     playedAt
	sounds      []aged // how old what is heard is
	pictures    []aged
}

type aged struct{ at, delay time.Duration }

var lipEpoch = time.Unix(5000, 0)

func newLipScene(l lipLine, seed uint64) *lipScene {
	s := &lipScene{
		lipLine: l, rand: rand.New(rand.NewPCG(seed, 3)), sync: newLipSync(), want: 1,
		events: map[time.Duration][]func(time.Time){},
	}
	s.buffer.Inspect = func([]byte) (int, bool, error) { return humSamples, false, nil }
	s.player = jitter.Player{Buffer: &s.buffer, Decoder: &hum{}}
	return s
}

// loses says whether the line loses a packet.
func (s *lipScene) loses() bool {
	row := max(s.row, 1/(1-s.loss))
	if s.lost {
		s.lost = s.rand.Float64() >= 1/row
	} else {
		s.lost = s.rand.Float64() < s.loss/(1-s.loss)/row
	}
	return s.lost
}

func (s *lipScene) later(by, least time.Duration) time.Duration {
	if s.now >= s.laterFrom && s.now < s.end {
		return max(by, least)
	}
	return least
}

// arrives has something done when what leaves now arrives.
func (s *lipScene) arrives(after time.Duration, f func(time.Time)) {
	at := s.now + after + s.delay
	if s.jitter > 0 {
		at += time.Duration(s.rand.Int64N(int64(2*s.jitter))) - s.jitter
	}
	at = max(at.Truncate(time.Millisecond), s.now+time.Millisecond)
	s.events[at] = append(s.events[at], f)
}

func (s *lipScene) step() {
	s.now += time.Millisecond
	at := lipEpoch.Add(s.now)
	for _, f := range s.events[s.now] {
		f(at)
	}
	delete(s.events, s.now)
	every := func(d time.Duration) bool { return s.now%d == 0 }
	if every(20 * time.Millisecond) {
		s.say(int(s.now / (20 * time.Millisecond)))
	}
	if frame := time.Second / 30; s.now/frame != (s.now-time.Millisecond)/frame {
		s.film(int(s.now / frame))
	}
	if every(10 * time.Millisecond) {
		s.hear(at)
	}
	if every(time.Second) {
		ntp := ntpOf(3_900_000_000*time.Second + s.now)
		s.sync.sound.got(ntp, uint32(s.now*48/time.Millisecond))
		s.sync.picture.got(ntp, uint32(s.now*90/time.Millisecond))
	}
	if every(syncEvery) {
		s.compare(at)
	}
}

// say sends the sound that was captured in the last 20 ms.
func (s *lipScene) say(n int) {
	rtpTime := uint32((n - 1) * humSamples)
	if s.loses() {
		return
	}
	s.arrives(s.later(s.soundLater, 0), func(at time.Time) {
		p := binary.BigEndian.AppendUint32(nil, uint32(n))
		s.buffer.Put(uint16(n), rtpTime, p, at)
		for i := 1; i <= s.copies[s.now/(9*time.Second)%5]; i++ {
			s.buffer.PutCopy(uint16(n), rtpTime, uint32(i*humSamples), p, at)
		}
	})
}

// film sends a picture of four packets, 8 ms after its capture; what is lost of it is made of parity, or comes a round
// trip after that is seen.
func (s *lipScene) film(n int) {
	captured := s.now
	lost := false
	for range 4 {
		lost = s.loses() || lost
	}
	after := s.later(s.pictureLater, 8*time.Millisecond)
	lost = lost && s.rand.Float64() < 0.3
	for again := lost; again; again = s.rand.Float64() < s.loss/2 { // repairs go twice
		after += 2*s.delay + 5*time.Millisecond
	}
	s.arrives(after, func(at time.Time) {
		s.when.extra = s.sync.pictureExtra
		held, show := s.when.extra, s.when.show(uint32(captured*90/time.Millisecond), at, lost)
		s.shown(captured, latest(show, at), show, held)
	})
}

func (s *lipScene) shown(captured time.Duration, at, planned time.Time, held time.Duration) {
	due := max(at.Sub(lipEpoch).Truncate(time.Millisecond), s.now+time.Millisecond)
	s.events[due] = append(s.events[due], func(at time.Time) {
		s.picture.store(uint32(captured*90/time.Millisecond), at, planned, held)
		s.pictures = append(s.pictures, aged{s.now, s.now - captured})
	})
}

// hear plays a block of the ring and fills that up again.
func (s *lipScene) hear(at time.Time) {
	if s.machine {
		if s.rand.IntN(1500) == 0 {
			s.want = min(s.want+1+s.rand.IntN(2), maxAhead)
		} else if s.rand.IntN(500) == 0 {
			s.want = max(s.want-1, 1)
		}
	}
	s.speaker.ok = false
	s.ahead--
	for s.ahead < s.want {
		rtpTime, ok := s.player.Position()
		var block [media.BlockSamples]int16
		s.player.Pull(block[:], at)
		if s.ahead++; ok {
			// As audioReceiver.playing has it.
			s.speaker = playing{rtpTime: rtpTime - opus.Behind, at: at.Add(time.Duration(s.ahead) * 10 * time.Millisecond), ok: true}
		}
	}
	if s.speaker.ok {
		captured := time.Duration(int32(s.speaker.rtpTime)) * time.Millisecond / 48
		s.sounds = append(s.sounds, aged{s.speaker.at.Sub(lipEpoch), s.speaker.at.Sub(lipEpoch) - captured})
	}
}

func (s *lipScene) compare(at time.Time) {
	sound := s.speaker
	sound.coming = s.buffer.Counts().Coming
	s.sync.step(at, sound, s.picture.load())
	s.buffer.SetExtraDelay(s.sync.soundExtra)
}

// apart gives by how much sound was later than pictures in the three seconds before: mean and median, as callbench has it.
func (s *lipScene) apart(end time.Duration) time.Duration {
	in := func(all []aged) (v []time.Duration) {
		for _, p := range all {
			if p.at > end-3*time.Second && p.at <= end {
				v = append(v, p.delay)
			}
		}
		return v
	}
	sounds, pictures := in(s.sounds), in(s.pictures)
	mean := time.Duration(0)
	for _, d := range sounds {
		mean += d / time.Duration(len(sounds))
	}
	slices.Sort(pictures)
	return mean - pictures[len(pictures)/2]
}

// settling is whether one of both has become later, or sooner, in the time that is looked at, or just before it: by more
// than anybody could make good meanwhile.
func (s *lipScene) settling(end time.Duration) bool {
	for _, change := range []time.Duration{s.laterFrom, s.end} {
		if change > 0 && end > change && end < change+3*time.Second+time.Second {
			return true
		}
	}
	return false
}

// Whatever a line does, in every three seconds after the first eight sound and picture are within 40 ms of each other.
func TestLipsOverLines(t *testing.T) {
	seeds := uint64(3)
	if racing { // ten times as slow, and one goroutine all the same
		seeds = 1
	}
	for _, l := range lipLines {
		var worst time.Duration
		var all []time.Duration
		var sound, picture []float64
		for seed := range seeds {
			s := newLipScene(l, seed)
			for s.now < 45*time.Second {
				s.step()
			}
			for end := 8 * time.Second; end <= s.now; end += 500 * time.Millisecond {
				if s.settling(end) {
					continue
				}
				off := s.apart(end)
				all = append(all, off)
				if absDuration(off) > absDuration(worst) {
					worst = off
				}
				if absDuration(off) > 40*time.Millisecond {
					t.Errorf("%s, seed %d: sound %v later than pictures in the 3 s before %v", l.name, seed, off, end)
				}
			}
			for _, p := range s.sounds {
				sound = append(sound, ms(p.delay))
			}
			for _, p := range s.pictures {
				picture = append(picture, ms(p.delay))
			}
		}
		slices.Sort(all)
		slices.Sort(sound)
		slices.Sort(picture)
		t.Logf("%-28s sound later by %3.0f ms, at most %3.0f; delays %3.0f and %3.0f ms", l.name, ms(all[len(all)/2]), ms(worst), sound[len(sound)/2], picture[len(picture)/2])
	}
}
