package peer

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
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
	// send takes one packet, copying it; a payloadType of 0 is the track's. False: not sent.
	send  func(rtpTime uint32, marker bool, payloadType uint8, payload []byte) bool
	trace *trace.Log
	log   *slog.Logger
	muted atomic.Bool
	open  atomic.Bool
	loss  atomic.Int32     // percent, as the other reports it
	line  func() soundLine // what the line is like now
	spend func(bps int)    // is told what sound takes of the line
	codec soundCodec

	blocks *blockRing
	wake   chan struct{}
	reset  atomic.Bool // another microphone: its clock begins anew

	// Of the sending goroutine.
	enc      *opus.Encoder
	planner  soundPlanner
	plan     soundPlan
	wishes   soundWishes
	red      redWriter
	planned  int // blocks since the last look at the line
	pcm      [3 * opus.FrameSamples]int16
	have     int // samples in pcm
	rtpTime  uint32
	began    time.Time // capture time of sample 0 of this microphone
	samples  int64     // captured since then
	talking  bool      // a packet went out since the last pause
	dtx      int       // packets in a row that hold nothing
	out      [opusMax]byte
	bitrate  atomic.Int64
	overruns atomic.Int64
}

const (
	opusMax       = 1275
	emptyOpus     = 2                     // bytes or fewer: nothing is to be heard (opus_encoder.c, OPUS_SET_DTX)
	planEvery     = 20                    // blocks
	clockTolerant = 60 * time.Millisecond // difference between counted and captured time that counts as a gap
)

func newAudioSender(t *track, p process.Processor, log *slog.Logger) *audioSender {
	return &audioSender{
		track: t, process: p, log: log, blocks: &blockRing{}, wake: make(chan struct{}, 1), rtpTime: rand.Uint32(),
		line:  func() soundLine { return soundLine{targetBps: startTargetBps} },
		spend: func(int) {},
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
	enc, err := opus.NewEncoder(opus.EncoderConfig{BitrateBps: soundBps, FEC: true})
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
	a.process.Near(b, at) // also while muted: it goes on learning the room
	if a.planned--; a.planned <= 0 && a.have == 0 {
		a.planned = planEvery
		a.look(at)
	}
	part := a.pcm[a.have:][:media.BlockSamples]
	if copy(part, b); a.muted.Load() {
		clear(part)
	}
	a.samples += media.BlockSamples
	if a.have += media.BlockSamples; a.have >= a.plan.frame {
		a.packet(a.pcm[:a.have])
		a.have = 0
	}
}

// look takes the line and the other's wishes into account.
func (a *audioSender) look(now time.Time) {
	a.wishes = a.codec.wishes()
	l := a.line()
	l.red, l.mostBps = a.codec.red.Load() != 0, a.wishes.mostBps
	p, changed := a.planner.next(l, now)
	loss := int(100 * l.loss)
	if len(p.far) > 0 {
		loss = 0 // the copies are better than what Opus squeezes in
	}
	if a.enc != nil {
		a.enc.SetBitrate(p.bitrateBps)
		a.enc.SetLossPercent(loss)
		a.enc.SetFEC(!a.wishes.noFEC)
		a.enc.SetDTX(a.wishes.dtx)
	}
	a.plan = p
	if changed {
		a.bitrate.Store(int64(p.bitrateBps))
		a.spend(p.totalBps())
		a.trace.Decide("sound", "line", map[string]float64{
			"target": float64(l.targetBps), "loss": l.loss, "again": l.again,
			"bitrate": float64(p.bitrateBps), "milliseconds": float64(p.frame) * 1000 / media.SampleRate, "copies": float64(len(p.far)),
		}, now)
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
		a.began, a.samples, a.have = at, 0, 0
		a.pause()
		return
	}
	gap := at.Sub(a.began) - durationOf(a.samples)
	if absDuration(gap) <= clockTolerant {
		return
	}
	if gap > 0 {
		a.rtpTime += uint32(samplesIn(gap))
		a.have = 0
		a.pause()
	}
	a.began = at.Add(-durationOf(a.samples))
}

func samplesIn(d time.Duration) int64 {
	return int64(d) * (media.SampleRate / 1000) / int64(time.Millisecond)
}

func durationOf(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / media.SampleRate
}

// pause says that the next packet does not continue the last one.
func (a *audioSender) pause() {
	a.talking = false
	a.red.gap()
}

func (a *audioSender) packet(pcm []int16) {
	rtpTime := a.rtpTime
	a.track.clock.set(rtpTime, a.began.Add(durationOf(a.samples-int64(len(pcm)))-a.process.Delay()))
	a.rtpTime += uint32(len(pcm))
	if !a.open.Load() {
		a.pause()
		return
	}
	n, err := a.enc.Encode(pcm, a.out[:])
	if err != nil {
		a.log.Warn("encode sound", "err", err)
		return
	}
	if a.silent(n) {
		a.pause()
		return
	}
	marker := !a.talking // the first after a pause (RFC 3551 section 4.1)
	payloadType, payload := uint8(0), a.out[:n]
	if red := a.codec.red.Load(); red != 0 {
		if packed := a.red.pack(rtpTime, payload, uint8(a.codec.opus.Load()), a.plan.far); packed != nil {
			payloadType, payload = uint8(red), packed
		}
	}
	a.talking = a.send(rtpTime, marker, payloadType, payload)
}

// silent is whether an encoded packet need not be sent. The first one of a pause says that it is one, and goes out once
// more for each copy that the line needs; RTP time goes on.
func (a *audioSender) silent(size int) bool {
	if size > emptyOpus {
		a.dtx = 0
		return false
	}
	a.dtx++
	return a.dtx > 1+len(a.plan.far)
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

// soundCodec is what was negotiated for sound: pion tells it on a goroutine of its own.
type soundCodec struct {
	opus, red atomic.Uint32 // payload types, 0 for none
	fmtp      atomic.Value  // string, Opus's
}

func (c *soundCodec) wishes() soundWishes {
	s, _ := c.fmtp.Load().(string)
	return readWishes(s)
}

// accept takes Opus, and RFC 2198 around it where it is offered.
func (c *soundCodec) accept(offered []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	p, ok := acceptOpus(offered)
	c.red.Store(0)
	if !ok {
		return p, false
	}
	c.opus.Store(uint32(p.PayloadType))
	c.fmtp.Store(p.SDPFmtpLine)
	for _, r := range offered {
		inside, _, _ := strings.Cut(r.SDPFmtpLine, "/")
		if strings.EqualFold(r.MimeType, mimeRED) && inside == strconv.Itoa(int(p.PayloadType)) {
			c.red.Store(uint32(r.PayloadType))
		}
	}
	return p, true
}

func acceptOpus(offered []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	for _, p := range offered {
		if strings.EqualFold(p.MimeType, webrtc.MimeTypeOpus) {
			return p, true
		}
	}
	return webrtc.RTPCodecParameters{}, false
}
