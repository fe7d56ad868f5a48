// Package media owns pictures and sound between device and codec: frames and their pool, limited-range colour, scaling,
// and the small interfaces that devices, files and the screen implement. Folders below hold what needs C: capture,
// playout, codec, process. It never talks to a network and never draws.
package media

import (
	"sync"
	"sync/atomic"
	"time"
)

// Frame is a planar I420 picture: 8 bits, 4:2:0, BT.601 limited range (luma 16–235) unless FullRange, which is what
// cameras and codecs of calls carry. Width and Height are even and at least 2. Rows may be padded: use the strides.
//
// Frames are pooled and counted. Who gets one in a call only borrows it for that call; Retain keeps it longer, and every
// Retain (and every Pool.Get) needs one Release. Nobody writes into a frame that others may hold.
type Frame struct {
	Width, Height     int
	Y, U, V           []byte
	StrideY, StrideUV int
	Captured          time.Time // when the sensor or screen was read, with monotonic clock; received frames: when to show it
	FullRange         bool
	Text              bool  // a screen: sharpness matters more than motion
	Number            int64 // counts the captured pictures of a source from 0; received frames: the sender's, where it says so

	pool *Pool
	free func() // of a borrowed one
	refs atomic.Int32
}

// Pool recycles frames of one size; a request for another size drops the old ones. Safe for concurrent use.
type Pool struct {
	mu            sync.Mutex
	width, height int
	free          []*Frame
	out           int
}

// Out is how many frames of this pool are held at the moment, for leak tests and statistics.
func (p *Pool) Out() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out
}

// Get gives a frame of that size with one reference and undefined content. Odd sizes are rounded down to even.
func (p *Pool) Get(width, height int) *Frame {
	width, height = max(width&^1, 2), max(height&^1, 2)
	p.mu.Lock()
	if width != p.width || height != p.height {
		p.width, p.height, p.free = width, height, nil
	}
	var f *Frame
	if n := len(p.free); n > 0 {
		f, p.free = p.free[n-1], p.free[:n-1]
	}
	p.out++
	p.mu.Unlock()
	if f == nil {
		f = newFrame(width, height)
		f.pool = p
	}
	f.refs.Store(1)
	f.Captured, f.FullRange, f.Text, f.Number = time.Time{}, false, false, 0
	return f
}

// NewFrame gives a frame without a pool, black, with one reference. Odd sizes are rounded down to even.
func NewFrame(width, height int) *Frame {
	f := newFrame(max(width&^1, 2), max(height&^1, 2))
	f.refs.Store(1)
	f.Fill(16, 128, 128)
	return f
}

func newFrame(width, height int) *Frame {
	cw, ch := width/2, height/2
	b := make([]byte, width*height+2*cw*ch)
	y, c := width*height, cw*ch
	return &Frame{
		Width: width, Height: height, StrideY: width, StrideUV: cw,
		Y: b[:y:y], U: b[y : y+c : y+c], V: b[y+c : y+2*c : y+2*c],
	}
}

// Borrowed gives a frame with one reference whose planes are somebody else's memory, such as a decoder's; free is called
// once, by whoever releases it last, on any goroutine. Each plane has its stride times its rows, and nobody writes there
// before that.
func Borrowed(width, height int, y, u, v []byte, strideY, strideUV int, free func()) *Frame {
	f := &Frame{Width: width &^ 1, Height: height &^ 1, Y: y, U: u, V: v, StrideY: strideY, StrideUV: strideUV, free: free}
	f.refs.Store(1)
	return f
}

// Retain takes one more reference and returns f.
func (f *Frame) Retain() *Frame {
	if f.refs.Add(1) < 2 && (f.pool != nil || f.free != nil) {
		panic("media: frame retained after its last release")
	}
	return f
}

// Release gives one reference back; the last one returns the frame to its pool.
func (f *Frame) Release() {
	switch n := f.refs.Add(-1); {
	case n > 0:
	case n < 0:
		panic("media: frame released more often than retained")
	case f.pool != nil:
		f.pool.put(f)
	case f.free != nil:
		f.free()
	}
}

const poolLimit = 8 // frames kept free; a call has at most four in flight a direction

func (p *Pool) put(f *Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out--
	if f.Width == p.width && f.Height == p.height && len(p.free) < poolLimit {
		p.free = append(p.free, f)
	}
}
