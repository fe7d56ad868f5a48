package capture

import (
	"sync"
	"time"
)

// beat runs a step at a steady rate on a goroutine of its own. Each deadline is computed from the start, so nothing
// drifts; after a standstill longer than slack the missed steps are left out.
type beat struct {
	rate    float64 // steps a second
	slack   time.Duration
	prepare func() // optional: before the first step, on the same goroutine
	// step number n is due at that time; false ends the beat.
	step func(n int64, due time.Time) bool

	stop, done chan struct{}
	ending     sync.Once
}

func (b *beat) start() {
	b.stop, b.done = make(chan struct{}), make(chan struct{})
	go b.run()
}

// close ends the beat; no step runs after it returned. Not to be called from step.
func (b *beat) close() {
	if b.stop == nil {
		return
	}
	b.ending.Do(func() { close(b.stop) })
	<-b.done
}

func (b *beat) run() {
	defer close(b.done)
	if b.prepare != nil {
		b.prepare()
	}
	begin := time.Now()
	due := func(n int64) time.Time { return begin.Add(time.Duration(float64(n) * float64(time.Second) / b.rate)) }
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := int64(0); ; n++ {
		wait := time.Until(due(n))
		if wait < -b.slack {
			n = int64(time.Since(begin).Seconds() * b.rate)
		}
		timer.Reset(max(wait, 0))
		select {
		case <-b.stop:
			return
		case <-timer.C:
		}
		select {
		case <-b.stop: // both were ready
			return
		default:
		}
		if !b.step(n, due(n)) {
			return
		}
	}
}
