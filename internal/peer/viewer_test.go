package peer

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// viewer puts the real receiving end behind a simulator's line, and the real protection before it: packets go to the
// assembler, the mender and the timing, requests and notices go back over the line, and pictures are shown when they are
// due. Only the codec is made up: what refers to what is in the payloads' descriptors as a real sender writes it.
type viewer struct {
	s       *simulator
	r       receiving
	cut     *payloader
	kept    longTerm
	keys    keyGate
	protect protector
	next    plan
	hushed  bool
	id      int64 // of the picture encoded last

	alone  bool      // the other side sends nothing but what it says of ours
	look   time.Time // the assembler's timer; zero: not set
	busy   time.Time // until then the decoder is
	frozen freezes

	shows            []time.Time
	late             []time.Duration // from capture to being shown
	freezes          []time.Duration
	frozeAt          []time.Time
	recoveries, asks int
}

const (
	viewerEncodes = 17 * time.Millisecond
	viewerDecodes = 3 * time.Millisecond
	recoveryCosts = 2.0 // times the size of another picture
)

// watch gives the simulator a viewer; before open.
func (s *simulator) watch() *viewer {
	w := &viewer{s: s, cut: newPayloader()}
	w.kept.reset(true)
	v := &videoReceiver{
		rtt: func() time.Duration { return s.there.delay + s.back.delay }, target: func() int { return s.recorder.upBps }, sendRTCP: w.send, decode: newDecodeQueue(),
	}
	v.ssrc.Store(1)
	v.parity.Store(payloadFEC)
	v.told.Store(true)
	v.count.decodeTime.Store(int64(viewerDecodes))
	w.r = receiving{v: v, mend: mender{codec: func(uint8) codec { return codecVP9 }}}
	w.protect = protector{rtt: v.rtt, target: func() int { return s.target }}
	s.view = w
	return w
}

// plan says what the next picture refers to; it may want a key frame.
func (w *viewer) plan() {
	if w.hushed = w.s.b.hushed(w.s.now); w.hushed {
		w.kept.ask()
	}
	w.next = w.kept.next(w.id+1, w.s.now)
	w.s.wantKey = w.s.wantKey || w.next.key
}

// encode makes the payloads of the planned picture, of about that size.
func (w *viewer) encode(number int64, key bool, size float64) (payloads [][]byte) {
	switch {
	case key:
		w.keys.given(w.s.now, true)
	case w.next.recover:
		w.recoveries++
		w.s.debt += size * (recoveryCosts - 1)
		size *= recoveryCosts
	}
	w.id++
	w.kept.encoded(w.next, number, key, w.s.now)
	data := make([]byte, max(int(size), 40))
	data[0] = 0x86
	if key {
		copy(data, keyHeaders[codecVP9])
	}
	about := described{key: key, width: 16, height: 16, flexible: true, back: w.next.back}
	for _, p := range w.cut.cut(codecVP9, data, about) {
		payloads = append(payloads, bytes.Clone(p))
	}
	return payloads
}

// protected has the parities of a packet that just left sent behind it.
func (w *viewer) protected(sequence uint16, p *pacedPacket) {
	w.s.pacer.putParities(p, w.protect.add(sequence, payloadVP9, p))
}

func (w *viewer) recoverOrKey() {
	if !w.kept.ask() {
		w.s.wantKey = true
	}
}

// arrive takes what came over the line.
func (w *viewer) arrive(h rtp.Header, payload []byte) {
	r := received{sequence: h.SequenceNumber, rtpTime: h.Timestamp, second: payloadVP9, marker: h.Marker, codec: codecVP9, payload: payload}
	if h.SSRC == 2 {
		if len(payload) < 3 {
			return
		}
		r.sequence, r.payload, r.how = binary.BigEndian.Uint16(payload), payload[2:], resent
		if h.PayloadType == payloadFEC {
			r.how = redundancy
		}
	}
	if r.marker {
		r.second |= 0x80
	}
	w.r.put(r, w.s.now)
	w.turn()
}

// turn is one round of the assembling goroutine.
func (w *viewer) turn() {
	w.r.give(w.s.now)
	w.r.ask(w.s.now)
	if w.look = (time.Time{}); w.r.a.waiting() {
		w.look = w.s.now.Add(assembleEvery)
	}
}

// send is the way back of what the receiver asks for and tells.
func (w *viewer) send(p rtcp.Packet) {
	s := w.s
	out, ok := s.back.pass(80, s.now, s.rand)
	if n, is := p.(*rtcp.TransportLayerNack); is {
		w.asks += len(n.Nacks)
	}
	if !ok {
		return
	}
	s.at(out, func() {
		switch p := p.(type) {
		case *rtcp.TransportLayerNack:
			s.wire.gotNACK(p, s.now, s.there.delay+s.back.delay, s.b.target(), s.b.repairLoss())
		case *rtcp.PictureLossIndication:
			s.wantKey = true
		case *rtcp.ApplicationDefined:
			if n, ok := parseLNTF(p); ok && w.kept.heard(n) {
				w.recoverOrKey()
			}
		}
	})
}

// step decodes and shows what is due.
func (w *viewer) step() {
	s := w.s
	if !w.look.IsZero() && !s.now.Before(w.look) {
		w.turn()
	}
	for !s.now.Before(w.busy) {
		still := w.frozen.still()
		p, behind, _, ok := w.r.v.decode.due(s.now, viewerDecodes+decodeMargin, still)
		if !ok {
			return
		}
		w.busy = s.now.Add(viewerDecodes)
		if !shows(behind, s.now, still) {
			continue
		}
		w.busy = latest(w.busy, p.show)
		w.shows = append(w.shows, w.busy)
		w.late = append(w.late, w.busy.Sub(s.frames[p.rtpTime/3000].captured))
		if gap := w.frozen.shown(w.busy); gap > 0 {
			w.freezes = append(w.freezes, gap)
			w.frozeAt = append(w.frozeAt, w.busy)
		}
	}
}

// ghosts are what the other side sends meanwhile: its packets move a burst of losses on.
func (w *viewer) ghosts() {
	if w.alone {
		return
	}
	for i := range 7 {
		w.s.after(16*time.Millisecond+time.Duration(i)*300*time.Microsecond, func() { w.s.back.pass(1000, w.s.now, w.s.rand) })
	}
	w.s.after(5*time.Millisecond, func() { w.s.back.pass(120, w.s.now, w.s.rand) })
	w.s.after(25*time.Millisecond, func() { w.s.back.pass(120, w.s.now, w.s.rand) })
}

// seen is what of a time was seen.
type seen struct {
	fps, p50, p95, longest float64 // milliseconds
	freezes                int
}

// watched runs for d and tells of that time.
func (w *viewer) watched(d time.Duration) seen {
	shows, late, frozen, began := len(w.shows), len(w.late), len(w.freezes), w.s.now
	w.s.over(d)
	r := seen{
		fps: float64(len(w.shows)-shows) / d.Seconds(), p50: quantile(w.late[late:], 0.5), p95: quantile(w.late[late:], 0.95),
		freezes: len(w.freezes) - frozen,
	}
	last := began
	for _, at := range append(w.shows[shows:len(w.shows):len(w.shows)], w.s.now) {
		r.longest = max(r.longest, ms(at.Sub(last)))
		last = at
	}
	w.s.t.Logf("         seen: fps %4.1f latency %3.0f/%3.0f longest %4.0f freezes %d; asked %d resent %d refused %d recoveries %d keys %d parities %d",
		r.fps, r.p50, r.p95, r.longest, r.freezes, w.asks, w.s.wire.resent.Load(), w.s.wire.refused.Load(), w.recoveries, w.r.a.keysAsked, w.protect.sent.Load())
	return r
}
