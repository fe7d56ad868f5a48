// Package vpx encodes and decodes VP8 and VP9 with libvpx, tuned for one-to-one calls: constant bit rate, no look-ahead,
// key frames only on request, one spatial layer. Package peer owns an Encoder and a Decoder each in one goroutine. It never
// packetizes, paces or decides on a bit rate.
package vpx

import (
	"errors"
	"fmt"

	"visavis.example/internal/media"
)

// Codec names a bit stream.
type Codec int

// The two codecs of libvpx; VP9 means profile 0 (8 bits, 4:2:0).
const (
	VP8 Codec = iota + 1
	VP9
)

func (c Codec) String() string {
	switch c {
	case VP8:
		return "vp8"
	case VP9:
		return "vp9"
	}
	return fmt.Sprintf("codec(%d)", int(c))
}

// Speeds are the encoder speeds worth using, best picture first; the first is the default of VP8, the second of VP9. They are
// libvpx's cpu-used, without its sign for VP8. VP8 beyond 12 loses 3 dB at once; VP9 below 7 costs 11 ms and more a 720p frame.
func (c Codec) Speeds() []int {
	if c == VP8 {
		return []int{6, 10, 12}
	}
	return []int{7, 8, 9}
}

func (c Codec) defaultSpeed() int {
	if c == VP8 {
		return 6
	}
	return 8
}

// Errors to tell apart with errors.Is.
var (
	ErrClosed  = errors.New("codec is closed")
	ErrCorrupt = errors.New("video packet cannot be decoded") // ask the sender for a key frame
	ErrSize    = errors.New("picture size is not supported")
)

// MaxSide and MaxArea bound what is encoded and decoded, so that no peer can make us allocate gigabytes.
const (
	MaxSide = 4096
	MaxArea = 4096 * 2304
)

func checkSize(width, height int) error {
	if media.CheckSize(width, height) != nil || width > MaxSide || height > MaxSide || width*height > MaxArea {
		return fmt.Errorf("%w: %dx%d", ErrSize, width, height)
	}
	return nil
}
