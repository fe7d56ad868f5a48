package widget

import (
	"image"
	"sync/atomic"

	"fyne.io/fyne/v2"
)

// frames carries pictures from a decoder to Fyne's thread without either waiting: three buffers turn (being written,
// waiting, shown), the newest picture wins, and at most one fyne.Do is on its way. Upload and take run on the same
// thread, so a picture that is shown is never written.
type frames struct {
	mail   atomic.Pointer[image.RGBA] // newest, not yet taken
	spare  chan *image.RGBA           // may be written again
	queued atomic.Bool                // a take is on its way
	seen   atomic.Bool                // somebody can see the widget
	closed atomic.Bool
	size   atomic.Uint64    // pixels as last painted: width<<32 | height
	got    func(first bool) // Fyne's thread: shown has changed
	post   func(func())     // fyne.Do
	shown  *image.RGBA      // Fyne's thread only
}

func newFrames(got func(first bool)) *frames {
	return &frames{spare: make(chan *image.RGBA, 4), got: got, post: fyne.Do}
}

// Buffer gives an opaque image of that size to write into, reused when possible.
func (f *frames) Buffer(w, h int) *image.RGBA {
	for {
		select {
		case b := <-f.spare:
			if b.Rect.Dx() == w && b.Rect.Dy() == h {
				return b
			}
		default:
			b := image.NewRGBA(image.Rect(0, 0, w, h))
			for i := 3; i < len(b.Pix); i += 4 {
				b.Pix[i] = 255
			}
			return b
		}
	}
}

// Push hands a filled buffer over. It never blocks; an older picture that nobody saw is dropped.
func (f *frames) Push(b *image.RGBA) {
	if f.closed.Load() {
		return
	}
	f.recycle(f.mail.Swap(b))
	if f.queued.CompareAndSwap(false, true) {
		f.post(f.take)
	}
}

// Wanted is the size in pixels as last painted, 0 by 0 before that, and -1 by -1 while nobody can see it.
func (f *frames) Wanted() (w, h int) {
	if !f.seen.Load() {
		return -1, -1
	}
	s := f.size.Load()
	return int(s >> 32), int(s & 0xffffffff)
}

func (f *frames) painted(w, h int) { f.size.Store(uint64(w)<<32 | uint64(h)) }

// SetSeen says whether somebody can see the widget; any goroutine.
func (f *frames) SetSeen(seen bool) { f.seen.Store(seen) }

// Stop makes Push do nothing for good: fyne.Do after the end of the program would keep it alive.
func (f *frames) Stop() { f.closed.Store(true); f.seen.Store(false) }

func (f *frames) recycle(b *image.RGBA) {
	if b == nil {
		return
	}
	select {
	case f.spare <- b:
	default:
	}
}

func (f *frames) take() {
	f.queued.Store(false)
	b := f.mail.Swap(nil)
	if b == nil || f.closed.Load() {
		return
	}
	first := f.shown == nil
	f.recycle(f.shown)
	f.shown = b
	f.got(first)
}

// clear forgets the last picture, so that the next call does not open with this one's. Fyne's thread.
func (f *frames) clear() {
	f.recycle(f.mail.Swap(nil))
	f.recycle(f.shown)
	f.shown = nil
}
