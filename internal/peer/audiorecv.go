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
)

// audioReceiver brings the remote sound to the speaker. The speaker is the clock: its callback takes 10 ms from a small
// ring of samples and wakes the playout goroutine, which pulls packets out of the jitter buffer, decodes, repairs or
// conceals, and fills the ring up again. So the callback neither waits nor decodes.
type audioReceiver struct {
	log       *slog.Logger
	firstSeen func()
	played    func(block []int16, at time.Time) // on the device's thread: what the microphone will hear

	buffer jitter.Buffer // the reader puts, the playout goroutine pulls
	red    atomic.Uint32 // payload type of RFC 2198 packets; 0: not negotiated

	ring  sampleRing
	wake  chan struct{}
	ahead atomic.Int32 // samples that the ring is filled to; grows when the callback found it empty
	ssrc  atomic.Uint32

	count audioReceiveCount
}

type audioReceiveCount struct {
	received, concealed, underruns, malformed atomic.Int64
}

const (
	minAhead = 2 * media.BlockSamples // the device asks for 10 ms at a time, perhaps twice in a row
	maxAhead = 10 * media.BlockSamples
)

func newAudioReceiver(s *Session) *audioReceiver {
	a := &audioReceiver{
		log: s.log, firstSeen: func() { s.emitLater(FirstAudio{}) }, played: s.processor.Far,
		wake: make(chan struct{}, 1),
	}
	a.ahead.Store(minAhead)
	return a
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
	if n := a.ring.read(block); n < len(block) {
		clear(block[n:])
		a.count.underruns.Add(1)
	}
	a.played(block, time.Now())
	signal(a.wake)
}

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
	for i, c := range copies.list[:copies.n] { // oldest first: the last is of the packet before
		a.buffer.PutCopy(p.SequenceNumber-uint16(copies.n-i), p.Timestamp-c.offset, c.payload, now)
	}
}

// playout is the playout goroutine's own.
type playout struct {
	a     *audioReceiver
	dec   *opus.Decoder
	pcm   [opus.MaxSamples]int16
	heard bool
	under int64 // underruns seen
	calm  time.Time
}

// run keeps the ring filled until stop is closed.
func (a *audioReceiver) run(stop <-chan struct{}) {
	dec, err := opus.NewDecoder()
	if err != nil {
		a.log.Error("open audio decoder", "err", err)
		return
	}
	defer dec.Close()
	p := playout{a: a, dec: dec}
	for {
		select {
		case <-stop:
			return
		case <-a.wake:
		}
		p.adapt(time.Now())
		for a.ring.len() < int(a.ahead.Load()) {
			p.next(time.Now())
		}
	}
}

// adapt makes the ring deeper when the device takes more at once than was thought, and tries less after a calm minute.
func (p *playout) adapt(now time.Time) {
	ahead := p.a.ahead.Load()
	if u := p.a.count.underruns.Load(); u != p.under {
		if p.heard {
			p.a.ahead.Store(min(ahead+media.BlockSamples, maxAhead))
		}
		p.under, p.calm = u, now
	} else if ahead > minAhead && now.Sub(p.calm) > time.Minute {
		p.a.ahead.Store(ahead - media.BlockSamples)
		p.calm = now
	}
}

// next puts one packet's worth into the ring.
func (p *playout) next(now time.Time) {
	action, packet := p.a.buffer.Pull(now)
	pcm := p.pcm[:p.a.buffer.FrameSamples()]
	n, err := 0, error(nil)
	switch action {
	case jitter.Decode:
		n, err = p.dec.Decode(packet, p.pcm[:])
		if err == nil && !p.heard {
			p.heard = true
			p.a.firstSeen()
		}
	case jitter.FEC:
		n, err = p.dec.DecodeFEC(packet, pcm)
	case jitter.Conceal:
		p.a.count.concealed.Add(1)
		n, err = p.dec.Conceal(pcm)
	case jitter.Silence:
	}
	if err != nil || n == 0 {
		clear(pcm)
		n = len(pcm)
	}
	p.a.ring.write(p.pcm[:n])
}

// sampleRing is a queue of samples between one writer and one reader that must not wait.
type sampleRing struct {
	samples    [1 << 14]int16 // 340 ms
	head, tail atomic.Uint32  // read at head, write at tail
}

func (r *sampleRing) len() int { return int(r.tail.Load() - r.head.Load()) }

// write puts what fits.
func (r *sampleRing) write(pcm []int16) {
	tail := r.tail.Load()
	pcm = pcm[:min(len(pcm), len(r.samples)-int(tail-r.head.Load()))]
	at := int(tail) % len(r.samples)
	n := copy(r.samples[at:], pcm)
	copy(r.samples[:], pcm[n:])
	r.tail.Store(tail + uint32(len(pcm)))
}

// read gives how many samples there were.
func (r *sampleRing) read(pcm []int16) int {
	head := r.head.Load()
	pcm = pcm[:min(len(pcm), int(r.tail.Load()-head))]
	at := int(head) % len(r.samples)
	n := copy(pcm, r.samples[at:])
	copy(pcm[n:], r.samples[:])
	r.head.Store(head + uint32(len(pcm)))
	return len(pcm)
}
