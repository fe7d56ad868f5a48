package opus

/*
#include <opus.h>
#cgo noescape opus_decode
#cgo nocallback opus_decode
*/
import "C"

import (
	"fmt"

	"visavis.example/internal/media"
)

// Decoder decodes one stream, whatever its packets' length and channels, into 48 kHz mono. It belongs to one goroutine.
type Decoder struct {
	c *C.OpusDecoder
}

// NewDecoder opens libopus; the caller must Close.
func NewDecoder() (*Decoder, error) {
	var code C.int
	d := &Decoder{c: C.opus_decoder_create(media.SampleRate, 1, &code)}
	if code != C.OPUS_OK {
		return nil, fmt.Errorf("open opus decoder: %s", text(code))
	}
	return d, nil
}

// Decode writes the packet's sound to pcm and gives the number of samples; pcm must have room for it (FrameSamples for
// Visavis itself, MaxSamples for anybody; Samples tells). It fails with ErrCorrupt.
func (d *Decoder) Decode(packet []byte, pcm []int16) (int, error) {
	if len(packet) == 0 {
		return 0, fmt.Errorf("decode opus: %w: empty", ErrCorrupt)
	}
	return d.decode(packet, pcm, 0)
}

// DecodeFEC reconstructs a lost packet of len(pcm) samples (a multiple of 120) from the copy in the packet that followed it.
// Without a copy inside, libopus conceals instead. The following packet is then still to be decoded itself.
func (d *Decoder) DecodeFEC(next []byte, pcm []int16) (int, error) {
	if len(next) == 0 {
		return 0, fmt.Errorf("decode opus: %w: empty", ErrCorrupt)
	}
	return d.decode(next, pcm, 1)
}

// Conceal makes up len(pcm) samples (a multiple of 120) that continue the sound, fading out when called in a row.
func (d *Decoder) Conceal(pcm []int16) (int, error) {
	return d.decode(nil, pcm, 0)
}

func (d *Decoder) decode(packet []byte, pcm []int16, fec C.int) (int, error) {
	if d.c == nil {
		return 0, fmt.Errorf("decode opus: %w", ErrClosed)
	}
	if len(pcm) == 0 {
		return 0, fmt.Errorf("decode opus: no room for samples")
	}
	n := C.opus_decode(d.c, bytePtr(packet), C.opus_int32(len(packet)), samplePtr(pcm), C.int(len(pcm)), fec)
	if n < 0 {
		return 0, fmt.Errorf("decode opus: %w: %s", ErrCorrupt, text(n))
	}
	return int(n), nil
}

// Close frees the decoder. More than once does nothing.
func (d *Decoder) Close() {
	if d.c != nil {
		C.opus_decoder_destroy(d.c)
		d.c = nil
	}
}
