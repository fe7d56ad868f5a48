package echo

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// keyFrameEvery is the least time between two requests for a key frame that are passed on.
const keyFrameEvery = 500 * time.Millisecond

// track sends one m-line's media back. It has no queue: forward writes a packet before it reads the next, and while a
// write blocks (a relay over TCP that is full), pion's receive buffer, which is bounded, drops what comes.
type track struct {
	connection *connection
	local      *webrtc.TrackLocalStaticRTP
	clockRate  uint32
	asked      time.Time // of readFeedback alone

	mu      sync.Mutex
	source  webrtc.SSRC // of the caller's stream; 0: none yet
	numbers renumber
}

func newTrack(c *connection, s offered) (*track, error) {
	codec := s.codecs[0].RTPCodecCapability
	local, err := webrtc.NewTrackLocalStaticRTP(codec, s.kind.String()+s.mid, "echo")
	if err != nil {
		return nil, fmt.Errorf("make track: %w", err)
	}
	return &track{connection: c, local: local, clockRate: codec.ClockRate}, nil
}

// forward sends back what it reads, until the stream ends. When another stream takes its place on the m-line, the newer
// one is sent and the older one read away.
func (t *track) forward(remote *webrtc.TrackRemote) {
	t.mu.Lock()
	t.source = remote.SSRC()
	t.mu.Unlock()
	var packet rtp.Packet
	for b := make([]byte, receiveMTU); ; {
		n, _, err := remote.Read(b)
		switch {
		case errors.Is(err, io.ErrShortBuffer):
			continue
		case err != nil:
			return
		case packet.Unmarshal(b[:n]) != nil || !t.renumber(&packet.Header, remote.SSRC()):
			continue
		}
		// Extensions are numbered per connection and direction, and say things of the way here.
		packet.Extension, packet.Extensions, packet.ExtensionProfile = false, nil, 0
		packet.CSRC = nil
		if t.local.WriteRTP(&packet) == nil && t.connection.flows.CompareAndSwap(false, true) {
			t.connection.post(mediaFlows{})
		}
	}
}

func (t *track) renumber(h *rtp.Header, from webrtc.SSRC) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if from != t.source {
		return false
	}
	t.numbers.apply(h, t.clockRate, time.Now())
	return true
}

// readFeedback passes on what only the caller's encoder can serve: requests for a key frame. The interceptors repeat
// lost packets and count reports as they are read here.
func (t *track) readFeedback(sender *webrtc.RTPSender) {
	for b := make([]byte, receiveMTU); ; {
		n, _, err := sender.Read(b)
		switch {
		case errors.Is(err, io.ErrShortBuffer):
			continue
		case err != nil:
			return
		}
		packets, err := rtcp.Unmarshal(b[:n])
		if err == nil && slices.ContainsFunc(packets, asksForKeyFrame) {
			t.askForKeyFrame(time.Now())
		}
	}
}

func asksForKeyFrame(p rtcp.Packet) bool {
	switch p.(type) {
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		return true
	}
	return false
}

func (t *track) askForKeyFrame(now time.Time) {
	t.mu.Lock()
	source := t.source
	t.mu.Unlock()
	if source == 0 || now.Sub(t.asked) < keyFrameEvery {
		return
	}
	t.asked = now
	_ = t.connection.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(source)}}) // it will ask again
}

// drain reads RTCP of a received stream: interceptors live off it.
func drain(receiver *webrtc.RTPReceiver) {
	readAway(receiver.Read)
}

// discard reads a stream that the caller does not want back.
func discard(remote *webrtc.TrackRemote) {
	readAway(remote.Read)
}

func readAway(read func([]byte) (int, interceptor.Attributes, error)) {
	for b := make([]byte, receiveMTU); ; {
		if _, _, err := read(b); err != nil && !errors.Is(err, io.ErrShortBuffer) {
			return
		}
	}
}
