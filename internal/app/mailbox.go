package app

import "sync"

// mailbox holds what others want an owner's goroutine to do. It is unbounded: commands, replies and media news are rare,
// and who posts must never wait.
type mailbox struct {
	mu    sync.Mutex
	items []func()
	wake  chan struct{} // of capacity 1
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

func (m *mailbox) put(f func()) {
	m.mu.Lock()
	m.items = append(m.items, f)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mailbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}

// keep runs what is put until end is closed and nothing is left: for slow things that must stay in order.
func (m *mailbox) keep(end <-chan struct{}) {
	for ended := false; ; {
		items := m.take()
		for _, f := range items {
			f()
		}
		if ended && len(items) == 0 {
			return
		}
		if len(items) > 0 {
			continue
		}
		select {
		case <-m.wake:
		case <-end:
			ended = true
		}
	}
}
