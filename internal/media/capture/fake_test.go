package capture

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"go.uber.org/goleak"

	"visavis.example/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeCamera is a driver in mediadevices' manager. Like the real ones it gives the same memory again and again.
type fakeCamera struct {
	modes   []prop.Media
	openErr error
	picture func(n int, p prop.Media) (image.Image, error) // nil image: blocks until closed
	every   time.Duration

	mu     sync.Mutex
	closed chan struct{}
	chosen prop.Media
	opens  int
	live   bool
	stuck  bool // Close does not end a Read
}

func (c *fakeCamera) Open() error {
	if c.openErr != nil {
		return c.openErr
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opens++
	c.closed = make(chan struct{})
	return nil
}

func (c *fakeCamera) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil && !c.stuck {
		close(c.closed)
		c.closed = nil
	}
	c.live = false
	return nil
}

func (c *fakeCamera) Properties() []prop.Media { return c.modes }

func (c *fakeCamera) VideoRecord(p prop.Media) (video.Reader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chosen, c.live = p, true
	closed, n := c.closed, -1
	return video.ReaderFunc(func() (image.Image, func(), error) {
		select {
		case <-closed:
			return nil, nil, io.EOF
		case <-time.After(c.every):
		}
		n++
		img, err := c.picture(n, p)
		if err == nil && img == nil {
			<-closed
			return nil, nil, io.EOF
		}
		return img, func() {}, err
	}), nil
}

func (c *fakeCamera) isLive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live
}

// plug registers a camera under a name for the time of a test.
func plug(t *testing.T, name string, c *fakeCamera) {
	t.Helper()
	if c.every == 0 {
		c.every = time.Millisecond
	}
	label := "fake:" + name
	_ = driver.GetManager().Register(c, driver.Info{Label: label, Name: name + ";usb-1", DeviceType: driver.Camera})
	t.Cleanup(func() { unregister(label) })
}

func mode(w, h int, fps float32, f frame.Format) prop.Media {
	return prop.Media{Video: prop.Video{Width: w, Height: h, FrameRate: fps, FrameFormat: f}}
}

// colours of the test picture's quarters and what they must be in limited BT.601, within a step or two.
var quarters = [4]struct {
	name    string
	rgb     color.RGBA
	y, u, v uint8
}{
	{"red", color.RGBA{255, 0, 0, 255}, 81, 90, 240},
	{"green", color.RGBA{0, 255, 0, 255}, 145, 54, 34},
	{"blue", color.RGBA{0, 0, 255, 255}, 41, 240, 110},
	{"white", color.RGBA{255, 255, 255, 255}, 235, 128, 128},
}

// testFrame is a limited-range picture of the quarters with a marker.
func testFrame(w, h int, id uint8, n uint16) *media.Frame {
	var pool media.Pool
	f := pool.Get(w, h)
	for y := range h {
		for x := range w {
			q := quarters[quarter(x, y, w, h)]
			f.Y[y*f.StrideY+x] = q.y
			f.U[y/2*f.StrideUV+x/2], f.V[y/2*f.StrideUV+x/2] = q.u, q.v
		}
	}
	media.DrawMarker(f, id, n)
	return f
}

func quarter(x, y, w, h int) int {
	q := 0
	if x >= w/2 {
		q = 1
	}
	if y >= h/2 {
		q += 2
	}
	return q
}

// checkColours looks at the middle of each quarter.
func checkColours(t *testing.T, f *media.Frame) {
	t.Helper()
	if f.FullRange {
		t.Error("full range delivered")
	}
	for i, q := range quarters {
		x, y := f.Width/4+i%2*f.Width/2, f.Height/4+i/2*f.Height*2/5
		got := [3]uint8{f.Y[y*f.StrideY+x], f.U[y/2*f.StrideUV+x/2], f.V[y/2*f.StrideUV+x/2]}
		for k, want := range [3]uint8{q.y, q.u, q.v} {
			if d := int(got[k]) - int(want); d < -2 || d > 2 {
				t.Errorf("%s is %v, want %v", q.name, got, [3]uint8{q.y, q.u, q.v})
				break
			}
		}
	}
}

// as makes what a driver would give of a frame.
func as(f *media.Frame, format frame.Format) image.Image {
	switch format {
	case frame.FormatI420:
		return ycbcr(f, image.YCbCrSubsampleRatio420, false)
	case frame.FormatYUYV:
		return ycbcr(f, image.YCbCrSubsampleRatio422, false)
	case frame.FormatI444:
		return ycbcr(f, image.YCbCrSubsampleRatio444, false)
	case frame.FormatMJPEG:
		return ycbcr(f, image.YCbCrSubsampleRatio422, true)
	case frame.FormatRGBA:
		return rgba(f)
	}
	panic(fmt.Sprint("no such picture: ", format))
}

func ycbcr(f *media.Frame, ratio image.YCbCrSubsampleRatio, full bool) image.Image {
	m := image.NewYCbCr(image.Rect(0, 0, f.Width, f.Height), ratio)
	for y := range f.Height {
		for x := range f.Width {
			c := y/2*f.StrideUV + x/2
			yy, u, v := int(f.Y[y*f.StrideY+x]), int(f.U[c]), int(f.V[c])
			if full {
				yy, u, v = min((yy-16)*255/219, 255), 128+(u-128)*255/224, 128+(v-128)*255/224
			}
			m.Y[m.YOffset(x, y)], m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)] = uint8(max(yy, 0)), uint8(u), uint8(v)
		}
	}
	return m
}

func rgba(f *media.Frame) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))
	band := f.Height - f.Height/12
	for y := range f.Height {
		for x := range f.Width {
			c := quarters[quarter(x, y, f.Width, f.Height)].rgb
			if y >= band {
				c = color.RGBA{A: 255}
				if f.Y[y*f.StrideY+x] > 125 {
					c = color.RGBA{255, 255, 255, 255}
				}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

var errFake = errors.New("the fake camera is broken")
