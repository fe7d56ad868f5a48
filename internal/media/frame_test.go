package media

import (
	"math/rand"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noise(w, h int) *Frame {
	f := NewFrame(w, h)
	r := rand.New(rand.NewSource(int64(w)))
	for _, p := range [][]byte{f.Y, f.U, f.V} {
		for i := range p {
			p[i] = byte(16 + r.Intn(220))
		}
	}
	return f
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

func TestPoolAccounting(t *testing.T) {
	var p Pool
	a := p.Get(640, 361)
	if a.Width != 640 || a.Height != 360 || len(a.U) != 320*180 || p.Out() != 1 {
		t.Fatalf("%dx%d, %d out", a.Width, a.Height, p.Out())
	}
	a.FullRange, a.Captured = true, time.Now()
	a.Retain().Release()
	if p.Out() != 1 {
		t.Error("returned while held")
	}
	a.Release()
	if p.Out() != 0 {
		t.Error("not returned")
	}
	mustPanic(t, "retain after the last release", func() { a.Retain() })
	if b := p.Get(640, 360); b != a || b.FullRange || !b.Captured.IsZero() {
		t.Error("not reused, or not cleaned")
	}
	c := p.Get(320, 180) // another size: the 640 one will not be kept
	a.Release()
	if d := p.Get(320, 180); d == c || p.Out() != 2 {
		t.Error("frame given twice")
	}
	mustPanic(t, "second release", func() { a.Release() })
	if tiny := p.Get(-5, 1); tiny.Width != 2 || tiny.Height != 2 {
		t.Error("smallest size")
	}
}

func TestPoolKeepsFew(t *testing.T) {
	var p Pool
	var frames []*Frame
	for range 3 * poolLimit {
		frames = append(frames, p.Get(16, 16))
	}
	for _, f := range frames {
		f.Release()
	}
	if len(p.free) != poolLimit || p.Out() != 0 {
		t.Errorf("%d kept, %d out", len(p.free), p.Out())
	}
}

// TestPoolConcurrent passes frames between goroutines; the race detector watches.
func TestPoolConcurrent(t *testing.T) {
	var p Pool
	shown := make(chan *Frame, 4)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for f := range shown {
				if f.Y[0] != f.Y[len(f.Y)-1] {
					t.Error("torn")
				}
				f.Release()
			}
		})
	}
	for n := range 500 {
		f := p.Get(32, 32)
		f.Fill(byte(n), 128, 128)
		shown <- f.Retain()
		f.Release()
	}
	close(shown)
	wg.Wait()
	if p.Out() != 0 {
		t.Errorf("%d out", p.Out())
	}
}

func TestCopyLimited(t *testing.T) {
	src, dst := NewFrame(4, 4), NewFrame(4, 4)
	src.FullRange = true
	for _, c := range [][4]byte{{0, 128, 16, 128}, {255, 128, 235, 128}, {128, 255, 126, 240}, {128, 0, 126, 16}} {
		src.Fill(c[0], c[1], c[1])
		dst.CopyLimited(src)
		if dst.Y[0] != c[2] || dst.U[3] != c[3] || dst.V[3] != c[3] || dst.FullRange {
			t.Errorf("%v: %d %d", c, dst.Y[0], dst.U[3])
		}
	}
	mustPanic(t, "copy of another size", func() { NewFrame(2, 2).CopyFrom(src) })
}
