package peer

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
)

// feedbackSender sends transport-wide feedback about what the wire receives, from a goroutine of its own.
type feedbackSender struct {
	arrivals arrivalLog

	mu   sync.Mutex
	f    *feedbackWriter
	now  chan struct{} // do not wait
	stop chan struct{}
	once sync.Once
	done sync.WaitGroup
}

func newFeedbackSender() *feedbackSender {
	s := &feedbackSender{f: newFeedbackWriter(rand.Uint32()), now: make(chan struct{}, 1), stop: make(chan struct{})}
	s.f.inside = s.arrivals.inside
	return s
}

// got takes a received packet whose extension has that id; ssrc is 0 for a stream of retransmissions.
func (s *feedbackSender) got(b []byte, id uint8, ssrc uint32) {
	number, ok := transportNumber(b, id)
	if !ok {
		return
	}
	now := time.Now()
	came := s.arrivals.came(number, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ssrc != 0 {
		s.f.media = ssrc
	}
	s.f.add(number, len(b)+transportOverhead, came)
	if s.f.urgent(now) {
		signal(s.now)
	}
}

// setUp is told what may be sent in all, in bits a second.
func (s *feedbackSender) setUp(bps int) {
	s.mu.Lock()
	s.f.upBps = bps
	s.mu.Unlock()
}

func (s *feedbackSender) run(write interceptor.RTCPWriter) {
	timer := time.NewTimer(feedbackUsual)
	defer timer.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-timer.C:
		case <-s.now:
		}
		now := time.Now()
		s.mu.Lock()
		timer.Reset(s.f.every(now))
		list := s.f.take(now)
		s.mu.Unlock()
		for _, p := range list {
			_, _ = write.Write([]rtcp.Packet{p}, nil) // fails only while there is no connection
		}
	}
}

// BindRTCPWriter implements interceptor.Interceptor. It is called once.
func (w *wire) BindRTCPWriter(write interceptor.RTCPWriter) interceptor.RTCPWriter {
	w.feedback.done.Go(func() { w.feedback.run(write) })
	return write
}

// Close implements interceptor.Interceptor.
func (w *wire) Close() error {
	w.feedback.once.Do(func() { close(w.feedback.stop) })
	w.feedback.done.Wait()
	return nil
}

// transportNumber reads the transport-wide number off an RTP packet (RFC 8285: one-byte or two-byte extensions).
func transportNumber(b []byte, id uint8) (uint16, bool) {
	value, ok := extensionValue(b, id)
	if !ok || len(value) < 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(value), true
}

// extensionValue gives what the header extension with that id says in a whole packet (RFC 8285), as a part of it.
func extensionValue(b []byte, id uint8) (value []byte, ok bool) {
	const hasExtension = 0x10
	at := 12 + 4*int(b0(b)&0x0f)
	if id == 0 || b0(b)&hasExtension == 0 || len(b) < at+4 {
		return nil, false
	}
	profile, length := binary.BigEndian.Uint16(b[at:]), 4*int(binary.BigEndian.Uint16(b[at+2:]))
	if at += 4; len(b) < at+length {
		return nil, false
	}
	oneByte := profile == 0xbede
	if !oneByte && profile&0xfff0 != 0x1000 {
		return nil, false
	}
	for b = b[at : at+length]; len(b) > 0; {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		this, size, head := b[0]>>4, int(b[0]&0x0f)+1, 1
		if !oneByte {
			if len(b) < 2 {
				return nil, false
			}
			this, size, head = b[0], int(b[1]), 2
		}
		if oneByte && this == 15 || len(b) < head+size {
			return nil, false
		}
		if this == id {
			return b[head : head+size], true
		}
		b = b[head+size:]
	}
	return nil, false
}

func b0(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}
