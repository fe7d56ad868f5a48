package peer

import "sync"

// mailbox takes control messages for the loop from anybody. It is unbounded because its events are rare and those who
// post (pion's callbacks, the app) must never wait; the loop does nothing slow. The zero value is ready.
type mailbox struct {
	mu     sync.Mutex
	queue  []func()
	closed bool
	wake   chan struct{}
}

// post gives false when the mailbox is closed, and then do never runs.
func (m *mailbox) post(do func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.queue = append(m.queue, do)
	select {
	case m.wakeLocked() <- struct{}{}:
	default:
	}
	return true
}

// posted is readable after a post.
func (m *mailbox) posted() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wakeLocked()
}

func (m *mailbox) wakeLocked() chan struct{} {
	if m.wake == nil {
		m.wake = make(chan struct{}, 1)
	}
	return m.wake
}

// take empties the mailbox.
func (m *mailbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q
}

func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.queue = true, nil
}

// slot holds at most one value, the newest; what it displaces is the putter's to let go of.
type slot[T any] struct {
	mu   sync.Mutex
	v    T
	full bool
	wake chan struct{} // capacity 1
}

func newSlot[T any]() *slot[T] { return &slot[T]{wake: make(chan struct{}, 1)} }

func (s *slot[T]) put(v T) (displaced T, was bool) {
	s.mu.Lock()
	displaced, was = s.v, s.full
	s.v, s.full = v, true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return displaced, was
}

// waiting says whether there is something to take.
func (s *slot[T]) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

func (s *slot[T]) take() (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok = s.v, s.full
	var zero T
	s.v, s.full = zero, false
	return v, ok
}
