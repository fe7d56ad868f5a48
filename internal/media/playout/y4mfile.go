package playout

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/y4m"
)

const (
	y4mQueue    = 8 // pictures waiting for the disk; a newer one is dropped when it is full
	flushAtMost = 2 * time.Second
)

// Y4MFile is a VideoSink that records every presented picture at the moment it is presented, scaled to one size. A slow
// disk costs pictures (see Dropped), never time of the decoder. The first error ends the recording; see Failing.
type Y4MFile struct {
	Path          string  // "-" is standard output
	Width, Height int     // even
	FPS           float64 // for the file's header only; 0: 30

	out     io.WriteCloser // tests replace it
	queue   chan *media.Frame
	done    chan struct{}
	failure *failure
	mu      sync.RWMutex // Present against Close
	closed  bool
	dropped atomic.Int64
	written atomic.Int64
	pool    media.Pool
}

// Start creates the file, or empties it.
func (y *Y4MFile) Start() error {
	if y.queue != nil {
		return errStarted
	}
	if y.FPS == 0 {
		y.FPS = 30
	}
	if err := media.CheckSize(y.Width, y.Height); err != nil {
		return fmt.Errorf("record video: %w", err)
	}
	if y.out == nil {
		if err := y.create(); err != nil {
			return fmt.Errorf("record video: %w", err)
		}
	}
	y.queue, y.done, y.failure = make(chan *media.Frame, y4mQueue), make(chan struct{}), newFailure()
	go y.write()
	return nil
}

func (y *Y4MFile) create() (err error) {
	if y.Path == "-" {
		y.out = stdout{os.Stdout}
		return nil
	}
	y.out, err = os.Create(y.Path)
	return err
}

// stdout stays open for others.
type stdout struct{ *os.File }

func (stdout) Close() error { return nil }

// Present queues the picture, or drops it when the disk is behind.
func (y *Y4MFile) Present(f *media.Frame) {
	y.mu.RLock()
	defer y.mu.RUnlock()
	if y.closed || y.queue == nil {
		return
	}
	select {
	case y.queue <- f.Retain():
	default:
		f.Release()
		y.dropped.Add(1)
	}
}

// Failed is described by Failing.
func (y *Y4MFile) Failed() <-chan error { return y.failure.failed() }

// Dropped is how many pictures were not written because the disk was behind or broken.
func (y *Y4MFile) Dropped() int64 { return y.dropped.Load() }

// Written is how many pictures were.
func (y *Y4MFile) Written() int64 { return y.written.Load() }

// write owns the file.
func (y *Y4MFile) write() {
	defer close(y.done)
	w, err := y4m.NewWriter(y.out, y.Width, y.Height, y.FPS)
	for f := range y.queue {
		if err == nil {
			err = y.one(w, f)
		}
		if err != nil {
			y.failure.tell(fmt.Errorf("record video: %w", err))
			y.dropped.Add(1)
		}
		f.Release()
	}
	if err == nil { // of the header
		return
	}
	y.failure.tell(fmt.Errorf("record video: %w", err))
}

func (y *Y4MFile) one(w *y4m.Writer, f *media.Frame) error {
	if f.Width != y.Width || f.Height != y.Height {
		s := y.pool.Get(y.Width, y.Height)
		defer s.Release()
		media.Scale(s, f)
		f = s
	}
	err := w.Write(f)
	if err == nil {
		y.written.Add(1)
	}
	return err
}

// Close writes what was presented, and finishes the file. It gives the error that made it incomplete, if any. A disk or
// pipe that takes nothing for two seconds is given up.
func (y *Y4MFile) Close() error {
	if y.queue == nil {
		return nil
	}
	y.mu.Lock()
	if !y.closed {
		y.closed = true
		close(y.queue)
	}
	y.mu.Unlock()
	var stuck error
	select {
	case <-y.done:
	case <-time.After(flushAtMost):
		stuck = errors.New("record video: nothing can be written any more")
	}
	err := y.out.Close()
	if stuck != nil { // closing ends a write that waits, on pipes
		select {
		case <-y.done:
		case <-time.After(flushAtMost / 4):
		}
	}
	if stuck == nil && err != nil && !errors.Is(err, os.ErrClosed) {
		stuck = fmt.Errorf("record video: %w", err)
	}
	if first := y.failure.end(); first != nil {
		return first
	}
	return stuck
}
