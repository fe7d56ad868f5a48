package peer

import (
	"math"
	"time"
)

// lossMeter counts over the last seconds.
type lossMeter struct {
	buckets [30]lossBucket // 100 ms each, by time
	fixed   float64
	inLoss  bool // the last packet was lost
}

type lossBucket struct {
	period            int64
	sent, lost, burst int // burst: losses that did not follow one another
}

const lossPeriod = 100 * time.Millisecond

func (l *lossMeter) add(a arrival, now time.Time) {
	period := now.UnixNano() / int64(lossPeriod)
	b := &l.buckets[uint64(period)%uint64(len(l.buckets))]
	if b.period != period {
		*b = lossBucket{period: period}
	}
	if a.found {
		b.lost--
		b.burst--
		return
	}
	b.sent++
	if a.lost {
		b.lost++
		if !l.inLoss {
			b.burst++
		}
	}
	l.inLoss = a.lost
}

// within sums up what was told since then.
func (l *lossMeter) within(d time.Duration, now time.Time) (sum lossBucket) {
	period := now.UnixNano() / int64(lossPeriod)
	for _, b := range l.buckets {
		if b.period <= period && b.period > period-int64(d/lossPeriod) {
			sum.sent += b.sent
			sum.lost += b.lost
			sum.burst += b.burst
		}
	}
	return sum
}

func (b lossBucket) fraction() float64 {
	if b.sent == 0 {
		return 0
	}
	return min(max(float64(b.lost)/float64(b.sent), 0), 1)
}

// noise is how far chance alone takes the share that is lost of so many packets from that of the line (one sigma).
func (b lossBucket) noise(share float64) float64 {
	share = min(max(share, 0.01), 0.99)
	each := 1.0 // how many are lost at once
	if b.burst > 0 {
		each = float64(b.lost) / float64(b.burst)
	}
	return math.Sqrt(share * (1 - share) * max(each, 1) / float64(max(b.sent, 1)))
}

func (l *lossMeter) set(fraction float64) { l.fixed = fraction }

// fraction is the loss of the last second.
func (l *lossMeter) fraction(now time.Time) float64 {
	sum := l.within(time.Second, now)
	if sum.sent < 20 {
		return l.fixed
	}
	return sum.fraction()
}

func (l *lossMeter) forget() { l.buckets, l.inLoss = [30]lossBucket{}, false }

// lossJudge tells loss that a lower rate would cure from loss that it would not: when more is lost than the line is
// known to lose always, it has the rate brought down to what got through and looks again. If as much is lost then, the
// line loses at any rate, and the rate comes back. It is pure.
type lossJudge struct {
	always float64 // the share that this line loses at any rate
	trial  lossTrial
	pause  time.Duration
	notYet time.Time // before that no test
}

type lossTrial struct {
	on      bool
	since   time.Time // counts from here
	until   time.Time
	loss    float64 // before
	share   float64 // of the rate that is sent now
	before  float64 // target
	through float64 // rate
	lost    int     // packets before,
	found   int     // and those of them, or since, that were only late
}

const (
	lossExcess     = 0.05 // above what the line always loses: suspicious
	lossHold       = 0.04
	lossBursts     = 6 // so many separate losses mean something
	lossTest       = time.Second
	lossPause      = 4 * time.Second
	lossPauseMost  = time.Minute
	hopelessLoss   = 0.6 // whatever the reason
	alwaysHalfLife = 4 * time.Second
)

type verdict uint8

const (
	noVerdict verdict = iota
	lossSuspect
	lossOfLine // at any rate
	lossOfRate
	lossOfNone // they were only late
)

// judge looks at the losses. On lossSuspect the target is to be multiplied by share until the next verdict.
func (j *lossJudge) judge(l *lossMeter, target, through float64, rtt time.Duration, now time.Time) verdict {
	if j.trial.on {
		return j.judgeTest(l, now)
	}
	recent := l.within(time.Second, now)
	if recent.burst < lossBursts {
		recent = l.within(3*time.Second, now)
	}
	if recent.sent >= 20 && recent.fraction() < j.always-recent.noise(j.always) {
		j.always += (recent.fraction() - j.always) * min(0.05/alwaysHalfLife.Seconds(), 1)
	}
	if recent.burst < lossBursts || recent.fraction() < j.always+max(lossExcess, 2*recent.noise(j.always)) || now.Before(j.notYet) || through <= 0 {
		return noVerdict
	}
	loss := recent.fraction()
	begin := now.Add(rtt + 100*time.Millisecond)
	j.trial = lossTrial{
		on: true, since: begin, until: begin.Add(lossTest), loss: loss,
		share: min(max(0.95*through/(1-j.always)/target, 0.3), 0.95), before: target, through: through, lost: recent.lost,
	}
	return lossSuspect
}

func (j *lossJudge) judgeTest(l *lossMeter, now time.Time) verdict {
	if 2*j.trial.found >= j.trial.lost {
		j.trial.on = false
		return lossOfNone
	}
	if now.Before(j.trial.until) {
		return noVerdict
	}
	seen := l.within(now.Sub(j.trial.since), now)
	if seen.sent < 30 && now.Sub(j.trial.until) < 2*lossTest {
		return noVerdict
	}
	j.trial.on = false
	if between := (j.trial.loss + j.always) / 2; seen.fraction() > between-seen.noise(between) {
		j.always = max(j.always, (j.trial.loss+seen.fraction())/2, min(seen.fraction(), 2*j.trial.loss))
		j.pause = min(max(j.pause*2, lossPause), lossPauseMost)
		j.notYet = now.Add(j.pause)
		return lossOfLine
	}
	j.pause = 0
	j.notYet = now.Add(time.Second)
	return lossOfRate
}
