// Package jitter is the playout buffer of received sound: packets go in as the network brings them, and come out one frame
// at a time in the order and at the pace in which they are to be heard. It learns how unevenly packets arrive and keeps
// just enough delay. peer puts packets in from its read loop and pulls from its playout loop. The clock is an argument;
// nothing here decodes, and nothing waits.
//
// The delay follows the arrival times as in NetEq (libwebrtc modules/audio_coding/neteq: delay manager, decision logic);
// instead of stretching sound, whole frames are left out, in quiet places where there are any, and made up when nothing is
// there.
package jitter

import (
	"sync"
	"time"
)

// Action is what the caller is to do for one frame.
type Action int

// Actions.
const (
	Silence Action = iota // nothing is being received: play quiet, leave the decoder alone
	Decode                // decode the packet
	FEC                   // this frame is lost, but the given next packet may carry a copy: opus DecodeFEC. It comes again, as Decode.
	Conceal               // this frame is missing: let the decoder make it up
)

func (a Action) String() string {
	return [...]string{"silence", "decode", "fec", "conceal"}[a]
}

const (
	rate         = 48000
	slots        = 256                    // packets kept at most: 5 s of 20 ms
	maxPayload   = 4096                   // bytes; Opus packets in RTP have 1275 at most
	defaultFrame = 960                    // samples
	defaultMax   = 500 * time.Millisecond // of the target delay
	idleAfter    = 120 * time.Millisecond // of nothing: the other is silent (DTX) or gone; the next packet begins anew
	skipAfter    = 200 * time.Millisecond // of lost sound: go on behind it
	flushAfter   = 500 * time.Millisecond // above the target: leave out at once what is too much
	restartSeq   = 500                    // a jump of so many packets is another stream, once two packets say so
	restartTime  = 10 * rate              // and so is one of its time against the wall clock
)

// Buffer is ready as its zero value. Put and Pull may be called from two goroutines.
type Buffer struct {
	Min, Max time.Duration // of the target delay; 0: one frame, 500 ms

	mu       sync.Mutex
	ring     [slots]packet
	count    int
	begun    bool
	highSeq  int64 // newest packet received
	highTime int64 // its RTP time
	highAt   time.Time
	stray    uint16 // a packet that would be a restart
	strayed  bool

	played   bool      // something of this stream
	playing  bool      // false: the delay is being built up
	since    time.Time // when the first packet of that arrived
	next     int64     // seq to play
	position int64     // RTP time to play
	stalled  int64     // samples made up at this position while nothing was there
	frame    int64     // samples in a packet
	frameNew [2]int64  // a longer frame that was seen, and how often

	arrival arrival
	control control
	stats   Stats
	out     []byte
}

type packet struct {
	seq     int64
	time    int64
	used    bool
	payload []byte
}

// Stats are counts since the beginning, but for the last three.
type Stats struct {
	Received, Duplicate uint64
	Late                uint64 // came after its frame had been made up
	Lost                uint64 // frames made up for good (Late ones included), FEC ones too
	FEC                 uint64 // of Lost: asked for as FEC
	Added, LeftOut      uint64 // frames made up while nothing was there, and frames skipped to catch up
	Restarts            uint64 // jumps of the stream
	Target, Delay       time.Duration
	Jitter              time.Duration // RFC 3550, 6.4.1
}

// New is an empty Buffer with the default bounds.
func New() *Buffer { return &Buffer{} }

// Put takes a packet and copies its payload. Late, duplicate and stray ones are only counted.
func (b *Buffer) Put(seq uint16, rtpTime uint32, payload []byte, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Received++
	if len(payload) > maxPayload {
		return
	}
	if !b.begun {
		b.begin(seq, rtpTime, now)
	}
	s := b.highSeq + int64(int16(seq-uint16(b.highSeq)))
	t := b.highTime + int64(int32(rtpTime-uint32(b.highTime)))
	if b.foreign(s, t, now) {
		if !b.strayed || seq != b.stray+1 {
			b.stray, b.strayed = seq, true
			return
		}
		b.restart(seq, rtpTime, now)
		s, t = b.highSeq, b.highTime
	}
	b.strayed = false
	b.arrival.packet(t, now)
	b.insert(s, t, payload, now)
}

// PutCopy takes a redundant copy of an earlier packet (RFC 2198), which came with a later one. It says nothing about the
// network.
func (b *Buffer) PutCopy(seq uint16, rtpTime uint32, payload []byte, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.begun || len(payload) > maxPayload {
		return
	}
	s := b.highSeq + int64(int16(seq-uint16(b.highSeq)))
	t := b.highTime + int64(int32(rtpTime-uint32(b.highTime)))
	if s >= b.highSeq || s < b.next || b.slot(s) != nil || b.foreign(s, t, now) {
		return
	}
	b.insert(s, t, payload, now)
}

// begin starts both counters far from zero, so that older packets have numbers too.
func (b *Buffer) begin(seq uint16, rtpTime uint32, now time.Time) {
	b.begun = true
	if b.frame == 0 {
		b.frame = defaultFrame
	}
	b.highSeq, b.highTime, b.highAt = 1<<32+int64(seq), 1<<40+int64(rtpTime), now
	b.next, b.position = b.highSeq-slots, b.highTime
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
		return ahead < 0 || ahead > passed+restartTime
	case d < 0:
		return ahead > 0 || ahead < -restartTime
	}
	return ahead != 0
}

// restart forgets the packets, not what was learnt about the network.
func (b *Buffer) restart(seq uint16, rtpTime uint32, now time.Time) {
	b.stats.Restarts++
	b.clear()
	b.begin(seq, rtpTime, now)
	b.arrival.rebase()
}

func (b *Buffer) clear() {
	for i := range b.ring {
		b.ring[i].used = false
	}
	b.count, b.playing, b.played, b.strayed, b.stalled = 0, false, false, false, 0
}

// Reset forgets everything but the counts: another sender.
func (b *Buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.begun, b.frame = false, 0
	b.arrival, b.control = arrival{}, control{}
}

func (b *Buffer) insert(s, t int64, payload []byte, now time.Time) {
	if s < b.next {
		b.stats.Late++
		return
	}
	if b.slot(s) != nil {
		b.stats.Duplicate++
		return
	}
	if s >= b.next+slots { // the reader has stopped: what is oldest goes
		b.dropBefore(s - slots + 1)
	}
	if b.count == 0 && !b.playing {
		b.since = now
	}
	p := &b.ring[s%slots]
	p.seq, p.time, p.used = s, t, true
	p.payload = append(p.payload[:0], payload...)
	b.count++
	if s > b.highSeq || s == b.highSeq && b.count == 1 {
		if s == b.highSeq+1 {
			b.learnFrame(t - b.highTime)
		}
		b.highSeq, b.highTime, b.highAt = s, t, now
	}
}

// learnFrame takes the distance of two neighbours. A shorter one is always right; a longer one may be a pause, so it must
// come five times.
func (b *Buffer) learnFrame(d int64) {
	switch {
	case d < rate/400 || d > rate*120/1000 || d == b.frame: // 2.5 to 120 ms are possible
		b.frameNew[1] = 0
		return
	case d < b.frame:
		b.frame = d
	case d != b.frameNew[0]:
		b.frameNew = [2]int64{d, 1}
		return
	default:
		if b.frameNew[1]++; b.frameNew[1] < 5 {
			return
		}
		b.frame = d
	}
	b.frameNew[1] = 0
}

// slot is the packet of that number, nil when it is not there.
func (b *Buffer) slot(s int64) *packet {
	if p := &b.ring[s%slots]; p.used && p.seq == s {
		return p
	}
	return nil
}

// lowest is the oldest packet; there is one.
func (b *Buffer) lowest() *packet {
	for s := max(b.next, b.highSeq-slots+1); ; s++ {
		if p := b.slot(s); p != nil {
			return p
		}
	}
}

// dropBefore gives up everything older than s.
func (b *Buffer) dropBefore(s int64) {
	for i := range b.ring {
		if p := &b.ring[i]; p.used && p.seq < s {
			b.free(p)
			b.position = max(b.position, p.time+b.frame)
		}
	}
	b.next = max(b.next, s)
}

func (b *Buffer) free(p *packet) {
	p.used = false
	b.count--
}

// Stats are the counts so far.
func (b *Buffer) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Target, s.Jitter = duration(b.target()), b.arrival.rfc3550
	s.Delay = duration(int64(b.control.level))
	return s
}

// FrameSamples is how much sound one frame is, as far as known: 960, unless the other end packs differently.
func (b *Buffer) FrameSamples() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frame == 0 {
		return defaultFrame
	}
	return int(b.frame)
}

func duration(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / rate
}

func samples(d time.Duration) int64 {
	return int64(d) * rate / int64(time.Second)
}
