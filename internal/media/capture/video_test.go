package capture

import (
	"errors"
	"image"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/prop"

	"visavis.example/internal/media"
)

const patience = 10 * time.Second

// pictures collects copies of what is delivered.
type pictures chan *media.Frame

func (p pictures) deliver(f *media.Frame) {
	select {
	case p <- f.Retain():
	default:
	}
}

func (p pictures) next(t *testing.T) *media.Frame {
	t.Helper()
	select {
	case f := <-p:
		return f
	case <-time.After(patience):
		t.Fatal("no picture")
		return nil
	}
}

func openAndStart(t *testing.T, name string, w, h int, fps float64) (media.VideoSource, pictures) {
	t.Helper()
	s, err := OpenCamera(name, w, h, fps)
	if err != nil {
		t.Fatal(err)
	}
	p := make(pictures, 3)
	if err := s.Start(p.deliver); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, p
}

func failure1(t *testing.T, s any) error {
	t.Helper()
	select {
	case err := <-s.(Failing).Failed():
		return err
	case <-time.After(patience):
		t.Fatal("no failure told")
		return nil
	}
}

func TestCameraPicturesComeOutRight(t *testing.T) {
	for _, format := range []frame.Format{frame.FormatI420, frame.FormatYUYV, frame.FormatI444, frame.FormatMJPEG, frame.FormatRGBA} {
		t.Run(string(format), func(t *testing.T) {
			c := &fakeCamera{modes: []prop.Media{mode(640, 360, 30, format)}}
			c.picture = func(n int, _ prop.Media) (image.Image, error) {
				return as(testFrame(640, 360, 7, uint16(n)), format), nil
			}
			plug(t, "Fake", c)
			_, p := openAndStart(t, "Fake", 640, 360, 0)
			var last uint16
			for i := range 3 {
				begin := time.Now()
				f := p.next(t)
				id, n, ok := media.ReadMarker(f)
				if !ok || id != 7 || i > 0 && n <= last {
					t.Fatalf("marker %d %d %v after %d", id, n, ok, last)
				}
				last = n
				checkColours(t, f)
				if age := begin.Sub(f.Captured); age > patience || f.Captured.IsZero() {
					t.Errorf("captured %v ago", age)
				}
				f.Release()
			}
		})
	}
}

// The driver writes into the same memory as soon as it is asked again: what was delivered must not change.
func TestPicturesAreCopiedAtOnce(t *testing.T) {
	shared := as(testFrame(64, 64, 1, 1), frame.FormatI420).(*image.YCbCr)
	c := &fakeCamera{modes: []prop.Media{mode(64, 64, 30, frame.FormatI420)}}
	c.picture = func(n int, _ prop.Media) (image.Image, error) {
		for i := range shared.Y {
			shared.Y[i] = uint8(16 + n)
		}
		return shared, nil
	}
	plug(t, "Shared", c)
	_, p := openAndStart(t, "Shared", 64, 64, 0)
	a := p.next(t)
	first := a.Y[0]
	p.next(t).Release()
	p.next(t).Release()
	for i, v := range a.Y {
		if v != first {
			t.Fatalf("pixel %d of a kept picture changed from %d to %d", i, first, v)
		}
	}
	a.Release()
}

func TestBiggerPicturesAreScaledDown(t *testing.T) {
	c := &fakeCamera{modes: []prop.Media{mode(1280, 960, 30, frame.FormatI420)}}
	c.picture = func(n int, _ prop.Media) (image.Image, error) {
		return as(testFrame(1280, 960, 9, uint16(n)), frame.FormatI420), nil
	}
	plug(t, "Big", c)
	_, p := openAndStart(t, "Big", 640, 360, 0)
	f := p.next(t)
	defer f.Release()
	if f.Width != 480 || f.Height != 360 {
		t.Errorf("4:3 into 640x360 is %dx%d", f.Width, f.Height)
	}
	if id, _, ok := media.ReadMarker(f); !ok || id != 9 {
		t.Errorf("marker %d %v", id, ok)
	}
	checkColours(t, f)
}

func TestSizeChangesWhileRunning(t *testing.T) {
	c := &fakeCamera{modes: []prop.Media{mode(320, 240, 30, frame.FormatI420)}}
	c.picture = func(n int, _ prop.Media) (image.Image, error) {
		w, h := 320, 240
		if n >= 5 {
			w, h = 241, 321 // turned, and odd
		}
		return image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420), nil
	}
	plug(t, "Turning", c)
	_, p := openAndStart(t, "Turning", 640, 480, 0)
	for {
		f := p.next(t)
		w, h := f.Width, f.Height
		f.Release()
		if w == 240 && h == 320 {
			return
		}
		if w != 320 || h != 240 {
			t.Fatalf("%dx%d", w, h)
		}
	}
}

func TestSuperfluousPicturesAreLeftOut(t *testing.T) {
	var p pacer
	p.fps = 30
	kept, at := 0, time.Unix(0, 0)
	for range 600 { // ten seconds at 60
		if p.keep(at) {
			kept++
		}
		at = at.Add(time.Second / 60)
	}
	if kept < 295 || kept > 302 {
		t.Errorf("%d of 600 kept, want 300", kept)
	}
	p, kept = pacer{fps: 30}, 0
	for i := range 300 { // 30 wanted, 30 given, unevenly
		if p.keep(at.Add(time.Duration(i)*time.Second/30 + time.Duration(i%3)*5*time.Millisecond)) {
			kept++
		}
	}
	if kept < 298 {
		t.Errorf("%d of 300 kept", kept)
	}
}

func TestDamagedPicturesDoNotEndTheCamera(t *testing.T) {
	c := &fakeCamera{modes: []prop.Media{mode(64, 64, 30, frame.FormatI420)}}
	c.picture = func(n int, _ prop.Media) (image.Image, error) {
		switch n % 4 {
		case 0:
			return nil, errFake
		case 1:
			return &image.YCbCr{Rect: image.Rect(0, 0, 64, 64), YStride: 64, CStride: 32}, nil // no data
		}
		return as(testFrame(64, 64, 1, 1), frame.FormatI420), nil
	}
	plug(t, "Flaky", c)
	_, p := openAndStart(t, "Flaky", 64, 64, 0)
	for range 4 {
		p.next(t).Release()
	}
}

func TestBrokenCameraEndsAndIsReported(t *testing.T) {
	c := &fakeCamera{modes: []prop.Media{mode(64, 64, 30, frame.FormatI420)}}
	c.picture = func(n int, _ prop.Media) (image.Image, error) {
		if n > 3 {
			return nil, errFake
		}
		return as(testFrame(64, 64, 1, 1), frame.FormatI420), nil
	}
	plug(t, "Dying", c)
	s, p := openAndStart(t, "Dying", 64, 64, 0)
	p.next(t).Release()
	if err := failure1(t, s); !errors.Is(err, errFake) {
		t.Errorf("told %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-s.(Failing).Failed(); open {
		t.Error("a second failure")
	}
	if c.isLive() {
		t.Error("the driver was not closed")
	}
}

func TestBlockedCameraCloses(t *testing.T) { synctest.Test(t, blockedCameraCloses) }

func blockedCameraCloses(t *testing.T) {
	c := &fakeCamera{modes: []prop.Media{mode(64, 64, 30, frame.FormatI420)}}
	c.picture = func(int, prop.Media) (image.Image, error) { return nil, nil } // never a picture
	plug(t, "Blocked", c)
	s, _ := openAndStart(t, "Blocked", 64, 64, 0)
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > closeAtMost {
		t.Errorf("closing took %v", took)
	}
	if _, err := OpenCamera("Blocked", 64, 64, 0); err != nil {
		t.Errorf("cannot be opened again: %v", err)
	}
}

func TestDeadDriverIsLeftAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, deadDriverIsLeftAfterTwoSeconds)
}

func deadDriverIsLeftAfterTwoSeconds(t *testing.T) {
	c := &fakeCamera{modes: []prop.Media{mode(64, 64, 30, frame.FormatI420)}, stuck: true}
	c.picture = func(int, prop.Media) (image.Image, error) { return nil, nil }
	plug(t, "Dead", c)
	s, p := openAndStart(t, "Dead", 64, 64, 0)
	if err := s.Close(); err == nil {
		t.Error("a driver that never ends was closed")
	}
	other, err := OpenCamera("Dead", 64, 64, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(p.deliver); !errors.Is(err, ErrBusy) {
		t.Errorf("second use of a device that is still held: %v", err)
	}
	close(c.closed) // let it end after all
	<-s.(*videoSource).done
	if len(p) != 0 {
		t.Error("a picture after Close")
	}
}

func TestStallIsReported(t *testing.T) { synctest.Test(t, stallIsReported) }

func stallIsReported(t *testing.T) {
	c := &fakeCamera{modes: []prop.Media{mode(64, 64, 30, frame.FormatI420)}}
	c.picture = func(n int, _ prop.Media) (image.Image, error) {
		if n > 2 {
			return nil, nil
		}
		return as(testFrame(64, 64, 1, 1), frame.FormatI420), nil
	}
	plug(t, "Stalling", c)
	s, _ := openAndStart(t, "Stalling", 64, 64, 0)
	if err := failure1(t, s); !errors.Is(err, ErrStalled) {
		t.Errorf("told %v", err)
	}
}

func TestMissingAndBusyCameras(t *testing.T) {
	if _, err := OpenCamera("No such camera", 640, 480, 30); !errors.Is(err, ErrNoCamera) {
		t.Errorf("missing: %v", err)
	}
	if _, err := OpenCamera("", 0, 480, 30); err == nil {
		t.Error("size 0x480 accepted")
	}
	picture := func(int, prop.Media) (image.Image, error) { return as(testFrame(64, 64, 3, 1), frame.FormatI420), nil }
	modes := []prop.Media{mode(64, 64, 30, frame.FormatI420)}
	broken := &fakeCamera{openErr: errFake, modes: modes, picture: picture}
	plug(t, "A broken one", broken)
	s, err := OpenCamera("A broken one", 64, 64, 30)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(func(*media.Frame) {}); !errors.Is(err, errFake) {
		t.Errorf("broken: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	plug(t, "B fine", &fakeCamera{modes: modes, picture: picture})
	plug(t, "C only depth", &fakeCamera{modes: []prop.Media{mode(64, 64, 30, frame.FormatZ16)}, picture: picture})
	plug(t, "D without modes", &fakeCamera{picture: picture})
	names := Cameras()
	if !slices.Contains(names, "B fine") || slices.Contains(names, "D without modes") {
		t.Errorf("cameras %q", names)
	}
	def, p := openAndStart(t, "", 64, 64, 30) // the first that opens
	p.next(t).Release()
	if def.Label() != "B fine" {
		t.Errorf("default is %q", def.Label())
	}
	again, _ := OpenCamera("B fine", 64, 64, 30)
	if err := again.Start(p.deliver); !errors.Is(err, ErrBusy) {
		t.Errorf("second use: %v", err)
	}
	if err := def.Start(p.deliver); err == nil {
		t.Error("started twice")
	}
	if err := def.Close(); err != nil {
		t.Error(err)
	}
	if err := again.Start(p.deliver); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
	_ = again.Close()
}

func TestChoiceOfMode(t *testing.T) {
	webcam := []prop.Media{
		mode(640, 480, 30, frame.FormatYUYV), mode(1280, 720, 10, frame.FormatYUYV), mode(1920, 1080, 5, frame.FormatYUYV),
		mode(640, 480, 30, frame.FormatMJPEG), mode(1280, 720, 30, frame.FormatMJPEG), mode(1920, 1080, 30, frame.FormatMJPEG),
		mode(640, 480, 30, frame.FormatZ16), mode(1280, 720, 60, frame.FormatMJPEG),
	}
	for _, c := range []struct {
		want  wanted
		modes []prop.Media
		is    prop.Media
	}{
		{wanted{1280, 720, 30}, webcam, webcam[4]},
		{wanted{640, 480, 30}, webcam, webcam[0]},
		{wanted{1920, 1080, 30}, webcam, webcam[5]},
		{wanted{1280, 720, 10}, webcam, webcam[1]},
		{wanted{1280, 720, 30}, webcam[:2], webcam[1]}, // ten sharp pictures rather than thirty cropped to a third
		{wanted{960, 540, 30}, webcam, webcam[4]},
		{wanted{1280, 720, 30}, []prop.Media{mode(1280, 720, 0, frame.FormatYUY2), mode(640, 480, 0, frame.FormatYUY2)}, mode(1280, 720, 0, frame.FormatYUY2)},
	} {
		if got, ok := choose(c.modes, c.want); !ok || got != c.is {
			t.Errorf("%+v: chose %+v, want %+v", c.want, got.Video, c.is.Video)
		}
	}
	if _, ok := choose([]prop.Media{mode(0, 0, 30, frame.FormatI420), mode(64, 64, 30, "P010")}, wanted{640, 480, 30}); ok {
		t.Error("chose something that cannot be read")
	}
}

func TestNamesForPeople(t *testing.T) {
	infos := []driver.Info{
		{Label: "x;video0", Name: "HD Webcam;usb-0000:00:14.0-1"},
		{Label: "y;video2", Name: "HD Webcam;usb-0000:00:14.0-2"},
		{Label: `@device:pnp:\\?\usb#vid_046d&pid_0825&mi_00#7&1f0`, Name: ""},
		{Label: "z", Name: ""},
	}
	var drivers []driver.Driver
	for _, i := range infos {
		drivers = append(drivers, infoOnly{info: i})
	}
	var got []string
	for _, d := range friendly(drivers, "Camera") {
		got = append(got, d.name)
	}
	want := []string{"HD Webcam", "HD Webcam (2)", "USB camera 046D:0825", "Camera 4"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

type infoOnly struct {
	driver.Driver
	info driver.Info
}

func (d infoOnly) Info() driver.Info { return d.info }
