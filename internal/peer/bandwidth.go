package peer

import (
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
	use      func(targetBps int)
	precise  bool // transport-wide feedback comes: reports are not needed
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
	b.wire, b.pacer, b.trace, b.use = s.wire, s.videoOut.pacer, s.Trace, s.videoOut.setTarget
	b.line = s.videoOut.protect.line
	b.pacer.wire = b.wire
	b.wire.later = b.pacer.putRepair
	b.pacer.window.Store(b.e.window())
	b.set(b.e.targetBps())
}

func (b *bandwidth) set(bps int) {
	b.now.Store(int64(bps))
	b.use(bps)
}

func (b *bandwidth) target() int { return int(b.now.Load()) }

// loss is the share of what we sent that did not arrive, 0 to 1.
func (b *bandwidth) loss() float64 { return float64(b.lost.Load()) / 1e6 }

func (b *bandwidth) gotFeedback(fb *rtcp.TransportLayerCC, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrivals = b.wire.gotFeedback(fb, b.arrivals)
	if len(b.arrivals) == 0 {
		return
	}
	b.line.saw(b.arrivals)
	b.precise = true
	b.e.prober.able = b.wire.canPad()
	b.set(b.e.feedback(b.arrivals, now))
	b.pacer.window.Store(b.e.window())
	b.lost.Store(uint64(b.e.lossFraction(now) * 1e6))
	switch {
	case b.e.dark && lostVideo(b.arrivals), b.e.stale && b.pacer.tooMuch():
		b.pacer.discard()
	default:
		signal(b.pacer.wake)
	}
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

func (b *bandwidth) gotLoss(fraction float64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.precise {
		return
	}
	b.pacer.window.Store(0) // nobody will tell what arrived
	b.set(b.e.reportedLoss(fraction))
	b.lost.Store(uint64(b.e.lossFraction(now) * 1e6))
	signal(b.pacer.wake)
	b.tell(now)
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
