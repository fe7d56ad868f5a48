package ui

import (
	"sync/atomic"

	"visavis.example/internal/app"
)

// mailbox takes snapshots from the app's loop to Fyne's thread. It keeps the newest only and has at most one fyne.Do on
// its way, since Fyne's queue has no bound and a window that does not paint (Windows' modal resize loop) must not fill it.
type mailbox struct {
	show   func(app.Snapshot) // on Fyne's thread
	post   func(func())       // fyne.Do
	newest atomic.Pointer[app.Snapshot]
	queued atomic.Bool
	closed atomic.Bool
}

// put never blocks; any goroutine.
func (m *mailbox) put(s app.Snapshot) {
	if m.closed.Load() {
		return
	}
	m.newest.Store(&s)
	if m.queued.CompareAndSwap(false, true) {
		m.post(m.take)
	}
}

func (m *mailbox) take() {
	m.queued.Store(false)
	if s := m.newest.Swap(nil); s != nil && !m.closed.Load() {
		m.show(*s)
	}
}
