package playout

import (
	"image"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"visavis.example/internal/media"
)

// screen is a Target that keeps what it was given.
type screen struct {
	w, h   atomic.Int32
	pushed chan *image.RGBA
	hold   chan struct{} // Push waits for it
}

func newScreen(w, h int) *screen {
	s := &screen{pushed: make(chan *image.RGBA, 100)}
	s.w.Store(int32(w))
	s.h.Store(int32(h))
	return s
}

func (s *screen) Buffer(w, h int) *image.RGBA { return image.NewRGBA(image.Rect(0, 0, w, h)) }
func (s *screen) Wanted() (w, h int)          { return int(s.w.Load()), int(s.h.Load()) }

func (s *screen) Push(m *image.RGBA) {
	if s.hold != nil {
		<-s.hold
	}
	s.pushed <- m
}

func (s *screen) next(t *testing.T) *image.RGBA {
	t.Helper()
	select {
	case m := <-s.pushed:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no picture")
		return nil
	}
}

// number finds which picture was converted.
func number(t *testing.T, m *image.RGBA) uint16 {
	t.Helper()
	var pool media.Pool
	f, err := media.FromRGBA(&pool, m)
	if err != nil {
		t.Fatal(err)
	}
	id, n, ok := media.ReadMarker(f)
	if !ok || id != 3 {
		t.Fatalf("marker %d %d %v", id, n, ok)
	}
	return n
}

func TestSlotConvertsForItsTarget(t *testing.T) {
	var s Slot
	var pool media.Pool
	f := picture(&pool, 640, 360, 1)
	defer f.Release()
	s.Present(f) // nobody looks
	for _, c := range [][4]int{{0, 0, 640, 360}, {640, 360, 640, 360}, {1920, 1080, 640, 360}, {600, 338, 640, 360}, {320, 320, 320, 180}} {
		target := newScreen(c[0], c[1])
		s.Attach(target)
		s.Present(f)
		m := target.next(t)
		if m.Rect.Dx() != c[2] || m.Rect.Dy() != c[3] {
			t.Errorf("wanted %dx%d: %v", c[0], c[1], m.Rect)
		}
		if number(t, m) != 1 {
			t.Error("another picture")
		}
		if p := m.RGBAAt(5, 5); p.A != 255 || p.R < 95 || p.R > 101 || p.R != p.G || p.G != p.B { // luma 100 in limited range is 98
			t.Errorf("grey is %v", p)
		}
	}
	s.Attach(nil)
	s.Attach(nil)
	s.Present(f)
	hidden := newScreen(-1, -1)
	s.Attach(hidden)
	s.Present(f)
	s.Attach(nil)
	if len(hidden.pushed) != 0 {
		t.Error("a hidden target was painted")
	}
}

func TestSlotNewestPictureWins(t *testing.T) {
	var s Slot
	var pool media.Pool
	target := newScreen(0, 0)
	target.hold = make(chan struct{})
	s.Attach(target)
	frames := map[*media.Frame]bool{}
	present := func(n uint16) {
		f := picture(&pool, 64, 36, n)
		frames[f] = true
		s.Present(f)
		f.Release()
	}
	begin := time.Now()
	present(0)
	for s.current.Load().waiting() { // taken: it is being converted now
		runtime.Gosched()
	}
	for n := range uint16(50) {
		present(n + 1)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("presenting to a target that is busy took %v", took)
	}
	if len(frames) > 4 {
		t.Errorf("%d frames were needed: dropped ones are not given back", len(frames))
	}
	close(target.hold)
	if a, b := number(t, target.next(t)), number(t, target.next(t)); a != 0 || b != 50 {
		t.Errorf("shown: %d, %d", a, b)
	}
	s.Attach(nil)
	if len(target.pushed) != 0 {
		t.Errorf("%d more", len(target.pushed))
	}
}

// waiting is whether a picture is in the mailbox.
func (p *painter) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next != nil
}

func TestSlotGivesEveryFrameBack(t *testing.T) {
	var s Slot
	target := newScreen(32, 18)
	for n := range 200 {
		if n%7 == 0 {
			s.Attach(target)
		}
		if n%7 == 5 {
			s.Attach(nil)
		}
		var pool media.Pool
		f := picture(&pool, 64, 36, uint16(n))
		s.Present(f)
		f.Release()
		for len(target.pushed) > 0 {
			<-target.pushed
		}
		if n%7 == 5 && pool.Get(64, 36) != f {
			t.Fatalf("frame %d was not given back", n)
		}
	}
	s.Attach(nil)
}

func TestSlotIsSwitchedWhilePicturesCome(t *testing.T) {
	var s Slot
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var pool media.Pool
		for n := uint16(0); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			f := picture(&pool, 64, 36, n)
			s.Present(f)
			f.Release()
		}
	}()
	for range 50 {
		target := &counter{}
		s.Attach(target)
		for target.n.Load() == 0 {
			runtime.Gosched()
		}
		s.Attach(nil)
		before := target.n.Load()
		runtime.Gosched()
		if target.n.Load() != before {
			t.Fatal("pushed after Attach(nil)")
		}
	}
	close(stop)
	<-done
}

type counter struct{ n atomic.Int32 }

func (c *counter) Buffer(w, h int) *image.RGBA { return image.NewRGBA(image.Rect(0, 0, w, h)) }
func (c *counter) Wanted() (w, h int)          { return 0, 0 }
func (c *counter) Push(*image.RGBA)            { c.n.Add(1) }

type seen []uint16

func (s *seen) Present(f *media.Frame) {
	_, n, _ := media.ReadMarker(f)
	*s = append(*s, n)
}

func TestTee(t *testing.T) {
	var a, b seen
	var pool media.Pool
	tee := Tee(&a, nil, &b)
	for n := range uint16(3) {
		f := picture(&pool, 64, 36, n)
		tee.Present(f)
		f.Release()
	}
	if len(a) != 3 || len(b) != 3 || b[2] != 2 {
		t.Errorf("%v %v", a, b)
	}
}

func BenchmarkSlot720p(b *testing.B) {
	p := &painter{target: &reused{m: image.NewRGBA(image.Rect(0, 0, 1280, 720))}}
	var pool media.Pool
	f := pool.Get(1280, 720)
	b.ReportAllocs()
	for range b.N {
		p.paint(f)
	}
}

type reused struct{ m *image.RGBA }

func (r *reused) Buffer(_, _ int) *image.RGBA { return r.m }
func (r *reused) Wanted() (w, h int)          { return 1280, 720 }
func (r *reused) Push(*image.RGBA)            {}
