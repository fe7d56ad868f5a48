package capture

import (
	"image"

	"github.com/pion/mediadevices/pkg/io/video"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/mjpeg"
)

// lent is a picture in a driver's memory.
type lent interface {
	frame(*media.Pool) (*media.Frame, error) // a copy, with one reference
	giveBack()
}

// pictureReader reads a device that streams.
type pictureReader interface {
	read() (lent, error)
	close() // after the last read
}

// imageReader reads what mediadevices' drivers give, decoded by them.
type imageReader struct {
	video.Reader
	fullRange bool
}

type lentImage struct {
	image.Image
	release   func()
	fullRange bool
}

func (r imageReader) read() (lent, error) {
	img, release, err := r.Read()
	return lentImage{img, release, r.fullRange}, err
}

func (imageReader) close() {}

func (l lentImage) frame(p *media.Pool) (*media.Frame, error) {
	return media.FromImage(p, l.Image, l.fullRange)
}
func (l lentImage) giveBack() { l.release() }

// jpegDevice is a camera that gives its JPEG pictures as they are.
type jpegDevice interface {
	// readJPEG waits for the next picture, which is the device's until release.
	readJPEG() (data []byte, release func(), err error)
}

// jpegReader decodes with libjpeg-turbo what mediadevices would decode in Go, for ten times the CPU.
type jpegReader struct {
	device  jpegDevice
	decoder *mjpeg.Decoder
}

type lentJPEG struct {
	data    []byte
	release func()
	decoder *mjpeg.Decoder
}

func (r jpegReader) read() (lent, error) {
	data, release, err := r.device.readJPEG()
	return lentJPEG{data, release, r.decoder}, err
}

func (r jpegReader) close() { r.decoder.Close() }

func (l lentJPEG) frame(p *media.Pool) (*media.Frame, error) { return l.decoder.Decode(l.data, p) }
func (l lentJPEG) giveBack()                                 { l.release() }
