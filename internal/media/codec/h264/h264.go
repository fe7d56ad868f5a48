// Package h264 encodes and decodes H.264, constrained baseline, with OpenH264, for peers that have neither VP9 nor VP8.
// Package peer owns an Encoder and a Decoder each in one goroutine. It never packetizes, paces or decides on a bit rate.
// With the build tag noh264 it is left out, and Available is false.
package h264

import (
	"errors"
	"fmt"

	"visavis.example/internal/media"
)

// Errors to tell apart with errors.Is.
var (
	ErrLeftOut = errors.New("this program was built without H.264")
	ErrClosed  = errors.New("codec is closed")
	ErrCorrupt = errors.New("H.264 picture cannot be decoded") // ask the sender for a key frame
	ErrSize    = errors.New("picture size is not supported")
)

// EncoderConfig describes a stream. All fields are required.
type EncoderConfig struct {
	Width, Height int
	FPS           float64 // what is expected
	BitrateBps    int
}

// MaxSide and MaxArea are those of level 5.1.
const (
	MaxSide = 4096
	MaxArea = 4096 * 2304
)

func checkSize(width, height int) error {
	if media.CheckSize(width, height) != nil || width < 16 || height < 16 || width > MaxSide || height > MaxSide || width*height > MaxArea {
		return fmt.Errorf("%w: %dx%d", ErrSize, width, height)
	}
	return nil
}
