package peer

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/trace"
)

// videoSender brings pictures from the camera onto the track: a one-slot mailbox where the newest picture wins, an
// encoder goroutine that owns the codec's context, and the pacer. A picture that comes while the encoder or the line is
// busy is replaced by the next one, never queued.
type videoSender struct {
	width, height int // as configured; the camera may give less
	fps           float64
	prefer        []codec
	self          media.VideoSink
	track         *track
	pacer         *pacer
	protect       *protector
	wire          func() *wire
	log           *slog.Logger
	trace         *trace.Log

	frames    *slot[*media.Frame]
	open      atomic.Bool  // the connection takes media
	target    atomic.Int64 // bits a second for everything
	sound     atomic.Int64 // what sound takes of it; 0: not known
	extra     atomic.Int64 // bits a second that headers and repairs take of it
	keyAsked  atomic.Bool
	warmAsked atomic.Bool
	closeEnc  atomic.Bool  // the camera is off: give the encoder's memory back
	lastSize  atomic.Int64 // of the camera's newest picture: width<<32 | height; 0: none yet

	onPause func(on bool) // from the encoder goroutine; must not wait
	hushed  func(time.Time) bool

	number int64 // of the next picture; the source's goroutine has it

	// Of the encoder goroutine.
	enc        pictureEncoder
	encCodec   codec
	encSize    [2]int // that it was opened for
	failed     codec  // an encoder that could not be opened is not tried again
	ladder     *ladder
	pool       media.Pool
	cut        *payloader
	start      time.Time // of the RTP clock
	rtpStart   uint32
	thin       thinner
	pause      pause
	began      time.Time // of sending
	lastPTS    int64
	encoderPTS int64 // what the encoder is told
	warned     bool  // an error was logged: the rest of its kind is not
	gate       keyGate
	lastID     int64 // of the pictures encoded
	restart    bool  // with a key frame, whoever asks
	flexible   bool  // pictures name their references; the encoder is resilient

	kept longTerm

	count videoSendCount
}

// videoSendCount is read by the statistics.
type videoSendCount struct {
	frames, keys  atomic.Int64
	recoveries    atomic.Int64 // pictures that refer only to what the other side has
	dropped       atomic.Int64 // by the encoder's rate control
	width, height atomic.Int64
	sent          atomic.Int64 // pictures whose last packet left
	encodeTime    atomic.Int64 // nanoseconds, smoothed
	encodeTotal   atomic.Int64 // nanoseconds, all added
	limit         atomic.Int32 // limitation
	speed         atomic.Int64
	codec         atomic.Value // codec
}

func newVideoSender(s *Session, t, sound *track, prefer []codec) *videoSender {
	v := &videoSender{
		width: s.Width, height: s.Height, fps: s.FPS, prefer: prefer, self: s.SelfView, track: t, log: s.log, trace: s.Trace,
		onPause: func(on bool) { s.emitLater(VideoPaused{on}) },
		frames:  newSlot[*media.Frame](), cut: newPayloader(), start: time.Now(), rtpStart: rand.Uint32(),
	}
	v.protect, v.hushed = newProtector(s), s.bandwidth.hushed
	v.wire = func() *wire { return s.wire }
	v.pacer = newPacer(v.sendPaced, sound.send)
	v.pacer.onDiscard, v.pacer.recovers = v.recoverOrKey, v.kept.able
	v.pacer.sent = func(p *pacedPacket, now time.Time) { // the step's time is before that of the encoder's line
		v.kept.left(p.meta.number, t.sequence-1)
		if p.meta.twice {
			s.wire.repeat(t.source(), now, int(v.target.Load()))
		}
		v.count.sent.Add(1)
		s.Trace.Frame(trace.Sent, trace.Picture{
			Number: p.meta.number, RTP: p.rtpTime, Width: p.meta.width, Height: p.meta.height, Key: p.meta.key, Bytes: p.size,
		}, time.Now())
	}
	return v
}

// startCamera is the keeper's: it begins delivery into the mailbox.
func (v *videoSender) startCamera(src media.VideoSource) error {
	v.keyAsked.Store(true) // another picture altogether
	v.closeEnc.Store(false)
	v.warm() // while the camera starts
	if err := src.Start(v.deliver); err != nil {
		return fmt.Errorf("open camera: %w", err)
	}
	return nil
}

// cameraGone is the keeper's: no picture of the old source is sent any more.
func (v *videoSender) cameraGone() {
	if f, ok := v.frames.take(); ok && f != nil {
		f.Release()
	}
	v.lastSize.Store(0)
	v.closeEnc.Store(true)
	signal(v.frames.wake)
}

// deliver runs on the source's goroutine. A source that counts its pictures keeps its numbers, as far as they go up.
func (v *videoSender) deliver(f *media.Frame) {
	f.Number = max(f.Number, v.number)
	v.number = f.Number + 1
	v.trace.Frame(trace.Captured, trace.Picture{Number: f.Number, Width: f.Width, Height: f.Height}, f.Captured)
	if v.self != nil {
		v.self.Present(f)
	}
	v.lastSize.Store(int64(f.Width)<<32 | int64(f.Height))
	if old, was := v.frames.put(f.Retain()); was && old != nil {
		old.Release()
	}
}

// run encodes until stop is closed. Until the connection takes media the newest picture stays in its slot: it is the
// first to be sent.
func (v *videoSender) run(stop <-chan struct{}) {
	defer v.closeEncoder()
	for {
		select {
		case <-stop:
			if f, ok := v.frames.take(); ok && f != nil {
				f.Release()
			}
			return
		case <-v.frames.wake:
		}
		if v.closeEnc.Load() {
			v.closeEncoder()
		}
		v.prepare()
		if !v.open.Load() || !v.waitRoom(stop) {
			continue
		}
		f, ok := v.frames.take()
		if !ok {
			continue
		}
		if now := time.Now(); !v.paused(now) && v.due(f) {
			v.encode(f)
		}
		f.Release()
	}
}

// waitRoom waits until the pacer can take a picture; false when stopped.
func (v *videoSender) waitRoom(stop <-chan struct{}) bool {
	for !v.pacer.room() {
		select {
		case <-stop:
			return false
		case <-v.pacer.spare:
		}
	}
	return true
}

// paused says whether the line is too slow for pictures.
func (v *videoSender) paused(now time.Time) bool {
	target := int(v.target.Load())
	if v.pause.target(target, now) {
		why := "line too slow for pictures"
		if !v.pause.on {
			why = "line carries pictures again"
		}
		v.trace.Decide("ladder", why, map[string]float64{"bps": float64(target)}, now)
		v.onPause(v.pause.on)
	}
	return v.pause.on
}

// due keeps to the wanted rate when the source is faster.
func (v *videoSender) due(f *media.Frame) bool {
	fps := v.fps
	if v.ladder != nil {
		fps = v.ladder.framesPerS()
	}
	return f.Captured.IsZero() || v.thin.keep(f.Captured, fps)
}

// thinner leaves pictures out so that a mean rate is kept: of 30 a second every third for 20. It is pure.
type thinner struct{ next time.Time }

func (t *thinner) keep(captured time.Time, fps float64) bool {
	interval := time.Duration(float64(time.Second) / fps)
	early := t.next.Sub(captured)
	if early > interval/4 && early <= 2*interval { // cameras are never quite regular; a clock may have jumped
		return false
	}
	if early < -interval || early > 2*interval {
		t.next = captured
	}
	t.next = t.next.Add(interval)
	return true
}

// recoverOrKey is called when the other side lost, or will never get, what the next picture would refer to.
func (v *videoSender) recoverOrKey() {
	if !v.kept.ask() {
		v.keyAsked.Store(true)
	}
}

// setOpen says whether the connection takes media; after a gap the other needs a key frame.
func (v *videoSender) setOpen(open bool) {
	if open && !v.open.Load() {
		v.keyAsked.Store(true)
		v.open.Store(true)
		signal(v.frames.wake)
	} else if !open {
		v.open.Store(false)
	}
}

// setTarget takes what the estimator allows for everything.
func (v *videoSender) setTarget(bps int) {
	v.pacer.rate.Store(int64(bps))
	v.target.Store(int64(bps))
}

// budget is what is left for pictures, in bits a second.
func (v *videoSender) budget() int {
	sound := int(v.sound.Load())
	if sound == 0 {
		sound = audioShareBps
	}
	return max(v.protect.forPictures(int(v.target.Load()-v.extra.Load())-sound), minVideoBps)
}

// setSound takes what sound needs of the line.
func (v *videoSender) setSound(bps int) { v.sound.Store(int64(bps)) }

const (
	audioShareBps = 50_000 // Opus at 32 kbit/s with its headers, and reports
	minVideoBps   = 50_000
)

// acceptVideo picks the first of ours among what was negotiated.
func acceptVideo(prefer []codec) func([]webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	return func(offered []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
		for _, c := range prefer {
			for _, p := range offered {
				if codecOf(p.MimeType, p.SDPFmtpLine) == c {
					return p, true
				}
			}
		}
		return webrtc.RTPCodecParameters{}, false
	}
}
