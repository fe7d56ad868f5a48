package playout

import (
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
	"visavis.example/internal/media/y4m"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNullPullsAtTheDevicesPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Null
		start, pulled := time.Now(), atomic.Int32{}
		err := n.Start(func(b []int16) {
			n := pulled.Add(1)
			if due := time.Duration(n) * blockTime; len(b) != media.BlockSamples || time.Since(start) != due && n < 100 {
				t.Errorf("block %d of %d samples after %v", n, len(b), time.Since(start))
			}
			if n == 100 {
				time.Sleep(90 * time.Millisecond) // made up for at once
			}
			if n == 200 {
				time.Sleep(10 * time.Second) // too long for that
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n.Start(func([]int16) {}) == nil {
			t.Error("started twice")
		}
		time.Sleep(1995 * time.Millisecond)
		if n := pulled.Load(); n != 199 {
			t.Errorf("%d blocks in 1.995 s", n)
		}
		time.Sleep(11 * time.Second)
		if n := pulled.Load(); n > 310 || n < 290 {
			t.Errorf("%d blocks after a standstill of ten seconds", n)
		}
		_, _ = n.Close(), n.Close()
		before := pulled.Load()
		time.Sleep(time.Second)
		if pulled.Load() != before {
			t.Error("pulls after Close")
		}
	})
}

func picture(pool *media.Pool, w, h int, n uint16) *media.Frame {
	f := pool.Get(w, h)
	f.Fill(100, 128, 128)
	media.DrawMarker(f, 3, n)
	return f
}

func TestY4MFileRecordsWhatIsPresented(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen.y4m")
	y := &Y4MFile{Path: path, Width: 320, Height: 180, FPS: 25}
	var pool media.Pool
	y.Present(picture(&pool, 64, 36, 0)) // before Start: nothing
	if err := y.Start(); err != nil {
		t.Fatal(err)
	}
	if y.Start() == nil {
		t.Error("started twice")
	}
	for i := range 20 {
		w, h := 320, 180
		if i >= 10 {
			w, h = 640, 480
		}
		f := picture(&pool, w, h, uint16(i))
		y.Present(f)
		f.Release()
		for y.Written() < int64(i+1) {
			runtime.Gosched() // the disk's pace, not ours
		}
	}
	if err := y.Close(); err != nil {
		t.Error(err)
	}
	f := picture(&pool, 320, 180, 99)
	y.Present(f) // after Close: nothing
	f.Release()
	if err := y.Close(); err != nil {
		t.Error("closed twice:", err)
	}
	r, err := y4m.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Width != 320 || r.Height != 180 || r.FPS != 25 {
		t.Errorf("%dx%d at %g", r.Width, r.Height, r.FPS)
	}
	for i := range 20 {
		f := pool.Get(320, 180)
		if err := r.Next(f); err != nil {
			t.Fatalf("picture %d: %v", i, err)
		}
		if i < 10 { // the others have bars, and the marker between them
			if id, n, ok := media.ReadMarker(f); !ok || id != 3 || int(n) != i {
				t.Errorf("picture %d: marker %d %d %v", i, id, n, ok)
			}
		} else if f.Y[90*f.StrideY+5] != 16 || f.Y[90*f.StrideY+160] != 100 {
			t.Errorf("picture %d is not 4:3 between bars", i)
		}
	}
	if err := r.Next(pool.Get(320, 180)); !errors.Is(err, io.EOF) {
		t.Errorf("more than twenty: %v", err)
	}
}

// slowDisk takes a header, then nothing until it is told.
type slowDisk struct {
	wait   chan struct{}
	writes atomic.Int32
	err    error
}

func (d *slowDisk) Write(b []byte) (int, error) {
	if d.writes.Add(1) > 1 {
		<-d.wait
		if d.err != nil {
			return 0, d.err
		}
	}
	return len(b), nil
}

func (d *slowDisk) Close() error { return nil }

func TestSlowDiskDoesNotStopTheDecoder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{wait: make(chan struct{})}
		y := &Y4MFile{Width: 64, Height: 36, out: d}
		if err := y.Start(); err != nil {
			t.Fatal(err)
		}
		var pool media.Pool
		for i := range 30 {
			f := picture(&pool, 64, 36, uint16(i))
			y.Present(f)
			f.Release()
			synctest.Wait()
		}
		if got := y.Dropped(); got != 30-y4mQueue-1 {
			t.Errorf("%d dropped", got)
		}
		close(d.wait)
		if err := y.Close(); err != nil {
			t.Error(err)
		}
		if got := y.Written(); got != y4mQueue+1 {
			t.Errorf("%d written", got)
		}
	})
}

func TestDeadDiskIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{wait: make(chan struct{})}
		y := &Y4MFile{Width: 64, Height: 36, out: d}
		if err := y.Start(); err != nil {
			t.Fatal(err)
		}
		var pool media.Pool
		y.Present(picture(&pool, 64, 36, 0))
		begin := time.Now()
		if err := y.Close(); err == nil || time.Since(begin) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		close(d.wait)
		<-y.done
	})
}

func TestFullDiskIsToldOnce(t *testing.T) {
	d := &slowDisk{wait: make(chan struct{}), err: errors.New("no space left on device")}
	close(d.wait)
	y := &Y4MFile{Width: 64, Height: 36, out: d}
	if err := y.Start(); err != nil {
		t.Fatal(err)
	}
	var pool media.Pool
	for i := range 5 {
		f := picture(&pool, 64, 36, uint16(i))
		y.Present(f)
		f.Release()
	}
	if err := <-y.Failed(); !errors.Is(err, d.err) {
		t.Error(err)
	}
	if err := y.Close(); !errors.Is(err, d.err) {
		t.Errorf("close: %v", err)
	}
	if err, open := <-y.Failed(); open {
		t.Error("told twice:", err)
	}
	if y.Written() != 0 || y.Dropped() != 5 {
		t.Errorf("%d written, %d dropped", y.Written(), y.Dropped())
	}
}

func TestY4MFileRefusesNonsense(t *testing.T) {
	for _, y := range []*Y4MFile{{Path: "/nowhere/x"}, {Width: 64, Height: 36, Path: "/nowhere/x"}} {
		if err := y.Start(); err == nil {
			t.Errorf("%+v was started", y)
			_ = y.Close()
		}
	}
}
