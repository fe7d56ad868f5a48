package jitter

import (
	"slices"
	"time"
)

const (
	bucket    = rate / 400 // samples: 2.5 ms
	buckets   = 240        // 600 ms; later ones count as that
	interval  = 300 * time.Millisecond
	forget    = 0.92 // an interval: half is forgotten after 2.5 s
	startUp   = 20   // intervals: a sender that does not know the line yet fills its queue,
	startKeep = 0.65 // which is forgotten sooner
	covered   = 0.92 // so many intervals are to have no packet that is too late
	window    = 2 * time.Second
	stepUp    = rate / 50 // a path that became slower by so much is a new path

	cautionAt = 30 * rate / 1000 // taken for the spread until something is known
)

// arrival learns by how much packets come later than the fastest ones of the last seconds. As in NetEq's newer delay
// manager, the worst of each interval counts, not each packet: one late packet spoils a word as much as five in a row.
type arrival struct {
	begun     bool
	base      time.Time
	baseTime  int64
	fastest   [2]int64 // transit in samples: of this window and the one before
	turn      time.Time
	worst     int64 // of this interval
	since     time.Time
	recent    [4]int64 // transits
	newest    int
	histogram [buckets]float64
	intervals int

	lastTransit int64
	haveLast    bool
	jitter      float64 // samples; RFC 3550 section 6.4.1
}

// rebase forgets the time line, not the histogram.
func (a *arrival) rebase() { a.begun, a.haveLast = false, false }

// packet learns from one that has just come.
func (a *arrival) packet(t int64, now time.Time) {
	if !a.begun {
		a.begun, a.base, a.baseTime, a.turn, a.since = true, now, t, now, now
		a.fastest, a.worst, a.recent = [2]int64{}, 0, [4]int64{}
	}
	transit := a.transit(t, now)
	if now.Sub(a.turn) > window {
		before := a.best()
		a.fastest[1], a.fastest[0] = a.fastest[0], transit
		a.turn = now
		if up := a.best() - before; up > stepUp {
			a.shift(up)
		}
	}
	a.fastest[0] = min(a.fastest[0], transit)
	if now.Sub(a.since) >= interval { // before this packet: those that come at once after a standstill are of one interval
		a.learn(a.worst)
		a.worst, a.since = 0, now
	}
	a.worst = max(a.worst, transit-a.best())
	a.recent[a.newest] = transit
	a.newest = (a.newest + 1) % len(a.recent)
	a.spread(transit)
}

// least is how late even the fastest of the last packets was: what the path takes now, when it has become slower and
// that is not known for sure.
func (a *arrival) least() int64 { return slices.Min(a.recent[:]) - a.best() }

func (a *arrival) transit(t int64, now time.Time) int64 {
	return samples(now.Sub(a.base)) - (t - a.baseTime)
}

func (a *arrival) best() int64 { return min(a.fastest[0], a.fastest[1]) }

// lag is how long after the fastest possible arrival of time t now is, in samples: the delay with which t is played, if
// that is now.
func (a *arrival) lag(t int64, now time.Time) int64 {
	if !a.begun {
		return 0
	}
	return a.transit(t, now) - a.best()
}

// learn forgets faster while little is known.
func (a *arrival) learn(late int64) {
	a.intervals++
	keep := min(forget, 1-1/float64(a.intervals))
	if a.intervals < startUp {
		keep = min(keep, startKeep)
	}
	for i := range a.histogram {
		a.histogram[i] *= keep
	}
	a.histogram[min(max(late/bucket, 0), buckets-1)] += 1 - keep
}

// shift makes the histogram relative to a path that is slower by up samples: on it, those late ones are not late.
func (a *arrival) shift(up int64) {
	n := min(int(up/bucket), buckets-1)
	for i, v := range a.histogram {
		if i > 0 && i <= n {
			a.histogram[0] += v
		} else if i > n {
			a.histogram[i-n] += v
		}
		if i > 0 {
			a.histogram[i] -= v
		}
	}
	a.worst = max(a.worst-up, 0)
}

// spread is RFC 3550's jitter, appendix A.8.
func (a *arrival) spread(transit int64) {
	d := transit - a.lastTransit
	if d < 0 {
		d = -d
	}
	if a.lastTransit = transit; a.haveLast {
		a.jitter += (float64(d) - a.jitter) / 16
	}
	a.haveLast = true
}

// quantile is the delay in samples that the packets of nearly all intervals stay within.
func (a *arrival) quantile() int64 {
	if a.intervals == 0 {
		return cautionAt
	}
	sum := 0.0
	for i, v := range a.histogram {
		if sum += v; sum >= covered {
			return int64(i+1) * bucket
		}
	}
	return buckets * bucket
}
