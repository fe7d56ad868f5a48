package capture

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"visavis.example/internal/media"
)

const (
	closeGrace   = 400 * time.Millisecond // a running device gives its next picture by then, and is closed in between
	closeAtMost  = 2 * time.Second        // what a device that does not answer may cost the caller
	stalledAfter = 5 * time.Second        // without a picture: the device is given up; cameras may take 2 s to start
	errorsAtMost = 5                      // in a row; one picture may well be damaged, above all the first JPEG
	errorPause   = 20 * time.Millisecond
)

// videoSource reads one camera or screen: the only reader of its driver, in a goroutine that also closes it, between two
// pictures. Closing while a Read runs would free memory that Linux' screen driver is writing, and Windows' camera driver
// sends into a closed channel; so that is done only to a device that gives no pictures any more, and never to a screen.
type videoSource struct {
	devices []device // tried in order
	want    wanted
	screen  bool

	mu      sync.Mutex // guards Start against Label and Failed
	using   *opened
	failure *failure
	deliver func(*media.Frame)
	pace    pacer
	pool    media.Pool
	small   media.Pool // for scaled ones

	stop    chan struct{}
	done    chan struct{} // the reader has ended
	ending  sync.Once
	reading atomic.Bool // within a Read
	stalled atomic.Bool
}

// Label is the name of the device in use.
func (s *videoSource) Label() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.using != nil {
		return s.using.name
	}
	return s.devices[0].name
}

// Failed is described by Failing.
func (s *videoSource) Failed() <-chan error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure.failed()
}

// Start opens the first of the devices that lets itself be opened.
func (s *videoSource) Start(deliver func(*media.Frame)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.using != nil {
		return errStarted
	}
	var first error
	for _, d := range s.devices {
		o, err := openVideo(d, s.want, s.screen)
		if err == nil {
			s.using, s.deliver, s.pace = o, deliver, pacer{fps: s.want.fps}
			s.failure, s.stop, s.done = newFailure(), make(chan struct{}), make(chan struct{})
			go s.run()
			return nil
		}
		if first == nil {
			first = fmt.Errorf("open %s: %w", d.name, err)
		}
	}
	return first
}

// run reads until Close, an error, or a stall.
func (s *videoSource) run() {
	defer close(s.done)
	defer s.using.reader.close()
	defer free(s.using.device)
	defer s.using.close()
	stall := time.AfterFunc(stalledAfter, func() {
		s.stalled.Store(true)
		s.failure.tell(fmt.Errorf("%s: %w", s.using.name, ErrStalled))
	})
	defer stall.Stop()
	for wrong := 0; ; {
		if s.screen {
			s.pace.wait(s.stop)
		}
		l, err := s.read()
		now := time.Now()
		if s.over() {
			return
		}
		if err == nil {
			err = s.picture(l, now)
		}
		switch {
		case err == nil:
			wrong = 0
			stall.Reset(stalledAfter)
		case timedOut(err): // the timer above counts
		case errors.Is(err, io.EOF) || wrong >= errorsAtMost:
			s.failure.tell(fmt.Errorf("%s: %w", s.using.name, ended(err)))
			return
		default:
			wrong++
			s.pause(errorPause)
		}
	}
}

func (s *videoSource) read() (lent, error) {
	s.reading.Store(true)
	defer s.reading.Store(false)
	return s.using.reader.read()
}

// over is whether nothing may be delivered any more.
func (s *videoSource) over() bool {
	select {
	case <-s.stop:
		return true
	default:
		return s.stalled.Load()
	}
}

func (s *videoSource) pause(d time.Duration) {
	select {
	case <-s.stop:
	case <-time.After(d):
	}
}

// timedOut knows the Linux driver's unexported error: no picture for a while, but the device is there.
func timedOut(err error) bool { return err.Error() == "read timeout" }

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("device has ended")
	}
	return err
}

// picture copies at once what the driver lends, gives it back, and delivers.
func (s *videoSource) picture(l lent, now time.Time) error {
	if !s.screen && !s.pace.keep(now) {
		l.giveBack()
		return nil
	}
	f, err := l.frame(&s.pool)
	l.giveBack()
	if err != nil {
		return err
	}
	if f.Width > s.want.width || f.Height > s.want.height {
		w, h := media.Fit(s.want.width, s.want.height, f.Width, f.Height)
		scaled := s.small.Get(w, h)
		media.Scale(scaled, f)
		f.Release()
		f = scaled
	}
	f.Captured, f.Text = now, s.screen
	s.deliver(f)
	f.Release()
	return nil
}

// Close ends delivery, and the device. It waits for a device that does not answer for two seconds at most; then the
// device is left to itself, and stays in use, with the error returned. Not to be called from deliver.
func (s *videoSource) Close() error {
	s.mu.Lock()
	started := s.using != nil
	s.mu.Unlock()
	if !started {
		return nil
	}
	s.ending.Do(func() { close(s.stop) })
	defer s.failure.end()
	if s.ended(closeGrace) {
		return nil
	}
	if !s.screen {
		go s.using.close() // ends the Read, if the driver is worth its name; the reader waits for it
	}
	for !s.ended(closeAtMost - closeGrace) {
		if s.reading.Load() {
			return fmt.Errorf("close %s: it does not answer", s.using.name)
		}
	}
	return nil
}

func (s *videoSource) ended(within time.Duration) bool {
	select {
	case <-s.done:
		return true
	case <-time.After(within):
		return false
	}
}

// pacer thins out what comes faster than wanted.
type pacer struct {
	fps  float64 // 0: keeps all
	next time.Time
}

func (p *pacer) interval() time.Duration {
	return time.Duration(float64(time.Second) / p.fps)
}

// keep is whether the picture of that time is one of the wanted ones; cameras are never quite regular.
func (p *pacer) keep(now time.Time) bool {
	if p.fps <= 0 {
		return true
	}
	i := p.interval()
	if now.Sub(p.next) > i || p.next.IsZero() {
		p.next = now
	}
	if now.Before(p.next.Add(-i / 4)) {
		return false
	}
	p.next = p.next.Add(i)
	return true
}

// wait comes back when the next picture is due: not all screen drivers keep a pace.
func (p *pacer) wait(stop <-chan struct{}) {
	now := time.Now()
	if d := p.next.Sub(now); d > 0 {
		select {
		case <-stop:
		case <-time.After(d):
		}
		p.next = p.next.Add(p.interval())
		return
	}
	p.next = now.Add(p.interval())
}
