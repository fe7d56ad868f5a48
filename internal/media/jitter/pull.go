package jitter

import "time"

// Pull gives what to play for the next frame. The packet is valid until the next Pull.
func (b *Buffer) Pull(now time.Time) (Action, []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.playing && !b.ready(now) {
		return Silence, nil
	}
	b.control.tick(b.level())
	if excess := b.level() - b.target(); excess > samples(flushAfter) {
		b.leaveOut(excess)
	}
	for {
		a, p, done := b.step()
		if done {
			return a, p
		}
	}
}

// ready decides whether enough is there to begin, and begins.
func (b *Buffer) ready(now time.Time) bool {
	if b.count == 0 {
		return false
	}
	first := b.lowest()
	target := b.target()
	if (b.highSeq-first.seq+1)*b.frame < target && samples(now.Sub(b.since)) < target {
		return false
	}
	if b.played {
		b.lost(first.seq - b.next)
	}
	b.playing, b.played = true, true
	b.jump(first)
	b.control.level = float64(b.level())
	return true
}

func (b *Buffer) jump(p *packet) {
	b.next, b.position, b.stalled = p.seq, p.time, 0
}

// level is how much sound waits, up to the newest packet. Numbers are counted, not times: pauses of the sender are no sound.
func (b *Buffer) level() int64 {
	if b.count == 0 {
		return 0
	}
	return (b.highSeq - b.next + 1) * b.frame
}

// step does one thing; done is false when there is more to do for this frame.
func (b *Buffer) step() (a Action, payload []byte, done bool) {
	switch p := b.slot(b.next); {
	case p != nil:
		return b.present(p)
	case b.count == 0:
		return b.empty(), nil, true
	}
	return b.missing()
}

// present plays the packet that is due, or leaves it out.
func (b *Buffer) present(p *packet) (Action, []byte, bool) {
	hole := p.time - b.position
	switch {
	case hole > samples(idleAfter): // the sender paused (DTX): build up the delay again
		b.jump(p)
		if b.level() < b.target() {
			b.pause()
			return Silence, nil, true
		}
	case hole > b.frame/2:
		b.position += b.frame
		return Conceal, nil, true
	}
	quiet := b.control.quiet(len(p.payload))
	if b.control.tooMuch(b.target(), b.frame, quiet, b.slot(b.next+1) != nil) {
		b.stats.LeftOut++
		b.consume(p)
		return 0, nil, false
	}
	b.control.played(len(p.payload))
	b.out, p.payload = p.payload, b.out
	b.consume(p)
	return Decode, b.out, true
}

func (b *Buffer) consume(p *packet) {
	b.free(p)
	b.next, b.position, b.stalled = p.seq+1, p.time+b.frame, 0
}

// empty makes something up without moving on, so what comes late is still played; the delay grows by it.
func (b *Buffer) empty() Action {
	if b.stalled += b.frame; b.stalled > samples(idleAfter) {
		b.pause()
		return Silence
	}
	b.stats.Added++
	return Conceal
}

// pause builds up the delay anew with the next packet, or with those that are there.
func (b *Buffer) pause() {
	b.playing = false
	b.since = b.highAt
}

// missing deals with a packet that is not there while later ones are. Waiting for it was tried: the delay grew with every
// loss, and more had to be made up.
func (b *Buffer) missing() (Action, []byte, bool) {
	first := b.lowest()
	gap := first.seq - b.next
	if gap*b.frame > samples(skipAfter) {
		b.lost(gap)
		b.jump(first)
		return 0, nil, false
	}
	b.lost(1)
	b.next++
	b.position += b.frame
	b.stalled = 0
	if gap == 1 {
		b.stats.FEC++
		b.out = append(b.out[:0], first.payload...)
		b.position = first.time
		return FEC, b.out, true
	}
	return Conceal, nil, true
}

func (b *Buffer) lost(n int64) {
	b.stats.Lost += uint64(n)
	for range min(n, slots) {
		b.arrival.lost()
	}
}

// leaveOut skips what is more than the target, after a standstill of the network.
func (b *Buffer) leaveOut(excess int64) {
	for until := b.next + excess/b.frame; b.next < until; b.next++ {
		if p := b.slot(b.next); p != nil {
			b.free(p)
			b.stats.LeftOut++
		}
	}
	b.jump(b.lowest())
	b.control.level = float64(b.level())
}

// target is the delay aimed at, in samples.
func (b *Buffer) target() int64 {
	frame := b.frame
	if frame == 0 {
		frame = defaultFrame
	}
	longest := samples(b.Max)
	if longest <= 0 {
		longest = samples(defaultMax)
	}
	t := b.arrival.quantile() + frame
	if b.arrival.lossy() { // one more, so that FEC's copy is there in time
		t += frame
	}
	return min(max(t, samples(b.Min), frame), max(longest, frame))
}
