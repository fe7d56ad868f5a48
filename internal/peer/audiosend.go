package peer

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/opus"
	"visavis.example/internal/media/process"
	"visavis.example/internal/media/trace"
)

// audioSender brings sound from the microphone onto the track: the device's callback copies blocks of 10 ms into a small
// ring, one goroutine takes echo and noise out of them and makes 20 ms Opus packets for the pacer, where they go ahead of
// pictures. While muted it sends silence, so that the other side's clock and jitter buffer go on.
type audioSender struct {
	track   *track
	process process.Processor
	trace   *trace.Log
	// send takes one packet, copying it; a payloadType of 0 is the track's. False: not sent.
	send  func(rtpTime uint32, marker bool, payloadType uint8, payload []byte) bool
	log   *slog.Logger
	muted atomic.Bool
	open  atomic.Bool
	loss  atomic.Int32 // percent, as the other reports it

	blocks *blockRing
	wake   chan struct{}
	reset  atomic.Bool // another microphone: its clock begins anew

	// Of the sending goroutine.
	enc      *opus.Encoder
	pcm      [opus.FrameSamples]int16
	half     bool // pcm holds one block
	rtpTime  uint32
	began    time.Time // capture time of sample 0 of this microphone
	samples  int64     // captured since then
	captured int64     // of all microphones
	talking  bool      // a packet went out since the last pause
	out      [opusMax]byte
	overruns atomic.Int64
}

const (
	opusMax       = 1275
	audioBps      = 32_000
	clockTolerant = 60 * time.Millisecond // difference between counted and captured time that counts as a gap
)

func newAudioSender(t *track, p process.Processor, log *slog.Logger) *audioSender {
	return &audioSender{
		track: t, process: p, log: log, blocks: &blockRing{}, wake: make(chan struct{}, 1), rtpTime: rand.Uint32(),
	}
}

// startMicrophone is the keeper's.
func (a *audioSender) startMicrophone(src media.AudioSource) error {
	a.reset.Store(true)
	if err := src.Start(a.deliver); err != nil {
		return fmt.Errorf("open microphone: %w", err)
	}
	return nil
}

// deliver runs on the device's thread.
func (a *audioSender) deliver(block []int16, at time.Time) {
	if !a.blocks.put(block, at) {
		a.overruns.Add(1)
	}
	signal(a.wake)
}

// run sends until stop is closed.
func (a *audioSender) run(stop <-chan struct{}) {
	enc, err := opus.NewEncoder(opus.EncoderConfig{BitrateBps: audioBps, FEC: true})
	if err != nil {
		a.log.Error("open audio encoder", "err", err)
		return
	}
	defer enc.Close()
	a.enc = enc
	for {
		select {
		case <-stop:
			return
		case <-a.wake:
		}
		for a.blocks.take(a.block) {
		}
	}
}

func (a *audioSender) block(b []int16, at time.Time) {
	a.clock(at)
	if a.captured%(media.SampleRate/2) == 0 {
		a.trace.Sound(trace.Mic, a.captured, at)
	}
	a.captured += media.BlockSamples
	a.process.Near(b, at) // also while muted: it goes on learning the room
	part := a.pcm[:media.BlockSamples]
	if a.half {
		part = a.pcm[media.BlockSamples:]
	}
	if copy(part, b); a.muted.Load() {
		clear(part)
	}
	a.samples += media.BlockSamples
	if a.half = !a.half; !a.half {
		a.packet()
	}
}

// clock keeps RTP time equal to capture time: counted in samples, because callbacks jitter, and moved on where the
// device left a gap.
func (a *audioSender) clock(at time.Time) {
	if a.reset.Swap(false) || a.began.IsZero() {
		a.process.Reset()
		if !a.began.IsZero() { // time went by between the two microphones
			a.rtpTime += uint32(samplesIn(max(at.Sub(a.began)-durationOf(a.samples), 0)))
		}
		a.began, a.samples, a.half, a.talking = at, 0, false, false
		return
	}
	gap := at.Sub(a.began) - durationOf(a.samples)
	if absDuration(gap) <= clockTolerant {
		return
	}
	if gap > 0 {
		a.rtpTime += uint32(samplesIn(gap))
		a.half, a.talking = false, false
	}
	a.began = at.Add(-durationOf(a.samples))
}

func samplesIn(d time.Duration) int64 {
	return int64(d) * (media.SampleRate / 1000) / int64(time.Millisecond)
}

func durationOf(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / media.SampleRate
}

func (a *audioSender) packet() {
	rtpTime := a.rtpTime
	a.track.clock.set(rtpTime, a.began.Add(durationOf(a.samples-opus.FrameSamples)))
	a.rtpTime += opus.FrameSamples
	if !a.open.Load() {
		a.talking = false
		return
	}
	a.enc.SetLossPercent(int(a.loss.Load()))
	n, err := a.enc.Encode(a.pcm[:], a.out[:])
	if err != nil {
		a.log.Warn("encode sound", "err", err)
		return
	}
	marker := !a.talking // the first after a pause (RFC 3551 section 4.1)
	a.talking = a.send(rtpTime, marker, 0, a.out[:n])
}

// blockRing is a queue of blocks between one writer that must not wait and one reader. When it is full the new block is
// thrown away: the reader is stuck then, and old sound is no worse than new.
type blockRing struct {
	blocks     [16]timedBlock
	head, tail atomic.Uint32 // read at head, write at tail
}

type timedBlock struct {
	at  time.Time
	pcm [media.BlockSamples]int16
}

func (r *blockRing) put(b []int16, at time.Time) bool {
	tail := r.tail.Load()
	if tail-r.head.Load() == uint32(len(r.blocks)) {
		return false
	}
	t := &r.blocks[tail%uint32(len(r.blocks))]
	t.at = at
	copy(t.pcm[:], b)
	r.tail.Store(tail + 1)
	return true
}

func (r *blockRing) take(use func([]int16, time.Time)) bool {
	head := r.head.Load()
	if head == r.tail.Load() {
		return false
	}
	t := &r.blocks[head%uint32(len(r.blocks))]
	use(t.pcm[:], t.at)
	r.head.Store(head + 1)
	return true
}

func acceptOpus(offered []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	for _, p := range offered {
		if strings.EqualFold(p.MimeType, webrtc.MimeTypeOpus) {
			return p, true
		}
	}
	return webrtc.RTPCodecParameters{}, false
}
