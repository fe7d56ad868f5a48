package peer

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/trace"
)

// videoReceiver brings remote pictures to the Video sink: packets from pion's reader and from retransmissions meet in
// one goroutine that owns the assembler and asks for repairs and key frames, another one owns the decoder and shows.
type videoReceiver struct {
	sink      media.VideoSink
	log       *slog.Logger
	rtt       func() time.Duration
	target    func() int // bits a second that we may send; 0: not known
	sendRTCP  func(rtcp.Packet)
	firstSeen func(width, height int)
	trace     *trace.Log

	packets chan received // bounded; what does not fit is asked for again
	decode  *decodeQueue
	resync  atomic.Bool // the decoder lost its way

	mu     sync.Mutex
	codecs map[uint8]codec // by payload type, RTX types too
	rtx    map[uint8]uint8 // which payload type an RTX type repairs
	ssrc   atomic.Uint32
	number atomic.Uint32 // id of the header extension with the picture's number; 0: none
	parity atomic.Uint32 // payload type of redundancy, 0: none
	red    atomic.Uint32 // payload types of that for browsers, 0: none
	ulpfec atomic.Uint32
	told   atomic.Bool // the other side takes loss notifications

	transport atomic.Uint32 // id of the header extension with the transport-wide number; 0: none

	extra  atomicDuration // shown so much later than needed, for the sound's sake
	played playedAt

	count videoReceiveCount
}

type videoReceiveCount struct {
	shown, repaired, keysAsked atomic.Int64
	unshown, unassembled       atomic.Int64 // pictures that the decoder and the assembler dropped
	received, lost             atomic.Int64 // packets, before repair
	malformed, refused         atomic.Int64 // packets that were thrown away: by the reader, by the assembler
	recovered, redundant       atomic.Int64 // packets made of redundancy; packets of redundancy received
	nacks                      atomic.Int64 // requests sent, however many packets each asks for
	assembled                  atomic.Int64 // whole pictures received
	decoded, keysDecoded       atomic.Int64
	opened                     atomic.Int64 // decoders
	freezes, frozen            atomic.Int64 // how many; nanoseconds in all
	pauses, paused             atomic.Int64 // of them, those of longPause and more
	waited, waitedOf           atomic.Int64 // nanoseconds from a picture's first packet to its decoding, all added; of how many
	width, height              atomic.Int64
	decodeTime, decodeTotal    atomic.Int64 // nanoseconds, smoothed; all added
	codec                      atomic.Value // codec
}

// playedAt is which RTP time was shown last, and when it was to be, how much of that for the sound's sake, and how much
// later than they were to be the last ones were shown.
type playedAt struct {
	mu   sync.Mutex
	last playing
	late [9]time.Duration // of the last pictures, the newest at n-1 of len
	n    int
}

func (p *playedAt) store(rtpTime uint32, at, planned time.Time, held time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The plan's reading of the wall clock is as old as the plan's beginning: the clock may have been set since.
	p.last = playing{rtpTime: rtpTime, at: at.Add(planned.Sub(at)), held: held, ok: true}
	p.late[p.n%len(p.late)] = at.Sub(planned)
	p.n++
}

// load gives when the last picture was shown as if it had been as late as most: one that had to be repaired says nothing
// of the others. Its ok is false before the first.
func (p *playedAt) load() playing {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.last
	if l.ok {
		late := p.late
		some := late[:min(p.n, len(late))]
		slices.Sort(some)
		l.at = l.at.Add(some[len(some)/2])
	}
	return l
}

const packetQueue = 512

func newVideoReceiver(s *Session) *videoReceiver {
	return &videoReceiver{
		sink: s.Video, log: s.log, rtt: s.rtt.load, target: s.bandwidth.target, sendRTCP: s.sendRTCP, firstSeen: func(w, h int) { s.emitLater(FirstVideo{w, h}) },
		trace:   s.Trace,
		packets: make(chan received, packetQueue), decode: newDecodeQueue(), codecs: map[uint8]codec{}, rtx: map[uint8]uint8{},
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
			if knowsLNTF(p.RTPCodecCapability) {
				v.told.Store(true)
			}
		}
	}
	types := redTypesOf(list)
	for _, p := range list {
		apt, ok := aptOf(p)
		switch {
		case !ok:
		case v.codecs[apt] != codecNone:
			v.codecs[uint8(p.PayloadType)] = v.codecs[apt]
			v.rtx[uint8(p.PayloadType)] = apt
		case types.red != 0 && apt == types.red:
			v.rtx[uint8(p.PayloadType)] = apt
		}
	}
	v.parity.Store(uint32(fecType(list)))
	v.red.Store(uint32(types.red))
	v.ulpfec.Store(uint32(types.ulpfec))
}

func (v *videoReceiver) codec(payloadType uint8) codec {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.codecs[payloadType]
}

// repairs gives the payload type that an RTX one stands for.
func (v *videoReceiver) repairs(payloadType uint8) uint8 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rtx[payloadType]
}

// gotRTX takes an unwrapped retransmission, or redundancy, which travels as such; the payload is the caller's.
func (v *videoReceiver) gotRTX(payloadType uint8, p rtp.Packet) {
	if fec := uint8(v.parity.Load()); fec != 0 && payloadType == fec {
		v.queue(received{sequence: p.SequenceNumber, how: redundancy, payload: append([]byte(nil), p.Payload...)})
		return
	}
	p.PayloadType = v.repairs(payloadType)
	if red := uint8(v.red.Load()); red != 0 && p.PayloadType == red {
		v.putRED(p, nil, resent) // its header is another than parity was made of
		return
	}
	v.put(p, resent)
}

func (v *videoReceiver) put(p rtp.Packet, h how) {
	r, ok := v.packet(p, h)
	if !ok {
		v.count.malformed.Add(1)
		return
	}
	r.payload = append([]byte(nil), p.Payload...)
	v.queue(r)
}

// packet is what a header says; ok is false for one of no codec of ours.
func (v *videoReceiver) packet(p rtp.Packet, h how) (r received, ok bool) {
	r = received{
		sequence: p.SequenceNumber, rtpTime: p.Timestamp, second: p.PayloadType, marker: p.Marker, how: h,
		codec: v.codec(p.PayloadType), number: readNumber(&p.Header, uint8(v.number.Load())),
	}
	if r.marker {
		r.second |= 0x80
	}
	return r, r.codec != codecNone
}

func (v *videoReceiver) queue(r received) {
	select {
	case v.packets <- r:
	default: // it is asked for again
		v.count.malformed.Add(1)
	}
}

// receiving is the assembling goroutine's own.
type receiving struct {
	v    *videoReceiver
	a    assembler
	mend mender
	ulp  ulpMender
	when timing
	seen tracedPictures
	seqs []uint16
}

const assembleEvery = 5 * time.Millisecond // while something is missing

// run assembles until stop is closed.
func (v *videoReceiver) run(stop <-chan struct{}) {
	r := receiving{v: v, mend: mender{codec: v.codec}}
	timer := time.NewTimer(assembleEvery)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case p := <-v.packets:
			r.take(p)
		case <-timer.C:
		}
		now := time.Now()
		if v.resync.Swap(false) {
			r.a.decoderLost(now)
		}
		r.give(now)
		r.ask(now)
		if r.a.waiting() {
			timer.Reset(assembleEvery)
		}
	}
}

// take puts a packet and all that wait behind it: a burst is assembled once.
func (r *receiving) take(p received) {
	for {
		r.put(p, time.Now())
		select {
		case p = <-r.v.packets:
		default:
			return
		}
	}
}

func (r *receiving) put(p received, now time.Time) {
	var mended []received
	switch {
	case p.how == redundancy:
		r.v.count.redundant.Add(1)
		if parity, ok := parseParity(p.sequence, p.payload); ok {
			mended = r.mend.gotParity(parity, now)
		}
	default:
		r.a.inside = r.v.red.Load() != 0
		r.a.put(p, now)
		if p.how == byItself {
			r.v.count.received.Add(1)
		}
		switch {
		case r.v.parity.Load() != 0:
			mended = r.mend.gotPacket(p)
		case r.a.inside:
			mended = r.mendULP(p, now)
		}
	}
	for _, m := range mended {
		r.a.put(m, now)
	}
	r.a.redundant = r.mend.active(now) || r.ulp.active(now)
}

// give hands the decoder what can be decoded.
func (r *receiving) give(now time.Time) {
	v := r.v
	r.when.extra = v.extra.load()
	r.when.round = r.a.round(v.rtt())
	r.a.showing.decode = time.Duration(v.count.decodeTime.Load())
	for {
		p, ok := r.a.take(now, v.rtt())
		if !ok {
			return
		}
		v.count.assembled.Add(1)
		p.traced = r.seen.received(v.trace, p)
		show := r.when.show(p.rtpTime, p.complete, p.mended)
		if !v.decode.put(timedPicture{picture: p, show: show, held: r.when.extra}) {
			r.a.decoderLost(now) // the decoder is far too slow: begin anew
		}
	}
}

// ask requests what is missing.
func (r *receiving) ask(now time.Time) {
	v, a, rtt := r.v, &r.a, r.v.rtt()
	source := v.ssrc.Load()
	if up := v.target(); up > 0 {
		a.narrow = up < repeatAboveBps
	}
	if r.seqs = a.requests(now, rtt, r.seqs); len(r.seqs) > 0 {
		v.sendRTCP(&rtcp.TransportLayerNack{MediaSSRC: source, Nacks: rtcp.NackPairsFromSequenceNumbers(r.seqs)})
		v.count.nacks.Add(1)
	}
	told := v.told.Load()
	if told {
		if n, ok := a.notify(now, rtt); ok {
			v.sendRTCP(n.packet(source))
		}
	}
	if a.askKey(now, rtt, told) {
		v.sendRTCP(&rtcp.PictureLossIndication{MediaSSRC: source})
	}
	v.count.lost.Store(int64(a.lost))
	v.count.refused.Store(int64(r.a.refused))
	v.count.unassembled.Store(int64(a.dropped))
	v.count.repaired.Store(int64(a.repaired))
	v.count.recovered.Store(int64(a.recovered))
	v.count.keysAsked.Store(int64(a.keysAsked))
}
