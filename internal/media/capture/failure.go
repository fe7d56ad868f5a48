package capture

import "sync"

// failure carries at most one error to the owner of a source.
type failure struct {
	mu    sync.Mutex
	ch    chan error
	told  bool
	ended bool
}

func newFailure() *failure { return &failure{ch: make(chan error, 1)} }

// tell gives the error unless one was given before; it never blocks.
func (f *failure) tell(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.told && !f.ended {
		f.told = true
		f.ch <- err
	}
}

// end closes the channel.
func (f *failure) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.ended = true
		close(f.ch)
	}
}

// failed is what Failed gives: nil before Start.
func (f *failure) failed() <-chan error {
	if f == nil {
		return nil
	}
	return f.ch
}
