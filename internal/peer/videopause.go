package peer

import "time"

// pause decides when a line is too slow for pictures, so that they leave all of it to the sound; and when it carries
// them again. What makes the estimate grow while only sound is sent is the estimator's probing. It is pure.
type pause struct {
	on    bool
	since time.Time // the estimate has been on the other side of the limit since then,
	asked int       // and was looked at so often: our own machine may have stood still
}

const (
	pauseBelowBps = 100_000 // of everything
	pauseAfter    = 500 * time.Millisecond
	resumeFromBps = 150_000
	resumeAfter   = 2 * time.Second
	pauseLooks    = 6
)

// target takes what may be sent in all; changed says that on is another now.
func (p *pause) target(bps int, now time.Time) (changed bool) {
	other, after := bps < pauseBelowBps, pauseAfter
	if p.on {
		other, after = bps >= resumeFromBps, resumeAfter
	}
	switch {
	case !other:
		p.since, p.asked = time.Time{}, 0
	case p.since.IsZero():
		p.since, p.asked = now, 1
	case now.Sub(p.since) >= after && p.asked >= pauseLooks:
		p.on, p.since, p.asked = !p.on, time.Time{}, 0
		return true
	default:
		p.asked++
	}
	return false
}
