package peer

import "time"

// showing is what the assembler knows of those who show its pictures, to judge what a repair is worth to them. The zero
// value is somebody who decodes in no time.
type showing struct {
	interval time.Duration // between pictures, smoothed; 0: not known
	decode   time.Duration // of one, smoothed; 0: not known
}

const (
	usualInterval = time.Second / 30
	intervalMost  = 200 * time.Millisecond
	leastRounds   = 2                      // a key frame on a line that loses has to be repaired as well,
	leastUseful   = 100 * time.Millisecond // and a decoder may have been held up just now
	askedOnce     = 50 * time.Millisecond  // a hole is asked for at all, however far away the sender is
	keyAfter      = 6                      // rounds without the repair, and a key frame is asked for besides
	keyAfterLeast = 200 * time.Millisecond // as libwebrtc waits for one at least
	keyAfterMost  = time.Second
)

// usefulFor is how old a hole may be for a request of its packet still to be of use; round is how long the packet takes
// to come. Pictures refer to the one before, so that those behind a hole wait for it: a late repair moves the picture on
// as a timely one does, until one of three things is so when it comes:
//
//   - Going through the pictures that wait by then takes the decoder longer than a key frame, asked for in place of the
//     packet, takes to come: a round trip and up to one picture's time.
//   - They are more than the decoder's queue holds, which throws them all away.
//   - The sender has the packet no more (resendFor; libwebrtc keeps a second).
func (p showing) usefulFor(round time.Duration) time.Duration {
	interval := p.interval
	if interval == 0 {
		interval = usualInterval
	}
	waits := decodeQueueLimit * interval
	if p.decode > 0 {
		waits = min(waits, time.Duration(float64(round+interval)/float64(p.decode)*float64(interval)))
	}
	useful := max(waits-round, leastRounds*round, leastUseful)
	return max(min(useful, resendFor-round), askedOnce)
}

// took follows the time between pictures by their RTP times.
func (p *showing) took(between time.Duration) {
	switch between = min(between, intervalMost); {
	case between <= 0:
	case p.interval == 0:
		p.interval = between
	default:
		p.interval += (between - p.interval) / 16
	}
}

// keyWanted says whether a key frame should be asked for, and since when. A hole that several requests did not fill gets
// one besides, because nobody knows whether the sender answers; whichever comes first moves the picture on.
func (a *assembler) keyWanted(now time.Time, rtt time.Duration) (since time.Time, wanted bool) {
	if a.needKey {
		return a.needFrom, true
	}
	if len(a.holes) == 0 || a.onlyFillers() {
		return time.Time{}, false
	}
	since = a.holes[0].since.Add(min(max(keyAfter*a.round(rtt), keyAfterLeast), keyAfterMost))
	return since, !now.Before(since)
}

// begun finds the first picture that a decoder could begin with and of which the beginning is there; 0: there is none.
func (a *assembler) begun() int64 {
	for s := a.next; s <= a.newest; s++ {
		if c := a.at(s); c != nil && c.part.first && (c.part.key || c.part.flexible && a.decoded.have(&c.part)) {
			return s
		}
	}
	return 0
}

// usefulFrom is the first packet that is worth asking for: where an entry is whole, or nothing but an entry helps and one
// has begun, what is before it is needed no more.
func (a *assembler) usefulFrom(now time.Time, round time.Duration) int64 {
	switch {
	case len(a.holes) == 0:
	case a.needKey:
		return a.begun()
	case now.Sub(a.holes[0].since)+round > overtakeAfter:
		if at, ok := a.entry(); ok {
			return at
		}
	}
	return 0
}
