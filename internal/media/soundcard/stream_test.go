package soundcard

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// box is a made-up machine with devices that can be pulled out.
type box struct {
	mu      sync.Mutex
	devices []string // the first is the default
	opened  []string
}

type fakeDevice struct {
	box  *box
	name string
	stop chan struct{}
	data func(out, in []byte, frames uint32)
}

func (b *box) plug(devices ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.devices = devices
}

func (b *box) has(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.devices, name)
}

func (b *box) openings() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.opened)
}

var errNone = errors.New("none there")

func (b *box) open(_ Kind, name string, data func(out, in []byte, frames uint32)) (closer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = append(b.opened, name)
	real := name
	if real == "" && len(b.devices) > 0 {
		real = b.devices[0]
	}
	if !slices.Contains(b.devices, real) {
		return nil, errNone
	}
	d := &fakeDevice{box: b, name: real, stop: make(chan struct{}), data: data}
	go d.run()
	return d, nil
}

func (d *fakeDevice) run() {
	buf := make([]byte, 2*blockSamples)
	for {
		select {
		case <-d.stop:
			return
		case <-time.After(blockTime):
		}
		if d.box.has(d.name) { // else silent, as the real ones are
			d.data(buf, buf, blockSamples)
		}
	}
}

func (d *fakeDevice) close() { close(d.stop) }

func TestSilentDeviceIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &box{devices: []string{"built in", "headset"}}
		var blocks atomic.Int64
		s := &Stream{Kind: Capture, Name: "headset", Block: func([]int16) { blocks.Add(1) }, open: b.open}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if s.Start() == nil {
			t.Error("started twice")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := blocks.Load(); n < 990 || len(b.openings()) != 1 {
			t.Fatalf("%d blocks, opened %q", n, b.openings())
		}
		b.plug("built in")
		time.Sleep(silentFor + 2*checkEvery)
		synctest.Wait()
		if want := []string{"headset", "headset", ""}; !slices.Equal(b.openings(), want) || s.Current() != "" {
			t.Fatalf("opened %q, want %q", b.openings(), want)
		}
		before := blocks.Load()
		time.Sleep(time.Second)
		synctest.Wait()
		if n := blocks.Load() - before; n < 90 {
			t.Errorf("%d blocks in a second of the other device", n)
		}
		s.Close()
		s.Close()
		if err, open := <-s.Failed(); open {
			t.Error("replaced, and yet:", err)
		}
	})
}

func TestStallAtTheBeginningIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &box{devices: []string{"slow"}}
		s := &Stream{Kind: Playback, Block: func([]int16) {}, open: b.open}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		b.plug()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.plug("slow")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(b.openings()) != 1 {
			t.Errorf("opened %d times", len(b.openings()))
		}
		s.Close()
	})
}

func TestNoDeviceLeftAndOneComingBack(t *testing.T) {
	for _, kind := range []Kind{Playback, Capture} {
		synctest.Test(t, func(t *testing.T) {
			b := &box{devices: []string{"only"}}
			var blocks atomic.Int64
			s := &Stream{Kind: kind, Block: func([]int16) { blocks.Add(1) }, open: b.open}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			b.plug()
			time.Sleep(time.Second)
			synctest.Wait()
			if err := <-s.Failed(); !errors.Is(err, errNone) {
				t.Errorf("%v: told %v", kind, err)
			}
			before, tries := blocks.Load(), len(b.openings())
			time.Sleep(10 * time.Second)
			synctest.Wait()
			want := int64(0)
			if kind == Playback {
				want = 1000
			}
			if got := blocks.Load() - before; got < want-2 || got > want+2 {
				t.Errorf("%v: %d blocks in ten seconds without a device, want %d", kind, got, want)
			}
			if n := len(b.openings()) - tries; n < 9 || n > 11 {
				t.Errorf("%v: %d tries in ten seconds", kind, n)
			}
			b.plug("only")
			time.Sleep(2 * retryEvery)
			synctest.Wait()
			before = blocks.Load()
			time.Sleep(time.Second)
			synctest.Wait()
			if n := blocks.Load() - before; n < 90 {
				t.Errorf("%v: %d blocks in a second after it came back", kind, n)
			}
			s.Close()
		})
	}
}

func TestStartWithoutDevice(t *testing.T) {
	s := &Stream{Kind: Playback, Block: func([]int16) {}, open: (&box{}).open}
	if err := s.Start(); !errors.Is(err, errNone) {
		t.Error(err)
	}
	s.Close()
	if s.Failed() != nil {
		t.Error("a channel before Start")
	}
}

// Devices that do not keep to the period still give and take whole blocks, and not a sample is lost.
func TestOddPeriods(t *testing.T) {
	for _, period := range []int{480, 441, 1, 479, 481, 960, 1000, 4096} {
		n := int16(0)
		s := &Stream{Kind: Playback, Block: func(b []int16) {
			if len(b) != blockSamples {
				t.Fatalf("block of %d", len(b))
			}
			for i := range b {
				b[i] = n
				n++
			}
		}}
		r, heard := &Stream{Kind: Capture}, int16(0)
		r.Block = func(b []int16) {
			if len(b) != blockSamples {
				t.Fatalf("block of %d", len(b))
			}
			for _, v := range b {
				if v != heard {
					t.Fatalf("period %d: sample %d is %d", period, heard, v)
				}
				heard++
			}
		}
		pcm := make([]int16, period)
		raw := unsafe.Slice((*byte)(unsafe.Pointer(&pcm[0])), 2*period)
		for range 20000/period + 1 {
			s.data(raw, nil, uint32(period))
			r.data(nil, raw, uint32(period))
		}
		if heard < 19000 {
			t.Errorf("period %d: heard %d samples", period, heard)
		}
		if a := testing.AllocsPerRun(100, func() {
			s.data(raw, nil, uint32(period))
			s.data(nil, nil, 0)
		}); a > 0 {
			t.Errorf("%v allocations on the device's thread", a)
		}
	}
}

func TestNamesAreToldApart(t *testing.T) {
	d := []Device{{Name: "USB"}, {Name: ""}, {Name: "USB"}, {Name: "USB"}}
	nameApart(d)
	for i, want := range []string{"USB", "Unnamed device", "USB (2)", "USB (3)"} {
		if d[i].Name != want {
			t.Errorf("%q, want %q", d[i].Name, want)
		}
	}
}
