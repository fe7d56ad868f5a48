package peer

import (
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
)

// captureClock says which RTP time of a stream was captured when.
type captureClock struct {
	mu   sync.Mutex
	rate uint32 // of RTP time, a second
	rtp  uint32
	at   time.Time
}

func (c *captureClock) set(rtpTime uint32, at time.Time) {
	c.mu.Lock()
	c.rtp, c.at = rtpTime, at
	c.mu.Unlock()
}

// rtpAt is the RTP time of what is captured at t; ok is false before anything was.
func (c *captureClock) rtpAt(t time.Time) (uint32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return 0, false
	}
	return c.rtp + uint32(int64(t.Sub(c.at).Seconds()*float64(c.rate))), true
}

// trueReports makes sender reports say when things were captured, which the other side's lip sync goes by. pion's say
// when they were sent, and a picture waits longer for that than a sound does.
type trueReports struct {
	interceptor.NoOp
	tracks []*track
	now    func() time.Time
}

// NewInterceptor implements interceptor.Factory.
func (r *trueReports) NewInterceptor(string) (interceptor.Interceptor, error) { return r, nil }

// BindRTCPWriter implements interceptor.Interceptor: what later interceptors write comes through here.
func (r *trueReports) BindRTCPWriter(write interceptor.RTCPWriter) interceptor.RTCPWriter {
	return interceptor.RTCPWriterFunc(func(list []rtcp.Packet, a interceptor.Attributes) (int, error) {
		for _, p := range list {
			if report, ok := p.(*rtcp.SenderReport); ok {
				r.correct(report)
			}
		}
		return write.Write(list, a)
	})
}

func (r *trueReports) correct(report *rtcp.SenderReport) {
	now := r.now()
	for _, t := range r.tracks {
		if t.source() != report.SSRC {
			continue
		}
		if rtpTime, ok := t.clock.rtpAt(now); ok {
			report.NTPTime, report.RTPTime = ntpFull(now), rtpTime
		}
	}
}

// ntpFull is NTP time: seconds since 1900 and their 2^32nds.
func ntpFull(t time.Time) uint64 {
	const epoch = 2208988800 // 1900 to 1970
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}
