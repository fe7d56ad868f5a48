package jitter

import "time"

type action int

const (
	silence    action = iota // there is no stream
	decode                   // the packet that is due
	copyInNext               // the one before the packet is lost, and a copy of it is inside
	conceal                  // something is missing
	idle                     // nothing is missing: the sender pauses
)

type decision struct {
	action  action
	samples int64 // to make, about; for copyInNext exactly
	trim    int64 // samples at the beginning that are not played
	next    int64 // time after it
	at      time.Time
	copied  bool
}

const (
	pauseFrom  = rate * 120 / 1000  // a hole so much longer than what is lost is a pause
	lateEnough = rate * 5 / 1000    // above the target: rather trim a late packet than let the delay grow
	leaveOut   = rate * 1200 / 1000 // above the target: stretching would take too long
	leaveIn    = rate * 600 / 1000  // what is then left
)

// decide says what follows on what is ahead, and takes the packet that is needed for it.
func (p *Player) decide(now time.Time) decision {
	b := p.Buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	p.target = b.target()
	if p.epoch != b.epoch {
		p.begun, p.seam, p.epoch, p.measure = false, p.begun, b.epoch, true
	}
	if !p.begun && !p.begin(now) {
		if p.seam { // another stream than before: until it begins, there is the end of the old one
			return decision{action: conceal, samples: block}
		}
		return decision{action: silence}
	}
	p.catchUp(now)
	p.expire()
	if len(b.queue) == 0 {
		if p.pause {
			return decision{action: idle, samples: block}
		}
		return decision{action: conceal, samples: block}
	}
	first := b.queue[0]
	if first.time <= p.pos {
		return p.take(p.trim(first, now))
	}
	return p.hole(first, now)
}

// begin waits until the first packet is as old as the target delay.
func (p *Player) begin(now time.Time) bool {
	b := p.Buffer
	if len(b.queue) == 0 {
		return false
	}
	first := b.queue[0]
	if b.arrival.lag(first.time, now) < p.target {
		return false
	}
	p.begun, p.pos, p.seq, p.made, p.pause = true, first.time, first.seq-1, 0, false
	return true
}

// expire takes off what has been played by way of a copy or is otherwise behind.
func (p *Player) expire() {
	b := p.Buffer
	n := 0
	for n < len(b.queue) && b.queue[n].end() <= p.pos {
		n++
	}
	b.dropUntil(n)
	b.played = p.pos
}

// catchUp leaves out what stretching could not make good within seconds, after a standstill of the network.
func (p *Player) catchUp(now time.Time) {
	b := p.Buffer
	if len(b.queue) == 0 || b.arrival.lag(max(p.pos, b.queue[0].time), now)-p.target < leaveOut {
		return
	}
	n := 0
	for n < len(b.queue)-1 && b.arrival.lag(b.queue[n].time, now)-p.target > leaveIn {
		n++
	}
	b.count.Discarded += uint64(n)
	b.dropUntil(n)
	if first := b.queue[0]; first.time > p.pos {
		p.pos, p.seq, p.seam = first.time, first.seq-1, true
	}
}

// trim is how much of a packet that is due has its time behind it: what came before overlaps it, or something was made up
// in its place while the delay is long enough as it is.
func (p *Player) trim(first *packet, now time.Time) int64 {
	overlap := p.pos - first.time
	if p.made == 0 || p.made > trimAtMost || p.pause {
		return overlap
	}
	a := &p.Buffer.arrival
	excess := a.lag(p.pos, now) - max(p.target, a.least())
	if excess < lateEnough {
		return overlap
	}
	return overlap + min(p.made, excess, first.samples-overlap)
}

// take gives the first packet to the decoder.
func (p *Player) take(trim int64) decision {
	b := p.Buffer
	first := b.queue[0]
	p.size = copy(p.packet[:], first.payload)
	p.seq = max(p.seq, first.seq)
	d := decision{action: decode, trim: trim, next: first.end(), at: first.at, copied: first.copied, samples: first.samples}
	b.dropUntil(1)
	b.played = d.next
	return d
}

// hole is for a packet that is not due yet although nothing is before it: something was lost, or the sender paused.
func (p *Player) hole(first *packet, now time.Time) decision {
	b := p.Buffer
	gap := first.time - p.pos
	missing := max(first.seq-p.seq-1, 0)
	if p.pause || missing == 0 || gap > missing*first.samples+pauseFrom || p.fade.silent() {
		// The delay can be set right without anybody hearing it.
		if wait := p.target - b.arrival.lag(first.time, now); wait > 0 {
			if p.pause || missing == 0 {
				return decision{action: idle, samples: wait}
			}
			return decision{action: conceal, samples: wait}
		}
		p.skip(first, missing)
		return p.take(0)
	}
	left := gap - p.made
	if left <= 0 {
		p.skip(first, missing)
		return p.take(0)
	}
	if first.fec && left <= first.samples {
		p.size = copy(p.packet[:], first.payload)
		d := decision{action: copyInNext, samples: first.samples, trim: first.samples - left, next: first.time}
		b.count.Lost += uint64(missing - 1)
		p.seq, b.played = first.seq-1, first.time
		return d
	}
	if first.fec {
		left -= first.samples
	}
	return decision{action: conceal, samples: left}
}

func (p *Player) skip(first *packet, missing int64) {
	p.Buffer.count.Lost += uint64(missing)
	if p.made > 0 || p.pause {
		p.measure = true
	}
	p.pos, p.made = first.time, 0
}
