package playout

import "sync"

// failure carries at most one error to the owner of a sink.
type failure struct {
	mu    sync.Mutex
	ch    chan error
	first error
	ended bool
}

func newFailure() *failure { return &failure{ch: make(chan error, 1)} }

// tell gives the error unless one was given before; it never blocks.
func (f *failure) tell(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil && !f.ended {
		f.first = err
		f.ch <- err
	}
}

// end closes the channel and gives the error that was told, if any.
func (f *failure) end() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.ended = true
		close(f.ch)
	}
	return f.first
}

// failed is what Failed gives: nil before Start.
func (f *failure) failed() <-chan error {
	if f == nil {
		return nil
	}
	return f.ch
}
