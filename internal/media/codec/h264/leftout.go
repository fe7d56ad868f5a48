//go:build noh264

package h264

import "visavis.example/internal/media"

// Available says whether the codec was built in.
const Available = false

// Encoder cannot be had.
type Encoder struct{}

// NewEncoder gives ErrLeftOut.
func NewEncoder(EncoderConfig) (*Encoder, error) { return nil, ErrLeftOut }

// Encode is never called.
func (*Encoder) Encode(*media.Frame, int64, bool) ([]byte, bool, error) {
	return nil, false, ErrLeftOut
}

// SetBitrate does nothing.
func (*Encoder) SetBitrate(int) {}

// Close does nothing.
func (*Encoder) Close() {}

// Decoder cannot be had.
type Decoder struct{}

// NewDecoder gives ErrLeftOut.
func NewDecoder() (*Decoder, error) { return nil, ErrLeftOut }

// Decode is never called.
func (*Decoder) Decode([]byte, *media.Pool) (*media.Frame, error) { return nil, ErrLeftOut }

// Close does nothing.
func (*Decoder) Close() {}
