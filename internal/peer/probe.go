package peer

import "time"

// prober finds out whether the line carries more than is sent: for a moment packets leave faster, padded where there is
// nothing to say, and the pace at which they arrive tells. It bounds what a probe may queue on a line that is full
// already. It is pure.
type prober struct {
	able    bool // padding can be sent
	last    cluster
	active  bool
	first   transitSample // of the cluster
	seen    int
	bytes   int // received, without the first
	lost    int // bytes
	sentEnd time.Duration
	gotEnd  time.Duration
	epoch   time.Time

	next     time.Time // not before
	interval time.Duration
	tries    int
	started  time.Time
}

// cluster is one probe: so much, that fast.
type cluster struct {
	id    uint16
	bps   int
	bytes int
	pad   int // bytes of padding in a packet, at most: some packets are needed to measure
}

const (
	probeFactor     = 2.0                   // times the target
	probeNearFactor = 1.6                   // near a known limit
	probeQueue      = 50 * time.Millisecond // at most, if the line has nothing to spare
	probeSettle     = 200 * time.Millisecond
	probePause      = 1500 * time.Millisecond // after a cut, then growing
	probePauseMost  = 4 * time.Second
	probeTimeout    = time.Second
	probePackets    = 4
	probeSuccess    = 0.85 // of what was sent must have come as fast
)

// begin makes the next cluster; near says that the line was full at about this target.
func (p *prober) begin(target float64, most int, near bool, now time.Time) cluster {
	factor := probeFactor
	if near {
		factor = probeNearFactor
	}
	factor = min(factor, 1.1*float64(most)/target)
	length := time.Duration(float64(probeQueue) / max(factor-1, 0.2))
	length = min(max(length, 40*time.Millisecond), 100*time.Millisecond)
	bps := factor * target
	p.last = cluster{id: max(p.last.id+1, 1), bps: int(bps), bytes: int(bps / 8 * length.Seconds())}
	p.last.pad = max(p.last.bytes/10, 100)
	p.active, p.started = true, now
	p.seen, p.bytes, p.lost, p.epoch = 0, 0, 0, time.Time{}
	p.tries++
	return p.last
}

// take gives the pace at which the cluster came once all of it is known; ok is false until then, and bps 0 when it
// told nothing.
func (p *prober) take(a arrival, randomLoss bool, now time.Time) (sentBps, gotBps float64, ok bool) {
	if !p.active {
		return 0, 0, false
	}
	if a.probe != p.last.id {
		after := p.seen > 0 && a.sent.Sub(p.epoch) > p.sentEnd
		if !after && now.Sub(p.started) < probeTimeout {
			return 0, 0, false
		}
		p.active = false
		sentBps, gotBps = p.result(randomLoss)
		return sentBps, gotBps, true
	}
	if a.lost {
		p.lost += a.size
		return 0, 0, false
	}
	if p.seen == 0 {
		p.epoch = a.sent
		p.first = transitSample{received: a.received}
		p.sentEnd, p.gotEnd = 0, a.received
	} else {
		p.bytes += a.size
		p.sentEnd = max(p.sentEnd, a.sent.Sub(p.epoch))
		p.gotEnd = max(p.gotEnd, a.received)
	}
	p.seen++
	return 0, 0, false
}

func (p *prober) result(randomLoss bool) (sentBps, gotBps float64) {
	if p.seen < probePackets || p.sentEnd < 10*time.Millisecond || p.gotEnd <= p.first.received {
		return 0, 0
	}
	bytes := p.bytes
	if randomLoss {
		bytes += p.lost // it would have been lost at any pace
	}
	sentBps = float64((p.bytes+p.lost)*8) / p.sentEnd.Seconds()
	return sentBps, min(float64(bytes*8)/(p.gotEnd-p.first.received).Seconds(), sentBps)
}

// after says when the next probe may be: soon after one that found more, later after each that did not.
func (p *prober) after(more bool, now time.Time) {
	if more {
		p.interval, p.next = 0, now
		return
	}
	p.interval = min(max(p.interval*3/2, probePause), probePauseMost)
	p.next = now.Add(p.interval)
}

// cut is told when the target went down: the line is full, which needs no probe for a while.
func (p *prober) cut(now time.Time) {
	p.interval = probePause
	p.next = now.Add(probePause)
	p.active = false
}
