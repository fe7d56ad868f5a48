// Package opus encodes and decodes speech with libopus: 48 kHz mono, 20 ms packets, in-band error correction. Package peer
// owns an Encoder and a Decoder each in one goroutine. It never packetizes and knows no jitter buffer.
package opus

/*
#cgo pkg-config: opus
#include <opus.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"visavis.example/internal/media"
)

// FrameSamples is one packet's worth of sound, 20 ms; MaxSamples the most that one received packet can hold, 120 ms.
const (
	FrameSamples = media.SampleRate / 50
	MaxSamples   = media.SampleRate / 1000 * 120
)

// Behind is by how many samples what comes out of a decoder is behind what the packet was made of: what libopus's encoder
// looks ahead (OPUS_GET_LOOKAHEAD), but for the one of its applications that leaves out speech coding (120).
const Behind = media.SampleRate * 13 / 2000

// Errors to tell apart with errors.Is.
var (
	ErrClosed  = errors.New("codec is closed")
	ErrCorrupt = errors.New("audio packet cannot be decoded")
)

// Samples is how many samples at 48 kHz a packet holds; it fails with ErrCorrupt on what is no Opus packet.
func Samples(packet []byte) (int, error) {
	if len(packet) == 0 {
		return 0, fmt.Errorf("opus: %w: empty", ErrCorrupt)
	}
	n := C.opus_packet_get_nb_samples(bytePtr(packet), C.opus_int32(len(packet)), media.SampleRate)
	if n <= 0 || n > MaxSamples {
		return 0, fmt.Errorf("opus: %w: %s", ErrCorrupt, text(n))
	}
	return int(n), nil
}

func text(code C.int) string {
	if code >= 0 {
		return "no samples"
	}
	return C.GoString(C.opus_strerror(code))
}

func bytePtr(b []byte) *C.uchar         { return (*C.uchar)(unsafe.Pointer(unsafe.SliceData(b))) }
func samplePtr(s []int16) *C.opus_int16 { return (*C.opus_int16)(unsafe.Pointer(unsafe.SliceData(s))) }
