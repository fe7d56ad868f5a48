package peer

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
)

// shown counts pictures and does nothing else: drawing is measured where it is done.
type shown struct{ n atomic.Int64 }

func (s *shown) Present(*media.Frame) { s.n.Add(1) }

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCall720p runs a call between two sessions, both sending the animated scene at 1280x720 and 30 pictures a
// second, and reports CPU seconds a minute for one of them: capture of a made-up scene, encoding, encryption, loopback
// network, decoding. Not drawing.
func BenchmarkCall720p(b *testing.B) {
	for _, codec := range []string{"vp8", "vp9"} {
		b.Run(codec, func(b *testing.B) {
			for b.Loop() {
				callFor(b, codec, 10*time.Second)
			}
		})
	}
}

func callFor(b *testing.B, codec string, d time.Duration) {
	x, y := &party{}, &party{}
	x.other, y.other = y, x
	var seen [2]shown
	for i, p := range []*party{x, y} {
		p.Session = &Session{
			Offerer: i == 0, IncludeLoopback: true, Codecs: []string{codec}, Video: &seen[i], Speaker: &ear{}, OnEvent: p.got,
		}
		defer p.Close()
	}
	for i, p := range []*party{y, x} {
		if err := p.Start(); err != nil {
			b.Fatal(err)
		}
		p.SetCamera(&capture.Pattern{Width: 1280, Height: 720, FPS: 30, ID: uint8(i)})
		p.SetMicrophone(&tone{hz: 440})
	}
	wait := time.NewTimer(3 * time.Second) // the estimate grows
	<-wait.C
	began, before, n := cpu(), time.Now(), seen[0].n.Load()
	wait.Reset(d)
	<-wait.C
	passed := time.Since(before).Seconds()
	s, _ := find[Stats](x)
	b.ReportMetric((cpu()-began).Seconds()/2/passed*60, "cpu-s/min")
	b.ReportMetric(float64(seen[0].n.Load()-n)/passed, "fps")
	b.ReportMetric(float64(s.EncodeTime.Microseconds())/1000, "encode-ms")
	b.ReportMetric(float64(s.DecodeTime.Microseconds())/1000, "decode-ms")
	b.ReportMetric(float64(s.ReceiveKbps), "kbit/s")
	b.Logf("%+v", s)
}
