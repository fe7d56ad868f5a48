package peer

import (
	"slices"
	"time"
)

// nacker knows which packets are missing and when to ask for each again. It is pure. It asks as soon as a gap shows,
// unless the line is one that lets packets overtake each other, which it learns from those that came late by themselves;
// again after each round trip, which it learns from what its own requests brought; and each time more than once, because
// requests get lost as well: one that does costs another round trip, and often a freeze.
type nacker struct {
	holes []hole // by sequence number

	bypass  float64       // of holes that filled by themselves, smoothed
	overrun time.Duration // how late those came
	narrow  bool          // our own way is too narrow to ask twice
	trip    time.Duration // from request to repair, smoothed; 0: not known
	tripVar time.Duration

	// Totals. lost counts packets that did not come by themselves.
	lost, repaired, recovered, asked int
}

// hole is a packet that should be there.
type hole struct {
	sequence int64
	since    time.Time
	asked    time.Time
	times    int
	over     bool // its picture is over: parity that has not come by now is lost as well
	repeats  int  // of the last request
}

const (
	askTimes   = 10 // as libwebrtc
	askAtOnce  = 64 // packets in one request
	maxHoles   = 300
	askBlind   = 100 * time.Millisecond // between requests while the round trip is not known
	askFloor   = 20 * time.Millisecond  // between requests on the shortest lines
	maxOverrun = 60 * time.Millisecond
	fecGrace   = 12 * time.Millisecond // redundancy follows its picture; asking before it wastes the line

	bypassWeight = 1.0 / 16
	bypassCounts = 0.15 // less than this, and waiting costs more than needless repairs
)

// repeatAfter is how long after a request it is repeated, where requests get lost: rows of losses are shorter mostly. The
// sender takes them for one as long as they are not a round trip apart. On a narrow line requests would stand in front of
// sound.
const (
	repeatAfter    = 8 * time.Millisecond
	repeatTimes    = 2
	repeatAboveBps = 300_000
)

// open notes the packets [from, to) as missing; over says that to begins another picture.
func (n *nacker) open(from, to int64, over bool, now time.Time) {
	for s := from; s < to; s++ {
		n.holes = append(n.holes, hole{sequence: s, since: now, over: over})
		n.lost++
	}
}

// how tells how a packet came.
type how uint8

const (
	byItself   how = iota
	resent         // asked for, as RTX
	recovered      // worked out from redundancy
	redundancy     // which is not of the stream: payload is parity after its first two bytes, and sequence those
)

// fill takes a packet that was missing.
func (n *nacker) fill(sequence int64, h how, now time.Time) {
	i, ok := slices.BinarySearchFunc(n.holes, sequence, func(h hole, s int64) int { return int(h.sequence - s) })
	if !ok {
		return
	}
	gap := n.holes[i]
	n.holes = slices.Delete(n.holes, i, i+1)
	switch h {
	case byItself:
		n.lost--
		n.bypass += (1 - n.bypass) * bypassWeight
		if late := min(now.Sub(gap.since), maxOverrun); late > n.overrun {
			n.overrun += (late - n.overrun) / 2
		} else {
			n.overrun -= (n.overrun - late) / 16
		}
		return
	case resent:
		n.repaired++
		if gap.times == 1 { // its repeats are little later
			n.gotTrip(now.Sub(gap.asked))
		}
	case recovered:
		n.recovered++
	}
	n.bypass -= n.bypass * bypassWeight
}

// madeUnmissed counts a packet that was worked out or sent again before anything newer showed that it is missing.
func (n *nacker) madeUnmissed(h how) {
	n.lost++
	if h == recovered {
		n.recovered++
	} else {
		n.repaired++
	}
}

// gotTrip smooths as TCP does (RFC 6298).
func (n *nacker) gotTrip(d time.Duration) {
	if n.trip == 0 {
		n.trip, n.tripVar = d, d/2
		return
	}
	n.tripVar += (absDuration(d-n.trip) - n.tripVar) / 4
	n.trip += (d - n.trip) / 8
}

// forget gives up all before sequence.
func (n *nacker) forget(sequence int64) {
	n.holes = slices.DeleteFunc(n.holes, func(h hole) bool { return h.sequence < sequence })
}

// forgetOlder gives up what has been missing for longer than d.
func (n *nacker) forgetOlder(d time.Duration, now time.Time) {
	n.holes = slices.DeleteFunc(n.holes, func(h hole) bool { return now.Sub(h.since) > d })
}

// round is how long a request takes to bring its packet. rtt is what reports say, 0 for nothing yet.
func (n *nacker) round(rtt time.Duration) time.Duration {
	switch {
	case n.trip > 0 && rtt > 0: // the newer of two measures of the same, and a repair waits at the pacer too
		return max(min(n.trip, 2*rtt), rtt)
	case n.trip > 0:
		return n.trip
	case rtt > 0:
		return rtt
	}
	return askBlind
}

// patience is how old a hole gets before it is asked for.
func (n *nacker) patience(redundant bool) time.Duration {
	wait := time.Duration(0)
	if n.bypass > bypassCounts {
		wait = n.overrun + 2*time.Millisecond
	}
	if redundant {
		wait = max(wait, fecGrace)
	}
	return wait
}

// ask gives the sequence numbers to request now, in order; out is reused. redundant says that the sender sends
// redundancy; until is how old a hole may be for its packet still to be of use, from is the first one that is.
func (n *nacker) ask(now time.Time, rtt, until time.Duration, from int64, redundant bool, out []uint16) []uint16 {
	out = out[:0]
	round := n.round(rtt)
	again := max(round+min(2*n.tripVar, round/2)+2*time.Millisecond, askFloor)
	for i := range n.holes {
		h := &n.holes[i]
		age, since := now.Sub(h.since), now.Sub(h.asked)
		switch {
		case age < n.patience(redundant && !h.over) || age > until || h.sequence < from || h.times >= askTimes:
			continue
		case h.times == 0 || since >= again:
			h.asked, h.repeats = now, 0
			h.times++
		case !n.narrow && h.repeats < repeatTimes && since >= repeatAfter*time.Duration(h.repeats+1) && since < max(round*2/3, 2*repeatAfter):
			h.repeats++
		default:
			continue
		}
		n.asked++
		if out = append(out, uint16(h.sequence)); len(out) == askAtOnce {
			break
		}
	}
	return out
}
