package server

import (
	"slices"
	"sync"
	"time"
)

const (
	// writersAtOnce is how many outboxes are written at the same time: news for ten thousand sockets would else be ten
	// thousand goroutines with their stacks and buffers, to be run by a few cores one after the other.
	writersAtOnce = 64
	// stuckAfter is how often writes that hold up others are looked at. Next to all end at once, in the kernel's buffer; those
	// that were met before, because the other side does not read, are left to themselves.
	stuckAfter = 10 * time.Millisecond
)

// writers gives outboxes with something to write a goroutine each, in the order of coming.
type writers struct {
	running *sync.WaitGroup

	mu      sync.Mutex
	waiting []writing
	busy    []*writer   // those that are not stuck
	spare   []*writer   // to be used again
	alarm   *time.Timer // nil: nobody waits
}

// writing is an outbox that has something to write.
type writing interface{ write() }

// writer is a goroutine.
type writer struct {
	place int  // in busy; -1: it is stuck, and another one does its work
	slow  bool // was at the same outbox when it was looked at last
}

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
	var me *writer
	if n := len(w.spare); n > 0 {
		me, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		me = &writer{}
	}
	me.place, me.slow = len(w.busy), false
	w.busy = append(w.busy, me)
	w.running.Add(1)
	go w.run(me, o)
}

func (w *writers) run(me *writer, o writing) {
	defer w.running.Done()
	for ; o != nil; o = w.next(me) {
		o.write()
	}
}

// dropLocked takes one out of those that are busy.
func (w *writers) dropLocked(me *writer) {
	last := w.busy[len(w.busy)-1]
	w.busy[me.place], last.place = last, me.place
	w.busy[len(w.busy)-1] = nil
	w.busy = w.busy[:len(w.busy)-1]
	me.place = -1
}

// next gives a writer who has been waiting for longest; nil: it is not needed any more.
func (w *writers) next(me *writer) writing {
	w.mu.Lock()
	defer w.mu.Unlock()
	if me.place < 0 {
		return nil
	}
	if len(w.waiting) == 0 {
		w.dropLocked(me)
		w.spare = append(w.spare, me)
		return nil
	}
	me.slow = false
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
	for _, me := range slices.Clone(w.busy) {
		switch {
		case len(w.waiting) == 0:
		case me.slow:
			w.dropLocked(me)
			w.beginLocked(w.popLocked())
		default:
			me.slow = true
		}
	}
	if len(w.waiting) > 0 {
		w.watchLocked()
	}
}
