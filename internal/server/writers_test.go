package server

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pretended is something to write that takes a while.
type pretended func()

func (p pretended) write() { p() }

func TestFewWriteAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		w := writers{running: &running}
		var now, most, done atomic.Int64
		for range 10_000 {
			w.start(pretended(func() {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Millisecond)
				now.Add(-1)
				done.Add(1)
			}))
		}
		running.Wait()
		if done.Load() != 10_000 || most.Load() != writersAtOnce {
			t.Errorf("%d of 10000 were written, %d at once", done.Load(), most.Load())
		}
		if len(w.busy) != 0 || w.waiting != nil || w.alarm != nil {
			t.Errorf("left: %d busy, %d waiting, alarm %v", len(w.busy), len(w.waiting), w.alarm)
		}
	})
}

// Sockets whose other side does not read hold nobody up, however many they are, and not once more when others come later.
func TestWhoIsStuckHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		w := writers{running: &running}
		for range 10 * writersAtOnce {
			w.start(pretended(func() { time.Sleep(10 * time.Second) }))
		}
		for i, within := range []time.Duration{20 * stuckAfter, 0} {
			began, took := time.Now(), make(chan time.Duration, 1)
			w.start(pretended(func() { took <- time.Since(began) }))
			if got := <-took; got > within {
				t.Errorf("round %d: written after %v, want %v", i, got, within)
			}
			synctest.Wait()
		}
		running.Wait()
	})
}
