package opus

/*
#include <opus.h>

// libopus's controls are variadic, which cgo cannot call.
static int set_bitrate(OpusEncoder *e, opus_int32 v) { return opus_encoder_ctl(e, OPUS_SET_BITRATE(v)); }
static int set_complexity(OpusEncoder *e, opus_int32 v) { return opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(v)); }
static int set_fec(OpusEncoder *e, opus_int32 v) { return opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(v)); }
static int set_dtx(OpusEncoder *e, opus_int32 v) { return opus_encoder_ctl(e, OPUS_SET_DTX(v)); }
static int set_loss(OpusEncoder *e, opus_int32 v) { return opus_encoder_ctl(e, OPUS_SET_PACKET_LOSS_PERC(v)); }
static int set_voice(OpusEncoder *e) { return opus_encoder_ctl(e, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE)); }

#cgo noescape opus_encode
#cgo nocallback opus_encode
*/
import "C"

import (
	"fmt"
	"sync/atomic"

	"visavis.example/internal/media"
)

// EncoderConfig describes a stream; the zero value is 32 kbit/s at complexity 9 without FEC and DTX.
type EncoderConfig struct {
	BitrateBps int  // 0: 32000
	Complexity int  // 1 to 10; 0: 9
	FEC        bool // each packet carries a coarse copy of the one before, for DecodeFEC
	DTX        bool // silence is sent as next to nothing
}

// Encoder codes blocks of 20, 40 or 60 ms. Encode and Close belong to one goroutine, the setters to any.
type Encoder struct {
	c                     *C.OpusEncoder
	fec, dtx              atomic.Bool
	bitrate               atomic.Int32
	loss                  atomic.Int32
	lastBitrate, lastLoss int32 // what libopus was told
	lastFEC, lastDTX      bool
}

const (
	minBitrateBps = 6_000
	maxBitrateBps = 128_000
	minLoss       = 5 // percent; with 0 libopus leaves the copy out
)

// NewEncoder opens libopus; the caller must Close.
func NewEncoder(cfg EncoderConfig) (*Encoder, error) {
	if cfg.BitrateBps == 0 {
		cfg.BitrateBps = 32_000
	}
	if cfg.Complexity == 0 {
		cfg.Complexity = 9
	}
	var code C.int
	e := &Encoder{lastFEC: cfg.FEC, lastDTX: cfg.DTX}
	e.fec.Store(cfg.FEC)
	e.dtx.Store(cfg.DTX)
	e.c = C.opus_encoder_create(media.SampleRate, 1, C.OPUS_APPLICATION_VOIP, &code)
	if code != C.OPUS_OK {
		return nil, fmt.Errorf("open opus encoder: %s", text(code))
	}
	for _, code := range []C.int{
		C.set_complexity(e.c, C.opus_int32(cfg.Complexity)), C.set_fec(e.c, flag(cfg.FEC)),
		C.set_dtx(e.c, flag(cfg.DTX)), C.set_voice(e.c),
	} {
		if code != C.OPUS_OK {
			e.Close()
			return nil, fmt.Errorf("open opus encoder: %s", text(code))
		}
	}
	e.SetBitrate(cfg.BitrateBps)
	e.SetLossPercent(0)
	return e, nil
}

// SetBitrate takes effect with the next packet. Rates are kept within 6 and 128 kbit/s.
func (e *Encoder) SetBitrate(bps int) {
	e.bitrate.Store(int32(min(max(bps, minBitrateBps), maxBitrateBps)))
}

// SetLossPercent says how many packets the far end loses (0 to 100), which decides how much goes into error correction; it
// takes effect with the next packet. With FEC at least 5 are assumed.
func (e *Encoder) SetLossPercent(percent int) {
	e.loss.Store(int32(min(max(percent, 0), 100)))
}

// SetFEC switches the copies inside; it takes effect with the next packet.
func (e *Encoder) SetFEC(on bool) { e.fec.Store(on) }

// SetDTX switches whether silence is sent as next to nothing; it takes effect with the next packet.
func (e *Encoder) SetDTX(on bool) { e.dtx.Store(on) }

// Encode codes one, two or three times FrameSamples samples into out (1275 bytes always suffice, 400 do at 32 kbit/s) and gives the packet's length.
func (e *Encoder) Encode(pcm []int16, out []byte) (int, error) {
	if e.c == nil {
		return 0, fmt.Errorf("encode opus: %w", ErrClosed)
	}
	if n := len(pcm) / FrameSamples; n < 1 || n > 3 || len(pcm)%FrameSamples != 0 || len(out) == 0 {
		return 0, fmt.Errorf("encode opus: %d samples into %d bytes", len(pcm), len(out))
	}
	if v := e.bitrate.Load(); v != e.lastBitrate {
		e.lastBitrate = v
		C.set_bitrate(e.c, C.opus_int32(v))
	}
	if v := e.fec.Load(); v != e.lastFEC {
		e.lastFEC = v
		C.set_fec(e.c, flag(v))
	}
	if v := e.dtx.Load(); v != e.lastDTX {
		e.lastDTX = v
		C.set_dtx(e.c, flag(v))
	}
	v := e.loss.Load()
	if e.lastFEC {
		v = max(v, minLoss)
	}
	if v != e.lastLoss {
		e.lastLoss = v
		C.set_loss(e.c, C.opus_int32(v))
	}
	n := C.opus_encode(e.c, samplePtr(pcm), C.int(len(pcm)), bytePtr(out), C.opus_int32(len(out)))
	if n < 0 {
		return 0, fmt.Errorf("encode opus: %s", text(n))
	}
	return int(n), nil
}

// Close frees the encoder. More than once does nothing.
func (e *Encoder) Close() {
	if e.c != nil {
		C.opus_encoder_destroy(e.c)
		e.c = nil
	}
}

func flag(on bool) C.opus_int32 {
	if on {
		return 1
	}
	return 0
}
