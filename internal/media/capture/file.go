package capture

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/wav"
	"visavis.example/internal/media/y4m"
)

const unknownFPS = 30 // for y4m files that do not say

// File is a VideoSource that plays a y4m file over and over. Pictures are due by the clock, read before that, and numbered
// by it: those that a standstill cost are left out of the film too, so that its motion keeps to the time.
type File struct {
	Path          string
	Width, Height int     // the picture is scaled into it with black bars; 0: the file's own size
	FPS           float64 // 0: the file's own rate

	mu      sync.Mutex
	beat    *beat
	failure *failure
	in      *y4m.Reader
	ahead   *media.Frame // the next picture; nil: not read yet
	index   int64        // its number
	closing sync.Once
	closed  error
	pool    media.Pool
	scaled  media.Pool
}

// Label is the file's name.
func (v *File) Label() string { return filepath.Base(v.Path) }

// Failed tells that the file could not be read on; see Failing.
func (v *File) Failed() <-chan error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failure.failed()
}

// Start fails for a file that is not y4m (y4m.ErrFormat).
func (v *File) Start(deliver func(*media.Frame)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.beat != nil {
		return errStarted
	}
	if v.Width != 0 || v.Height != 0 {
		if err := media.CheckSize(v.Width, v.Height); err != nil {
			return err
		}
	}
	in, err := y4m.Open(v.Path)
	if err != nil {
		return err
	}
	fps := v.FPS
	if fps <= 0 {
		fps = in.FPS
	}
	if fps <= 0 {
		fps = unknownFPS
	}
	v.in, v.failure = in, newFailure()
	v.beat = &beat{rate: fps, slack: time.Duration(float64(time.Second) / fps)}
	v.beat.step = func(n int64, due time.Time) bool {
		err := v.next(n, due, deliver)
		if err != nil {
			v.failure.tell(fmt.Errorf("read %s: %w", v.Path, err))
		}
		return err == nil
	}
	v.beat.start()
	return nil
}

// next delivers picture n and reads the one after it.
func (v *File) next(n int64, due time.Time, deliver func(*media.Frame)) error {
	if err := v.skipTo(n); err != nil {
		return err
	}
	if err := v.readAhead(); err != nil {
		return err
	}
	f := v.ahead
	v.ahead, v.index = nil, n+1
	f.Captured, f.Number = due, n
	deliver(f)
	f.Release()
	return v.readAhead()
}

const maxSkip = 60 // pictures: a longer standstill may show

// skipTo leaves out what would have been shown before picture n.
func (v *File) skipTo(n int64) error {
	if n <= v.index {
		return nil
	}
	left := n - v.index
	if v.ahead != nil {
		v.drop()
		left--
	}
	v.index = n
	for range min(left, maxSkip) {
		if err := v.looped(v.in.Skip); err != nil {
			return err
		}
	}
	return nil
}

func (v *File) readAhead() error {
	if v.ahead != nil {
		return nil
	}
	f := v.pool.Get(v.in.Width, v.in.Height)
	if err := v.looped(func() error { return v.in.Next(f) }); err != nil {
		f.Release()
		return err
	}
	if v.Width != 0 && (f.Width != v.Width&^1 || f.Height != v.Height&^1) {
		s := v.scaled.Get(v.Width, v.Height)
		media.Scale(s, f)
		f.Release()
		f = s
	}
	v.ahead = f
	return nil
}

// looped reads on from the beginning after the end.
func (v *File) looped(read func() error) error {
	err := read()
	if errors.Is(err, io.EOF) {
		if err = v.in.Rewind(); err == nil {
			err = read()
		}
	}
	return err
}

func (v *File) drop() {
	if v.ahead != nil {
		v.ahead.Release()
		v.ahead = nil
	}
}

// Close ends delivery.
func (v *File) Close() error {
	v.mu.Lock()
	b := v.beat
	v.mu.Unlock()
	if b == nil {
		return nil
	}
	b.close()
	v.failure.end()
	v.closing.Do(func() {
		v.drop()
		v.closed = v.in.Close()
	})
	return v.closed
}

// WAV is an AudioSource that plays a sound file over and over.
type WAV struct {
	Path string

	mu      sync.Mutex
	sound   *madeSound
	failure *failure
	in      *wav.Reader
	closing sync.Once
	closed  error
}

// Label is the file's name.
func (a *WAV) Label() string { return filepath.Base(a.Path) }

// Failed tells that the file could not be read on; silence follows. See Failing.
func (a *WAV) Failed() <-chan error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failure.failed()
}

// Start fails for a file that is not wav (wav.ErrFormat).
func (a *WAV) Start(deliver func(block []int16, at time.Time)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sound != nil {
		return errStarted
	}
	in, err := wav.Open(a.Path)
	if err != nil {
		return err
	}
	a.in, a.failure, a.sound = in, newFailure(), &madeSound{}
	return a.sound.start(a.fill, deliver)
}

func (a *WAV) fill(block []int16) {
	for n, ended := 0, false; n < len(block); {
		k, err := a.in.Read(block[n:])
		n += k
		if errors.Is(err, io.EOF) && !ended {
			err = a.in.Rewind()
		}
		ended = k == 0 // twice in a row: the file has been emptied, and a loop over it would spin
		if err != nil {
			a.failure.tell(fmt.Errorf("read %s: %w", a.Path, err))
			clear(block[n:])
			return
		}
	}
}

// Close ends delivery.
func (a *WAV) Close() error {
	a.mu.Lock()
	s := a.sound
	a.mu.Unlock()
	if s == nil {
		return nil
	}
	s.close()
	a.failure.end()
	a.closing.Do(func() { a.closed = a.in.Close() })
	return a.closed
}
