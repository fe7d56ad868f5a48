package peer

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/vpx"
	"visavis.example/internal/media/trace"
)

// videoReceiver brings remote pictures to the Video sink: packets from pion's reader and from retransmissions meet in
// one goroutine that owns the assembler and asks for repairs and key frames, another one owns the decoder and shows.
type videoReceiver struct {
	sink      media.VideoSink
	log       *slog.Logger
	trace     *trace.Log
	rtt       func() time.Duration
	sendRTCP  func(rtcp.Packet)
	firstSeen func(width, height int)

	packets chan received // bounded; what does not fit is asked for again
	decode  *decodeQueue
	resync  atomic.Bool // the decoder lost its way

	mu     sync.Mutex
	codecs map[uint8]codec // by payload type, RTX types too
	ssrc   atomic.Uint32
	number atomic.Uint32 // id of the header extension with the picture's number; 0: none

	count videoReceiveCount
}

type videoReceiveCount struct {
	shown, repaired, keysAsked atomic.Int64
	unshown, unassembled       atomic.Int64 // pictures that the decoder and the assembler dropped
	received, lost             atomic.Int64 // packets, before repair
	width, height              atomic.Int64
	decodeTime                 atomic.Int64 // nanoseconds, smoothed
	codec                      atomic.Value // codec
}

const packetQueue = 512

func newVideoReceiver(s *Session) *videoReceiver {
	return &videoReceiver{
		sink: s.Video, log: s.log, trace: s.Trace, rtt: s.rtt.load, sendRTCP: s.sendRTCP, firstSeen: func(w, h int) { s.emitLater(FirstVideo{w, h}) },
		packets: make(chan received, packetQueue), decode: newDecodeQueue(), codecs: map[uint8]codec{},
	}
}

// setCodecs learns the payload types of the negotiated stream.
func (v *videoReceiver) setCodecs(list []webrtc.RTPCodecParameters) {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.codecs)
	for _, p := range list {
		if c := codecOf(p.MimeType, p.SDPFmtpLine); c != codecNone {
			v.codecs[uint8(p.PayloadType)] = c
		}
	}
	for _, p := range list {
		if apt, ok := aptOf(p); ok && v.codecs[apt] != codecNone {
			v.codecs[uint8(p.PayloadType)] = v.codecs[apt]
		}
	}
}

func (v *videoReceiver) codec(payloadType uint8) codec {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.codecs[payloadType]
}

// read feeds packets until the track ends.
func (v *videoReceiver) read(t *webrtc.TrackRemote) {
	v.ssrc.Store(uint32(t.SSRC()))
	readAll(t, func(b []byte, attributes interceptor.Attributes) {
		if attributes.Get(webrtc.AttributeRtxSsrc) != nil {
			return // came through gotRTX already
		}
		var p rtp.Packet
		if p.Unmarshal(b) == nil {
			v.put(p, false)
		}
	})
}

// gotRTX takes an unwrapped retransmission; the payload is the caller's.
func (v *videoReceiver) gotRTX(payloadType uint8, p rtp.Packet) {
	p.PayloadType = payloadType
	v.put(p, true)
}

func (v *videoReceiver) put(p rtp.Packet, repaired bool) {
	r := received{
		sequence: p.SequenceNumber, rtpTime: p.Timestamp, marker: p.Marker, repaired: repaired,
		codec: v.codec(p.PayloadType), number: readNumber(&p.Header, uint8(v.number.Load())), payload: append([]byte(nil), p.Payload...),
	}
	if r.codec == codecNone {
		return
	}
	select {
	case v.packets <- r:
	default:
	}
}

// run assembles until stop is closed.
func (v *videoReceiver) run(stop <-chan struct{}) {
	var (
		a    assembler
		when timing
		seen tracedPictures
		seqs []uint16
	)
	const period = 10 * time.Millisecond
	timer := time.NewTimer(period)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case r := <-v.packets:
			v.take(&a, r)
		case <-timer.C:
		}
		now, rtt := time.Now(), v.rtt()
		if v.resync.Swap(false) {
			a.wantKey(now)
		}
		for {
			p, ok := a.take(now, rtt)
			if !ok {
				break
			}
			p.traced = seen.received(v.trace, p)
			if !v.decode.put(p, when.show(p.rtpTime, p.complete)) {
				a.wantKey(now) // the decoder is far too slow: begin anew
			}
		}
		if seqs = a.ask(now, rtt, seqs); len(seqs) > 0 {
			v.sendRTCP(&rtcp.TransportLayerNack{MediaSSRC: v.ssrc.Load(), Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)})
		}
		if a.askKey(now) {
			v.sendRTCP(&rtcp.PictureLossIndication{MediaSSRC: v.ssrc.Load()})
		}
		v.count.lost.Store(int64(a.lost))
		v.count.unassembled.Store(int64(a.dropped))
		v.count.repaired.Store(int64(a.repaired))
		v.count.keysAsked.Store(int64(a.keysAsked))
		if a.waiting() {
			timer.Reset(period)
		}
	}
}

// take puts a packet and all that wait behind it: a burst is assembled once.
func (v *videoReceiver) take(a *assembler, r received) {
	for {
		a.put(r, time.Now())
		if !r.repaired {
			v.count.received.Add(1)
		}
		select {
		case r = <-v.packets:
		default:
			return
		}
	}
}

// decodeQueue holds assembled pictures for the decoder until it is time to show them, maxShowDelay at most. All must be
// decoded, because each is the reference of the next, so it is not the place to drop single ones; when it is full, the
// rest until a key frame is worthless.
type decodeQueue struct {
	mu    sync.Mutex
	queue []timedPicture
	wake  chan struct{}
}

type timedPicture struct {
	picture
	show time.Time
}

const (
	decodeQueueLimit = 60
	overdueLimit     = 3 // pictures that are due at once and still shown; beyond it only the newest are
)

func newDecodeQueue() *decodeQueue { return &decodeQueue{wake: make(chan struct{}, 1)} }

// put gives false when it had to throw everything away: the next picture must be a key frame.
func (q *decodeQueue) put(p picture, show time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) >= decodeQueueLimit {
		q.queue = nil
		return false
	}
	q.queue = append(q.queue, timedPicture{p, show})
	signal(q.wake)
	return true
}

// due gives the next picture when it is time for it, and how many behind it are due as well; otherwise how long to wait,
// 0 for until wake. A picture's time is less by ahead: decoding takes that long.
func (q *decodeQueue) due(now time.Time, ahead time.Duration) (p timedPicture, behind int, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		return timedPicture{}, 0, 0, false
	}
	soon := now.Add(ahead + time.Millisecond)
	if wait := q.queue[0].show.Sub(soon); wait > 0 {
		return timedPicture{}, 0, wait, false
	}
	p, q.queue = q.queue[0], q.queue[1:]
	for _, next := range q.queue {
		if next.show.Before(soon) {
			behind++
		}
	}
	return p, behind, 0, true
}

// decoder is the decode goroutine's own.
type decoder struct {
	v     *videoReceiver
	dec   *vpx.Decoder
	codec codec
	pool  media.Pool
	lost  bool // until a key frame
	shown bool
	cost  time.Duration
}

// runDecoder decodes and shows until stop is closed.
func (v *videoReceiver) runDecoder(stop <-chan struct{}) {
	d := decoder{v: v}
	defer d.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p, behind, wait, ok := v.decode.due(time.Now(), d.cost)
		if ok {
			d.decode(p, behind < overdueLimit)
			continue
		}
		var later <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			later = timer.C
		}
		select {
		case <-stop:
			return
		case <-v.decode.wake:
		case <-later:
		}
	}
}

func (d *decoder) close() {
	if d.dec != nil {
		d.dec.Close()
		d.dec = nil
	}
}

func (d *decoder) decode(p timedPicture, show bool) {
	if !d.ready(p) {
		d.v.count.unshown.Add(1)
		return
	}
	began := time.Now()
	f, err := d.dec.Decode(p.data, &d.pool)
	took := time.Since(began)
	d.cost += (took - d.cost) / 8
	d.v.count.decodeTime.Store(int64(d.cost))
	if err != nil {
		d.lost = true
		d.v.resync.Store(true)
		d.v.log.Debug("decode picture", "err", err)
		return
	}
	if f == nil {
		return
	}
	defer f.Release()
	p.traced.Width, p.traced.Height = f.Width, f.Height
	d.v.trace.Frame(trace.Decoded, p.traced, began.Add(took))
	if !show {
		d.v.count.unshown.Add(1)
		return
	}
	f.Captured, f.Number = p.show, p.traced.Number
	d.v.count.shown.Add(1)
	d.v.count.width.Store(int64(f.Width))
	d.v.count.height.Store(int64(f.Height))
	if d.v.sink != nil {
		d.v.sink.Present(f)
	}
	d.v.trace.Frame(trace.Presented, p.traced, time.Now())
	if !d.shown {
		d.shown = true
		d.v.firstSeen(f.Width, f.Height)
	}
}

// ready makes sure of a decoder for the picture; without a key frame to begin with there is none.
func (d *decoder) ready(p timedPicture) bool {
	if p.key {
		d.lost = false
	}
	if d.lost {
		return false
	}
	if d.dec != nil && d.codec == p.codec {
		return true
	}
	if !p.key {
		d.lost = true
		d.v.resync.Store(true)
		return false
	}
	d.close()
	dec, err := vpx.NewDecoder(vpxCodec(p.codec))
	if err != nil {
		d.v.log.Error("open video decoder", "err", err)
		return false
	}
	d.dec, d.codec = dec, p.codec
	d.v.count.codec.Store(p.codec)
	return true
}
