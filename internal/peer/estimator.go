package peer

import (
	"slices"
	"time"
)

// estimator decides how much may be sent in all, from transport-wide feedback: a standing queue or heavy loss brings it
// down to what got through, a clear line lets it grow. It is pure: the clock is an argument. pion's gcc is not used: it
// creeps up by 8 % a second, grows without bound while little is sent, falls on any overuse, and ignores its own minimum.
// It never probes.
type estimator struct {
	minBps, maxBps int

	target float64
	// limit is what got through when the line was last found full; near it growth is careful. Zero: not known.
	limit   float64
	lastCut time.Time
	lastUp  time.Time
	epoch   time.Time // of the send times: they count from the first one
	overuse int       // feedbacks in a row with a queue

	base   baseline
	rate   rateMeter // what got through
	losses lossMeter
}

const (
	queueLimit   = 60 * time.Millisecond // of the fastest packet in a feedback, so jitter does not count as a queue
	overuseCount = 3
	cutPause     = 400 * time.Millisecond // before the next cut: the line must get the chance to show the effect
	heavyLoss    = 0.10
	lightLoss    = 0.02
	fastGrowth   = 1.5  // a second, far from any known limit
	slowGrowth   = 1.06 // a second, near it for
	carefulFor   = 3 * time.Second
	trialGrowth  = 1.25 // a second after that: the line may have changed
	maxOverRate  = 1.6  // times what got through: more has not been shown to fit
)

func newEstimator(startBps, minBps, maxBps int) *estimator {
	return &estimator{minBps: minBps, maxBps: maxBps, target: float64(min(max(startBps, minBps), maxBps))}
}

func (e *estimator) targetBps() int { return int(e.target) }

// lossFraction is the loss of about the last second, 0 to 1.
func (e *estimator) lossFraction() float64 { return e.losses.fraction() }

// feedback takes what one feedback packet said and gives the new target.
func (e *estimator) feedback(arrivals []arrival, now time.Time) int {
	var fastest time.Duration
	any := false
	for _, a := range arrivals {
		e.losses.add(a, now)
		if a.lost {
			continue
		}
		e.rate.add(a.size, a.received)
		if e.epoch.IsZero() {
			e.epoch = a.sent
		}
		transit := a.received - a.sent.Sub(e.epoch) // up to a constant: the two clocks start anywhere
		if !any || transit < fastest {
			fastest, any = transit, true
		}
	}
	e.losses.forget(now)
	if any {
		if e.base.queue(fastest, now) > queueLimit {
			e.overuse++
		} else {
			e.overuse = 0
		}
	}
	e.adjust(now)
	return e.targetBps()
}

// reportedLoss serves when the other sends no transport-wide feedback: a receiver report's fraction, 0 to 1.
func (e *estimator) reportedLoss(fraction float64, now time.Time) int {
	e.losses.set(fraction)
	switch {
	case fraction > heavyLoss:
		e.cut(e.target*(1-fraction/2), now)
	case fraction < lightLoss:
		e.target = min(e.target*1.1, float64(e.maxBps))
	}
	return e.targetBps()
}

func (e *estimator) adjust(now time.Time) {
	if e.lastUp.IsZero() {
		e.lastUp = now
	}
	passed := min(now.Sub(e.lastUp).Seconds(), 0.2)
	e.lastUp = now
	through := e.rate.bps()
	loss := e.losses.fraction()
	switch {
	case e.overuse >= overuseCount:
		if now.Sub(e.lastCut) >= cutPause && through > 0 {
			e.limit = through
			e.cut(min(through*0.85, e.target), now)
		}
	case loss > heavyLoss:
		if now.Sub(e.lastCut) >= cutPause {
			e.cut(e.target*(1-loss/2), now)
		}
	case e.overuse > 0, loss > lightLoss:
	case through > 0:
		growth := fastGrowth
		if e.limit > 0 && e.target > e.limit*0.8 {
			if growth = slowGrowth; now.Sub(e.lastCut) > carefulFor {
				growth = trialGrowth
			}
		}
		if e.limit > 0 && e.target > e.limit*1.3 {
			e.limit = 0 // the line has more to give than when it was full
		}
		// Little being sent shows nothing about the line: do not grow on it, nor shrink.
		ceiling := max(through*maxOverRate, e.target)
		e.target = min(e.target*(1+(growth-1)*passed), ceiling, float64(e.maxBps))
	}
}

func (e *estimator) cut(to float64, now time.Time) {
	e.target = max(to, float64(e.minBps))
	e.lastCut, e.overuse = now, 0
}

// baseline knows the smallest transit of the last 5 to 10 seconds; what is above it waits in a queue. Clocks drift, so
// nothing older counts.
type baseline struct {
	started       bool
	previous, now time.Duration
	since         time.Time
}

const baselineWindow = 5 * time.Second

func (b *baseline) queue(transit time.Duration, now time.Time) time.Duration {
	if !b.started {
		*b = baseline{started: true, previous: transit, now: transit, since: now}
	}
	if now.Sub(b.since) > baselineWindow {
		b.previous, b.now, b.since = b.now, transit, now
	}
	b.now = min(b.now, transit)
	return transit - min(b.previous, b.now)
}

// rateMeter measures over the last half second of the receiver's clock, which may stand still: sendLog packets at most.
type rateMeter struct {
	packets []ratedPacket
	bytes   int
}

type ratedPacket struct {
	at   time.Duration
	size int
}

const rateWindow = 500 * time.Millisecond

func (r *rateMeter) add(size int, at time.Duration) {
	if n := len(r.packets); n > 0 && at < r.packets[n-1].at-time.Minute {
		r.packets, r.bytes = r.packets[:0], 0 // the reference time has wrapped
	}
	r.packets = append(r.packets, ratedPacket{at, size})
	r.bytes += size
	old := 0
	for old < len(r.packets)-1 && (r.packets[old].at < at-rateWindow || len(r.packets)-old > sendLog) {
		r.bytes -= r.packets[old].size
		old++
	}
	r.packets = slices.Delete(r.packets, 0, old)
}

// bps is 0 until there is enough to tell.
func (r *rateMeter) bps() float64 {
	n := len(r.packets)
	if n < 5 {
		return 0
	}
	span := r.packets[n-1].at - r.packets[0].at
	if span < rateWindow/5 {
		return 0
	}
	return float64(r.bytes*8) / span.Seconds()
}

// lossMeter counts over the last second.
type lossMeter struct {
	buckets [10]lossBucket // 100 ms each, by time
	fixed   float64
}

type lossBucket struct {
	period      int64
	sent, fates int // fates: lost ones
}

const lossPeriod = 100 * time.Millisecond

func (l *lossMeter) add(a arrival, now time.Time) {
	period := now.UnixNano() / int64(lossPeriod)
	b := &l.buckets[period%int64(len(l.buckets))]
	if b.period != period {
		*b = lossBucket{period: period}
	}
	switch {
	case a.found:
		b.fates--
	case a.lost:
		b.sent++
		b.fates++
	default:
		b.sent++
	}
}

func (l *lossMeter) forget(now time.Time) {
	period := now.UnixNano() / int64(lossPeriod)
	for i := range l.buckets {
		if l.buckets[i].period <= period-int64(len(l.buckets)) {
			l.buckets[i] = lossBucket{}
		}
	}
}

func (l *lossMeter) set(fraction float64) { l.fixed = fraction }

func (l *lossMeter) fraction() float64 {
	sent, lost := 0, 0
	for _, b := range l.buckets {
		sent += b.sent
		lost += b.fates
	}
	if sent < 20 {
		return l.fixed
	}
	return min(max(float64(lost)/float64(sent), 0), 1)
}
