package peer

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"visavis.example/internal/media/trace"
)

// bandwidth puts the estimator between feedback, which comes on pion's goroutines, and the senders.
type bandwidth struct {
	mu       sync.Mutex
	e        *estimator
	wire     *wire
	pacer    *pacer
	line     *lossyLine
	trace    *trace.Log
	use      func(targetBps, extraBps int)
	extra    extraMeter
	debt     repairDebt
	hush     hush
	missed   func(now time.Time) // what the other side will miss was lost; it must not wait
	precise  bool                // transport-wide feedback comes: reports are not needed
	unheard  unheard
	arrivals []arrival
	now      atomic.Int64
	lost     atomic.Uint64 // share of the last second, in millionths
	told     struct {
		at  time.Time
		bps float64
		why string
	}
}

func (b *bandwidth) start(s *Session) {
	b.e = newEstimator(startTargetBps, minTargetBps, s.MaxBitrateBps)
	b.wire, b.pacer, b.trace = s.wire, s.videoOut.pacer, s.Trace
	b.use = func(target, extra int) {
		s.videoOut.extra.Store(int64(extra))
		s.videoOut.setTarget(target)
	}
	b.line = s.videoOut.protect.line
	b.missed = s.videoOut.kept.askMeanwhile
	b.pacer.wire, b.pacer.hush = b.wire, &b.hush
	b.wire.later = b.pacer.putRepair
	b.pacer.window.Store(b.e.window())
	b.set(b.e.targetBps())
}

func (b *bandwidth) set(bps int) {
	b.now.Store(int64(bps))
	b.wire.feedback.setUp(bps)
	b.use(bps, b.extra.bps(bps))
}

func (b *bandwidth) target() int { return int(b.now.Load()) }

// repairLoss is how likely a repair is lost, 0 to 1. Repairs go in rows: where losses come in rows, so do theirs.
func (b *bandwidth) repairLoss() float64 {
	if b.line.rows() {
		_, again := b.line.odds()
		return again
	}
	return b.loss()
}

// loss is the share of what we sent that did not arrive, 0 to 1.
func (b *bandwidth) loss() float64 { return float64(b.lost.Load()) / 1e6 }

// hushed is whether the other side has been silent for so long that a row of losses must be taking what was sent.
func (b *bandwidth) hushed(now time.Time) bool {
	if !b.hush.on(now) {
		return false
	}
	since, ok := b.wire.waiting()
	return ok && b.hush.swallows(since, now)
}

// listen sets when silence begins. On a full line feedback waits in the queue.
func (b *bandwidth) listen(now time.Time) {
	if full := b.e.draining || now.Sub(b.e.fell) < fellFor || b.e.pace(now) > 0; full || !b.line.rows() {
		b.hush.never()
		return
	}
	b.hush.expect(now, b.e.usual, b.e.roundTrip.least())
}

// hasFeedback is whether the other sends transport-wide feedback.
func (b *bandwidth) hasFeedback() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.precise
}

func (b *bandwidth) gotFeedback(fb *rtcp.TransportLayerCC, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrivals = b.wire.gotFeedback(fb, b.arrivals)
	if len(b.arrivals) == 0 {
		return
	}
	b.line.saw(b.arrivals)
	if !b.precise && b.unheard.late(now) {
		b.e.set(0.75*b.e.target, "feedback comes at last") // a queue that stands would pass for the path's own delay
	}
	b.precise = true
	b.extra.take(b.wire.extra.Load(), now)
	b.e.prober.able = b.wire.canPad()
	b.e.crowded = b.wire.inFlight() >= b.e.window()
	b.set(b.e.feedback(b.arrivals, now))
	b.pacer.window.Store(b.e.window())
	b.pacer.fast.Store(int64(b.e.train.bps))
	b.pacer.full.Store(int64(b.e.pace(now)))
	b.lost.Store(uint64(b.e.lossFraction(now) * 1e6))
	hopeless := b.debt.take(b.arrivals, b.e.target, now)
	switch {
	case hopeless, b.e.dark && lostVideo(b.arrivals), b.e.stale && b.pacer.tooMuch(), b.e.fell.Equal(now) && b.e.backlog(b.wire.inFlight()) > backlogMost && b.pacer.replaceable():
		b.pacer.discard()
		b.debt = repairDebt{}
	case b.e.draining: // sending more would keep the line full
		signal(b.pacer.wake)
	default:
		if b.wire.gotLoss(b.arrivals, b.line.rows(), now, b.target(), b.repairLoss()) {
			b.missed(now) // should that be lost as well
		}
		signal(b.pacer.wake)
	}
	b.listen(now)
	if c, ok := b.e.probe(now); ok {
		b.pacer.putProbe(c)
	}
	b.tell(now)
}

func lostVideo(list []arrival) bool {
	for _, a := range list {
		if a.lost && a.video {
			return true
		}
	}
	return false
}

// figures are for the statistics.
func (b *bandwidth) figures(now time.Time) Line {
	b.mu.Lock()
	e := b.e
	l := Line{
		TargetBps: e.targetBps(), ThroughBps: int(e.got.bps()), CapacityBps: int(e.capacity), Queue: e.queued,
		Loss: e.lossFraction(now), EverLoss: e.judge.always, Why: e.why,
	}
	b.mu.Unlock()
	l.InFlight, l.ForeignStatuses = b.wire.flight()
	l.Window, l.PicturesThrown = b.pacer.window.Load(), b.pacer.thrown()
	l.ResentPackets, l.RefusedRequests, l.PaddingBytes = b.wire.resent.Load(), b.wire.refused.Load(), b.wire.padding.Load()
	return l
}

// pathChanged is told when media takes another way: what was known of the old one is void.
func (b *bandwidth) pathChanged(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.e.pathChanged(now)
}

// tell traces what changed, at most ten times a second, and small steps twice.
func (b *bandwidth) tell(now time.Time) {
	if !b.trace.On() {
		return
	}
	e, since := b.e, now.Sub(b.told.at)
	moved := e.target < 0.97*b.told.bps || e.target > 1.03*b.told.bps || e.why != b.told.why
	if since < 100*time.Millisecond || !moved && since < 500*time.Millisecond {
		return
	}
	b.told.at, b.told.bps, b.told.why = now, e.target, e.why
	b.trace.Decide("estimate", e.why, map[string]float64{
		"target": e.target, "through": e.got.bps(), "queue_ms": float64(e.queued) / 1e6, "loss": b.loss(),
		"rtt_ms": float64(e.roundTrip.least()) / 1e6, "capacity": e.capacity, "in_flight": float64(b.wire.inFlight()),
		"window": float64(b.pacer.window.Load()), "padding": float64(b.wire.padding.Load()), "resent": float64(b.wire.resent.Load()),
	}, now)
}

// extraMeter smooths what the line carries besides the pictures' own bytes: a second for a change to be believed.
type extraMeter struct {
	at    time.Time
	total int64
	rate  float64
}

func (m *extraMeter) take(total int64, now time.Time) {
	passed := now.Sub(m.at).Seconds()
	switch {
	case m.at.IsZero():
		m.at, m.total = now, total
	case passed >= 0.1:
		weight := min(passed, 1)
		m.rate += (float64(total-m.total)*8/passed - m.rate) * weight
		m.at, m.total = now, total
	}
}

// bps is at most half of the target: pictures go on, and repair has its own limits.
func (m *extraMeter) bps(target int) int { return min(int(m.rate), target/2) }

// repairDebt follows how much of the pictures was lost lately. When sending it again would take longer than anybody can
// wait, as after a sudden drop of the rate, a picture that needs none of it is better.
type repairDebt struct {
	at             time.Time
	bytes, packets float64
}

const (
	debtHalfLife = 350 * time.Millisecond
	debtMost     = 300 * time.Millisecond // of sending
	debtPackets  = 12                     // fewer cost less than a key frame
)

func (d *repairDebt) take(list []arrival, targetBps float64, now time.Time) bool {
	fade := math.Exp2(-now.Sub(d.at).Seconds() / debtHalfLife.Seconds())
	d.at = now
	d.bytes, d.packets = d.bytes*fade, d.packets*fade
	for _, a := range list {
		if a.lost && a.video && a.probe == 0 {
			d.bytes += float64(a.size)
			d.packets++
		}
	}
	return d.packets >= debtPackets && d.bytes*8/targetBps > debtMost.Seconds()
}
