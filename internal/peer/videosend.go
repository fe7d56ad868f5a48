package peer

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/vpx"
)

// videoSender brings pictures from the camera onto the track: a one-slot mailbox where the newest picture wins, an
// encoder goroutine that owns the libvpx context, and the pacer. A picture that comes while the encoder or the line is
// busy is replaced by the next one, never queued.
type videoSender struct {
	width, height int // as configured; the camera may give less
	fps           float64
	self          media.VideoSink
	track         *track
	pacer         *pacer
	log           *slog.Logger

	frames   *slot[*media.Frame]
	open     atomic.Bool  // the connection takes media
	budget   atomic.Int64 // bits a second for pictures
	keyAsked atomic.Bool
	closeEnc atomic.Bool // the camera is off: give the encoder's memory back

	// Of the encoder goroutine.
	enc      *vpx.Encoder
	encCodec codec
	failed   codec // an encoder that could not be opened is not tried again
	ladder   *ladder
	pool     media.Pool
	cut      *payloader
	start    time.Time // of the RTP clock
	rtpStart uint32
	lastTake time.Time // capture time of the last picture taken
	lastPTS  int64
	warned   bool // an error was logged: the rest of its kind is not
	lastKey  time.Time

	count videoSendCount
}

// videoSendCount is read by the statistics.
type videoSendCount struct {
	frames, keys  atomic.Int64
	width, height atomic.Int64
	encodeTime    atomic.Int64 // nanoseconds, smoothed
	speed         atomic.Int64
	codec         atomic.Value // codec
}

const keyFramePause = 300 * time.Millisecond // between two key frames on request

func newVideoSender(s *Session, t *track) *videoSender {
	v := &videoSender{
		width: s.Width, height: s.Height, fps: s.FPS, self: s.SelfView, track: t, log: s.log,
		frames: newSlot[*media.Frame](), cut: newPayloader(), start: time.Now(), rtpStart: rand.Uint32(),
	}
	v.pacer = newPacer(func(p pacedPacket) error { return t.send(p.rtpTime, p.marker, p.payload) })
	return v
}

// startCamera is the keeper's: it begins delivery into the mailbox.
func (v *videoSender) startCamera(src media.VideoSource) error {
	v.keyAsked.Store(true) // another picture altogether
	v.closeEnc.Store(false)
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
	v.closeEnc.Store(true)
	signal(v.frames.wake)
}

// deliver runs on the source's goroutine.
func (v *videoSender) deliver(f *media.Frame) {
	if v.self != nil {
		v.self.Present(f)
	}
	if !v.open.Load() {
		return
	}
	if old, was := v.frames.put(f.Retain()); was && old != nil {
		old.Release()
	}
}

// run encodes until stop is closed.
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
		if !v.waitRoom(stop) {
			continue
		}
		f, ok := v.frames.take()
		if !ok {
			if v.closeEnc.Load() {
				v.closeEncoder()
			}
			continue
		}
		if v.due(f) {
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

// due keeps to the configured rate when the source is faster.
func (v *videoSender) due(f *media.Frame) bool {
	if f.Captured.IsZero() {
		return true
	}
	interval := time.Duration(float64(time.Second) / v.fps)
	if !v.lastTake.IsZero() && f.Captured.Sub(v.lastTake) < interval*3/4 && f.Captured.After(v.lastTake) {
		return false
	}
	v.lastTake = f.Captured
	return true
}

func (v *videoSender) encode(f *media.Frame) {
	if !v.ready(f) {
		return
	}
	now := time.Now()
	budget := int(v.budget.Load())
	v.ladder.setHeight(min(v.height, f.Height))
	v.ladder.rate(budget, v.encCodec, now)
	v.enc.SetBitrate(budget)
	v.enc.SetSpeed(v.ladder.effort())

	sized := v.sized(f)
	key := v.wantsKey(now)
	captured := f.Captured
	if captured.IsZero() {
		captured = now
	}
	pts := max(captured.Sub(v.start).Nanoseconds()*9/100_000, v.lastPTS+1) // another source's clock may be behind
	v.lastPTS = pts
	packet, isKey, err := v.enc.Encode(sized, pts, key)
	took := time.Since(now)
	if sized != f {
		defer sized.Release()
	}
	v.ladder.encoded(took, now)
	v.count.encodeTime.Store(int64(v.ladder.cost))
	v.count.speed.Store(int64(v.ladder.effort()))
	if err != nil {
		if !v.warned {
			v.warned = true
			v.log.Warn("encode picture", "err", err)
		}
		v.closeEncoder()
		return
	}
	if isKey {
		v.lastKey = now
		v.count.keys.Add(1)
	}
	if packet == nil {
		return // the rate control dropped it
	}
	v.count.frames.Add(1)
	v.count.width.Store(int64(sized.Width))
	v.count.height.Store(int64(sized.Height))
	v.pacer.put(v.rtpStart+uint32(pts), v.cut.cut(v.encCodec, packet, isKey, sized.Width, sized.Height))
}

// ready makes sure of an encoder for what was negotiated.
func (v *videoSender) ready(f *media.Frame) bool {
	p, ok := v.track.negotiated()
	if !ok {
		return false
	}
	c := codecOf(p.MimeType, p.SDPFmtpLine)
	if v.enc != nil && v.encCodec == c {
		return true
	}
	if c == v.failed {
		return false
	}
	v.closeEncoder()
	if v.ladder == nil || v.encCodec != c {
		v.ladder = newLadder(min(v.height, f.Height), v.fps, vpxCodec(c).Speeds(), startSpeed(c))
	}
	w, h := v.size(f)
	enc, err := vpx.NewEncoder(vpx.EncoderConfig{
		Codec: vpxCodec(c), Width: w, Height: h, FPS: v.fps, BitrateBps: max(int(v.budget.Load()), minTargetBps),
	})
	if err != nil {
		v.failed = c
		v.log.Error("open video encoder", "err", err)
		return false
	}
	v.enc, v.encCodec = enc, c
	v.count.codec.Store(c)
	return true
}

func vpxCodec(c codec) vpx.Codec {
	if c == codecVP9 {
		return vpx.VP9
	}
	return vpx.VP8
}

// startSpeed is the index of the measured good middle: VP8 6, VP9 8.
func startSpeed(c codec) int {
	if c == codecVP9 {
		return 1
	}
	return 0
}

// sized gives f, or a smaller copy as the ladder says; the caller releases a copy.
func (v *videoSender) sized(f *media.Frame) *media.Frame {
	w, h := v.size(f)
	if w == f.Width && h == f.Height {
		return f
	}
	small := v.pool.Get(w, h)
	media.Scale(small, f)
	return small
}

// size is what f is to be encoded in: never bigger than it is.
func (v *videoSender) size(f *media.Frame) (w, h int) {
	w, h = media.Fit(max(v.width, 2), v.ladder.height(), f.Width, f.Height)
	if w >= f.Width || h >= f.Height {
		return f.Width, f.Height
	}
	return w, h
}

// wantsKey grants a request when the last key frame is long enough ago; it stays pending until then.
func (v *videoSender) wantsKey(now time.Time) bool {
	if now.Sub(v.lastKey) < keyFramePause || !v.keyAsked.Load() {
		return false
	}
	v.keyAsked.Store(false)
	return true
}

func (v *videoSender) closeEncoder() {
	if v.enc != nil {
		v.enc.Close()
		v.enc = nil
	}
}

// setOpen says whether the connection takes media; after a gap the other needs a key frame.
func (v *videoSender) setOpen(open bool) {
	if open && !v.open.Swap(true) {
		v.keyAsked.Store(true)
	} else if !open {
		v.open.Store(false)
	}
}

// setTarget takes what the estimator allows for everything.
func (v *videoSender) setTarget(bps int) {
	v.pacer.rate.Store(int64(bps))
	v.budget.Store(int64(max(bps-audioShareBps, minVideoBps)))
}

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
