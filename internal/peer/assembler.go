package peer

import (
	"time"

	"visavis.example/internal/media/trace"
)

// received is one video packet as it came; the payload belongs to the assembler from put on.
type received struct {
	sequence uint16
	rtpTime  uint32
	second   byte // of the RTP header: marker and payload type of the stream, also when it was resent
	marker   bool
	how      how
	codec    codec
	payload  []byte
	number   pictureNumber
	filler   bool   // it only takes a number of the stream: padding, or parity, which is payload then
	whole    []byte // the packet as parity covers it, with payload at its end; nil: not known
}

// picture is one whole encoded frame.
type picture struct {
	rtpTime  uint32
	key      bool
	codec    codec
	data     []byte
	number   pictureNumber
	traced   trace.Picture
	began    time.Time // when its first packet came
	complete time.Time // and its last one
	mended   bool      // one of its packets came only after asking again
}

// assembler puts packets in order and makes pictures of them. It gives them strictly by sequence number: a picture whose
// predecessor has a hole waits for the repair, and when that is given up, everything is thrown away up to the next
// picture that can be decoded with what was decoded before: a key frame, or a recovery frame, which says what it refers
// to. So a decoder never sees a picture whose reference was lost. It also knows what to ask for again. It is pure: the
// clock is an argument; its memory is bounded by the ring.
type assembler struct {
	nacker
	ring      [ringSize]cell
	started   bool
	next      int64 // first sequence number not yet given or thrown away
	newest    int64 // highest received
	newestRTP uint32
	given     int64 // last sequence number of the last picture given; 0: none
	givenRTP  uint32
	decoded   references
	flexible  bool  // the sender says what its pictures refer to: it can make recovery frames
	redundant bool  // the sender sends redundancy at the moment
	inside    bool  // and in this stream: what takes numbers of it may never come
	last      place // of the last picture given
	showing   showing

	needKey  bool // from the start, after a hole, after the decoder complained
	needFrom time.Time
	askedKey time.Time
	told     time.Time // the last loss notification
	toldOf   int64     // what it said was given

	// Totals.
	dropped, keysAsked, keys, jumps int
	refused                         int // packets: no payload, too late, or there already
}

type cell struct {
	full     bool
	filler   bool
	sequence int64
	rtpTime  uint32
	marker   bool
	late     bool // it was asked for again
	codec    codec
	part     part
	number   pictureNumber
	at       time.Time
}

const (
	ringSize = 1024 // packets; a second at 10 Mbit/s

	overtakeAfter = 30 * time.Millisecond  // a hole's age when a key frame behind it is preferred to its repair
	hopelessAfter = 500 * time.Millisecond // of pictures missing in one gap: a new beginning is nearer than their repair

	keyPauseMin = 300 * time.Millisecond // between two key frame requests, at least
	keyPauseMax = 500 * time.Millisecond // and at most
)

// put takes a packet. Packets that are no payload of their codec, come twice or too late are thrown away.
func (a *assembler) put(r received, now time.Time) {
	p, ok := part{}, true
	if !r.filler {
		p, ok = depayload(r.codec, r.payload)
	}
	if !ok {
		a.refused++
		return
	}
	sequence, ok := a.unwrap(r.sequence, r.how, now)
	if !ok || sequence < a.next {
		a.refused++
		return
	}
	c := &a.ring[sequence&(ringSize-1)]
	if c.full && c.sequence == sequence {
		a.refused++
		return
	}
	if sequence > a.newest {
		a.advance(sequence, r.rtpTime, p.first, now)
		if r.how != byItself {
			a.madeUnmissed(r.how)
		}
	} else {
		a.fill(sequence, r.how, now)
	}
	*c = cell{
		full: true, filler: r.filler, sequence: sequence, rtpTime: r.rtpTime, marker: r.marker, late: r.how == resent,
		codec: r.codec, part: p, number: r.number, at: now,
	}
}

// unwrap counts sequence numbers beyond 16 bits. One far from all others is a stream that began anew, if it came by
// itself: repairs tell of the past.
func (a *assembler) unwrap(s uint16, h how, now time.Time) (int64, bool) {
	if a.started {
		sequence := a.newest + int64(int16(s-uint16(a.newest)))
		if sequence > a.newest-ringSize && sequence < a.newest+ringSize {
			return sequence, true
		}
	}
	if h != byItself {
		return 0, false
	}
	a.ring = [ringSize]cell{}
	a.holes = a.holes[:0]
	a.started, a.next, a.newest, a.given = true, int64(s), int64(s)-1, 0
	a.last = place{}
	a.decoded.clear()
	a.wantKey(now)
	return int64(s), true
}

// advance moves newest up to sequence and notes what was skipped.
func (a *assembler) advance(sequence int64, rtpTime uint32, first bool, now time.Time) {
	from := max(a.newest+1, a.next)
	gap := sequence > from && ticks(rtpTime-a.newestRTP) > hopelessAfter
	a.open(from, sequence, first, now)
	a.newest, a.newestRTP = sequence, rtpTime
	switch {
	case a.next <= sequence-ringSize:
		a.discard(sequence-ringSize/2, now) // the ring is full of pictures that wait for one packet
	case len(a.holes) > maxHoles || gap:
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
	a.forget(sequence)
}

func (a *assembler) wantKey(now time.Time) {
	if !a.needKey {
		a.needKey, a.needFrom = true, now
	}
}

// decoderLost is for the decoder's complaints: nothing that it has can be relied on.
func (a *assembler) decoderLost(now time.Time) {
	a.decoded.clear()
	a.wantKey(now)
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
		case c.filler:
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
			at, ok := a.entry()
			if !ok {
				return picture{}, false
			}
			a.skip(at)
			a.needKey = false
		}
		first := a.at(a.next)
		switch {
		case first == nil:
			if at, ok := a.follower(); ok {
				a.skip(at)
				continue
			}
		case len(first.part.body) == 0: // padding
			a.release(a.next + 1)
			continue
		case !first.part.first, first.part.flexible && !a.decoded.have(&first.part):
			// The rest of a picture that we have no beginning of, or one whose reference its sender threw away.
			a.wantKey(now)
			a.skip(a.next + 1)
			continue
		}
		if end, ok := a.end(a.next); ok {
			return a.join(end), true
		}
		if len(a.holes) == 0 {
			return picture{}, false // only the rest is not here yet
		}
		if at, ok := a.entry(); ok && (now.Sub(a.holes[0].since) > overtakeAfter || !a.at(at).part.key) {
			a.jumps++
			a.skip(at) // nothing before it is needed any more
			continue
		}
		round := a.round(rtt)
		until := a.patience(a.redundant) + a.showing.usefulFor(round)
		if now.Sub(a.holes[0].since) <= until+round || a.onlyFillers() {
			return picture{}, false // the last request's packet may still come
		}
		a.forgetOlder(until, now)
		a.wantKey(now)
	}
	return picture{}, false
}

// follower finds where the next picture begins when nothing but fillers can be missing before it: it is the one after the
// last that was given, as their sender counts.
func (a *assembler) follower() (int64, bool) {
	if !a.inside {
		return 0, false
	}
	for s := a.next; s <= a.newest; s++ {
		c := a.at(s)
		if c == nil || len(c.part.body) == 0 {
			continue
		}
		return s, c.part.first && c.part.place.follows(a.last)
	}
	return 0, false
}

// onlyFillers says whether no picture is known to be missing: nothing came after the last one but fillers.
func (a *assembler) onlyFillers() bool {
	if !a.inside || a.last.of == 0 {
		return false
	}
	for s := a.next; s <= a.newest; s++ {
		if c := a.at(s); c != nil && len(c.part.body) > 0 {
			return false
		}
	}
	return true
}

// entry finds where the latest whole picture begins that needs nothing which is missing: a key frame, or one that says
// it refers only to what was decoded.
func (a *assembler) entry() (int64, bool) {
	for s := a.newest; s >= a.next; s-- {
		c := a.at(s)
		if c == nil || !c.part.first || !c.part.key && !(c.part.flexible && a.decoded.have(&c.part)) {
			continue
		}
		if _, ok := a.end(s); ok {
			return s, true
		}
	}
	return 0, false
}

// join makes the picture out of [next, end) and moves on.
func (a *assembler) join(end int64) picture {
	first := a.at(a.next)
	p := picture{rtpTime: first.rtpTime, key: first.part.key, codec: first.codec, number: first.number, began: first.at}
	a.note(&first.part)
	size := 0
	for s := a.next; s < end; s++ {
		size += len(a.at(s).part.body)
	}
	p.data = make([]byte, 0, size)
	for s := a.next; s < end; s++ {
		c := a.at(s)
		if c.filler {
			continue
		}
		p.data = append(p.data, c.part.body...)
		p.mended = p.mended || c.late
		if c.at.Before(p.began) {
			p.began = c.at
		}
		if c.at.After(p.complete) {
			p.complete = c.at
		}
	}
	if a.given > 0 {
		a.showing.took(ticks(p.rtpTime - a.givenRTP))
	}
	a.given, a.givenRTP = end-1, p.rtpTime
	a.release(end)
	return p
}

// note follows what the decoder will have.
func (a *assembler) note(p *part) {
	if p.key {
		a.keys++
		a.decoded.clear()
	}
	a.flexible, a.last = p.flexible, p.place
	if p.flexible {
		a.decoded.add(p.id)
	}
}

func (a *assembler) release(end int64) {
	for s := a.next; s < end; s++ {
		a.ring[s&(ringSize-1)] = cell{}
	}
	a.next = end
}
