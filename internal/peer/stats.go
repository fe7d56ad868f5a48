package peer

import (
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media/codec/opus"
)

// statsMeter remembers the totals of a second ago. The loop owns it.
type statsMeter struct {
	at                   time.Time
	sentBytes, gotBytes  int64
	framesSent, shown    int64
	received, lost       int64
	lossPercent          float64 // smoothed over some seconds
	everMeasured, primed bool
}

// everySecond says Stats, and Connected again when the path changed.
func (s *Session) everySecond(m *statsMeter, now time.Time) {
	s.stillSilent(now)
	s.keepWays(now)
	s.bandwidth.second(s.pc.ConnectionState() == webrtc.PeerConnectionStateConnected, now)
	if !s.talk.up {
		m.primed = false
		return
	}
	if s.rtt.load() == 0 {
		// No report yet; the path's own checks know.
		if st, ok := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePairStats(); ok && st.CurrentRoundTripTime > 0 {
			s.rtt.store(time.Duration(st.CurrentRoundTripTime * float64(time.Second)))
		}
	}
	s.pathChanged()
	st, ok := s.measure(m, now)
	if ok {
		s.emit(st)
	}
}

// measure is false for the first second, which has nothing to compare with.
func (s *Session) measure(m *statsMeter, now time.Time) (Stats, bool) {
	out, in := &s.videoOut.count, &s.videoIn.count
	sound := s.audioIn.buffer.Counts()
	before := *m
	m.at, m.primed = now, true
	m.sentBytes, m.gotBytes = s.wire.sentBytes.Load(), s.wire.gotBytes.Load()
	m.framesSent, m.shown = out.frames.Load(), in.shown.Load()
	m.received, m.lost = in.received.Load()+s.audioIn.count.received.Load(), in.lost.Load()+max(sound.Missing, 0)
	if !before.primed {
		return Stats{}, false
	}
	seconds := now.Sub(before.at).Seconds()
	rate := func(now, before int64) float64 { return max(float64(now-before)/seconds, 0) }
	if packets := m.received - before.received; packets > 0 {
		lost := max(m.lost-before.lost, 0)
		percent := 100 * float64(lost) / float64(packets+lost)
		if !m.everMeasured {
			m.lossPercent, m.everMeasured = percent, true
		}
		m.lossPercent += (percent - m.lossPercent) / 3
	}
	sendFPS, receiveFPS := rate(m.framesSent, before.framesSent), rate(m.shown, before.shown)
	return Stats{
		At: now, Relay: s.talk.relay, RTT: s.rtt.load(),
		LossPercent: m.lossPercent, SendLossPercent: 100 * s.bandwidth.loss(),
		SendKbps:    int(rate(m.sentBytes, before.sentBytes) * 8 / 1000),
		ReceiveKbps: int(rate(m.gotBytes, before.gotBytes) * 8 / 1000),
		TargetKbps:  s.bandwidth.target() / 1000,
		Line:        s.bandwidth.figures(now),
		SendFPS:     sendFPS, ReceiveFPS: receiveFPS,
		SendSize:    [2]int{int(out.width.Load()), int(out.height.Load())},
		ReceiveSize: [2]int{int(in.width.Load()), int(in.height.Load())},
		SendCodec:   loadCodec(&out.codec), ReceiveCodec: loadCodec(&in.codec),
		EncodeTime: time.Duration(out.encodeTime.Load()), DecodeTime: time.Duration(in.decodeTime.Load()),
		SendSpeed:     int(out.speed.Load()),
		KeyFramesSent: int(out.keys.Load()), KeyFramesRequested: int(in.keysAsked.Load()),
		FramesDropped:   int(in.unshown.Load() + in.unassembled.Load()),
		PacketsRepaired: int(in.repaired.Load()),
		AudioConcealed:  int(sound.Concealed / opus.FrameSamples),
		DataRefused:     int(s.data.refused.Load()),
		Report:          s.report(now, sendFPS, receiveFPS),
	}, true
}

func loadCodec(v *atomic.Value) string {
	c, _ := v.Load().(codec)
	return string(c)
}
