package server

import (
	"sync"
	"time"
)

const (
	// writersAtOnce is how many outboxes are written at the same time: news for ten thousand sockets would else be ten
	// thousand goroutines with their stacks and buffers, to be run by a few cores one after the other.
	writersAtOnce = 64
	// stuckAfter is how long a write may hold up others. Next to all end at once, in the kernel's buffer; those that do not,
	// because the other side does not read, are left to themselves.
	stuckAfter = 20 * time.Millisecond
)

// writers gives outboxes with something to write a goroutine each, in the order of coming.
type writers struct {
	running *sync.WaitGroup

	mu      sync.Mutex
	waiting []writing
	busy    map[*writer]struct{} // those that are not stuck
	alarm   *time.Timer          // nil: nobody waits
}

// writing is an outbox that has something to write.
type writing interface{ write() }

// writer is a goroutine.
type writer struct{ began time.Time }

// start has it written, now or when its turn comes.
func (w *writers) start(o writing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.busy) < writersAtOnce {
		w.beginLocked(o)
		return
	}
	w.waiting = append(w.waiting, o)
	w.watchLocked()
}

func (w *writers) beginLocked(o writing) {
	me := &writer{time.Now()}
	if w.busy == nil {
		w.busy = make(map[*writer]struct{}, writersAtOnce)
	}
	w.busy[me] = struct{}{}
	w.running.Go(func() {
		for o := o; o != nil; o = w.next(me) {
			o.write()
		}
	})
}

// next gives a writer who has been waiting for longest; nil: it is not needed any more.
func (w *writers) next(me *writer) writing {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, counts := w.busy[me]; !counts {
		return nil // was stuck, and another one does its work
	}
	if len(w.waiting) == 0 {
		delete(w.busy, me)
		return nil
	}
	me.began = time.Now()
	return w.popLocked()
}

func (w *writers) popLocked() writing {
	o := w.waiting[0]
	w.waiting[0] = nil
	if w.waiting = w.waiting[1:]; len(w.waiting) == 0 {
		w.waiting = nil
		if w.alarm != nil {
			w.alarm.Stop()
			w.alarm = nil
		}
	}
	return o
}

// watchLocked sees to it that nobody waits for who is stuck.
func (w *writers) watchLocked() {
	if w.alarm == nil {
		w.alarm = time.AfterFunc(stuckAfter, w.relieve)
	}
}

func (w *writers) relieve() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alarm = nil
	now := time.Now()
	for me := range w.busy {
		if len(w.waiting) > 0 && now.Sub(me.began) >= stuckAfter {
			delete(w.busy, me)
			w.beginLocked(w.popLocked())
		}
	}
	if len(w.waiting) > 0 {
		w.watchLocked()
	}
}
