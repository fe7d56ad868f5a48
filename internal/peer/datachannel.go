package peer

import (
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"
)

// The data channel is what the two programs can say to each other while the server is away: it goes by the path that
// media goes by. The one who offers opens it, in band (RFC 8832), so that whoever does not know of it loses nothing. It
// carries short texts whose meaning is the owner's; what does not look like one is dropped and counted.
const (
	dataLabel    = "visavis"
	dataProtocol = "visavis.1"
	// MaxSay is the longest text of the data channel, in bytes.
	MaxSay = 4096

	textBurst  = 50                    // texts that may come at once
	textEvery  = 50 * time.Millisecond // and one more each
	maxUnsent  = 64 << 10              // bytes that the other has not taken: beyond it nothing is said
	maxRefused = 200                   // texts of the wrong kind, or beyond the rate; then the channel is closed
	maxStrange = 64                    // channels of another kind; then the connection has failed
	sctpBuffer = 128 << 10             // bytes that may wait here to be read
	// Lost packets are said again after a second (pion's least RTO), and no later: a path that is back is used at once.
	sctpRTOMax = time.Second
	// A last word may be lost once, and its acknowledgement takes 200 ms.
	partingLimit = 1300 * time.Millisecond
)

// dataChannel is a Session's. Its mutex guards which channel it is: texts are said from any goroutine, so that a last
// word leaves before Close.
type dataChannel struct {
	refused atomic.Int64 // what came and was not taken

	mu      sync.Mutex
	channel *webrtc.DataChannel // nil: none yet
	strange int
}

// offerData opens the channel; before the first offer, which has a section for it.
func (s *Session) offerData() error {
	protocol := dataProtocol
	c, err := s.pc.CreateDataChannel(dataLabel, &webrtc.DataChannelInit{Protocol: &protocol})
	if err != nil {
		return err
	}
	s.takeData(c)
	return nil
}

// gotData looks at a channel that the other has opened. It runs on pion's goroutine, which waits for it: what the other
// says comes later.
func (s *Session) gotData(c *webrtc.DataChannel) {
	if !s.Offerer && c.Label() == dataLabel && c.Protocol() == dataProtocol && s.takeData(c) {
		return
	}
	_ = c.Close() // as soon as it is open
	s.data.mu.Lock()
	s.data.strange++
	flood := s.data.strange > maxStrange
	s.data.mu.Unlock()
	s.data.refused.Add(1)
	if flood { // pion keeps a little of each, and cannot end SCTP without DTLS
		s.box.post(func() { s.fail("The other side does not keep to the protocol.") })
	}
}

// takeData makes c the channel, unless there is one.
func (s *Session) takeData(c *webrtc.DataChannel) bool {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	if s.data.channel != nil {
		return false
	}
	s.data.channel = c
	var rate allowance // of pion's reading goroutine
	c.OnMessage(func(m webrtc.DataChannelMessage) {
		if !m.IsString || len(m.Data) > MaxSay || !utf8.Valid(m.Data) || !rate.take(time.Now()) {
			if s.data.refused.Add(1) > maxRefused {
				_ = c.Close()
			}
			return
		}
		s.emitLater(Heard{string(m.Data)})
	})
	c.OnOpen(func() { s.emitLater(DataOpen{}) })
	return true
}

// Say sends a text over the data channel; false when there is none yet, or the other does not take what was said before.
// What was said before Close is given a second to arrive.
func (s *Session) Say(text string) bool {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	c := s.data.channel
	if c == nil || len(text) > MaxSay || c.ReadyState() != webrtc.DataChannelStateOpen || c.BufferedAmount() > maxUnsent {
		return false
	}
	if err := c.SendText(text); err != nil {
		s.log.Debug("data channel", "err", err)
		return false
	}
	return true
}

// settle waits until the other has all that was said, but not for long.
func (d *dataChannel) settle() {
	d.mu.Lock()
	c := d.channel
	d.mu.Unlock()
	if c == nil || c.ReadyState() != webrtc.DataChannelStateOpen {
		return
	}
	empty := make(chan struct{}, 1)
	c.OnBufferedAmountLow(func() {
		select {
		case empty <- struct{}{}:
		default:
		}
	})
	if c.BufferedAmount() == 0 {
		return
	}
	limit := time.NewTimer(partingLimit)
	defer limit.Stop()
	select {
	case <-empty:
	case <-limit.C:
	}
}

// allowance is how many texts may still come: textBurst, and one more every textEvery.
type allowance struct {
	spent float64
	at    time.Time
}

func (a *allowance) take(now time.Time) bool {
	a.spent = max(0, a.spent-float64(now.Sub(a.at))/float64(textEvery))
	a.at = now
	if a.spent+1 > textBurst {
		return false
	}
	a.spent++
	return true
}
