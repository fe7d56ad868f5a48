package process

import (
	"sync/atomic"
	"time"
)

// voice is the Processor that is used: an adaptive filter with a suppressor behind it, and a leveler.
type voice struct {
	ring    farRing
	options atomic.Uint32
	again   atomic.Bool

	// Of the goroutine that calls Near.
	far      history
	near     counter
	echo     *canceller
	suppress *suppressor
	level    leveler
	in, rest [block]float32
	out      [block]float32
	silence  [block]float32
	off      bool // all switches were off in the last block
}

// New gives a Processor with these switches. It holds a megabyte and no other resource.
func New(o Options) Processor {
	v := &voice{echo: newCanceller(), suppress: newSuppressor()}
	v.Set(o)
	return v
}

const (
	echoBit = 1 << iota
	noiseBit
	gainBit
)

func (v *voice) Set(o Options) {
	bits := uint32(0)
	for bit, on := range map[uint32]bool{echoBit: o.Echo, noiseBit: o.Noise, gainBit: o.Gain} {
		if on {
			bits |= bit
		}
	}
	v.options.Store(bits)
}

func (v *voice) Reset() { v.again.Store(true) }

// Delay is the suppressor's.
func (v *voice) Delay() time.Duration {
	if v.options.Load() == 0 {
		return 0
	}
	return blockTime
}

func (v *voice) Far(pcm []int16, at time.Time) {
	if len(pcm) == block {
		v.ring.put(pcm, at)
	}
}

func (v *voice) Near(pcm []int16, at time.Time) {
	if len(pcm) != block {
		return
	}
	on := v.options.Load()
	v.place(at)
	if on == 0 {
		v.off = true
		return
	}
	if v.off {
		v.off = false
		v.begin()
	}
	for i, s := range pcm {
		v.in[i] = float32(s) / 32768
	}
	rest, echo, unsure := v.in[:], v.silence[:], []float32(nil)
	if on&echoBit != 0 && v.echo.placed {
		if v.echo.run(&v.far, v.in[:], v.rest[:]) {
			if v.echo.age == 1 {
				v.suppress.leak = leak{} // what it learned was of another filter
			}
			rest, echo, unsure = v.rest[:], v.echo.echo[:], v.echo.filter.unsure
		}
	}
	v.echo.advance()
	v.suppress.run(rest, echo, unsure, on&noiseBit != 0, v.out[:])
	if on&gainBit != 0 {
		v.level.run(v.out[:], v.suppress.speech)
	}
	for i, s := range v.out {
		pcm[i] = whole(s)
	}
}

// begin forgets what lies in the stages since they were last used.
func (v *voice) begin() {
	v.echo.reset()
	v.suppress.begin()
	v.level = leveler{}
}

// whole rounds and clips; what is not a number is silence.
func whole(v float32) int16 {
	v *= 32768
	switch {
	case v >= 32767:
		return 32767
	case v <= -32768:
		return -32768
	case v >= 0:
		return int16(v + 0.5)
	case v < 0:
		return int16(v - 0.5)
	}
	return 0
}

// place takes what was played meanwhile, and keeps the two sides' places together.
func (v *voice) place(at time.Time) {
	if v.again.Swap(false) {
		v.echo.reset()
		v.near = counter{}
		v.far.count = counter{}
	}
	for b := v.ring.take(); b != nil; b = v.ring.take() {
		v.far.add(b.pcm[:], b.at)
		v.ring.done()
	}
	missing := v.near.next(at)
	switch e := v.echo; {
	case v.far.end == 0:
	case !e.placed || e.lost(&v.far):
		e.pos, e.placed = v.far.index(at), true
	case missing != 0:
		e.pos += missing.Seconds() * second
	}
}
