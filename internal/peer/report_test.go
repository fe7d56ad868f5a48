package peer

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

// Both ends' reports fit each other and the call.
func TestReport(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	eventually(t, "two reports", func() bool { _, n := find[Stats](a); _, m := find[Stats](b); return n > 1 && m > 1 })
	sa, _ := find[Stats](a)
	sb, _ := find[Stats](b)
	out, in := sa.Report.OutboundVideo, sb.Report.InboundVideo
	if out.SSRC == 0 || out.SSRC != in.SSRC || out.MimeType != "video/VP9" || in.MimeType != out.MimeType {
		t.Errorf("sent %+v, received %+v", out.Stream, in.Stream)
	}
	if out.FramesEncoded < 10 || out.FramesSent < out.FramesEncoded-5 || out.KeyFramesEncoded < 1 || out.TotalEncodeTime <= 0 {
		t.Errorf("sent %+v", out)
	}
	if in.FramesDecoded < 10 || in.FramesReceived < in.FramesDecoded || in.KeyFramesDecoded < 1 || in.TotalDecodeTime <= 0 ||
		in.FramesRendered > in.FramesDecoded || in.FrameWidth != out.FrameWidth || in.JitterBufferEmittedCount < 10 {
		t.Errorf("received %+v", in)
	}
	if out.PacketsSent < out.FramesSent || in.PacketsReceived < in.FramesReceived || out.BytesSent < 10_000 || in.BytesReceived < 10_000 {
		t.Errorf("%d packets with %d bytes sent, %d with %d received", out.PacketsSent, out.BytesSent, in.PacketsReceived, in.BytesReceived)
	}
	if !(in.Jitter > 0 && in.Jitter < 0.2) || out.TargetBitrate < 50_000 || out.QualityLimitationDurations["none"]+
		out.QualityLimitationDurations["cpu"]+out.QualityLimitationDurations["bandwidth"] < 0.9 {
		t.Errorf("jitter %f, target %f, limited %v", in.Jitter, out.TargetBitrate, out.QualityLimitationDurations)
	}
	oa, ia := sa.Report.OutboundAudio, sb.Report.InboundAudio
	if oa.SSRC == 0 || oa.SSRC != ia.SSRC || oa.PacketsSent < 40 || ia.PacketsReceived < 40 {
		t.Errorf("sound: sent %+v, received %+v", oa, ia)
	}
	if p := sa.Report.CandidatePair; p.Local != "host" || p.Remote == "" || p.CurrentRoundTripTime <= 0 || p.AvailableOutgoingBitrate <= 0 {
		t.Errorf("path %+v", p)
	}
}

func TestMeasureRTP(t *testing.T) {
	h := rtp.Header{Version: 2, Timestamp: 0x01020304, CSRC: []uint32{1, 2}}
	for i := range 3 {
		p := rtp.Packet{Header: h, Payload: []byte{1, 2, 3}}
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if n, at, ok := measureRTP(b); !ok || n != p.MarshalSize()-3 || at != 0x01020304 {
			t.Errorf("%d extensions: %d, %x, %v", i, n, at, ok)
		}
		if err := h.SetExtension(uint8(i+1), make([]byte, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	long := append([]byte{0x90, 96}, make([]byte, 14)...)
	long[14], long[15] = 0xff, 0xff // an extension of 262140 bytes
	for _, b := range [][]byte{nil, {0x80}, make([]byte, 12), append([]byte{0x90}, make([]byte, 11)...), append([]byte{0x8f}, make([]byte, 20)...), long} {
		if n, _, ok := measureRTP(b); ok {
			t.Errorf("% x: header of %d bytes", b, n)
		}
	}
}

func TestInterarrivalJitter(t *testing.T) {
	start := time.Unix(1000, 0)
	even := interarrival{rate: 48000}
	for n := range 100 {
		if j := even.next(uint32(n)*960, start.Add(time.Duration(n)*20*time.Millisecond)); j != 0 {
			t.Fatalf("packet %d of an even stream: %v", n, j)
		}
	}
	uneven := interarrival{rate: 48000}
	var j time.Duration
	for n := range 1000 {
		late := time.Duration(n%2) * 8 * time.Millisecond
		j = uneven.next(uint32(n)*960+0xffff0000, start.Add(time.Duration(n)*20*time.Millisecond+late))
	}
	if j < 7900*time.Microsecond || j > 8100*time.Microsecond {
		t.Errorf("each second one 8 ms late: %v", j)
	}
	if j = uneven.next(5, start.Add(time.Hour)); j > 9*time.Millisecond {
		t.Errorf("a jump of the clock counts as jitter: %v", j)
	}
}

func TestLimitsAddUp(t *testing.T) {
	var l limits
	at := time.Unix(1000, 0)
	for _, why := range []limitation{limitNone, limitNone, limitCPU, limitBandwidth, limitBandwidth} {
		l.add(at, why)
		at = at.Add(time.Second)
	}
	if d := l.durations(); d["none"] != 1 || d["cpu"] != 1 || d["bandwidth"] != 2 {
		t.Errorf("%v", d)
	}
}
