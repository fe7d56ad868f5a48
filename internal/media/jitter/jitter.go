// Package jitter is the playout of received sound: packets go into a Buffer as the network brings them, and a Player makes
// of them an even stream of samples for the speaker. It learns how unevenly packets arrive and keeps just enough delay, by
// stretching sound in time; what is lost comes from copies (RFC 2198, Opus's own) or is made up. peer puts packets in from
// its read loop and pulls from its playout loop. The clock and the decoder are arguments; nothing here waits.
//
// The ideas are NetEq's (libwebrtc modules/audio_coding/neteq: delay manager, decision logic, accelerate, expand). The
// delay is not taken from the amount of sound that waits but measured: by how much what is played now is older than it
// would be had it come the fastest way.
package jitter

import (
	"sync"
	"time"

	"visavis.example/internal/media"
)

const (
	rate         = media.SampleRate
	maxPackets   = 256  // kept at most: 5 s of 20 ms
	maxPayload   = 1500 // bytes
	maxSamples   = rate * 120 / 1000
	defaultFrame = rate / 50
	defaultMax   = 500 * time.Millisecond // of the target delay
	restartSeq   = 500                    // a jump of so many packets is another stream, once two packets say so
	restartTime  = 10 * rate              // and so is one of its time against the wall clock
)

// Inspect tells how long a packet's sound is in samples, and whether a copy of the packet before is inside. An error means
// that it is no packet of the codec. It is called from Put's goroutine.
type Inspect func(payload []byte) (samples int, fec bool, err error)

// Buffer keeps packets for a Player. Put and PutCopy may be called from another goroutine than the Player's.
type Buffer struct {
	Inspect  Inspect
	Min, Max time.Duration // of the target delay; 0: none, 500 ms

	mu       sync.Mutex
	queue    []*packet // by time
	spare    []*packet
	begun    bool
	epoch    int   // counts streams
	highSeq  int64 // newest packet received
	highTime int64 // its RTP time
	highAt   time.Time
	first    int64  // oldest packet of the stream
	came     uint64 // bit i: packet highSeq-i came
	stray    uint16 // a packet that would be a restart
	strayed  bool
	played   int64 // everything before this time has been played
	frame    int64 // samples in the newest packet
	extra    int64 // samples of delay that somebody asked for

	arrival arrival
	loss    loss
	count   Counts // what Put knows
	playing Counts // what the Player knows
}

type packet struct {
	seq     int64
	time    int64
	samples int64
	fec     bool
	copied  bool
	at      time.Time
	payload []byte
}

func (p *packet) end() int64 { return p.time + p.samples }

// Put takes a packet and copies its payload. Late, duplicate, malformed and stray ones are only counted.
func (b *Buffer) Put(seq uint16, rtpTime uint32, payload []byte, now time.Time) {
	n, fec, ok := b.inspect(payload)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count.Received++
	if !ok {
		b.count.Malformed++
		return
	}
	if !b.begun {
		b.begin(seq, rtpTime, now)
	}
	s, t := b.unwrap(seq, rtpTime)
	if b.foreign(s, t, now) {
		if !b.strayed || seq != b.stray+1 {
			b.stray, b.strayed = seq, true
			return
		}
		b.restart(seq, rtpTime, now)
		s, t = b.highSeq, b.highTime
	}
	b.strayed = false
	if !b.learn(s, t, int64(n), now) {
		return
	}
	p := packet{seq: s, time: t, samples: int64(n), fec: fec, at: now}
	if fec {
		b.count.CopiesReceived++
		b.loss.copied(1, b.highSeq)
	}
	b.insert(p, payload)
}

// PutCopy takes a redundant copy (RFC 2198) of an earlier packet, whose time is offset samples before that of the packet
// with which it came. It says nothing about how fast the network is.
func (b *Buffer) PutCopy(carrier uint16, rtpTime, offset uint32, payload []byte, now time.Time) {
	n, fec, ok := b.inspect(payload)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count.CopiesReceived++
	if !ok || !b.begun {
		return
	}
	// Its number is not said; copies do not reach over pauses, so it follows from the time.
	depth := max((int64(offset)+int64(n)/2)/int64(n), 1)
	s, t := b.unwrap(carrier, rtpTime-offset)
	s -= depth
	if s >= b.highSeq || t >= b.highTime || b.foreign(s, t, now) {
		return
	}
	b.loss.copied(depth, b.highSeq)
	if fec { // it brings another one's
		b.count.CopiesReceived++
		b.loss.copied(depth+1, b.highSeq)
	}
	b.insert(packet{seq: s, time: t, samples: int64(n), fec: fec, copied: true, at: now}, payload)
}

func (b *Buffer) inspect(payload []byte) (samples int, fec, ok bool) {
	if len(payload) == 0 || len(payload) > maxPayload {
		return 0, false, false
	}
	n, fec, err := b.Inspect(payload)
	return n, fec, err == nil && n > 0 && n <= maxSamples
}

// begin starts both counters far from zero, so that older packets have numbers too. The low bits of times stay RTP's.
func (b *Buffer) begin(seq uint16, rtpTime uint32, now time.Time) {
	b.begun = true
	b.epoch++
	b.highSeq, b.highTime, b.highAt = 1<<32+int64(seq), 1<<40+int64(rtpTime), now
	b.first, b.played, b.came, b.frame = b.highSeq, 0, 0, 0
}

func (b *Buffer) unwrap(seq uint16, rtpTime uint32) (s, t int64) {
	return b.highSeq + int64(int16(seq-uint16(b.highSeq))), b.highTime + int64(int32(rtpTime-uint32(b.highTime)))
}

// foreign is whether a packet cannot belong to the stream as it was.
func (b *Buffer) foreign(s, t int64, now time.Time) bool {
	d := s - b.highSeq
	if d > restartSeq || d < -restartSeq {
		return true
	}
	ahead := t - b.highTime
	passed := int64(max(now.Sub(b.highAt), 0).Seconds() * rate)
	switch {
	case d > 0:
		return ahead <= 0 || ahead > passed+restartTime
	case d < 0:
		return ahead >= 0 || ahead < -restartTime
	}
	return ahead != 0
}

// restart forgets the packets, not what was learnt about the network.
func (b *Buffer) restart(seq uint16, rtpTime uint32, now time.Time) {
	b.count.Restarts++
	b.dropUntil(len(b.queue))
	b.begin(seq, rtpTime, now)
	b.arrival.rebase()
	b.strayed = false
}

// learn takes a packet's arrival into account; false: it has come before.
func (b *Buffer) learn(s, t, length int64, now time.Time) bool {
	switch back := b.highSeq - s; {
	case back < 0:
		b.loss.came(-back - 1)
		b.count.Missing += -back - 1
		b.highSeq, b.highTime, b.highAt = s, t, now
		b.came = b.came << min(-back, 64)
		b.came |= 1
		b.frame = length
	case back >= 64: // too old to know
	case b.came>>back&1 != 0:
		b.count.Duplicate++
		return false
	case back == 0: // the first of the stream
		b.came |= 1
		b.frame = length
	case s < b.first: // the stream began with an overtaken packet (RFC 3550 appendix A.1 leaves these out)
		b.came |= 1 << back
		b.count.Missing += b.first - s - 1
		b.first = s
	default:
		b.came |= 1 << back
		b.loss.cameLate()
		b.count.Missing--
	}
	b.arrival.packet(t, now)
	return true
}

func (b *Buffer) insert(p packet, payload []byte) {
	i := len(b.queue)
	for i > 0 && b.queue[i-1].time > p.time {
		i--
	}
	if i > 0 && b.queue[i-1].time == p.time {
		if have := b.queue[i-1]; have.copied && !p.copied { // the original may be the finer one
			p.payload = append(have.payload[:0], payload...)
			*have = p
		}
		return
	}
	if p.end() <= b.played {
		if !p.copied {
			b.count.Late++
		}
		return
	}
	if len(b.queue) == maxPackets { // the reader has stopped: what is oldest goes
		if i == 0 {
			return
		}
		b.count.Discarded++
		b.dropUntil(1)
		i--
	}
	k := b.blank()
	keep := k.payload
	*k = p
	k.payload = append(keep[:0], payload...)
	b.queue = append(b.queue, nil)
	copy(b.queue[i+1:], b.queue[i:])
	b.queue[i] = k
}

func (b *Buffer) blank() *packet {
	if n := len(b.spare); n > 0 {
		p := b.spare[n-1]
		b.spare = b.spare[:n-1]
		return p
	}
	return &packet{payload: make([]byte, 0, 256)}
}

// dropUntil takes the first n packets off.
func (b *Buffer) dropUntil(n int) {
	b.spare = append(b.spare, b.queue[:n]...)
	b.queue = b.queue[:copy(b.queue, b.queue[n:])]
}

// SetExtraDelay holds sound back by d more than the network needs, 0 to 500 ms.
func (b *Buffer) SetExtraDelay(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.extra = samples(min(max(d, 0), defaultMax))
}

// target is the delay aimed at, in samples: what the unevenness of the network takes, and while packets are lost the time
// until their copies come.
func (b *Buffer) target() int64 {
	longest := samples(b.Max)
	if longest <= 0 {
		longest = samples(defaultMax)
	}
	t := b.arrival.quantile() + b.loss.depth(b.highSeq, b.frame)*b.frame
	return min(max(t, samples(b.Min)), longest) + b.extra
}

func duration(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / rate
}

func samples(d time.Duration) int64 {
	return int64(d/time.Microsecond) * (rate / 1000) / 1000
}
