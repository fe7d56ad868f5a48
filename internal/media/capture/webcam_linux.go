package capture

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/blackjack/webcam"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/driver/camera"
	"github.com/pion/mediadevices/pkg/prop"
)

// mjpegFormat is V4L2_PIX_FMT_MJPEG.
const mjpegFormat = webcam.PixelFormat('M' | 'J'<<8 | 'P'<<16 | 'G'<<24)

const (
	webcamBuffers = 3 // one being filled, one full, one being decoded
	webcamWait    = 1 // second
)

// webcamJPEG reads a V4L2 camera's JPEG pictures through the package that mediadevices' driver is made of: that driver
// decodes them in Go, and no way leads around it.
type webcamJPEG struct {
	mu     sync.Mutex // held while a picture is waited for and used: stopping takes the memory away
	cam    *webcam.Webcam
	closed atomic.Bool
}

var errTimeout = errors.New("read timeout")

// openJPEG opens the device of d, whose driver is closed, for JPEG pictures of the mode's size and rate.
func openJPEG(d driver.Driver, mode prop.Media) (jpegCloser, error) {
	path, ok := webcamPath(d.Info().Label)
	if !ok {
		return nil, errors.New("not a V4L2 camera")
	}
	cam, err := webcam.Open(path)
	if err != nil {
		return nil, err
	}
	if err := startJPEG(cam, mode); err != nil {
		return nil, errors.Join(err, cam.Close())
	}
	return &webcamJPEG{cam: cam}, nil
}

func startJPEG(cam *webcam.Webcam, mode prop.Media) error {
	format, _, _, err := cam.SetImageFormat(mjpegFormat, uint32(mode.Width), uint32(mode.Height))
	if err != nil {
		return err
	}
	if format != mjpegFormat {
		return errors.New("camera gives no JPEG")
	}
	if mode.FrameRate > 0 {
		_ = cam.SetFramerate(mode.FrameRate) // some drivers cannot; the camera's own rate will do
	}
	if err := cam.SetBufferCount(webcamBuffers); err != nil {
		return err
	}
	return cam.StartStreaming()
}

// webcamPath finds the device file in the label that mediadevices gives: "…-video-index0;video0".
func webcamPath(label string) (string, bool) {
	_, name, ok := strings.Cut(label, camera.LabelSeparator)
	if !ok || !strings.HasPrefix(name, "video") || name != filepath.Base(name) {
		return "", false
	}
	return filepath.Join("/dev", name), true
}

func (w *webcamJPEG) readJPEG() ([]byte, func(), error) {
	w.mu.Lock()
	data, index, err := w.next()
	if err != nil {
		w.mu.Unlock()
		return nil, nil, err
	}
	return data, func() {
		_ = w.cam.ReleaseFrame(index) // fails only when the camera is gone, which the next read says
		w.mu.Unlock()
	}, nil
}

func (w *webcamJPEG) next() ([]byte, uint32, error) {
	if w.closed.Load() {
		return nil, 0, io.EOF
	}
	err := w.cam.WaitForFrame(webcamWait)
	var timeout *webcam.Timeout
	switch {
	case errors.As(err, &timeout):
		return nil, 0, errTimeout
	case err != nil:
		return nil, 0, err
	}
	return w.cam.GetFrame()
}

// Close ends the reading within a second.
func (w *webcamJPEG) Close() error {
	if w.closed.Swap(true) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cam.Close()
}
