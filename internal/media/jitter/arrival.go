package jitter

import "time"

const (
	bucket      = rate / 200 // samples: 5 ms
	buckets     = 120        // 600 ms; later ones count as that
	forget      = 0.990      // a packet: half is forgotten after 70
	quantileAt  = 0.96       // so many packets are to come in time
	window      = 2 * time.Second
	cautionAt   = 8   // the histogram's bucket (40 ms) that the beginning counts as seen,
	caution     = 0.2 // with this weight: gone after 3 s
	lossForget  = 0.998
	lossyAbove  = 0.005
	fallSamples = rate * 60 / 1000 / 50 // the learnt delay falls by 60 ms a second at most, at 50 packets a second
)

// arrival learns by how much packets come later than the fastest ones of the last seconds.
type arrival struct {
	begun      bool
	base       time.Time
	baseTime   int64
	fastest    [2]int64 // transit in samples: of this window and the one before
	turn       time.Time
	histogram  [buckets]float64
	held       int64
	lossShare  float64
	lastDelay  int64
	haveLast   bool
	rfc3550    time.Duration
	rfcSamples float64
}

// rebase forgets the time line, not the histogram.
func (a *arrival) rebase() { a.begun, a.haveLast = false, false }

func (a *arrival) packet(t int64, now time.Time) {
	if a.histogram == [buckets]float64{} {
		a.histogram[cautionAt] = caution
	}
	if !a.begun {
		a.begun, a.base, a.baseTime, a.turn = true, now, t, now
		a.fastest = [2]int64{}
	}
	transit := samples(now.Sub(a.base)) - (t - a.baseTime)
	if now.Sub(a.turn) > window {
		a.fastest[1], a.fastest[0] = a.fastest[0], transit
		a.turn = now
	}
	a.fastest[0] = min(a.fastest[0], transit)
	late := transit - min(a.fastest[0], a.fastest[1])
	i := min(max(late/bucket, 0), buckets-1)
	for j := range a.histogram {
		a.histogram[j] *= forget
	}
	a.histogram[i] += 1 - forget
	a.held = max(a.held-fallSamples, a.measure())
	a.lossShare *= lossForget
	a.jitter(transit)
}

// jitter is RFC 3550's, appendix A.8.
func (a *arrival) jitter(transit int64) {
	d := transit - a.lastDelay
	if d < 0 {
		d = -d
	}
	if a.lastDelay = transit; a.haveLast {
		a.rfcSamples += (float64(d) - a.rfcSamples) / 16
		a.rfc3550 = duration(int64(a.rfcSamples))
	}
	a.haveLast = true
}

func (a *arrival) lost() { a.lossShare = a.lossShare*lossForget + 1 - lossForget }

func (a *arrival) lossy() bool { return a.lossShare > lossyAbove }

// quantile is the delay in samples that all but a few packets stay within.
func (a *arrival) quantile() int64 { return a.held }

func (a *arrival) measure() int64 {
	total := 0.0
	for _, v := range a.histogram {
		total += v
	}
	sum := 0.0
	for i, v := range a.histogram {
		if sum += v; sum >= quantileAt*total {
			return int64(i+1) * bucket
		}
	}
	return 0
}
