package peer

import (
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/report"
)

// askedCount is what the other side has asked for: requests, not packets.
type askedCount struct {
	nacks    [2]atomic.Int64 // by kind
	pli, fir atomic.Int64
}

func (c *askedCount) gotNACK(s *Session, ssrc uint32) {
	switch ssrc {
	case s.videoOut.track.source():
		c.nacks[ofPicture].Add(1)
	case s.audioOut.track.source():
		c.nacks[ofSound].Add(1)
	}
}

// limitation is why pictures are sent smaller or fewer than wished, as W3C's qualityLimitationReason has it.
type limitation int32

const (
	limitNone limitation = iota
	limitCPU
	limitBandwidth
)

var limitNames = [...]string{"none", "cpu", "bandwidth"}

// limitation is that of the stricter ruler; the processor's where both agree.
func (l *ladder) limitation() limitation {
	switch {
	case l.level > 0 || l.pace > 0:
		return limitCPU
	case l.rung > 0:
		return limitBandwidth
	}
	return limitNone
}

// limits adds up for how long which limitation held. The loop owns it.
type limits struct {
	last time.Time
	held [len(limitNames)]time.Duration
}

func (l *limits) add(now time.Time, why limitation) {
	if !l.last.IsZero() {
		l.held[why] += now.Sub(l.last)
	}
	l.last = now
}

func (l *limits) durations() map[string]float64 {
	m := map[string]float64{}
	for i, name := range limitNames {
		m[name] = l.held[i].Seconds()
	}
	return m
}

// report gives the totals of the call; rates are added by who knows the last second.
func (s *Session) report(now time.Time, sendFPS, receiveFPS float64) report.Report {
	r := report.Report{
		OutboundVideo: s.reportSentVideo(now),
		OutboundAudio: report.OutboundAudio{Outbound: s.reportSent(ofSound, "audio", webrtc.MimeTypeOpus)},
		InboundVideo:  s.reportGotVideo(),
		InboundAudio:  s.reportGotAudio(),
		CandidatePair: s.reportPath(),
	}
	r.OutboundVideo.FramesPerSecond, r.InboundVideo.FramesPerSecond = sendFPS, receiveFPS
	return r
}

func (s *Session) reportSent(kind int, name, mime string) report.Outbound {
	c := &s.meter.sent[kind]
	return report.Outbound{
		Stream:      report.Stream{Type: report.OutboundRTP, Kind: name, SSRC: c.ssrc.Load(), MimeType: mime},
		PacketsSent: c.packets.Load(), BytesSent: c.bytes.Load(), HeaderBytesSent: c.headers.Load(),
		RetransmittedPacketsSent: c.resentPackets.Load(), RetransmittedBytesSent: c.resentBytes.Load(),
		NackCount: s.asked.nacks[kind].Load(), TargetBitrate: float64(s.audioOut.bitrate.Load()),
		FractionLost: float64(s.audioOut.loss.Load()) / 100, RoundTripTime: s.rtt.load().Seconds(),
	}
}

func (s *Session) reportSentVideo(now time.Time) report.OutboundVideo {
	c := &s.videoOut.count
	why := limitation(c.limit.Load())
	s.limits.add(now, why)
	v := report.OutboundVideo{
		Outbound:      s.reportSent(ofPicture, "video", mimeOf(loadCodec(&c.codec))),
		FramesEncoded: c.frames.Load(), KeyFramesEncoded: c.keys.Load(), FramesSent: c.sent.Load(),
		FrameWidth: int(c.width.Load()), FrameHeight: int(c.height.Load()),
		TotalEncodeTime:         time.Duration(c.encodeTotal.Load()).Seconds(),
		QualityLimitationReason: limitNames[why], QualityLimitationDurations: s.limits.durations(),
		PLICount: s.asked.pli.Load(), FIRCount: s.asked.fir.Load(),
	}
	v.TargetBitrate, v.FractionLost = float64(s.videoOut.budget()), s.bandwidth.loss()
	return v
}

func (s *Session) reportGot(kind int, name, mime string) report.Inbound {
	c := &s.meter.got[kind]
	return report.Inbound{
		Stream:          report.Stream{Type: report.InboundRTP, Kind: name, SSRC: c.ssrc.Load(), MimeType: mime},
		PacketsReceived: c.packets.Load() - c.resentPackets.Load(), Jitter: time.Duration(c.jitter.Load()).Seconds(),
		BytesReceived: c.bytes.Load(), HeaderBytesReceived: c.headers.Load(),
		RetransmittedPacketsReceived: c.resentPackets.Load(), RetransmittedBytesReceived: c.resentBytes.Load(),
	}
}

func (s *Session) reportGotVideo() report.InboundVideo {
	c := &s.videoIn.count
	v := report.InboundVideo{
		Inbound:        s.reportGot(ofPicture, "video", mimeOf(loadCodec(&c.codec))),
		FramesReceived: c.assembled.Load(), FramesDecoded: c.decoded.Load(), KeyFramesDecoded: c.keysDecoded.Load(),
		FramesRendered: c.shown.Load(), FramesDropped: c.unshown.Load() + c.unassembled.Load(),
		FrameWidth: int(c.width.Load()), FrameHeight: int(c.height.Load()),
		TotalDecodeTime: time.Duration(c.decodeTotal.Load()).Seconds(),
		FreezeCount:     c.freezes.Load(), TotalFreezesDuration: time.Duration(c.frozen.Load()).Seconds(),
		PauseCount: c.pauses.Load(), TotalPausesDuration: time.Duration(c.paused.Load()).Seconds(),
		PLICount: c.keysAsked.Load(),
	}
	v.PacketsLost, v.FECPacketsReceived, v.NackCount = c.lost.Load(), c.redundant.Load(), c.nacks.Load()
	v.PacketsDiscarded = c.malformed.Load() + c.refused.Load()
	v.JitterBufferDelay, v.JitterBufferEmittedCount = time.Duration(c.waited.Load()).Seconds(), c.waitedOf.Load()
	return v
}

func (s *Session) reportPath() report.CandidatePair {
	p := report.CandidatePair{
		Type: report.CandidatePairType, State: "succeeded", // the loop asks only while connected
		BytesSent: s.wire.sentBytes.Load(), BytesReceived: s.wire.gotBytes.Load(),
		CurrentRoundTripTime: s.rtt.load().Seconds(), AvailableOutgoingBitrate: float64(s.bandwidth.target()),
	}
	pair, err := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err == nil && pair != nil {
		p.Local, p.Remote = pair.Local.Typ.String(), pair.Remote.Typ.String()
	}
	return p
}

func mimeOf(c string) string {
	switch codec(c) {
	case codecVP8:
		return webrtc.MimeTypeVP8
	case codecVP9:
		return webrtc.MimeTypeVP9
	case codecH264:
		return webrtc.MimeTypeH264
	}
	return ""
}

// reportGotAudio takes what the playout counts.
func (s *Session) reportGotAudio() report.InboundAudio {
	c := s.audioIn.buffer.Counts()
	v := report.InboundAudio{Inbound: s.reportGot(ofSound, "audio", webrtc.MimeTypeOpus)}
	v.PacketsLost, v.PacketsDiscarded = max(c.Missing, 0), int64(c.Late+c.Duplicate+c.Discarded)
	v.FECPacketsReceived = int64(c.CopiesReceived)
	v.JitterBufferDelay, v.JitterBufferTargetDelay = c.Waited.Seconds(), c.WaitedTarget.Seconds()
	v.JitterBufferEmittedCount = int64(c.Emitted)
	v.TotalSamplesReceived = int64(c.Samples)
	holes := s.audioIn.count.underruns.Load() * media.BlockSamples // in the speaker's ring: made up, too
	v.ConcealedSamples, v.SilentConcealedSamples = int64(c.Concealed)+holes, int64(c.SilentConcealed)
	v.TotalSamplesReceived += holes
	v.ConcealmentEvents = int64(c.ConcealedEvents)
	v.InsertedSamplesForDeceleration, v.RemovedSamplesForAcceleration = int64(c.Inserted), int64(c.Removed)
	return v
}
