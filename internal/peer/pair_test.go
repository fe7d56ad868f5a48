package peer

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v4"

	"visavis.example/internal/media"
)

// pattern is a camera that sees a moving gradient with a marker.
type pattern struct {
	width, height int
	fps           float64
	id            uint8

	stop chan struct{}
	done sync.WaitGroup
}

func (p *pattern) Label() string { return "pattern" }

func (p *pattern) Start(deliver func(*media.Frame)) error {
	p.stop = make(chan struct{})
	p.done.Go(func() {
		var pool media.Pool
		tick := time.NewTicker(time.Duration(float64(time.Second) / p.fps))
		defer tick.Stop()
		for n := uint16(1); ; n++ {
			select {
			case <-p.stop:
				return
			case <-tick.C:
			}
			f := pool.Get(p.width, p.height)
			draw(f, int(n))
			media.DrawMarker(f, p.id, n)
			f.Captured = time.Now()
			deliver(f)
			f.Release()
		}
	})
	return nil
}

// gradient is drawn by copying: a loop over pixels is slow under the race detector.
var gradient = func() (g [4096]byte) {
	for i := range g {
		g[i] = byte(40 + i&127)
	}
	return g
}()

func draw(f *media.Frame, n int) {
	for y := range f.Height {
		copy(f.Y[y*f.StrideY:][:f.Width], gradient[(y+n*3)&127:])
	}
	for y := range f.Height / 2 {
		copy(f.U[y*f.StrideUV:][:f.Width/2], gradient[64+n%40:])
		copy(f.V[y*f.StrideUV:][:f.Width/2], gradient[(90+y)&127:])
	}
}

func (p *pattern) Close() error {
	if p.stop != nil { // started
		close(p.stop)
		p.done.Wait()
	}
	return nil
}

// pacedAudio calls each every 10 ms, catching up when late, as a device does.
type pacedAudio struct {
	stop chan struct{}
	done sync.WaitGroup
}

func (p *pacedAudio) start(each func(at time.Time)) {
	p.stop = make(chan struct{})
	p.done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for at := time.Now(); ; {
			select {
			case <-p.stop:
				return
			case <-tick.C:
			}
			for now := time.Now(); !at.After(now); at = at.Add(10 * time.Millisecond) {
				each(at)
			}
		}
	})
}

func (p *pacedAudio) Close() error {
	if p.stop != nil { // started
		close(p.stop)
		p.done.Wait()
	}
	return nil
}

// tone is a microphone that hears one frequency.
type tone struct {
	pacedAudio
	hz float64
}

func (t *tone) Label() string { return "tone" }

func (t *tone) Start(deliver func([]int16, time.Time)) error {
	n := 0
	block := make([]int16, media.BlockSamples)
	t.start(func(at time.Time) {
		for i := range block {
			block[i] = int16(9000 * math.Sin(2*math.Pi*t.hz*float64(n)/media.SampleRate))
			n++
		}
		deliver(block, at)
	})
	return nil
}

// ear is a speaker that measures frequencies over the last half second.
type ear struct {
	pacedAudio
	mu   sync.Mutex
	last []int16
}

func (e *ear) Label() string { return "ear" }

func (e *ear) Start(fill func([]int16)) error {
	block := make([]int16, media.BlockSamples)
	e.start(func(time.Time) {
		fill(block)
		e.mu.Lock()
		e.last = append(e.last, block...)
		e.last = e.last[max(0, len(e.last)-media.SampleRate/2):]
		e.mu.Unlock()
	})
	return nil
}

// level is the amplitude of one frequency, by Goertzel's algorithm.
func (e *ear) level(hz float64) float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.last) < media.SampleRate/2 {
		return 0
	}
	k := 2 * math.Cos(2*math.Pi*hz/media.SampleRate)
	var s1, s2 float64
	for _, v := range e.last {
		s1, s2 = float64(v)+k*s1-s2, s1
	}
	return 2 * math.Sqrt(max(s1*s1+s2*s2-k*s1*s2, 0)) / float64(len(e.last))
}

func (e *ear) hears(hz float64) bool { return e.level(hz) > 3000 && e.level(hz*1.37) < 600 }
func (e *ear) silent() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.last {
		if v > 200 || v < -200 {
			return false
		}
	}
	return len(e.last) > 0
}

// eye is a picture sink that reads markers.
type eye struct {
	mu      sync.Mutex
	id      uint8
	n       uint16
	moved   int // pictures with a growing number
	bad     int // without a readable marker
	backs   int // with a number that went back
	size    [2]int
	present atomic.Int64
}

func (e *eye) Present(f *media.Frame) {
	id, n, ok := media.ReadMarker(f)
	e.present.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.size = [2]int{f.Width, f.Height}
	switch {
	case !ok:
		e.bad++
	case id == e.id && n < e.n:
		e.backs++
	case id != e.id || n > e.n:
		e.moved++
	}
	if ok {
		e.id, e.n = id, n
	}
}

func (e *eye) sees(id uint8, moved int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.id == id && e.moved >= moved
}

func (e *eye) again() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moved, e.id, e.n = 0, 0, 0
}

// party is one side of a test call.
type party struct {
	*Session
	eye *eye
	ear *ear

	mu     sync.Mutex
	events []Event
	other  *party
	hold   func(Event) bool // true: not forwarded
}

func (p *party) got(e Event) {
	p.mu.Lock()
	p.events = append(p.events, e)
	hold := p.hold
	p.mu.Unlock()
	if hold != nil && hold(e) {
		return
	}
	p.forward(e)
}

func (p *party) forward(e Event) {
	switch e := e.(type) {
	case Offer:
		p.other.GotOffer(e.SDP)
	case Answer:
		p.other.GotAnswer(e.SDP)
	case LocalCandidate:
		p.other.GotCandidate(e.Candidate)
	case RestartWanted:
		p.other.Restart(true)
	}
}

func find[E Event](p *party) (last E, count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e, ok := e.(E); ok {
			last = e
			count++
		}
	}
	return last, count
}

func has[E Event](p *party) bool {
	_, n := find[E](p)
	return n > 0
}

// newPair makes two sessions that are not started yet; each hears and sees. set changes them.
func newPair(t *testing.T, set func(*Session), nets ...transport.Net) (a, b *party) {
	t.Helper()
	a, b = &party{eye: &eye{}, ear: &ear{}}, &party{eye: &eye{}, ear: &ear{}}
	a.other, b.other = b, a
	for i, p := range []*party{a, b} {
		p.Session = &Session{
			Offerer: i == 0, IncludeLoopback: true, Width: 640, Height: 360, FPS: 30,
			Video: p.eye, Speaker: p.ear, OnEvent: p.got,
		}
		if len(nets) > 0 {
			p.network = nets[i]
		}
		if set != nil {
			set(p.Session)
		}
		t.Cleanup(p.Close)
	}
	return a, b
}

// call starts both with pattern cameras 1 and 2 and tones of 440 and 620 Hz.
func call(t *testing.T, a, b *party) {
	t.Helper()
	for i, p := range []*party{b, a} { // the answering side first
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		p.SetCamera(&pattern{width: 320, height: 180, fps: 30, id: uint8(2 - i)})
		p.SetMicrophone(&tone{hz: 620 - 180*float64(i)})
	}
}

const patience = 20 * time.Second

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	give := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-give:
			t.Fatalf("waited too long for: %s", what)
		}
	}
}

func flows(t *testing.T, a, b *party) {
	t.Helper()
	eventually(t, "b sees a", func() bool { return b.eye.sees(1, 10) })
	eventually(t, "a sees b", func() bool { return a.eye.sees(2, 10) })
	eventually(t, "b hears a", func() bool { return b.ear.hears(440) })
	eventually(t, "a hears b", func() bool { return a.ear.hears(620) })
}
