package playout

import (
	"image"
	"sync"
	"sync/atomic"

	"visavis.example/internal/media"
	"visavis.example/internal/media/convert"
)

// Target is a place on the screen. Its methods are never called on the UI thread and must not wait for it; Wanted may be
// called at any time, the others from one goroutine.
type Target interface {
	// Buffer gives an image of that size to paint into; its content does not matter.
	Buffer(w, h int) *image.RGBA
	// Push takes the painted image.
	Push(*image.RGBA)
	// Wanted is the size on screen in pixels, 0, 0 when not known. Hidden targets may give negative numbers: nothing is
	// painted then.
	Wanted() (w, h int)
}

// Slot is a VideoSink for a place on the screen that comes and goes: the window attaches its target, and pictures are
// converted to RGBA off the UI thread. Present never waits: while one picture is converted the newest other one waits,
// and older ones are dropped. Without a target nothing is converted. The zero value is ready; it needs no Close other
// than Attach(nil).
type Slot struct {
	mu      sync.Mutex // guards the switching, not the pictures
	running *painter
	current atomic.Pointer[painter]
}

// Attach makes target the place; nil for none. The former target gets nothing after Attach returned. Not to be called
// from a target's methods.
func (s *Slot) Attach(target Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.running
	s.running = nil
	s.current.Store(nil)
	if old != nil {
		old.close()
	}
	if target != nil {
		s.running = &painter{target: target, wake: make(chan struct{}, 1), done: make(chan struct{})}
		s.current.Store(s.running)
		go s.running.run()
	}
}

// Present lets the picture be shown, if it is still the newest by the time.
func (s *Slot) Present(f *media.Frame) {
	if p := s.current.Load(); p != nil {
		p.present(f)
	}
}

// painter converts for one target.
type painter struct {
	target Target
	wake   chan struct{}
	done   chan struct{}
	pool   media.Pool

	mu     sync.Mutex // guards the mailbox
	next   *media.Frame
	closed bool
}

func (p *painter) present(f *media.Frame) {
	if w, h := p.target.Wanted(); w < 0 || h < 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if p.next != nil {
		p.next.Release()
	}
	p.next = f.Retain()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *painter) close() {
	p.mu.Lock()
	p.closed = true
	close(p.wake)
	p.mu.Unlock()
	<-p.done
}

func (p *painter) run() {
	defer close(p.done)
	for range p.wake {
		if f := p.take(); f != nil {
			p.paint(f)
			f.Release()
		}
	}
	if f := p.take(); f != nil {
		f.Release()
	}
}

func (p *painter) take() *media.Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.next
	p.next = nil
	return f
}

// paint scales first when the target is clearly smaller than the picture: a thumbnail of 1080p costs half as much so.
func (p *painter) paint(f *media.Frame) {
	if w, h := p.target.Wanted(); w > 0 && h > 0 {
		w, h = media.Fit(w, h, f.Width, f.Height)
		if w*4 <= f.Width*3 && h*4 <= f.Height*3 {
			s := p.pool.Get(w, h)
			defer s.Release()
			media.Scale(s, f)
			f = s
		}
	}
	b := p.target.Buffer(f.Width, f.Height)
	convert.RGBA(b, f)
	p.target.Push(b)
}
