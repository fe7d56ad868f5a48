package peer

import "time"

// timing says when to show a received picture: as long after its capture as the slower ones need, so that motion is
// even, and no longer. It is pure. Times of capture are known up to a constant: the fastest transit of the last seconds
// is taken for zero delay.
type timing struct {
	started  bool
	lastRTP  uint32
	media    time.Duration // of lastRTP, on a clock that does not wrap
	base     baseline
	epoch    time.Time
	delay    time.Duration // on top of the fastest transit
	fastest  time.Duration // the transit that counts as none
	lastSeen time.Time
}

const (
	maxShowDelay = 200 * time.Millisecond
	delayDecay   = 0.01 // a picture: a burst of lateness is forgotten in some seconds
)

// show gives when to show a picture that was complete at now.
func (t *timing) show(rtpTime uint32, now time.Time) time.Time {
	if !t.started || absDuration(ticks(rtpTime-t.lastRTP)-now.Sub(t.lastSeen)) > 10*time.Second {
		// The first one, or the sender's clock has jumped.
		*t = timing{started: true, epoch: now, lastRTP: rtpTime}
	}
	t.media += ticks(rtpTime - t.lastRTP)
	t.lastRTP, t.lastSeen = rtpTime, now
	transit := now.Sub(t.epoch) - t.media
	late := t.base.queue(transit, now)
	t.fastest = transit - late
	if late > t.delay {
		t.delay = min(t.delay+(late-t.delay)/4, maxShowDelay)
	} else {
		t.delay -= time.Duration(float64(t.delay-late) * delayDecay)
	}
	at := t.epoch.Add(t.media + t.fastest + t.delay)
	if at.Sub(now) > maxShowDelay {
		return now.Add(maxShowDelay)
	}
	return at
}

func ticks(d uint32) time.Duration { return time.Duration(int32(d)) * time.Second / 90000 }

func absDuration(d time.Duration) time.Duration { return max(d, -d) }
