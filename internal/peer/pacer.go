package peer

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pacer owns all sending of sound and pictures: its one goroutine gives each packet its number and hands it to the
// network. Sound goes first and never waits. Pictures are spread over time, so that a key frame does not flood a slow
// line's queue in front of the sound. The encoder asks room before it takes the next picture, so at most a few wait
// here; what has waited too long is thrown away, not delivered late.
type pacer struct {
	sendSound func(*pacedPacket) error
	sendVideo func(*pacedPacket) error
	sent      func(*pacedPacket, time.Time) // the last packet of a picture has left
	// onDiscard is called from the pacer's goroutine when pictures that the encoder gave were thrown away: the next one
	// must not refer to them. It must not wait.
	onDiscard func()
	rate      atomic.Int64 // bits a second that are allowed in all

	mu        sync.Mutex
	sound     []pacedPacket
	pictures  []pacedPacket
	free      [][]byte
	bytes     int       // in pictures
	due       time.Time // when the next packet of a picture may leave
	discarded int       // pictures

	wake  chan struct{} // a packet was put
	spare chan struct{} // the queue got shorter than room wants
}

// pictureMeta is what goes with a picture through the pacer.
type pictureMeta struct {
	number        int64 // of the captured pictures, as media.Frame counts them
	key           bool
	width, height int
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
	minPaceBps  = 200_000
	freePackets = 256
	soundQueue  = 16 // packets; only a stuck network fills it
)

func newPacer(sendVideo, sendSound func(*pacedPacket) error) *pacer {
	p := &pacer{sendVideo: sendVideo, sendSound: sendSound, wake: make(chan struct{}, 1), spare: make(chan struct{}, 1)}
	p.rate.Store(minPaceBps)
	return p
}

// put takes one picture's payloads, copying them.
func (p *pacer) put(rtpTime uint32, payloads [][]byte, meta pictureMeta) {
	now, size := time.Now(), 0
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

func (p *pacer) roomLocked() bool { return p.duration(p.bytes) < roomBelow }

func (p *pacer) duration(bytes int) time.Duration {
	rate := float64(max(p.rate.Load(), minPaceBps)) * paceFactor
	return time.Duration(float64(bytes*8) / rate * float64(time.Second))
}

// run sends until stop is closed.
func (p *pacer) run(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := p.step(time.Now())
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

// step sends what may leave now and says when to come again, 0 for not before something is put.
func (p *pacer) step(now time.Time) time.Duration {
	p.discardStale(now)
	for {
		next, isSound, wait, ok := p.pop(now)
		if !ok {
			return wait
		}
		if isSound {
			_ = p.sendSound(&next) // fails only when the connection ends, as below
		} else if _ = p.sendVideo(&next); next.marker && p.sent != nil {
			p.sent(&next, now)
		}
		p.done(next.payload)
	}
}

func (p *pacer) pop(now time.Time) (next pacedPacket, isSound bool, wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sound) > 0 {
		next = p.sound[0]
		p.sound = slices.Delete(p.sound, 0, 1)
		return next, true, 0, true
	}
	if len(p.pictures) == 0 {
		return next, false, 0, false
	}
	if wait := p.due.Sub(now); wait > paceBurst {
		return next, false, wait, false
	}
	next = p.pictures[0]
	p.pictures = slices.Delete(p.pictures, 0, 1)
	p.bytes -= len(next.payload)
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(p.duration(len(next.payload)))
	if p.roomLocked() {
		signal(p.spare)
	}
	return next, false, 0, true
}

// done keeps a sent packet's memory.
func (p *pacer) done(payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < freePackets {
		p.free = append(p.free, payload)
	}
}

// discardStale throws everything away once the first picture has waited too long: those behind it refer to it.
func (p *pacer) discardStale(now time.Time) {
	p.mu.Lock()
	stale := len(p.pictures) > 0 && now.Sub(p.pictures[0].put) > staleAfter
	if stale {
		p.discardLocked()
	}
	p.mu.Unlock()
	if stale && p.onDiscard != nil {
		p.onDiscard()
	}
}

func (p *pacer) discardLocked() {
	for _, q := range p.pictures {
		if q.marker {
			p.discarded++
		}
		if len(p.free) < freePackets {
			p.free = append(p.free, q.payload)
		}
	}
	p.pictures, p.bytes = p.pictures[:0], 0
	signal(p.spare)
}
