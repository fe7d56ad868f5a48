package capture

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/prop"

	"visavis.example/internal/media/codec/mjpeg"
)

// The Linux camera driver holds a lock for as long as it waits for a picture, 5 s unless this says otherwise (seconds),
// and its Close waits for that lock. A read that timed out is simply tried again.
const readTimeoutVariable = "PION_MEDIADEVICES_CAMERA_READ_TIMEOUT"

func init() {
	if os.Getenv(readTimeoutVariable) == "" {
		_ = os.Setenv(readTimeoutVariable, "1")
	}
}

// opened is a driver that streams. While it does, its label is in devices.open, and nobody else touches the driver.
type opened struct {
	device
	reader  pictureReader
	jpeg    jpegCloser // beside the driver, or nil
	closing sync.Once
}

// openVideo opens and starts the mode nearest to the wanted.
func openVideo(d device, w wanted, screen bool) (*opened, error) {
	if err := reserve(d); err != nil {
		return nil, err
	}
	o := &opened{device: d}
	if err := o.start(w, screen); err != nil {
		free(d)
		return nil, err
	}
	return o, nil
}

func reserve(d device) error {
	devices.mu.Lock()
	defer devices.mu.Unlock()
	label := d.Info().Label
	if devices.open[label] || d.Status() != driver.StateClosed {
		return ErrBusy
	}
	if devices.open == nil {
		devices.open = map[string]bool{}
	}
	devices.open[label] = true
	return nil
}

func free(d device) {
	devices.mu.Lock()
	defer devices.mu.Unlock()
	delete(devices.open, d.Info().Label)
}

func (o *opened) start(w wanted, screen bool) error {
	if err := o.Open(); err != nil {
		return err
	}
	mode, ok := choose(o.Properties(), w)
	if !ok {
		_ = o.Driver.Close()
		return errors.New("device offers no format that can be read")
	}
	guess := mode.FrameRate == 0 && w.fps > 0
	if guess {
		mode.FrameRate = float32(w.fps)
	}
	err := o.record(mode)
	if err != nil && guess && !screen { // some V4L2 drivers cannot set a rate at all
		if mode.FrameRate = 0; o.Open() == nil {
			err = o.record(mode)
		}
	}
	return err
}

// record closes the driver when it fails (mediadevices' wrapper does).
func (o *opened) record(mode prop.Media) error {
	jpeg := mode.FrameFormat == frame.FormatMJPEG
	if jpeg && o.recordJPEG(mode) == nil {
		return nil
	}
	r, err := o.Driver.(driver.VideoRecorder).VideoRecord(mode)
	o.reader = imageReader{r, jpeg} // JPEG has full range; raw formats of cameras are limited
	return err
}

// jpegCloser is a jpegDevice whose Close ends a read.
type jpegCloser interface {
	jpegDevice
	io.Closer
}

var openJPEGDevice = openJPEG // tests put another one here

// recordJPEG takes the pictures from the device itself, beside the driver, which stays open and does not stream.
func (o *opened) recordJPEG(mode prop.Media) error {
	decoder, err := mjpeg.NewDecoder()
	if err != nil {
		return err
	}
	device, err := openJPEGDevice(o.Driver, mode)
	if err != nil {
		decoder.Close()
		return err
	}
	o.jpeg, o.reader = device, jpegReader{device, decoder}
	return nil
}

// close may be called by several; each returns when the driver is closed. The device stays reserved until its reader has
// ended and frees it.
func (o *opened) close() {
	o.closing.Do(func() {
		if o.jpeg != nil {
			_ = o.jpeg.Close()
		}
		_ = o.Driver.Close()
	})
}
