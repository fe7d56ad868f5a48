package peer

import (
	"math/rand"
	"testing"
	"time"
)

// madeUpLine carries packets at a rate, with a queue, and reports every 50 ms what came.
type madeUpLine struct {
	now      time.Time
	began    time.Time
	busy     time.Time // until when the line is occupied
	rateBps  float64
	queueMax time.Duration
	loss     float64
	jitter   time.Duration
	rand     *rand.Rand
}

// run sends at the estimator's target (or at most limit) for d and gives the longest queue.
func (l *madeUpLine) run(e *estimator, d time.Duration, limitBps float64) (longest time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); {
		var list []arrival
		period := 50 * time.Millisecond
		rate := min(float64(e.targetBps()), limitBps)
		count := int(rate * period.Seconds() / 8 / 1200)
		if count < 2 {
			count = 2
		}
		for i := range count {
			sent := l.now.Add(period * time.Duration(i) / time.Duration(count))
			l.busy = later(l.busy, sent)
			a := arrival{sent: sent, size: 1200}
			queue := l.busy.Sub(sent)
			if queue > l.queueMax || l.rand.Float64() < l.loss {
				a.lost = true
			} else {
				l.busy = l.busy.Add(time.Duration(1200 * 8 / l.rateBps * float64(time.Second)))
				a.received = l.busy.Sub(l.began) + time.Duration(l.rand.Int63n(int64(l.jitter)+1))
				longest = max(longest, queue)
			}
			list = append(list, a)
		}
		l.now = l.now.Add(period)
		e.feedback(list, l.now)
	}
	return longest
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func newMadeUpLine(rateBps float64) *madeUpLine {
	now := time.Unix(5000, 0)
	return &madeUpLine{now: now, began: now, busy: now, rateBps: rateBps, queueMax: 400 * time.Millisecond, rand: rand.New(rand.NewSource(9))}
}

func newTestEstimator() *estimator { return newEstimator(startTargetBps, minTargetBps, defaultMaxBps) }

func TestEstimatorGrowsOnAClearLine(t *testing.T) {
	e, l := newTestEstimator(), newMadeUpLine(20e6)
	l.run(e, 5*time.Second, 1e9)
	if e.targetBps() != defaultMaxBps {
		t.Errorf("%d after 5 s", e.targetBps())
	}
}

func TestEstimatorFindsANarrowLine(t *testing.T) {
	e, l := newTestEstimator(), newMadeUpLine(1e6)
	l.run(e, 10*time.Second, 1e9)
	for range 10 {
		longest := l.run(e, 2*time.Second, 1e9)
		if r := e.targetBps(); r < 600_000 || r > 1_300_000 { // looking for more, it goes above for a moment
			t.Errorf("%d on a line of 1 Mbit/s", r)
		}
		if longest > 250*time.Millisecond {
			t.Errorf("queue of %v", longest)
		}
	}
}

func TestEstimatorFollowsADrop(t *testing.T) {
	e, l := newTestEstimator(), newMadeUpLine(4e6)
	l.run(e, 6*time.Second, 1e9)
	l.rateBps = 300_000
	l.run(e, 3*time.Second, 1e9)
	if r := e.targetBps(); r > 360_000 {
		t.Errorf("%d 3 s after the drop to 300 kbit/s", r)
	}
	l.rateBps = 4e6
	l.run(e, 8*time.Second, 1e9)
	if r := e.targetBps(); r < 1_400_000 { // there are no probes here
		t.Errorf("%d 8 s after the line came back", r)
	}
}

func TestEstimatorJitterIsNoQueue(t *testing.T) {
	e, l := newTestEstimator(), newMadeUpLine(20e6)
	l.jitter = 50 * time.Millisecond
	l.run(e, 8*time.Second, 1e9)
	if r := e.targetBps(); r < defaultMaxBps*9/10 {
		t.Errorf("%d with jitter", r)
	}
}

// A line that loses at any rate keeps what it can carry, so that repair has room; one that is lost on does not.
func TestEstimatorLoss(t *testing.T) {
	e, l := newTestEstimator(), newMadeUpLine(20e6)
	l.loss = 0.05
	l.run(e, 5*time.Second, 1e9)
	if r := e.targetBps(); r < startTargetBps*8/10 {
		t.Errorf("%d with 5 %% loss", r)
	}
	l.loss = 0.3
	l.run(e, 30*time.Second, 1e9)
	if r := e.targetBps(); r < startTargetBps*6/10 { // it may be looking just now
		t.Errorf("%d with 30 %% loss", r)
	}
	l.loss = 1
	l.run(e, 60*time.Second, 1e9)
	if r := e.targetBps(); r > startTargetBps/4 || r < minTargetBps {
		t.Errorf("%d while all is lost", r)
	}
}

// A line without a queue says that it is full by losing what is too much.
func TestEstimatorPoliced(t *testing.T) {
	e, l := newTestEstimator(), newMadeUpLine(1e6)
	l.queueMax = 12 * time.Millisecond
	l.run(e, 10*time.Second, 1e9)
	sum := 0
	for range 20 {
		l.run(e, time.Second, 1e9)
		sum += e.targetBps() / 20
	}
	if sum < 600_000 || sum > 1_100_000 {
		t.Errorf("%d on a line that drops what is above 1 Mbit/s", sum)
	}
}

// Sending little shows nothing: the estimate must not run away.
func TestEstimatorLimitedByTheApplication(t *testing.T) {
	e, l := newTestEstimator(), newMadeUpLine(20e6)
	l.run(e, 20*time.Second, 100_000)
	if r := e.targetBps(); r > 800_000 {
		t.Errorf("%d while 100 kbit/s were sent", r)
	}
}

func TestEstimatorWithReportsOnly(t *testing.T) {
	e, now := newTestEstimator(), time.Unix(1, 0)
	for range 10 {
		now = now.Add(time.Second)
		e.reportedLoss(0.01)
	}
	if e.targetBps() < 2*startTargetBps {
		t.Errorf("%d without loss", e.targetBps())
	}
	for range 30 {
		now = now.Add(time.Second)
		e.reportedLoss(0.4)
	}
	if e.targetBps() != minTargetBps {
		t.Errorf("%d with 40 %% loss", e.targetBps())
	}
}

// A receiver whose clock stands still must not make us remember every packet.
func TestRateMeterIsBounded(t *testing.T) {
	var r rateMeter
	for range 3 * sendLog {
		r.add(1000, time.Second)
	}
	if n := len(r.packets); n > sendLog || r.bytes != 1000*n {
		t.Errorf("%d packets, %d bytes", n, r.bytes)
	}
}

func TestOvertakenIsNotLost(t *testing.T) {
	var l lossMeter
	now := time.Unix(1, 0)
	for i := range 100 {
		l.add(arrival{lost: i%5 == 0}, now)
	}
	if f := l.fraction(now); f < 0.19 || f > 0.21 {
		t.Errorf("%g", f)
	}
	for range 20 {
		l.add(arrival{found: true}, now)
	}
	if f := l.fraction(now); f != 0 {
		t.Errorf("%g", f)
	}
}
