package peer

import (
	"sync"
	"sync/atomic"
	"time"
)

// pacer spreads a picture's packets over time, so that a key frame does not flood a slow line's queue in front of the
// sound. Only pictures go through it: sound and retransmissions are written past it. Its one goroutine owns the sending
// of the video track. The encoder asks room before it takes the next picture, so at most a few wait here.
type pacer struct {
	send func(pacedPacket) error
	rate atomic.Int64 // bits a second that are allowed in all

	mu    sync.Mutex
	queue []pacedPacket
	free  [][]byte
	bytes int

	wake  chan struct{} // a packet was put
	spare chan struct{} // the queue got shorter than room wants
}

type pacedPacket struct {
	rtpTime uint32
	marker  bool
	payload []byte
}

const (
	paceFactor  = 2.5 // times the allowed rate, as libwebrtc: the mean is the encoder's matter
	paceBurst   = 5 * time.Millisecond
	roomBelow   = 40 * time.Millisecond // of sending at that pace
	minPaceBps  = 200_000
	freePackets = 256
)

func newPacer(send func(pacedPacket) error) *pacer {
	p := &pacer{send: send, wake: make(chan struct{}, 1), spare: make(chan struct{}, 1)}
	p.rate.Store(minPaceBps)
	return p
}

// put takes one picture's payloads, copying them.
func (p *pacer) put(rtpTime uint32, payloads [][]byte) {
	p.mu.Lock()
	for i, b := range payloads {
		var own []byte
		if n := len(p.free); n > 0 {
			own, p.free = p.free[n-1], p.free[:n-1]
		}
		p.queue = append(p.queue, pacedPacket{rtpTime, i == len(payloads)-1, append(own[:0], b...)})
		p.bytes += len(b)
	}
	p.mu.Unlock()
	signal(p.wake)
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
	return p.duration(p.bytes) < roomBelow
}

func (p *pacer) duration(bytes int) time.Duration {
	rate := float64(max(p.rate.Load(), minPaceBps)) * paceFactor
	return time.Duration(float64(bytes*8) / rate * float64(time.Second))
}

// run sends until stop is closed.
func (p *pacer) run(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now()
	for {
		next, ok := p.pop()
		if !ok {
			select {
			case <-stop:
				return
			case <-p.wake:
				continue
			}
		}
		if wait := time.Until(due); wait > paceBurst {
			timer.Reset(wait)
			select {
			case <-stop:
				return
			case <-timer.C:
			}
		}
		_ = p.send(next) // fails only when the connection ends
		now := time.Now()
		if due.Before(now) {
			due = now
		}
		due = due.Add(p.duration(len(next.payload)))
		p.done(next)
	}
}

func (p *pacer) pop() (pacedPacket, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return pacedPacket{}, false
	}
	return p.queue[0], true
}

// done takes the sent packet off and keeps its memory.
func (p *pacer) done(sent pacedPacket) {
	p.mu.Lock()
	p.queue = p.queue[1:]
	if len(p.queue) == 0 {
		p.queue = nil
	}
	p.bytes -= len(sent.payload)
	if len(p.free) < freePackets {
		p.free = append(p.free, sent.payload)
	}
	room := p.duration(p.bytes) < roomBelow
	p.mu.Unlock()
	if room {
		signal(p.spare)
	}
}
