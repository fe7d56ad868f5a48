package vpx

/*
#cgo pkg-config: vpx
#cgo CFLAGS: -O2
#cgo noescape enc_frame
#cgo nocallback enc_frame
#include "shim.h"
#include <vpx/vp8cx.h>
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"

	"visavis.example/internal/media"
)

// EncoderConfig describes a stream. Codec, Width, Height, FPS and BitrateBps are required.
type EncoderConfig struct {
	Codec         Codec
	Width, Height int
	FPS           float64 // what is expected, for the first frames and for missing times
	BitrateBps    int
	Speed         int  // see Codec.Speeds; the sign does not matter, 0 is the codec's default
	Resilient     bool // see Refer
	Threads       int  // 0: 1, or 2 for VP9 from 720p on when the machine has four cores or more
}

// Encoder turns frames into packets. Encode and Close belong to one goroutine, the setters to any.
type Encoder struct {
	cfg         EncoderConfig
	c           *C.enc
	first, last C.enc_settings // of this context: its size cannot grow beyond the first
	bitrate     atomic.Int64
	speed       atomic.Int64
	keyWanted   bool
	resilient   bool
	refer       *References // of the next frame
	latest      int64       // pts
	end         int64       // the latest frame's place on libvpx's clock; negative: none yet
	step        float64     // the mean of the last distances
	scratch     *media.Frame
	packet      []byte
}

const (
	minBitrateBps = 30_000
	maxBitrateBps = 50_000_000
)

// NewEncoder opens libvpx; the caller must Close. It fails on a size, rate or codec out of range.
func NewEncoder(cfg EncoderConfig) (*Encoder, error) {
	if cfg.Codec != VP8 && cfg.Codec != VP9 {
		return nil, fmt.Errorf("open video encoder: unknown %v", cfg.Codec)
	}
	if cfg.FPS < 1 || cfg.FPS > 240 || math.IsNaN(cfg.FPS) {
		return nil, fmt.Errorf("open %v encoder: %g frames per second is out of range", cfg.Codec, cfg.FPS)
	}
	if cfg.BitrateBps <= 0 {
		return nil, fmt.Errorf("open %v encoder: bit rate %d is out of range", cfg.Codec, cfg.BitrateBps)
	}
	cfg.Width, cfg.Height = cfg.Width&^1, cfg.Height&^1
	e := &Encoder{cfg: cfg, resilient: cfg.Resilient}
	e.SetBitrate(cfg.BitrateBps)
	e.SetSpeed(cfg.Speed)
	if err := e.open(cfg.Width, cfg.Height, false); err != nil {
		return nil, err
	}
	return e, nil
}

// SetBitrate takes effect with the next frame. Rates are kept within 30 kbit/s and 50 Mbit/s.
func (e *Encoder) SetBitrate(bps int) {
	e.bitrate.Store(int64(min(max(bps, minBitrateBps), maxBitrateBps)))
}

// SetSpeed takes effect with the next frame; see EncoderConfig.Speed. Speeds are kept within 4 and 12 (VP8), 5 and 9 (VP9).
func (e *Encoder) SetSpeed(speed int) {
	if speed < 0 {
		speed = -speed
	}
	switch {
	case speed == 0:
		speed = e.cfg.Codec.defaultSpeed()
	case e.cfg.Codec == VP8:
		speed = min(max(speed, 4), 12)
	default:
		speed = min(max(speed, 5), 9)
	}
	e.speed.Store(int64(speed))
}

// Reference names what a frame may refer to: the frame before, and two that are kept until they are replaced.
type Reference uint8

// The references of VP8 and VP9.
const (
	Last Reference = 1 << iota
	Golden
	AltRef
)

// References says for one frame what it must not refer to, and in which of Golden and AltRef it is to be kept. Every
// frame is kept as Last, and a key frame in all three.
type References struct{ Avoid, Keep Reference }

// Refer takes the choice of references out of libvpx's hands for the next frame, unless it becomes a key frame. A frame
// that avoids Last can be decoded by who lost some of those before it, if the stream is resilient: only then nothing
// else but pictures is handed on from frame to frame. For VP9 that costs about 3 % of the bits.
func (e *Encoder) Refer(r References) { e.refer = &r }

// SetResilient takes effect with the next key frame; see Refer.
func (e *Encoder) SetResilient(on bool) { e.resilient = on }

// recoveryCoarser quantizer steps (of 63) about third the bits of a frame whose reference is far: the rate control does
// not see it coming, and would fill a third of a second of the line.
const recoveryCoarser = 12

// flags are those of the next frame.
func (e *Encoder) flags() (flags, coarser C.int) {
	r := e.refer
	e.refer = nil
	if e.keyWanted {
		return C.VPX_EFLAG_FORCE_KF, 0
	}
	if r == nil {
		return 0, 0
	}
	for _, f := range []struct {
		on   bool
		flag C.int
	}{
		{r.Avoid&Last != 0, C.VP8_EFLAG_NO_REF_LAST},
		{r.Avoid&Golden != 0, C.VP8_EFLAG_NO_REF_GF},
		{r.Avoid&AltRef != 0, C.VP8_EFLAG_NO_REF_ARF},
		{r.Keep&Golden == 0, C.VP8_EFLAG_NO_UPD_GF},
		{r.Keep&AltRef == 0, C.VP8_EFLAG_NO_UPD_ARF},
		{r.Keep&Golden != 0, C.VP8_EFLAG_FORCE_GF},
		{r.Keep&AltRef != 0, C.VP8_EFLAG_FORCE_ARF},
		{e.resilient && e.cfg.Codec == VP8, C.VP8_EFLAG_NO_UPD_ENTROPY},
	} {
		if f.on {
			flags |= f.flag
		}
	}
	if r.Avoid&Last != 0 {
		coarser = recoveryCoarser
	}
	return flags, coarser
}

// Encode codes f, captured at pts (a 90 kHz clock of any origin that does not wrap). The packet is valid until the next
// Encode; it is nil when the rate control dropped the frame. A wish for a key frame outlives a dropped frame. A frame of
// another size changes the stream's size; one that shows text is coded for sharpness. A full-range frame is squeezed into
// limited range first.
func (e *Encoder) Encode(f *media.Frame, pts int64, forceKey bool) (packet []byte, key bool, err error) {
	if e.c == nil {
		return nil, false, fmt.Errorf("encode %v: %w", e.cfg.Codec, ErrClosed)
	}
	if err := e.adjust(f.Width, f.Height, f.Text); err != nil {
		return nil, false, err
	}
	e.keyWanted = e.keyWanted || forceKey
	f = e.limited(f)
	at, duration := e.time(pts)
	flags, coarser := e.flags()
	var out C.enc_packet
	if code := C.enc_frame(e.c, bytePtr(f.Y), bytePtr(f.U), bytePtr(f.V), C.int(f.StrideY), C.int(f.StrideUV),
		C.int64_t(at), C.int64_t(duration), flags, coarser, &out); code != 0 {
		return nil, false, fmt.Errorf("encode %v: %s", e.cfg.Codec, C.GoString(C.enc_error(e.c)))
	}
	if out.data == nil {
		return nil, false, nil
	}
	if out.key != 0 {
		e.keyWanted = false
	}
	e.packet = append(e.packet[:0], unsafe.Slice((*byte)(out.data), int(out.size))...)
	return e.packet, out.key != 0, nil
}

// Close frees the encoder. More than once does nothing.
func (e *Encoder) Close() {
	if e.c != nil {
		C.enc_close(e.c)
		e.c = nil
	}
}

// limited is f, or a copy of it in limited range.
func (e *Encoder) limited(f *media.Frame) *media.Frame {
	if !f.FullRange {
		return f
	}
	if e.scratch == nil || e.scratch.Width != f.Width || e.scratch.Height != f.Height {
		e.scratch = media.NewFrame(f.Width, f.Height)
	}
	e.scratch.CopyLimited(f)
	return e.scratch
}

// time gives the frame's place and its length on a clock that libvpx is told: one whose steps are the mean of the last
// distances. libvpx divides its rate by each single distance, and where those are uneven, as when two of three pictures
// of a camera are coded, it sends a third more than asked for (with lengths that follow the distances, twice as much).
func (e *Encoder) time(pts int64) (at, duration int64) {
	nominal := 90000 / e.cfg.FPS
	if e.end < 0 {
		e.latest, e.end, e.step = pts, 0, nominal
		return 0, int64(nominal)
	}
	distance := float64(pts - e.latest)
	if distance <= 0 {
		distance = nominal // another source's clock
	}
	e.latest = pts
	e.step += (min(distance, 10*nominal) - e.step) / 8
	e.end += int64(e.step)
	return e.end, int64(nominal)
}

func (e *Encoder) settings(width, height int, text bool) C.enc_settings {
	s := C.enc_settings{
		vp8: C.int(boolInt(e.cfg.Codec == VP8)), width: C.int(width), height: C.int(height),
		kbps: C.int(e.bitrate.Load() / 1000), speed: C.int(e.speed.Load()), threads: C.int(e.threads(width, height)),
		text: C.int(boolInt(text)), resilient: C.int(boolInt(e.resilient)),
	}
	if e.cfg.Codec == VP8 {
		s.speed = -s.speed // positive values let VP8 choose by itself
	}
	return s
}

func (e *Encoder) threads(width, height int) int {
	switch {
	case e.cfg.Threads > 0:
		return min(e.cfg.Threads, 2)
	case e.cfg.Codec == VP9 && width*height >= 1280*720 && runtime.NumCPU() >= 4:
		return 2
	}
	return 1 // VP8's threads wait in a spin: 4 to 6 times the CPU on a busy machine
}

// open replaces the context, if there is one, by one of that size.
func (e *Encoder) open(width, height int, text bool) error {
	if err := checkSize(width, height); err != nil {
		return fmt.Errorf("open %v encoder: %w", e.cfg.Codec, err)
	}
	s := e.settings(width, height, text)
	var c *C.enc
	if code := C.enc_open(&c, &s); code != 0 {
		return fmt.Errorf("open %v encoder: libvpx error %d", e.cfg.Codec, int(code))
	}
	e.Close()
	e.c, e.first, e.last, e.end = c, s, s, -1
	return nil
}

// adjust applies pending rate, speed, size and kind of content. libvpx shrinks a context but cannot grow it beyond its first size.
func (e *Encoder) adjust(width, height int, text bool) error {
	s := e.settings(width, height, text)
	if s == e.last {
		return nil
	}
	if s.width > e.first.width || s.height > e.first.height || s.threads != e.last.threads {
		return e.open(width, height, text)
	}
	if err := checkSize(width, height); err != nil {
		return fmt.Errorf("resize %v encoder: %w", e.cfg.Codec, err)
	}
	if code := C.enc_change(e.c, &s); code != 0 {
		return fmt.Errorf("adjust %v encoder: %s", e.cfg.Codec, C.GoString(C.enc_error(e.c)))
	}
	e.last = s
	return nil
}

func bytePtr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
