package peer

import (
	"math/rand"
	"time"
)

// simLine is one direction of a made-up network: a rate with a drop-tail queue, a delay, jitter and loss.
type simLine struct {
	rateBps   float64 // 0: no limit
	queue     time.Duration
	delay     time.Duration
	jitter    time.Duration // evenly up to this; packets overtake each other
	loss      float64
	burstLoss float64 // mean share lost in bursts of burstLen packets, or of shadow, whatever is sent
	burstLen  float64
	shadow    time.Duration
	dead      bool
	cross     float64 // bits a second of somebody else's

	busy     time.Time
	inBurst  bool
	until    time.Time // it lasts, or its absence
	carried  int64
	deepest  time.Duration
	waits    []time.Duration
	ordered  bool
	lastSeen time.Time
}

// pass says when a packet comes out, false when it does not.
func (l *simLine) pass(size int, now time.Time, r *rand.Rand) (time.Time, bool) {
	if l.dead {
		return now, false
	}
	if l.burstLen > 0 && l.inRow(r) || l.shadow > 0 && l.inShadow(now, r) {
		return now, false
	}
	if r.Float64() < l.loss {
		return now, false
	}
	out := now
	if l.rateBps > 0 {
		l.busy = latest(l.busy, now)
		wait := l.busy.Sub(now)
		if wait > l.queue {
			return now, false
		}
		l.waits = append(l.waits, wait)
		l.deepest = max(l.deepest, wait)
		l.busy = l.busy.Add(time.Duration(float64(size*8) / max(l.rateBps-l.cross, 1000) * 1e9))
		out = l.busy
	}
	l.carried += int64(size)
	out = out.Add(l.delay)
	if l.jitter > 0 {
		out = out.Add(time.Duration(r.Int63n(int64(l.jitter))))
	}
	if l.ordered {
		out = latest(out, l.lastSeen)
		l.lastSeen = out
	}
	return out, true
}

// inRow is Gilbert's model: each packet ends or begins a burst.
func (l *simLine) inRow(r *rand.Rand) bool {
	leave, enter := 1/l.burstLen, l.burstLoss/(1-l.burstLoss)/l.burstLen
	l.inBurst = l.inBurst && r.Float64() >= leave || !l.inBurst && r.Float64() < enter
	return l.inBurst
}

// inShadow is the same with time in place of packets.
func (l *simLine) inShadow(now time.Time, r *rand.Rand) bool {
	if l.until.IsZero() {
		l.until, l.inBurst = now, true
	}
	for !now.Before(l.until) {
		l.inBurst = !l.inBurst
		mean := float64(l.shadow)
		if !l.inBurst {
			mean *= (1 - l.burstLoss) / l.burstLoss
		}
		l.until = l.until.Add(time.Duration(r.ExpFloat64() * mean))
	}
	return l.inBurst
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
