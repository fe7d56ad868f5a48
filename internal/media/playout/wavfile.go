package playout

import (
	"path/filepath"
	"sync"

	"visavis.example/internal/media/wav"
)

// WAVFile is an AudioSink that records what is played: 48 kHz mono without holes, in step with the clock, playable even
// when the program is killed. After a disk error nothing more is written, but sound goes on being pulled.
type WAVFile struct {
	Path string

	puller  puller
	out     *wav.Writer
	failure *failure
	broken  bool
	closing sync.Once
	closed  error
}

// Label is the file's name.
func (w *WAVFile) Label() string { return filepath.Base(w.Path) }

// Failed is described by Failing.
func (w *WAVFile) Failed() <-chan error { return w.failure.failed() }

// Start creates the file, or empties it.
func (w *WAVFile) Start(fill func(block []int16)) error {
	if w.out != nil {
		return errStarted
	}
	out, err := wav.Create(w.Path)
	if err != nil {
		return err
	}
	w.out, w.failure = out, newFailure()
	return w.puller.start(func(block []int16) {
		fill(block)
		if w.broken {
			return
		}
		if err := out.Write(block); err != nil {
			w.broken = true
			w.failure.tell(err)
		}
	})
}

// Close finishes the file. It gives the error that made it incomplete, if any.
func (w *WAVFile) Close() error {
	if w.out == nil {
		return nil
	}
	w.puller.close()
	w.closing.Do(func() { w.closed = w.out.Close() })
	if first := w.failure.end(); first != nil {
		return first
	}
	return w.closed
}
