package peer

import (
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// drain reads the RTCP of one sender or receiver until it ends. Every one must be read: interceptors see only what
// somebody reads.
func (s *Session) drain(r packetReader) {
	readAll(r, func(b []byte, attributes interceptor.Attributes) {
		if attributes == nil {
			return
		}
		packets, err := attributes.GetRTCPPackets(b)
		if err != nil {
			return // hostile or broken: dropped
		}
		now := time.Now()
		for _, p := range packets {
			s.gotRTCP(p, now)
		}
	})
}

// packetReader is what pion's tracks, senders and receivers have in common.
type packetReader interface {
	Read([]byte) (int, interceptor.Attributes, error)
}

// readAll hands packets over until the reader ends; use borrows them. A single failure is a bad packet: a payload type
// that was not negotiated, or a broken extension.
func readAll(r packetReader, use func([]byte, interceptor.Attributes)) {
	buf := make([]byte, 1600)
	for failures := 0; failures < maxReadFailures; {
		n, attributes, err := r.Read(buf)
		switch {
		case err == nil:
			failures = 0
			use(buf[:n], attributes)
		case isEnd(err):
			return
		default:
			failures++
		}
	}
}

// maxReadFailures in a row end a reader: single ones are bad packets, so many are a broken connection.
const maxReadFailures = 1000

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

func (s *Session) gotRTCP(p rtcp.Packet, now time.Time) {
	switch p := p.(type) {
	case *rtcp.TransportLayerCC:
		s.bandwidth.gotFeedback(p, now)
	case *rtcp.TransportLayerNack:
		s.asked.gotNACK(s, p.MediaSSRC)
		s.wire.gotNACK(p, now, s.rtt.load(), s.bandwidth.target(), s.bandwidth.repairLoss())
	case *rtcp.PictureLossIndication:
		if p.MediaSSRC == s.videoOut.track.source() {
			s.asked.pli.Add(1)
			s.videoOut.keyAsked.Store(true)
		}
	case *rtcp.FullIntraRequest:
		for _, f := range p.FIR {
			if f.SSRC == s.videoOut.track.source() {
				s.asked.fir.Add(1)
				s.videoOut.keyAsked.Store(true)
			}
		}
	case *rtcp.ApplicationDefined:
		if n, ok := parseLNTF(p); ok && p.SSRC == s.videoOut.track.source() {
			s.videoOut.gotLossNotification(n)
		}
	case *rtcp.ReceiverReport:
		s.gotReports(p.Reports, now)
	case *rtcp.SenderReport:
		s.lips.got(p)
		s.gotReports(p.Reports, now)
	}
}

func (s *Session) gotReports(reports []rtcp.ReceptionReport, now time.Time) {
	for _, r := range reports {
		rtt, ok := roundTrip(r, now)
		switch r.SSRC {
		case s.audioOut.track.source():
			s.audioOut.gotLoss(float64(r.FractionLost) / 256)
		case s.videoOut.track.source():
			s.bandwidth.gotReport(r, rtt, now)
		default:
			continue
		}
		if ok {
			s.gotRTT(rtt)
		}
	}
}

// roundTrip follows RFC 3550 section 6.4.1.
func roundTrip(r rtcp.ReceptionReport, now time.Time) (time.Duration, bool) {
	if r.LastSenderReport == 0 {
		return 0, false
	}
	d := int32(ntpMiddle(now) - r.LastSenderReport - r.Delay)
	rtt := time.Duration(d) * time.Second / 65536
	if rtt <= -50*time.Millisecond || rtt >= 10*time.Second {
		return 0, false
	}
	return max(rtt, 0), true
}

// ntpMiddle gives the middle 32 bits of NTP time: seconds and their 1/65536th.
func ntpMiddle(t time.Time) uint32 {
	const epoch = 2208988800 // 1900 to 1970
	return uint32(t.Unix()+epoch)<<16 | uint32(t.Nanosecond()/1000*65536/1_000_000)
}

// gotRTT smooths as TCP does (RFC 6298).
func (s *Session) gotRTT(rtt time.Duration) {
	if old := s.rtt.load(); old > 0 {
		rtt = old + (rtt-old)/8
	}
	s.rtt.store(max(rtt, time.Millisecond/2))
}

// gotLoss feeds the error correction of Opus: quickly up, slowly down.
func (a *audioSender) gotLoss(fraction float64) {
	percent := int32(math.Ceil(fraction * 100))
	if old := a.loss.Load(); percent < old {
		percent = old - max((old-percent)/4, 1)
	}
	a.loss.Store(percent)
}

// aptOf gives the payload type that an RTX one repairs.
func aptOf(p webrtc.RTPCodecParameters) (uint8, bool) {
	if !strings.EqualFold(p.MimeType, webrtc.MimeTypeRTX) {
		return 0, false
	}
	text, ok := strings.CutPrefix(p.SDPFmtpLine, "apt=")
	n, err := strconv.ParseUint(text, 10, 7)
	return uint8(n), ok && err == nil
}
