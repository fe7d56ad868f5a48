package peer

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/opus"
	"visavis.example/internal/media/jitter"
	"visavis.example/internal/media/trace"
)

// audioReceiver brings the remote sound to the speaker. The speaker is the clock: its callback takes 10 ms from a small
// ring of samples and wakes the playout goroutine, which pulls from the jitter buffer's player, where packets are decoded,
// repaired or made up, and fills the ring up again. So the callback neither waits nor decodes.
type audioReceiver struct {
	log       *slog.Logger
	trace     *trace.Log
	firstSeen func()
	played    func(block []int16, at time.Time) // on the device's thread: what the microphone will hear

	buffer jitter.Buffer // the reader puts, the playout goroutine pulls
	red    atomic.Uint32 // payload type of RFC 2198 packets; 0: not negotiated

	ring  sampleRing
	wake  chan struct{}
	ahead int          // blocks that the ring is filled to; of the playout goroutine
	left  atomic.Int32 // blocks in the ring after the callback, at least; below zero: so many were missing
	heard atomic.Bool  // something has been put into the ring
	ssrc  atomic.Uint32
	clock speakerClock
	under underrun // of the callback

	count audioReceiveCount
}

type audioReceiveCount struct {
	received, underruns, malformed atomic.Int64
}

func newAudioReceiver(s *Session) *audioReceiver {
	a := &audioReceiver{
		log: s.log, trace: s.Trace, firstSeen: func() { s.emitLater(FirstAudio{}) }, played: s.processor.Far,
		wake: make(chan struct{}, 1),
	}
	a.buffer.Inspect = inspectOpus
	a.ahead = 1
	return a
}

func inspectOpus(packet []byte) (samples int, fec bool, err error) {
	samples, err = opus.Samples(packet)
	return samples, opus.HasFEC(packet), err
}

// startSpeaker is the keeper's.
func (a *audioReceiver) startSpeaker(sink media.AudioSink) error {
	if err := sink.Start(a.fill); err != nil {
		return fmt.Errorf("open speaker: %w", err)
	}
	return nil
}

// fill runs on the device's thread.
func (a *audioReceiver) fill(block []int16) {
	a.clock.tick(a.ring.head.Load(), time.Now())
	short := a.under.fill(block, a.ring.read(block))
	if !a.heard.Load() {
		short = 0
	}
	if short > 0 {
		a.count.underruns.Add(1)
	}
	if left := int32(a.ring.len()/media.BlockSamples - short); left < a.left.Load() {
		a.left.Store(left) // the other goroutine may raise it meanwhile: then the next block says it again
	}
	a.played(block, time.Now())
	signal(a.wake)
}

// playing is what went into the speaker's callback last, and when; ok is false while there is nothing to hear. The
// device's own delay comes on top, as the screen's does with pictures.
func (a *audioReceiver) playing(now time.Time) playing {
	rtpTime, at, ok := a.clock.playing(now)
	return playing{rtpTime: rtpTime - opus.Behind, at: at, coming: a.buffer.Counts().Coming, ok: ok}
}

// setExtraDelay holds sound back for a picture that comes later, 0 to 500 ms; it takes effect by stretching.
func (a *audioReceiver) setExtraDelay(d time.Duration) { a.buffer.SetExtraDelay(d) }

// read feeds packets until the track ends.
func (a *audioReceiver) read(t *webrtc.TrackRemote) {
	readAll(t, func(b []byte, _ interceptor.Attributes) {
		var p rtp.Packet
		if p.Unmarshal(b) != nil || len(p.Payload) == 0 {
			return
		}
		a.count.received.Add(1)
		a.put(&p, time.Now())
	})
}

// setCodecs learns the payload types of the negotiated stream.
func (a *audioReceiver) setCodecs(list []webrtc.RTPCodecParameters) {
	a.red.Store(0)
	for _, c := range list {
		if strings.EqualFold(c.MimeType, mimeRED) {
			a.red.Store(uint32(c.PayloadType))
		}
	}
}

// put hands over a packet, and the copies of earlier ones that it carries.
func (a *audioReceiver) put(p *rtp.Packet, now time.Time) {
	if red := a.red.Load(); red == 0 || uint32(p.PayloadType) != red {
		a.buffer.Put(p.SequenceNumber, p.Timestamp, p.Payload, now)
		return
	}
	primary, copies, err := parseRED(p.Payload)
	if err != nil {
		a.count.malformed.Add(1)
		return
	}
	a.buffer.Put(p.SequenceNumber, p.Timestamp, primary, now)
	for _, c := range copies.list[:copies.n] {
		a.buffer.PutCopy(p.SequenceNumber, p.Timestamp, c.offset, c.payload, now)
	}
}
