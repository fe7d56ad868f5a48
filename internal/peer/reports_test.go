package peer

import (
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

type rtcpSink struct{ got []rtcp.Packet }

func (s *rtcpSink) Write(list []rtcp.Packet, _ interceptor.Attributes) (int, error) {
	s.got = append(s.got, list...)
	return 0, nil
}

func TestReportsSayWhenItWasCaptured(t *testing.T) {
	now := time.Unix(1_700_000_000, 250_000_000)
	own := newTrack(webrtc.RTPCodecTypeVideo, "s", nil)
	own.ssrc = 5
	r := &trueReports{tracks: []*track{own}, now: func() time.Time { return now }}
	sink := &rtcpSink{}
	w := r.BindRTCPWriter(sink)
	send := func(ssrc uint32) *rtcp.SenderReport {
		p := &rtcp.SenderReport{SSRC: ssrc, NTPTime: 1, RTPTime: 2}
		if _, err := w.Write([]rtcp.Packet{p, &rtcp.PictureLossIndication{}}, nil); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := send(5); p.NTPTime != 1 || p.RTPTime != 2 {
		t.Errorf("nothing was captured yet: %+v", p)
	}
	own.clock.set(4_294_967_000, now.Add(-time.Second))
	if p := send(5); p.RTPTime != 90000-296 || p.NTPTime != (1_700_000_000+2208988800)<<32|1<<30 {
		t.Errorf("%+v", p)
	}
	if p := send(6); p.NTPTime != 1 {
		t.Errorf("somebody else's report was changed: %+v", p)
	}
	if len(sink.got) != 6 {
		t.Errorf("%d packets passed on", len(sink.got))
	}
}

// What two of us report of sound and picture relates them to one clock within a few milliseconds.
func TestReportsRelateSoundAndPicture(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	both := func() bool {
		b.lips.mu.Lock()
		defer b.lips.mu.Unlock()
		return b.lips.sync.sound.began && b.lips.sync.picture.began
	}
	eventually(t, "reports of sound and picture", both)
	b.lips.mu.Lock()
	defer b.lips.mu.Unlock()
	now := time.Now()
	for _, c := range []struct {
		clock *reportClock
		track *track
	}{{&b.lips.sync.sound, a.audioOut.track}, {&b.lips.sync.picture, a.videoOut.track}} {
		rtpTime, ok := c.track.clock.rtpAt(now)
		at, known := c.clock.captured(rtpTime)
		want := time.Duration(now.Unix()+2208988800)*time.Second + time.Duration(now.Nanosecond())
		if !ok || !known || absDuration(at-want) > 25*time.Millisecond { // the clock of sound is counted in samples, ticks may be late
			t.Errorf("%s: %v off, %v %v", c.track.kind, at-want, ok, known)
		}
	}
}
