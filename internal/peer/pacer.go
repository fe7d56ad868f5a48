package peer

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pacer owns all sending of sound and pictures: its one goroutine gives each packet its number and hands it to the
// network. Sound goes first and never waits; then what is sent again, error correction, pictures, and padding where a
// probe wants it. All but the sound is spread over time, so that a key frame does not flood a slow line's queue in front
// of it, and stops when more is on its way than the line can hold (congestion window). The encoder asks room before it
// takes the next picture, so at most a few wait here; what has waited too long is thrown away, not delivered late.
type pacer struct {
	sendSound func(*pacedPacket) error
	sendVideo func(*pacedPacket) error
	sent      func(*pacedPacket, time.Time) // the last packet of a picture has left
	// onDiscard is called when pictures that the encoder gave were thrown away, or were lost beyond repair: the next one
	// must not refer to them. It comes from any goroutine and must not wait.
	onDiscard func()
	recovers  func() bool // whether the next picture could be one that is no key frame; nil: never
	wire      *wire       // nil in tests: no window, nothing is sent again, no padding
	hush      *hush       // nil in tests
	clock     func() time.Time
	rate      atomic.Int64 // bits a second that are allowed in all
	window    atomic.Int64 // bytes that may be on their way; 0: any number
	fast      atomic.Int64 // bits a second at which the line is known to pass packets on; 0: not known
	full      atomic.Int64 // bits a second above which they would wait in the line's queue; 0: not known

	mu        sync.Mutex
	sound     []pacedPacket
	repairs   []resendRequest
	fec       []pacedPacket // parities
	pictures  []pacedPacket
	free      [][]byte
	bytes     int       // in pictures and fec
	due       time.Time // when the next packet may leave, but sound
	lastSent  time.Time // any packet
	moved     time.Time // when a packet of a picture last left
	discarded int       // pictures
	probe     cluster   // bytes are those left
	blocked   bool      // by the window
	noPadding bool      // could be sent when it was wanted

	wake  chan struct{} // there is something to do
	spare chan struct{} // another picture may be put
}

// pictureMeta is what goes with a picture through the pacer.
type pictureMeta struct {
	number        int64 // of the captured pictures, as media.Frame counts them
	key           bool
	width, height int
	twice         bool // again after a while, if nothing is heard
}

// pacedPacket is one packet on its way out.
type pacedPacket struct {
	rtpTime     uint32
	payloadType uint8 // 0: what was negotiated for the track
	marker      bool  // of a picture: its last packet
	first       bool  // of a picture
	parity      bool  // redundancy for the packets before it, of no picture
	size        int   // of the whole picture, in bytes
	meta        pictureMeta
	payload     []byte
	put         time.Time
}

const (
	paceFactor  = 2.5 // times the allowed rate, as libwebrtc: the mean is the encoder's matter
	paceBurst   = 5 * time.Millisecond
	roomBelow   = 40 * time.Millisecond // of sending at that pace
	staleAfter  = 400 * time.Millisecond
	staleMoving = 1200 * time.Millisecond
	backlogMost = 150 * time.Millisecond // of sending at the allowed rate, when that has fallen
	minPaceBps  = 200_000
	freePackets = 256
	soundQueue  = 16 // packets; only a stuck network fills it
	repairQueue = 256
	fecQueue    = 256
	quietMost   = 200 * time.Millisecond
	aliveEvery  = 100 * time.Millisecond // a packet leaves so often although the window is full: it may be feedback that got lost
)

func newPacer(sendVideo, sendSound func(*pacedPacket) error) *pacer {
	p := &pacer{
		sendVideo: sendVideo, sendSound: sendSound, clock: time.Now,
		wake: make(chan struct{}, 1), spare: make(chan struct{}, 1),
	}
	p.rate.Store(minPaceBps)
	return p
}

// put takes one picture's payloads, copying them.
func (p *pacer) put(rtpTime uint32, payloads [][]byte, meta pictureMeta) {
	now, size := p.clock(), 0
	for _, b := range payloads {
		size += len(b)
	}
	p.mu.Lock()
	for i, b := range payloads {
		p.pictures = append(p.pictures, pacedPacket{
			rtpTime: rtpTime, first: i == 0, marker: i == len(payloads)-1, size: size, meta: meta, payload: p.copyLocked(b), put: now,
		})
		p.bytes += len(b)
	}
	p.mu.Unlock()
	signal(p.wake)
}

// putRepair takes a request to send something again; false when too many wait.
func (p *pacer) putRepair(r resendRequest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.repairs) >= repairQueue {
		return false
	}
	p.repairs = append(p.repairs, r)
	signal(p.wake)
	return true
}

// putProbe begins a probe: for so many bytes everything leaves at its pace, with padding where there is nothing else.
func (p *pacer) putProbe(c cluster) {
	p.mu.Lock()
	p.probe, p.due = c, time.Time{}
	p.mu.Unlock()
	p.wire.setProbe(c.id)
	signal(p.wake)
}

// putSound takes one packet of sound, copying it; false when the network is stuck. A payloadType of 0 is the track's.
func (p *pacer) putSound(rtpTime uint32, marker bool, payloadType uint8, payload []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sound) >= soundQueue {
		return false
	}
	p.sound = append(p.sound, pacedPacket{rtpTime: rtpTime, marker: marker, payloadType: payloadType, payload: p.copyLocked(payload)})
	signal(p.wake)
	return true
}

func (p *pacer) copyLocked(b []byte) []byte {
	var own []byte
	if n := len(p.free); n > 0 {
		own, p.free = p.free[n-1], p.free[:n-1]
	}
	return append(own[:0], b...)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// room says whether another picture may be put; if not, spare becomes readable when it may.
func (p *pacer) room() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.roomLocked()
}

func (p *pacer) roomLocked() bool {
	return !p.blocked && p.duration(p.bytes, p.wishedLocked()) < roomBelow
}

// wishedLocked is how fast pictures should leave, in bits a second.
func (p *pacer) wishedLocked() float64 {
	if p.probe.bytes > 0 {
		return float64(p.probe.bps)
	}
	return max(float64(max(p.rate.Load(), minPaceBps))*paceFactor, float64(p.fast.Load()))
}

// paceLocked is how fast they do. What waits for the line waits better here than in its queue, where sound cannot pass.
func (p *pacer) paceLocked() float64 {
	pace := p.wishedLocked()
	if full := float64(p.full.Load()); full > 0 && p.probe.bytes == 0 {
		pace = min(pace, max(full, float64(p.rate.Load())*paceAboveFull))
	}
	return pace
}

func (p *pacer) duration(bytes int, bps float64) time.Duration {
	return time.Duration(float64(bytes*8) / bps * float64(time.Second))
}

// run sends until stop is closed.
func (p *pacer) run(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := p.step(p.clock())
		var later <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			later = timer.C
		}
		select {
		case <-stop:
			return
		case <-p.wake:
		case <-later:
		}
	}
}

// pacedKind says which queue a packet comes from, best first.
type pacedKind uint8

const (
	kindNone pacedKind = iota
	kindSound
	kindRepair
	kindFEC
	kindVideo
	kindPadding
)

// step sends what may leave now and says when to come again, 0 for not before something happens.
func (p *pacer) step(now time.Time) time.Duration {
	p.discardStale(now)
	for {
		kind, next, repair, wait := p.pop(now)
		size := len(next.payload)
		switch kind { // sending fails only when the connection ends
		case kindNone:
			return wait
		case kindSound:
			_ = p.sendSound(&next)
		case kindRepair:
			if size = p.wire.again(repair, now); size == 0 {
				continue // it is not needed any more
			}
		case kindFEC:
			_ = p.sendVideo(&next)
		case kindVideo:
			if _ = p.sendVideo(&next); next.marker && p.sent != nil {
				p.sent(&next, now)
			}
		case kindPadding:
			size = p.wire.pad(repair.pad, now)
		}
		p.done(kind, size, next.payload, now)
	}
}

// pop takes the next packet that may leave, or says how long none may.
func (p *pacer) pop(now time.Time) (kind pacedKind, next pacedPacket, repair resendRequest, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sound) > 0 {
		next = p.sound[0]
		p.sound = slices.Delete(p.sound, 0, 1)
		return kindSound, next, repair, 0
	}
	if alive := p.checkWindowLocked(now); p.blocked {
		switch {
		case alive > 0:
			return kindNone, next, repair, alive
		case p.noPadding && len(p.pictures) > 0:
			next = p.pictures[0]
			p.pictures = slices.Delete(p.pictures, 0, 1)
			return kindVideo, next, repair, 0
		}
		return kindPadding, next, resendRequest{pad: 1}, 0
	}
	if wait := p.due.Sub(now); wait > p.burstLocked() {
		return kindNone, next, repair, wait
	}
	for i, r := range p.repairs {
		if left := r.due.Sub(now); left > 0 {
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		p.repairs = slices.Delete(p.repairs, i, i+1)
		return kindRepair, next, r, 0
	}
	switch {
	case len(p.fec) > 0:
		next = p.fec[0]
		p.fec = slices.Delete(p.fec, 0, 1)
		return kindFEC, next, repair, 0
	case len(p.pictures) > 0:
		next = p.pictures[0]
		p.pictures = slices.Delete(p.pictures, 0, 1)
		return kindVideo, next, repair, 0
	case p.probe.bytes > 0:
		return kindPadding, next, resendRequest{pad: min(p.probe.bytes, p.probe.pad)}, 0
	}
	if p.roomLocked() {
		signal(p.spare)
	}
	if quiet, may := p.quietLocked(now); may && quiet == 0 {
		return kindPadding, next, resendRequest{pad: 1}, 0
	} else if may && (wait == 0 || quiet < wait) {
		wait = quiet
	}
	return kindNone, next, repair, wait
}

// quietLocked says how long nothing more may be silent. On a line too slow for pictures, and without any sound, there
// would be no feedback to learn from that the line is better.
func (p *pacer) quietLocked(now time.Time) (left time.Duration, may bool) {
	if p.wire == nil || p.noPadding || p.lastSent.IsZero() || p.rate.Load() >= resumeFromBps {
		return 0, false
	}
	return max(quietMost-now.Sub(p.lastSent), 0), true
}

func (p *pacer) burstLocked() time.Duration {
	if p.probe.bytes > 0 {
		return 0 // its packets should be even
	}
	return paceBurst
}

// checkWindowLocked finds whether the line holds as much as it may, and when a packet is due nevertheless.
func (p *pacer) checkWindowLocked(now time.Time) (alive time.Duration) {
	window := p.window.Load()
	if p.hush != nil && p.hush.on(now) {
		window *= hushWindows
	}
	p.blocked = p.wire != nil && window > 0 && p.wire.inFlight() >= window
	if !p.blocked {
		return 0
	}
	if p.lastSent.IsZero() {
		p.lastSent = now
	}
	return max(aliveEvery-now.Sub(p.lastSent), 0)
}

// done counts what was sent and keeps its memory.
func (p *pacer) done(kind pacedKind, size int, payload []byte, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastSent = now
	if payload != nil && len(p.free) < freePackets {
		p.free = append(p.free, payload)
	}
	if kind == kindFEC || kind == kindVideo {
		p.bytes -= size
		p.moved = now
	}
	if kind != kindSound {
		if p.due.Before(now) {
			p.due = now
		}
		p.due = p.due.Add(p.duration(size, p.paceLocked()))
	}
	if kind == kindPadding {
		p.noPadding = size == 0
		p.blocked = p.blocked && !p.noPadding // a picture must do
	}
	if p.probe.bytes > 0 {
		if p.probe.bytes -= size + paddingOverhead; p.probe.bytes <= 0 || kind == kindPadding && size == 0 {
			p.probe = cluster{}
			p.wire.setProbe(0)
		}
	}
	if p.roomLocked() {
		signal(p.spare)
	}
}

const paddingOverhead = 12 + transportOverhead

// discardStale throws everything away once the first picture has waited too long: those behind it refer to it. One that is
// on its way gets more time, because the key frame that would follow is no smaller.
func (p *pacer) discardStale(now time.Time) {
	p.mu.Lock()
	stale := false
	if len(p.pictures) > 0 {
		waited, stuck := now.Sub(p.pictures[0].put), now.Sub(p.moved) > staleAfter/2
		stale = waited > staleAfter && stuck || waited > staleMoving
	}
	p.mu.Unlock()
	if stale {
		p.discard()
	}
}

// tooMuch says whether what waits would take far too long at the rate that is allowed now. A key frame is waited for: the
// next one would be no smaller.
func (p *pacer) tooMuch() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pictures) > 0 && !p.pictures[0].meta.key && p.duration(p.bytes, float64(max(p.rate.Load(), 1))) > backlogMost
}

// replaceable says whether the next picture helps in place of what is on its way: a key frame that still leaves would be
// followed by one no smaller, and where nothing waits only a recovery frame is cheaper than what it replaces.
func (p *pacer) replaceable() bool {
	p.mu.Lock()
	waits, key := len(p.pictures) > 0, len(p.pictures) > 0 && p.pictures[0].meta.key
	p.mu.Unlock()
	if waits {
		return !key
	}
	return p.recovers != nil && p.recovers()
}

// thrown is how many pictures were discarded.
func (p *pacer) thrown() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.discarded)
}

// discard throws away all pictures that wait.
func (p *pacer) discard() {
	p.mu.Lock()
	for _, q := range slices.Concat(p.pictures, p.fec) {
		if q.marker {
			p.discarded++
		}
		if len(p.free) < freePackets {
			p.free = append(p.free, q.payload)
		}
	}
	p.pictures, p.fec, p.repairs, p.bytes = p.pictures[:0], p.fec[:0], p.repairs[:0], 0
	p.mu.Unlock()
	if p.wire != nil {
		p.wire.forget(p.clock())
	}
	if p.onDiscard != nil {
		p.onDiscard()
	}
	signal(p.wake)
}
