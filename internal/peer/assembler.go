package peer

import (
	"slices"
	"time"

	"visavis.example/internal/media/trace"
)

// received is one video packet as it came; the payload belongs to the assembler from put on.
type received struct {
	sequence uint16
	rtpTime  uint32
	marker   bool
	repaired bool // it came as a retransmission
	codec    codec
	number   pictureNumber
	payload  []byte
}

// picture is one whole encoded frame.
type picture struct {
	rtpTime  uint32
	key      bool
	codec    codec
	number   pictureNumber
	data     []byte
	complete time.Time // when its last packet came
	traced   trace.Picture
}

// assembler puts packets in order and makes pictures of them. It gives them strictly by sequence number: a picture whose
// predecessor has a hole waits for the repair, and when that is given up, everything up to the next key frame is thrown
// away. So a decoder never sees a picture whose reference was lost. It also knows what to ask for again. It is pure: the
// clock is an argument; its memory is bounded by the ring.
type assembler struct {
	ring     [ringSize]cell
	started  bool
	next     int64 // first sequence number not yet given or thrown away
	newest   int64 // highest received
	needKey  bool  // from the start, after a hole, after the decoder complained
	needFrom time.Time
	askedKey time.Time
	missing  []hole // by sequence number

	// Totals. lost counts packets that did not come by themselves.
	lost, repaired, dropped, keysAsked int
}

type cell struct {
	full     bool
	sequence int64
	rtpTime  uint32
	marker   bool
	codec    codec
	number   pictureNumber
	part     part
	at       time.Time
}

// hole is a packet that should be there.
type hole struct {
	sequence int64
	since    time.Time
	asked    time.Time
	times    int
}

const (
	ringSize = 1024 // packets; a second at 10 Mbit/s

	overtakeAfter = 30 * time.Millisecond // a hole's age when a key frame behind it is preferred to its repair

	askAfter    = 8 * time.Millisecond // overtaken packets come by themselves
	askTimes    = 10
	askAtOnce   = 64 // packets in one request
	maxHoles    = 300
	keyPause    = 300 * time.Millisecond // between two key frame requests
	repairFloor = 200 * time.Millisecond // what a hole is waited for at least,
	repairCeil  = 700 * time.Millisecond // and at most
)

// put takes a packet. Packets that are no payload of their codec, come twice or too late are thrown away.
func (a *assembler) put(r received, now time.Time) {
	p, ok := depayload(r.codec, r.payload)
	if !ok {
		return
	}
	sequence := a.unwrap(r.sequence, now)
	if sequence < a.next {
		return
	}
	c := &a.ring[sequence&(ringSize-1)]
	if c.full && c.sequence == sequence {
		return
	}
	if sequence > a.newest {
		a.open(sequence, now)
	} else {
		a.fill(sequence, r.repaired)
	}
	*c = cell{full: true, sequence: sequence, rtpTime: r.rtpTime, marker: r.marker, codec: r.codec, number: r.number, part: p, at: now}
}

// unwrap counts sequence numbers beyond 16 bits. One far from all others is a stream that began anew.
func (a *assembler) unwrap(s uint16, now time.Time) int64 {
	if a.started {
		sequence := a.newest + int64(int16(s-uint16(a.newest)))
		if sequence > a.newest-ringSize && sequence < a.newest+ringSize {
			return sequence
		}
	}
	a.ring = [ringSize]cell{}
	a.missing = a.missing[:0]
	a.started, a.next, a.newest = true, int64(s), int64(s)-1
	a.wantKey(now)
	return int64(s)
}

// open moves newest up to sequence and notes what was skipped.
func (a *assembler) open(sequence int64, now time.Time) {
	for s := max(a.newest+1, a.next); s < sequence; s++ {
		a.missing = append(a.missing, hole{sequence: s, since: now})
		a.lost++
	}
	a.newest = sequence
	if a.next <= sequence-ringSize {
		a.discard(sequence-ringSize/2, now) // the ring is full of pictures that wait for one packet
	}
	if len(a.missing) > maxHoles {
		a.discard(sequence, now)
	}
}

// discard gives up everything before sequence.
func (a *assembler) discard(sequence int64, now time.Time) {
	a.skip(sequence)
	a.wantKey(now)
}

func (a *assembler) skip(sequence int64) {
	for s := a.next; s < sequence && s <= a.newest; s++ {
		c := &a.ring[s&(ringSize-1)]
		if c.full && c.sequence == s {
			if c.part.first {
				a.dropped++
			}
			*c = cell{}
		}
	}
	a.next = max(a.next, sequence)
	a.missing = slices.DeleteFunc(a.missing, func(h hole) bool { return h.sequence < sequence })
}

func (a *assembler) fill(sequence int64, repaired bool) {
	i, ok := slices.BinarySearchFunc(a.missing, sequence, func(h hole, s int64) int { return int(h.sequence - s) })
	if ok {
		a.missing = slices.Delete(a.missing, i, i+1)
		if repaired {
			a.repaired++
		} else {
			a.lost--
		}
	}
}

func (a *assembler) wantKey(now time.Time) {
	if !a.needKey {
		a.needKey, a.needFrom = true, now
	}
}

// at gives the packet with that number, or nil.
func (a *assembler) at(sequence int64) *cell {
	if c := &a.ring[sequence&(ringSize-1)]; c.full && c.sequence == sequence {
		return c
	}
	return nil
}

// end gives the number after the picture that begins at sequence; ok is false while something of it is missing. A new
// RTP time ends a picture too, for senders that forget the marker.
func (a *assembler) end(sequence int64) (end int64, ok bool) {
	first := a.at(sequence)
	if first == nil {
		return 0, false
	}
	for s := sequence; s <= a.newest; s++ {
		c := a.at(s)
		switch {
		case c == nil:
			return 0, false
		case c.rtpTime != first.rtpTime || c.codec != first.codec:
			return s, true
		case c.marker:
			return s + 1, true
		}
	}
	return 0, false
}

// take gives the next picture that can be decoded. rtt is how long a repair takes.
func (a *assembler) take(now time.Time, rtt time.Duration) (picture, bool) {
	for a.started {
		if a.needKey {
			at, ok := a.newestKey()
			if !ok {
				return picture{}, false
			}
			a.skip(at)
			a.needKey = false
		}
		first := a.at(a.next)
		switch {
		case first == nil:
		case len(first.part.body) == 0: // padding
			a.release(a.next + 1)
			continue
		case !first.part.first: // the rest of a picture that we have no beginning of
			a.wantKey(now)
			a.skip(a.next + 1)
			continue
		}
		if end, ok := a.end(a.next); ok {
			return a.join(end), true
		}
		if len(a.missing) == 0 {
			return picture{}, false // only the rest is not here yet
		}
		if at, ok := a.newestKey(); ok && now.Sub(a.missing[0].since) > overtakeAfter {
			a.skip(at) // nothing before a whole key frame is needed any more
			continue
		}
		if !a.givenUp(now, rtt) {
			return picture{}, false
		}
		a.wantKey(now)
	}
	return picture{}, false
}

// newestKey finds where the latest whole key frame begins.
func (a *assembler) newestKey() (int64, bool) {
	for s := a.newest; s >= a.next; s-- {
		if c := a.at(s); c != nil && c.part.key {
			if _, ok := a.end(s); ok {
				return s, true
			}
		}
	}
	return 0, false
}

// join makes the picture out of [next, end) and moves on.
func (a *assembler) join(end int64) picture {
	first := a.at(a.next)
	p := picture{rtpTime: first.rtpTime, key: first.part.key, codec: first.codec, number: first.number}
	size := 0
	for s := a.next; s < end; s++ {
		size += len(a.at(s).part.body)
	}
	p.data = make([]byte, 0, size)
	for s := a.next; s < end; s++ {
		c := a.at(s)
		p.data = append(p.data, c.part.body...)
		if c.at.After(p.complete) {
			p.complete = c.at
		}
	}
	a.release(end)
	return p
}

func (a *assembler) release(end int64) {
	for s := a.next; s < end; s++ {
		a.ring[s&(ringSize-1)] = cell{}
	}
	a.next = end
}

// givenUp says whether the oldest hole has been waited for long enough: three repairs' worth.
func (a *assembler) givenUp(now time.Time, rtt time.Duration) bool {
	return now.Sub(a.missing[0].since) > min(max(3*rtt+60*time.Millisecond, repairFloor), repairCeil)
}

// ask gives the sequence numbers to request again now, in order; out is reused.
func (a *assembler) ask(now time.Time, rtt time.Duration, out []uint16) []uint16 {
	out = out[:0]
	again := max(rtt+rtt/4, 25*time.Millisecond)
	if rtt == 0 {
		again = 100 * time.Millisecond
	}
	for i := range a.missing {
		h := &a.missing[i]
		if h.times >= askTimes || now.Sub(h.since) < askAfter || h.times > 0 && now.Sub(h.asked) < again {
			continue
		}
		h.asked = now
		h.times++
		if out = append(out, uint16(h.sequence)); len(out) == askAtOnce {
			break
		}
	}
	return out
}

// askKey says whether to request a key frame now. While one is coming in, it is given the time of a repair first.
func (a *assembler) askKey(now time.Time) bool {
	if !a.started || !a.needKey || now.Sub(a.askedKey) < keyPause {
		return false
	}
	for s := a.next; s <= a.newest; s++ {
		if c := a.at(s); c != nil && c.part.key && now.Sub(c.at) < keyPause {
			return false
		}
	}
	a.askedKey = now
	a.keysAsked++
	return true
}

// waiting says whether anything may become due as time goes by.
func (a *assembler) waiting() bool { return len(a.missing) > 0 || a.started && a.needKey }
