package peer

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
)

// simulator runs a whole sender but its codecs over made-up lines: the real wire, pacer, estimator and feedback, an
// encoder that follows the target, and a receiver that asks for what it misses.
type simulator struct {
	t          *testing.T
	now, began time.Time
	rand       *rand.Rand
	there      simLine
	back       simLine
	schedule   func(s *simulator, at time.Duration)
	encoderBps float64 // at most; 0: the target
	noSound    bool
	silence    bool // as Opus sends it: a few bytes now and then
	narrowed   bool // the sound follows the target
	rtxOff     bool
	deaf       bool // no transport-wide feedback comes
	reports    bool // but receiver reports do
	pauses     bool // no pictures on a line that is too slow, as the video sender does
	rest       rest // machines without time for us

	wire  *wire
	video interceptor.RTPWriter
	sound interceptor.RTPWriter
	pacer *pacer
	b     bandwidth

	view *viewer // the real receiver, if there is one

	events   []simEvent
	target   int
	extra    int
	pause    pause
	seq      [2]uint16
	wantKey  bool
	pending  *simFrame // waits for room
	debt     float64
	frames   []*simFrame
	bySeq    map[uint16]*simFrame
	recorder *feedbackWriter
	hurry    bool                                          // feedback does not wait
	received struct{ highest, told, count, before uint32 } // of the pictures' stream
	shown    int                                           // index of the next frame to show
	broken   bool
	asked    time.Time
	shows    []time.Time
	late     []time.Duration
	lateAt   []time.Time
	soundLag []time.Duration
	curve    []int // target each 100 ms
}

type simEvent struct {
	at time.Time
	do func()
}

type simFrame struct {
	captured time.Time
	key      bool
	put      bool
	missing  int
	done     time.Time
	got      map[uint16]bool
}

func newSimulator(t *testing.T) *simulator {
	t.Helper()
	began := time.Unix(9000, 0)
	s := &simulator{t: t, now: began, began: began, rand: rand.New(rand.NewSource(11)), bySeq: map[uint16]*simFrame{}}
	s.there.delay, s.back.delay, s.there.queue = 25*time.Millisecond, 25*time.Millisecond, 300*time.Millisecond
	return s
}

func (s *simulator) open() {
	clock := func() time.Time { return s.now }
	s.wire = newWire(nil)
	s.wire.clock = clock
	info := &interceptor.StreamInfo{
		SSRC: 1, SSRCRetransmission: 2, PayloadTypeRetransmission: 97, MimeType: webrtc.MimeTypeVP8,
		RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}},
	}
	if s.rtxOff {
		info.SSRCRetransmission = 0
	}
	s.video = s.wire.BindLocalStream(info, interceptor.RTPWriterFunc(s.leaves))
	s.sound = s.wire.BindLocalStream(&interceptor.StreamInfo{
		SSRC: 3, MimeType: webrtc.MimeTypeOpus, RTPHeaderExtensions: info.RTPHeaderExtensions,
	}, interceptor.RTPWriterFunc(s.leaves))
	s.pacer = newPacer(s.sender(s.video, 1, 0), s.sender(s.sound, 3, 1))
	s.pacer.clock, s.pacer.wire = clock, s.wire
	s.pacer.onDiscard = func() { s.wantKey = true }
	if s.view != nil {
		s.pacer.onDiscard, s.pacer.recovers = s.view.recoverOrKey, s.view.kept.able
		s.pacer.sent = func(p *pacedPacket, _ time.Time) {
			s.view.kept.left(p.meta.number, s.seq[0]-1)
			if p.meta.twice {
				s.wire.repeat(1, s.now, s.target)
			}
		}
	}
	s.wire.later = s.pacer.putRepair
	s.b = bandwidth{wire: s.wire, pacer: s.pacer, line: &lossyLine{}, use: func(bps, extra int) {
		s.target, s.extra = bps, extra
		s.pacer.rate.Store(int64(bps))
	}}
	s.pacer.hush, s.b.missed = &s.b.hush, func(time.Time) {}
	if s.view != nil {
		s.b.missed = s.view.kept.askMeanwhile
	}
	s.b.e = newEstimator(startTargetBps, minTargetBps, defaultMaxBps)
	s.pacer.window.Store(s.b.e.window())
	s.b.set(s.b.e.targetBps())
	if s.view != nil {
		s.view.protect.line = s.b.line
	}
	s.recorder = newFeedbackWriter(9)
	s.recorder.upBps = int(s.back.rateBps)
	if s.rest.stamped {
		s.recorder.inside = s.rest.waits
	}
	s.wantKey = true
}

func (s *simulator) sender(w interceptor.RTPWriter, ssrc uint32, of int) func(*pacedPacket) error {
	return func(p *pacedPacket) error {
		if p.parity {
			s.wire.sendParity(ssrc, payloadFEC, p.rtpTime, p.payload)
			return nil
		}
		h := &rtp.Header{Version: 2, SSRC: ssrc, SequenceNumber: s.seq[of], Timestamp: p.rtpTime, Marker: p.marker}
		if of == 0 {
			s.bySeq[s.seq[of]] = s.frames[p.meta.number]
		}
		s.seq[of]++
		_, err := w.Write(h, p.payload, nil)
		if of == 0 && s.view != nil {
			s.view.protected(h.SequenceNumber, p)
		}
		return err
	}
}

func (s *simulator) after(d time.Duration, do func()) { s.at(s.now.Add(d), do) }

func (s *simulator) at(at time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(s.events, at, func(e simEvent, at time.Time) int {
		if e.at.After(at) {
			return 1
		}
		return -1
	})
	s.events = slices.Insert(s.events, i, simEvent{at, do})
}

// leaves is the network card.
func (s *simulator) leaves(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	size := h.MarshalSize() + len(payload) + transportOverhead - 8
	number, ssrc, seq, padding := binary.BigEndian.Uint16(h.GetExtension(3)), h.SSRC, h.SequenceNumber, h.Padding
	if ssrc == 2 && !padding {
		seq = binary.BigEndian.Uint16(payload)
	}
	kept, body := h.Clone(), bytes.Clone(payload)
	sent := s.now
	out, ok := s.there.pass(size, s.now, s.rand)
	if !ok {
		if ssrc != 3 && !padding && !s.there.dead && s.view == nil {
			s.missed(seq, 0)
		}
		return 0, nil
	}
	s.at(out, func() {
		s.rest.reaches(number, ssrc == 3, s.now, func(came time.Time) {
			s.recorder.add(number, size, came)
			s.hurry = s.hurry || s.recorder.urgent(s.now)
			switch {
			case ssrc == 3:
				s.soundLag = append(s.soundLag, s.now.Sub(sent))
			case !padding && s.view != nil:
				s.view.arrive(kept, body)
			case !padding:
				if ssrc == 1 {
					s.received.highest = max(s.received.highest, uint32(seq)) // no test lasts until it wraps
					s.received.count++
				}
				s.gotVideo(seq)
			}
		})
	})
	return 0, nil
}

// missed has the receiver ask for a packet as soon as the next ones show the hole, and again each round trip.
func (s *simulator) missed(seq uint16, tries int) {
	f := s.bySeq[seq]
	rtt := s.there.delay + s.back.delay
	s.after(rtt/2+20*time.Millisecond+time.Duration(tries)*(rtt+30*time.Millisecond), func() {
		if f.got[seq] || tries > 8 || !f.done.IsZero() {
			return
		}
		if out, ok := s.back.pass(100, s.now, s.rand); ok {
			s.at(out, func() {
				s.wire.gotNACK(&rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: seq}}},
					s.now, rtt, s.b.target(), s.b.loss())
			})
		}
		if tries == 0 {
			for again := 1; again < 6; again++ {
				s.missed(seq, again)
			}
		}
	})
}

func (s *simulator) gotVideo(seq uint16) {
	f := s.bySeq[seq]
	if f == nil || f.got[seq] {
		return
	}
	f.got[seq] = true
	if f.missing--; f.missing == 0 {
		f.done = s.now
	}
}

// show goes through complete pictures in order; one that does not come makes it wait for a key frame, and ask.
func (s *simulator) show() {
	for s.shown < len(s.frames) {
		f := s.frames[s.shown]
		if !f.put { // not encoded
			s.shown++
			continue
		}
		if f.done.IsZero() {
			for i := s.shown + 1; i < len(s.frames); i++ { // a key frame overtakes
				if g := s.frames[i]; g.key && !g.done.IsZero() {
					s.shown, s.broken = i, false
				}
			}
			if s.frames[s.shown] != f {
				continue
			}
			if s.now.Sub(f.captured) > 700*time.Millisecond && s.now.Sub(s.asked) > 500*time.Millisecond {
				s.asked = s.now
				s.after(s.back.delay, func() { s.wantKey = true })
			}
			return
		}
		s.shows = append(s.shows, s.now)
		s.late = append(s.late, s.now.Sub(f.captured))
		s.lateAt = append(s.lateAt, s.now)
		s.shown++
	}
}

func (s *simulator) encode() {
	if s.pending == nil {
		return
	}
	if s.pauses && s.pause.target(s.target, s.now) {
		s.wantKey = s.wantKey || !s.pause.on
	}
	if s.pause.on {
		s.pending = nil
		return
	}
	if !s.pacer.room() {
		return
	}
	f := s.pending
	s.pending = nil
	bps := float64(max(s.target-s.extra-audioShareBps, 20_000))
	if s.view != nil {
		bps = float64(s.view.protect.forPictures(int(bps)))
	}
	if s.encoderBps > 0 {
		bps = min(bps, s.encoderBps)
	}
	mean := bps / 8 / 30
	size := mean * math.Exp(s.rand.NormFloat64()*0.2)
	if pay := min(s.debt, size*0.4); s.debt > 0 {
		size -= pay
		s.debt -= pay
	}
	if s.view != nil {
		s.view.plan()
	}
	if s.wantKey && (s.view == nil || s.view.keys.may(s.now)) {
		s.wantKey, f.key = false, true
		key := max(mean*5, 4000)
		s.debt += key - size
		size = key
	}
	number, encodes := int64(slices.Index(s.frames, f)), 5*time.Millisecond
	var payloads [][]byte
	twice := false
	if s.view != nil {
		payloads = s.view.encode(number, f.key, size)
		encodes, twice = viewerEncodes, s.view.hushed && s.view.next.recover
	} else {
		payloads = make([][]byte, int(size)/maxPayload+1)
		for i := range payloads {
			payloads[i] = make([]byte, max(int(size)/len(payloads), 20))
		}
	}
	f.put, f.missing, f.got = true, len(payloads), map[uint16]bool{}
	s.after(encodes, func() {
		s.pacer.put(uint32(number*3000), payloads, pictureMeta{number: number, key: f.key, twice: twice})
	})
}

func (s *simulator) soundPacket() (every time.Duration, size int) {
	switch {
	case s.silence:
		return 400 * time.Millisecond, 3
	case s.narrowed:
		p := planSound(soundLine{targetBps: s.target}, false)
		every = time.Duration(p.frame) * time.Second / media.SampleRate
		return every, int(every.Seconds() * float64(p.bitrateBps) / 8)
	}
	return 20 * time.Millisecond, 80
}

func (s *simulator) run(d time.Duration) {
	const step = 500 * time.Microsecond
	nextFrame, nextSound, nextFeedback, nextMark, nextSecond := s.now, s.now, s.now, s.now, s.now.Add(time.Second)
	var due time.Time
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(step) {
		if s.schedule != nil {
			s.schedule(s, s.now.Sub(s.began))
		}
		woken := false
		for len(s.events) > 0 && !s.events[0].at.After(s.now) {
			e := s.events[0]
			s.events = slices.Delete(s.events, 0, 1)
			e.do()
			woken = true
		}
		s.rest.look(s.now.Sub(s.began))
		s.rest.read(s.now)
		if !s.now.Before(nextFrame) {
			nextFrame = nextFrame.Add(time.Second / 30)
			if s.view != nil {
				s.view.ghosts()
			}
			s.pending = &simFrame{captured: s.now}
			s.frames = append(s.frames, s.pending)
		}
		for !s.now.Before(nextSound) && !s.noSound && !s.rest.sender {
			every, size := s.soundPacket()
			nextSound = nextSound.Add(every)
			s.pacer.putSound(0, false, 0, make([]byte, size))
			woken = true
		}
		if (s.hurry || !s.now.Before(nextFeedback)) && !s.rest.receiver {
			s.hurry, nextFeedback = false, s.now.Add(s.recorder.every(s.now))
			s.report()
		}
		if !s.now.Before(nextMark) {
			nextMark = nextMark.Add(100 * time.Millisecond)
			s.curve = append(s.curve, s.target)
		}
		if !s.now.Before(nextSecond) {
			nextSecond = nextSecond.Add(time.Second)
			s.b.second(!s.there.dead && !s.back.dead, s.now)
			if s.reports && s.received.count > 0 {
				s.receiverReport()
			}
		}
		if s.rest.sender {
			continue
		}
		s.encode()
		if woken || due.IsZero() || !s.now.Before(due) {
			wait := s.pacer.step(s.now)
			due = s.now.Add(cmp.Or(wait, 5*time.Millisecond))
		}
		if s.view != nil {
			s.view.step()
		} else {
			s.show()
		}
	}
}

func (s *simulator) report() {
	for _, p := range s.recorder.take(s.now) {
		if s.deaf {
			continue
		}
		if out, ok := s.back.pass(80, s.now, s.rand); ok {
			s.at(out, func() { s.rest.back(func() { s.b.gotFeedback(p, s.now) }, s.now) })
		}
	}
}

// receiverReport tells the round trip of a sender report that would have left now.
func (s *simulator) receiverReport() {
	r := rtcp.ReceptionReport{SSRC: 1, LastSequenceNumber: s.received.highest}
	if expected := s.received.highest - s.received.told; expected > s.received.count-s.received.before {
		r.FractionLost = uint8(256 * (expected - (s.received.count - s.received.before)) / expected)
	}
	s.received.told, s.received.before = s.received.highest, s.received.count
	rtt := s.there.delay + s.back.delay + max(s.there.busy.Sub(s.now), 0)
	if out, ok := s.back.pass(80, s.now, s.rand); ok {
		s.at(out, func() { s.b.gotReport(r, rtt, s.now) })
	}
}

// simResult is what a viewer would say of some seconds.
type simResult struct {
	fps, p50, p95, peak float64 // milliseconds
	freeze              float64 // longest
	target              float64 // mean
	queue               float64 // p95 of the line's
	sound               float64 // p95
	carried             float64 // bits a second
}

// over runs for d and tells about that time.
func (s *simulator) over(d time.Duration) simResult {
	if s.wire == nil {
		s.open()
	}
	shows, late, waits, curve, sound, carried := len(s.shows), len(s.late), len(s.there.waits), len(s.curve), len(s.soundLag), s.there.carried
	began := s.now
	s.run(d)
	r := simResult{fps: float64(len(s.shows)-shows) / d.Seconds(), carried: float64(s.there.carried-carried) * 8 / d.Seconds()}
	last := began
	for _, at := range append(s.shows[shows:], s.now) {
		r.freeze = max(r.freeze, ms(at.Sub(last)))
		last = at
	}
	r.p50, r.p95, r.peak = quantile(s.late[late:], 0.5), quantile(s.late[late:], 0.95), quantile(s.late[late:], 1)
	r.queue, r.sound = quantile(s.there.waits[waits:], 0.95), quantile(s.soundLag[sound:], 0.95)
	for _, c := range s.curve[curve:] {
		r.target += float64(c) / float64(len(s.curve)-curve)
	}
	s.t.Logf("%6.1fs fps %4.1f latency %3.0f/%3.0f/%4.0f freeze %4.0f target %4.0fk carried %4.0fk queue95 %3.0f sound95 %3.0f pad %dk why %q loss %.2f always %.2f",
		s.now.Sub(s.began).Seconds(), r.fps, r.p50, r.p95, r.peak, r.freeze, r.target/1000, r.carried/1000, r.queue, r.sound,
		s.wire.padding.Load()/1000, s.b.e.why, s.b.loss(), s.b.e.judge.always)
	return r
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func quantile(list []time.Duration, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return ms(sorted[int(q*float64(len(sorted)-1))])
}
