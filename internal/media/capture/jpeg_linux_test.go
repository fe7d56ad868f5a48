package capture

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/prop"

	"visavis.example/internal/media"
)

// jpegCamera is a device that gives JPEG pictures; like the real one it waits at most so long, and its memory is gone
// when it is closed.
type jpegCamera struct {
	pictures [][]byte
	mode     prop.Media

	mu     sync.Mutex
	n      int
	closed bool
	used   bool // while a picture is out
	wrong  string
}

func (c *jpegCamera) readJPEG() ([]byte, func(), error) {
	<-time.After(time.Millisecond) // the device's pace
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, io.EOF
	}
	if c.used {
		c.wrong = "read before the last picture was given back"
	}
	c.used = true
	p := c.pictures[c.n%len(c.pictures)]
	if c.n++; p == nil {
		c.used = false
		return nil, nil, errTimeout
	}
	memory := bytes.Clone(p)
	return memory, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		clear(memory)
		c.used = false
	}, nil
}

func (c *jpegCamera) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func withJPEG(t *testing.T, open func(driver.Driver, prop.Media) (jpegCloser, error)) {
	openJPEGDevice = open
	t.Cleanup(func() { openJPEGDevice = openJPEG })
}

func encoded(t *testing.T, f *media.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, as(f, frame.FormatMJPEG), &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A camera's JPEG pictures are taken from the device itself; damaged ones and a wait that was too long do no harm.
func TestJPEGCamera(t *testing.T) {
	var taken *jpegCamera
	good := encoded(t, testFrame(640, 360, 3, 99))
	withJPEG(t, func(d driver.Driver, m prop.Media) (jpegCloser, error) {
		taken = &jpegCamera{mode: m, pictures: [][]byte{good[:len(good)/2], good, nil, {1, 2, 3}, good}}
		return taken, nil
	})
	fake := &fakeCamera{
		modes:   []prop.Media{mode(640, 360, 30, frame.FormatMJPEG)},
		picture: func(int, prop.Media) (image.Image, error) { t.Error("decoded by the driver"); return nil, errFake },
	}
	plug(t, "jpeg", fake)
	src, err := OpenCamera("jpeg", 640, 360, 0)
	if err != nil {
		t.Fatal(err)
	}
	frames := make(chan *media.Frame, 1)
	err = src.Start(func(f *media.Frame) {
		own := media.NewFrame(f.Width, f.Height)
		own.CopyFrom(f)
		select {
		case frames <- own:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f := <-frames
		checkColours(t, f)
		if id, n, ok := media.ReadMarker(f); !ok || id != 3 || n != 99 || f.Captured.IsZero() {
			t.Errorf("marker %d %d %v", id, n, ok)
		}
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	if taken.mode.Width != 640 || !taken.closed || taken.wrong != "" || fake.isLive() {
		t.Errorf("%+v, driver streams %v", taken.mode, fake.isLive())
	}
}

// Where the device cannot be opened so, the driver decodes.
func TestJPEGCameraOfAnotherKind(t *testing.T) {
	withJPEG(t, func(driver.Driver, prop.Media) (jpegCloser, error) { return nil, errors.New("not a V4L2 camera") })
	fake := &fakeCamera{
		modes: []prop.Media{mode(320, 180, 30, frame.FormatMJPEG)},
		picture: func(n int, _ prop.Media) (image.Image, error) {
			return as(testFrame(320, 180, 3, uint16(n)), frame.FormatMJPEG), nil
		},
	}
	plug(t, "other", fake)
	src, err := OpenCamera("other", 320, 180, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan bool, 1)
	if err := src.Start(func(f *media.Frame) {
		select {
		case got <- f.FullRange:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	if <-got {
		t.Error("full range delivered")
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWebcamPath(t *testing.T) {
	for label, want := range map[string]string{
		"pci-0000:00:14.0-usb-0:5:1.0-video-index0;video0": "/dev/video0",
		"video12;video12": "/dev/video12",
		"video0":          "",
		"x;../mem":        "",
		"x;video/../mem":  "",
		"fake:jpeg":       "",
	} {
		if got, ok := webcamPath(label); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", label, got, ok)
		}
	}
}
