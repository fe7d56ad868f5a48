package peer

import "time"

// What the assembler asks of the sender besides single packets.

const (
	ackEvery  = 200 * time.Millisecond // loss notifications that only say how far we are
	tellEvery = 100 * time.Millisecond // and those that say that something is lost, at most
)

// requests gives the sequence numbers to request again now: those that the playout can still use when they come.
func (a *assembler) requests(now time.Time, rtt time.Duration, out []uint16) []uint16 {
	round := a.round(rtt)
	until := a.patience(a.redundant) + a.showing.usefulFor(round)
	if a.needKey {
		until = a.keyPause(rtt) // of what an entry lacks
	}
	return a.ask(now, rtt, until, a.usefulFrom(now, round), a.redundant, out)
}

// keyPause is how long a request for a key frame is given to be answered.
func (a *assembler) keyPause(rtt time.Duration) time.Duration {
	return min(max(rtt+rtt/2+100*time.Millisecond, keyPauseMin), keyPauseMax)
}

// askKey says whether to request a key frame now. While one is coming in, it is given the time of a repair first, and
// when the sender was told of the loss and can make a recovery frame, that has as long.
func (a *assembler) askKey(now time.Time, rtt time.Duration, told bool) bool {
	pause := a.keyPause(rtt)
	since, wanted := a.keyWanted(now, rtt)
	if !a.started || !wanted || now.Sub(a.askedKey) < pause || told && a.flexible && now.Sub(since) < pause {
		return false
	}
	for s := a.next; s <= a.newest; s++ {
		if c := a.at(s); c != nil && c.part.key && now.Sub(c.at) < pause {
			return false
		}
	}
	a.askedKey = now
	a.keysAsked++
	return true
}

// notify gives what to tell a sender that can make recovery frames: how far we are, and at once when a repair takes so
// long that a recovery frame may be quicker.
func (a *assembler) notify(now time.Time, rtt time.Duration) (lossNotification, bool) {
	if !a.started || !a.flexible || a.given == 0 {
		return lossNotification{}, false
	}
	lost := a.needKey || len(a.holes) > 0 && now.Sub(a.holes[0].since) > a.patience(a.redundant)+a.round(rtt)+a.spread(rtt)
	switch since := now.Sub(a.told); {
	case lost && since < max(a.round(rtt)+20*time.Millisecond, tellEvery):
		return lossNotification{}, false
	case !lost && (since < ackEvery || a.given == a.toldOf):
		return lossNotification{}, false
	}
	a.told, a.toldOf = now, a.given
	return lossNotification{lastDecoded: uint16(a.given), lastReceived: uint16(a.newest), decodable: !lost}, true
}

// spread is how much later than most a repair may come.
func (a *assembler) spread(rtt time.Duration) time.Duration {
	return max(20*time.Millisecond, min(2*a.tripVar, a.round(rtt)/2))
}

// waiting says whether anything may become due as time goes by.
func (a *assembler) waiting() bool { return len(a.holes) > 0 || a.started && a.needKey }
