package main

import "sync"

// queue runs what is put, in order, on one goroutine, so that nobody who posts waits for a device. It is unbounded: what
// comes are a person's switches.
type queue struct {
	mu     sync.Mutex
	items  []func()
	wake   chan struct{}
	closed bool
	done   chan struct{}
}

func newQueue() *queue {
	q := &queue{wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

func (q *queue) put(f func()) {
	q.mu.Lock()
	if !q.closed {
		q.items = append(q.items, f)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close forgets what has not begun and returns when the goroutine has ended.
func (q *queue) close() {
	q.mu.Lock()
	q.closed, q.items = true, nil
	q.mu.Unlock()
	q.signal()
	<-q.done
}

func (q *queue) run() {
	defer close(q.done)
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return
		}
		var f func()
		if len(q.items) > 0 {
			f, q.items = q.items[0], q.items[1:]
		}
		q.mu.Unlock()
		if f == nil {
			<-q.wake
			continue
		}
		f()
	}
}
