package jitter

import (
	"time"

	"visavis.example/internal/media/stretch"
)

const (
	tooMuch    = rate * 4 / 1000  // above the target, with what is of no use: sound is shortened,
	haste      = rate * 60 / 1000 // from here on also where it may be heard,
	greatHaste = rate * 250 / 1000
	tooLittle  = rate / 1000 // below it: sound is lengthened
	shortage   = rate * 40 / 1000

	restPulls  = 4 // between two changes: 40 ms
	hastePulls = 2
	latePulls  = 10 // after a packet that was too late: perhaps the next ones will be, too
)

// stretch changes the delay a little, when it is time to: towards the target. A faster clock at the other end and a network
// that has become steadier or less steady all show up in the measured delay.
func (p *Player) stretch(now time.Time) {
	p.pulls++
	if !p.begun || p.made > 0 || p.pause {
		return
	}
	delay, least, best := p.delay(now)
	if p.measure {
		p.level, p.measure, p.best = float64(delay), false, best
	}
	p.level -= float64(best - p.best) // it is measured against another fastest way now
	p.best = best
	p.level += (float64(delay) - p.level) * levelShare
	// A packet must be there when the first of its samples is due, and blocks are pulled whole: part of a block ahead is
	// of no use.
	part := int64(p.ahead() % block)
	excess := int64(p.level) - part - p.target
	over := min(excess, int64(p.level)-part-least)
	p.count.Coming = duration(max(-excess, 0))
	switch {
	case over+part > tooMuch:
		p.accelerate(now, over, part)
	case excess < -tooLittle:
		p.expand(excess)
	}
}

// delay is how much later than by the fastest way the next sample is played, in samples; how late the last packets were
// at least; and what the fastest way takes.
func (p *Player) delay(now time.Time) (delay, least, best int64) {
	b := p.Buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.arrival.lag(p.pos-int64(p.ahead()), now), b.arrival.least(), b.arrival.best()
}

func (p *Player) accelerate(now time.Time, excess, part int64) {
	hasty := excess > haste
	rest := restPulls
	if hasty {
		rest = hastePulls
	}
	if excess > greatHaste {
		rest = 1
	}
	longest := int(part + max(excess, 0)/block*block)
	if p.pulls < rest || longest < stretch.MinLag {
		return
	}
	for p.ahead() < block+stretch.Ahead && p.ready() {
		p.more(now)
	}
	sound := p.pcm[history:p.length]
	longest = min(longest, len(sound)-block)
	n := p.time.Accelerate(sound, longest, hasty)
	if n == 0 {
		return
	}
	p.length -= n
	p.level -= float64(n)
	p.pulls = 0
	p.count.Removed += uint64(n)
	p.count.Accelerations++
	if hasty {
		p.count.FastAcceleration++
	}
}

// ready is whether the packet that follows is there.
func (p *Player) ready() bool {
	b := p.Buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.epoch == b.epoch && !p.pause && len(b.queue) > 0 && b.queue[0].time == p.pos
}

func (p *Player) expand(excess int64) {
	hasty := -excess > shortage
	rest := restPulls
	if hasty {
		rest = hastePulls
	}
	if p.pulls < rest {
		return
	}
	n := p.time.Expand(p.pcm[:p.length], history, hasty)
	if n == 0 {
		return
	}
	p.length += n
	p.level += float64(n)
	p.pulls = 0
	p.count.Inserted += uint64(n)
	p.count.Expansions++
}
