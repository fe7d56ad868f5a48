package peer

import "time"

// estimator decides how much may be sent in all, from transport-wide feedback. A standing queue brings the target down
// below what the line carries until the queue is gone; then it stays just below. Loss is judged apart (lossJudge).
// Probes find out when the line has more to give, so there is no crawl. It is pure: the clock is an argument. pion's gcc
// is not used: it creeps up by 8 % a second, grows without bound while little is sent, falls on any overuse, ignores
// its own minimum, and never probes.
type estimator struct {
	minBps, maxBps int

	target     float64
	capacity   float64 // of the line when it was last found full; near it growth is careful. Zero: not known.
	capacityAt time.Time
	before     float64   // the target that filled it
	draining   bool      // the queue is to go away
	drainFrom  time.Time // since when, and from how much
	drainQueue time.Duration
	overSince  time.Time
	lastCut    time.Time
	lastUp     time.Time
	grace      time.Time // until then a queue is our probe's
	why        string    // the last change's reason, for the trace
	stale      bool      // what waits to be sent was made for a much better line
	crowded    bool      // more is on its way than the window allows: feedback is late, or a queue that nothing shows yet
	dark       bool      // no feedback came for a while before this one

	roundTrip minimum       // with the wait for feedback
	every     time.Duration // between feedbacks, smoothed,
	usual     time.Duration // and when silences hardly count
	heard     time.Time
	pathSince time.Time // media takes the present path; zero: always
	queued    time.Duration

	fall   fallMeter
	fell   time.Time // when the line was last found much narrower than thought
	delay  queueMeter
	got    rateMeter
	losses lossMeter
	judge  lossJudge
	prober prober
	train  trainMeter
}

const (
	overQueue     = 35 * time.Millisecond
	alarmQueue    = 90 * time.Millisecond
	calmQueue     = 15 * time.Millisecond
	overFor       = 40 * time.Millisecond
	jitterQueue   = 25 * time.Millisecond
	drainFor      = 1500 * time.Millisecond // the longest; what is still there then is the path's own delay
	fullShare     = 0.90                    // of a full line's rate is used at once,
	nearShare     = 0.91                    // and this much at most, as long as that is fresh news
	freshFull     = 7 * time.Second
	fastGrowth    = 1.5  // a second, far from any known limit
	slowGrowth    = 1.03 // a second, near it
	trialGrowth   = 1.3
	carefulFor    = 2 * time.Second
	maxOverRate   = 1.6                    // times what got through: more has not been shown to fit
	blackoutGap   = 400 * time.Millisecond // without feedback, while something is sent
	forgetFull    = 15 * time.Second
	floorBps      = 30_000
	firstWindow   = 14_000 // bytes, as TCP's (RFC 6928)
	leastWindow   = 4_000
	windowSpare   = 100 * time.Millisecond
	filledLately  = 2 * time.Minute // there was a queue: what a probe alone finds may be jitter
	paceAboveFull = 1.1             // pictures leave so much faster than the line is known to carry
	fallShare     = 0.5             // of the target: who carries less has become another line
	fellFor       = 600 * time.Millisecond
	assumedRTT    = 100 * time.Millisecond
	feedbackMost  = 500 * time.Millisecond
	bunched       = 60 * time.Millisecond // so far apart bunches of feedback come on some lines: that is no silence
)

func newEstimator(startBps, minBps, maxBps int) *estimator {
	return &estimator{minBps: minBps, maxBps: maxBps, target: float64(min(max(startBps, minBps), maxBps)), every: 50 * time.Millisecond, usual: 50 * time.Millisecond}
}

func (e *estimator) targetBps() int { return int(e.target) }

// lossFraction is the loss of about the last second, 0 to 1.
func (e *estimator) lossFraction(now time.Time) float64 { return e.losses.fraction(now) }

// feedback takes what one feedback packet said and gives the new target.
func (e *estimator) feedback(list []arrival, now time.Time) int {
	e.stale = false
	e.dark = e.listen(list, now)
	var newest time.Time
	for _, a := range list {
		if a.sent.Before(e.pathSince) { // by the path that was left
			if !a.lost {
				e.got.add(a.size, a.received)
			}
			continue
		}
		if sent, got, ok := e.prober.take(a, e.judge.always > 0.03, now); ok {
			e.probed(sent, got, now)
		}
		if !e.dark || !a.lost {
			e.losses.add(a, now)
		}
		if a.found {
			e.judge.trial.found++
		}
		e.train.add(a)
		if a.lost {
			continue
		}
		if a.sent.After(newest) {
			newest = a.sent
		}
		if e.delay.add(a, now) {
			e.got.reset()
			e.fall = fallMeter{}
		}
		e.fall.add(e.delay.last())
		e.got.add(a.size, a.received)
	}
	if !newest.IsZero() {
		e.roundTrip.take(now.Sub(newest), now)
	}
	if e.dark {
		e.afterDark(now)
	}
	e.adjust(now)
	return e.targetBps()
}

// listen notes how often feedback comes; true when it had stopped.
func (e *estimator) listen(list []arrival, now time.Time) bool {
	gap := now.Sub(e.heard)
	first := e.heard.IsZero()
	e.heard = now
	if first || len(list) == 0 {
		return false
	}
	if gap < feedbackMost {
		e.every += (gap - e.every) / 8
		e.usual += (min(gap, max(2*e.usual, bunched)) - e.usual) / 8
	}
	return gap > blackoutGap+e.roundTrip.least() && now.Sub(list[0].sent) > gap && gap-asleep(list, now.Add(-gap), now) > blackoutGap+e.roundTrip.least()
}

// asleep is the longest time since then in which nothing was sent: this machine had no time.
func asleep(list []arrival, since, now time.Time) (longest time.Duration) {
	for _, a := range list {
		if a.sent.After(since) {
			longest = max(longest, a.sent.Sub(since))
			since = a.sent
		}
	}
	return max(longest, now.Sub(since))
}

// afterDark begins carefully on a line that carries again: it may be another.
func (e *estimator) afterDark(now time.Time) {
	e.train.forget()
	e.set(e.target*0.75, "line is back")
	e.capacity, e.draining = 0, false
	e.losses.forget()
	e.judge.trial = lossTrial{}
	e.prober.next, e.prober.active = now.Add(probeSettle), false
}

// pathChanged begins anew on another path, with what nearly every line carries: the old one tells nothing about it.
func (e *estimator) pathChanged(now time.Time) {
	e.target = min(e.target, startTargetBps)
	e.pathSince = now
	e.delay, e.fall, e.roundTrip = queueMeter{}, fallMeter{}, minimum{}
	e.train.forget()
	e.losses.forget()
	e.judge = lossJudge{}
	e.capacity, e.draining, e.overSince = 0, false, time.Time{}
	e.prober.next, e.prober.active = now.Add(probeSettle), false
}

// reportedLoss serves when the other sends no transport-wide feedback: a receiver report's fraction, 0 to 1.
func (e *estimator) reportedLoss(fraction float64) int {
	e.losses.set(fraction)
	switch {
	case fraction > 0.10:
		e.set(e.target*(1-fraction/2), "loss reported")
	case fraction < 0.02:
		e.set(e.target*1.1, "no loss reported")
	}
	return e.targetBps()
}

func (e *estimator) set(to float64, why string) {
	e.target = min(max(to, float64(e.minBps)), float64(e.maxBps))
	e.why = why
}

func (e *estimator) adjust(now time.Time) {
	if e.lastUp.IsZero() {
		e.lastUp = now
	}
	passed := min(now.Sub(e.lastUp).Seconds(), 0.2)
	e.lastUp = now
	e.queued = e.delay.queue()
	through := e.got.bps()
	if now.Sub(e.fell) < fellFor { // the luckiest of many packets is one from before
		e.queued = max(e.queued, e.delay.newest())
	}
	if bps := e.fall.bps(e.delay.base.least()); bps > 0 && bps < fallShare*e.target && now.Sub(e.fell) > fellFor {
		e.capacity, e.fell, e.queued = 0, now, e.delay.newest()
		e.cut(bps, now)
		return
	}
	if e.overused(now) {
		e.cut(0, now)
		return
	}
	if e.draining {
		e.drain(now)
		return
	}
	if recent := e.losses.within(time.Second, now); recent.sent >= 20 && recent.fraction() > hopelessLoss && !e.judge.trial.on {
		e.set(e.target*(1-0.7*passed), "nearly all is lost")
		return
	}
	switch e.judge.judge(&e.losses, e.target, through, e.roundTrip.least(), now) {
	case lossSuspect:
		e.set(e.target*e.judge.trial.share, "is it the rate that loses?")
		e.prober.active = false
	case lossOfLine:
		e.set(e.judge.trial.before, "the line loses at any rate")
	case lossOfNone:
		e.set(e.judge.trial.before, "what seemed lost was late")
	case lossOfRate:
		to := 0.95 * e.judge.trial.through
		if e.judge.trial.loss < 0.12 {
			to = max(to, 0.85*e.judge.trial.before) // it may have been chance
		}
		e.capacity, e.capacityAt = to, now
		e.set(min(e.target, to), "loss went with the rate")
		e.prober.cut(now)
	case noVerdict:
		e.grow(passed, through, now)
	}
}

// tolerated is how long a wait may be on a line that passes packets on as fast as they leave: it is jitter that keeps
// their order, and sending less would change nothing.
func (e *estimator) tolerated(wait time.Duration) time.Duration {
	if e.train.unhindered() {
		wait += jitterQueue
	}
	return wait
}

// overused says whether there is a queue that must go.
func (e *estimator) overused(now time.Time) bool {
	if e.queued <= e.tolerated(overQueue) {
		e.overSince = time.Time{}
		return false
	}
	if e.overSince.IsZero() {
		e.overSince = now
	}
	if e.queued > alarmQueue && e.delay.newest() >= e.queued {
		return true
	}
	return now.Sub(e.overSince) >= overFor && now.After(e.grace)
}

// cut brings the target so far down that the queue is gone in about half a second. full is what the line carries, 0 for
// what the queue says.
func (e *estimator) cut(full float64, now time.Time) {
	if full == 0 && now.Sub(e.lastCut) < max(150*time.Millisecond, e.roundTrip.least()+50*time.Millisecond) {
		return
	}
	if full == 0 {
		full = e.delay.fullRate()
	}
	if full == 0 { // what came so far may have waited in a machine, and nobody knows how much the line carries
		return
	}
	if now.Sub(e.fell) < fellFor && e.capacity > 0 { // what the queue says is partly of before
		full = min(full, e.capacity)
	}
	if !e.draining {
		e.before = e.target
		e.draining, e.drainFrom, e.drainQueue = true, now, e.queued
	}
	share := 0.9 - e.queued.Seconds()/0.8
	to := full * min(max(share, 0.5), 0.9)
	e.stale = e.target > 1.5*full
	e.lastCut, e.capacity, e.capacityAt = now, full, now
	e.train.forget()
	e.prober.cut(now)
	if e.judge.trial.on {
		e.judge.trial.on = false
	}
	if to < e.target {
		e.set(to, "queue")
	}
	e.drain(now)
}

// drain waits until the queue is gone.
func (e *estimator) drain(now time.Time) {
	switch {
	case e.queued < e.tolerated(calmQueue):
		e.draining = false
		e.losses.forget() // what the full queue lost says nothing more
		e.set(max(e.target, min(e.capacity*fullShare, e.before)), "queue is gone")
	case now.Sub(e.drainFrom) > drainFor:
		if e.queued > e.drainQueue*3/4 {
			e.delay.rebase(now)
		}
		e.drainFrom, e.drainQueue = now, e.queued
	}
}

func (e *estimator) grow(passed, through float64, now time.Time) {
	if e.capacity > 0 && (e.target > 1.15*e.capacity || now.Sub(e.capacityAt) > forgetFull) {
		e.capacity = 0
	}
	recent := e.losses.within(time.Second, now)
	if through <= 0 || e.crowded || e.queued > e.tolerated(calmQueue) || e.judge.trial.on || recent.fraction() > e.judge.always+lossHold {
		return
	}
	growth := fastGrowth
	if e.capacity > 0 && e.target > e.capacity*0.9 {
		if growth = slowGrowth; !e.prober.able && now.Sub(e.capacityAt) > carefulFor {
			growth = trialGrowth // nothing else would find out that the line has changed
		}
	}
	// Little being sent shows nothing about the line: do not grow on it, nor shrink.
	ceiling := max(through*maxOverRate, e.target)
	if e.capacity > 0 && e.prober.able && now.Sub(e.capacityAt) < freshFull {
		ceiling = min(ceiling, max(nearShare*e.capacity, e.target)) // more would only fill the queue
	}
	e.set(min(e.target*(1+(growth-1)*passed), ceiling), "clear")
}

// probed takes what a probe found.
func (e *estimator) probed(sent, got float64, now time.Time) {
	if got == 0 {
		e.prober.after(false, now)
		return
	}
	if got >= probeSuccess*sent {
		if to := 0.92 * got; to > e.target && !e.draining {
			if to > 1.1*e.capacity {
				e.capacity = 0
			}
			e.set(to, "probe")
		}
		e.prober.after(true, now)
		return
	}
	e.grace = now.Add(e.roundTrip.least() + 150*time.Millisecond)
	if !e.draining {
		e.capacity, e.capacityAt = got, now
		e.set(max(e.target, 0.9*got), "probe found the limit")
	}
	e.prober.after(false, now)
}

// probe gives a cluster to send when it is time for one.
func (e *estimator) probe(now time.Time) (cluster, bool) {
	p := &e.prober
	if !p.able || p.active || e.draining || e.judge.trial.on || e.heard.IsZero() || e.queued > e.tolerated(calmQueue) ||
		e.target > 0.97*float64(e.maxBps) || now.Before(p.next) || now.Sub(e.heard) > 4*e.every {
		return cluster{}, false
	}
	if p.next.IsZero() { // the first one
		p.next = now.Add(probeSettle)
		return cluster{}, false
	}
	return p.begin(e.target, e.maxBps, e.capacity > 0, now), true
}

// backlog is how long what is on its way will take, if the line is as narrow as it was last found.
func (e *estimator) backlog(inFlight int64) time.Duration {
	if e.capacity == 0 {
		return 0
	}
	return time.Duration(float64(inFlight*8)/e.capacity*1e9) - e.roundTrip.least()
}

// pace is what pictures need not leave faster than: on a line that is known to be narrow they would only wait in its
// queue, and sound behind them. 0: not known.
func (e *estimator) pace(now time.Time) float64 {
	if e.capacity == 0 || e.train.bps > 1.5*e.capacity || now.Sub(e.lastCut) > filledLately {
		return 0
	}
	return paceAboveFull * e.capacity
}

// window is how many bytes may be on their way before feedback speaks of them.
func (e *estimator) window() int64 {
	if e.heard.IsZero() {
		return firstWindow
	}
	rtt := e.roundTrip.least()
	if rtt == 0 {
		rtt = assumedRTT
	}
	spare := windowSpare
	if e.draining {
		spare = 20 * time.Millisecond
	}
	return max(int64(e.target/8*(rtt+e.every+spare).Seconds()), leastWindow)
}

// minimum is the least of the last 10 to 20 seconds.
type minimum struct{ b baseline }

func (m *minimum) take(d time.Duration, now time.Time) { m.b.take(d, now) }
func (m *minimum) least() time.Duration                { return m.b.least() }
