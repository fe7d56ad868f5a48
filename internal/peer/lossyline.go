package peer

import "sync"

// lossyLine learns from transport-wide feedback how a line loses packets: how many, and whether one after the other.
// Its memory fades over some hundred packets.
type lossyLine struct {
	mu                          sync.Mutex
	packets, lost, after, again float64
	wasLost                     bool
}

const (
	lineMemory  = 600 // packets
	lineEnough  = 40  // packets before anything is said,
	lineTrusted = 3   // and losses
)

// saw takes what became of packets, in the order they were sent.
func (l *lossyLine) saw(list []arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const fade = 1 - 1.0/lineMemory
	for _, a := range list {
		if a.found { // said to be lost before, and only overtaken
			l.lost = max(l.lost-1, 0)
			continue
		}
		l.packets, l.lost, l.after, l.again = l.packets*fade+1, l.lost*fade, l.after*fade, l.again*fade
		if l.wasLost {
			l.after++
		}
		if a.lost {
			l.lost++
			if l.wasLost {
				l.again++
			}
		}
		l.wasLost = a.lost
	}
}

// rows is whether losses come in rows.
func (l *lossyLine) rows() bool {
	loss, again := l.odds()
	return loss > 0.01 && again > 0.5
}

// odds gives the share of packets that are lost, and the probability that one is when the one before it was.
func (l *lossyLine) odds() (loss, again float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packets < lineEnough || l.lost < lineTrusted {
		return 0, 0
	}
	loss = min(l.lost/l.packets, 0.5)
	const doubt = 1 // as if one more pair had behaved like independent ones
	return loss, min((l.again+doubt*loss)/(l.after+doubt), 0.98)
}
