package trace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// file collects lines in memory and brings them to the disk every now and then, from a goroutine of its own: a write for
// each line would cost more than the line.
type file struct {
	out        io.WriteCloser
	mu         sync.Mutex
	lines      []byte // not yet written
	closed     bool
	dropped    int64
	stop, done chan struct{}
	once       sync.Once
	writing    error // the writer's; known when done is closed
	incomplete error // what Close gives
}

const (
	flushEvery  = 200 * time.Millisecond
	room        = 1 << 20 // bytes that wait for a slow disk: some 20 s of a call; later lines are dropped
	closeAtMost = 2 * time.Second
)

// Open begins a log in a new file.
func Open(path string) (*Log, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return To(f), nil
}

// To begins a log into w, which Close closes.
func To(w io.WriteCloser) *Log {
	f := &file{out: w, stop: make(chan struct{}), done: make(chan struct{})}
	go f.write()
	return &Log{file: f}
}

func (f *file) put(line []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if len(f.lines)+len(line) > room {
		f.dropped++
		return
	}
	f.lines = append(f.lines, line...)
}

// write owns the disk. Two buffers take turns.
func (f *file) write() {
	defer close(f.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var full []byte
	for last := false; !last; {
		select {
		case <-f.stop:
			last = true
		case <-tick.C:
		}
		f.mu.Lock()
		full, f.lines = f.lines, full[:0]
		f.mu.Unlock()
		if len(full) == 0 || f.writing != nil {
			continue
		}
		_, f.writing = f.out.Write(full)
	}
}

// Close writes what was said and gives the error that made the trace incomplete, if any. What is said later is not
// written. A disk or pipe that takes nothing for two seconds is given up.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.file.once.Do(func() { l.file.incomplete = l.file.end() })
	if err := l.file.incomplete; err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}

func (f *file) end() error {
	f.mu.Lock()
	f.closed = true
	dropped := f.dropped
	f.mu.Unlock()
	close(f.stop)
	stuck := false
	select {
	case <-f.done:
	case <-time.After(closeAtMost):
		stuck = true
	}
	err := f.out.Close() // ends a write that waits, on pipes
	if stuck {
		select {
		case <-f.done:
		case <-time.After(closeAtMost / 4):
		}
		return errors.New("nothing can be written any more")
	}
	switch {
	case f.writing != nil:
		return f.writing
	case dropped > 0:
		return fmt.Errorf("%d lines were dropped: the disk was too slow", dropped)
	}
	return err
}
