package peer

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/codec/vpx"
	"visavis.example/internal/media/trace"
)

// lineOut is a bound track's writer that keeps what is written.
type lineOut struct {
	mu      sync.Mutex
	packets []rtp.Packet
}

func (t *lineOut) Write(b []byte) (int, error) { return len(b), nil }

func (t *lineOut) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.packets = append(t.packets, rtp.Packet{Header: *h, Payload: bytes.Clone(payload)})
	return len(payload), nil
}

// pictures puts together what was sent.
func (t *lineOut) pictures(c codec) (all []picture) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var data []byte
	for _, p := range t.packets {
		part, ok := depayload(c, p.Payload)
		if !ok {
			continue
		}
		if data = append(data, part.body...); p.Marker {
			all = append(all, picture{rtpTime: p.Timestamp, key: vpx.Inspect(vpxCodec(c), data).Key, codec: c, data: data})
			data = nil
		}
	}
	return all
}

// sending is a videoSender that runs, bound to a lineOut.
func sending(t *testing.T, c codec, set func(*Session)) (*videoSender, *lineOut) {
	t.Helper()
	v, out := unstarted(c, set)
	start(t, v)
	return v, out
}

func unstarted(c codec, set func(*Session)) (*videoSender, *lineOut) {
	s := &Session{Width: 640, Height: 360, FPS: 30}
	if set != nil {
		set(s)
	}
	s.init()
	out := &lineOut{}
	tr := newTrack(webrtc.RTPCodecTypeVideo, "x", nil)
	mime := webrtc.MimeTypeVP8
	if c == codecVP9 {
		mime = webrtc.MimeTypeVP9
	}
	tr.writer, tr.codec = out, webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime}}
	v := newVideoSender(s, tr, tr, []codec{c})
	v.setTarget(startTargetBps)
	return v, out
}

// start runs v until the test ends.
func start(t *testing.T, v *videoSender) {
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { v.run(stop) })
	wg.Go(func() { v.pacer.run(stop) })
	t.Cleanup(func() { close(stop); wg.Wait() })
}

// film takes some pictures of the animated scene.
func film(t *testing.T, width, height, count int) (all []*media.Frame) {
	t.Helper()
	camera := &capture.Pattern{Width: width, Height: height, FPS: 60}
	taken := make(chan *media.Frame, count)
	err := camera.Start(func(f *media.Frame) {
		own := media.NewFrame(width, height)
		own.CopyFrom(f)
		own.Number = 0
		select {
		case taken <- own:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		all = append(all, <-taken)
	}
	if err := camera.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// buffer is a file in memory.
type buffer struct {
	bytes.Buffer
}

func (*buffer) Close() error { return nil }

var _ io.WriteCloser = &buffer{}

// Pictures are counted where they are captured, over a change of source too, and traced.
func TestPictureNumbers(t *testing.T) {
	file := &buffer{}
	log := trace.To(file)
	v, _ := sending(t, codecVP8, func(s *Session) { s.Trace = log })
	v.setOpen(true)
	var pool media.Pool
	var numbers []int64
	for n, own := range []int64{0, 0, 0, 7, 8, 0, 1} { // a source that does not count, one that does, another that began anew
		f := pool.Get(320, 180)
		draw(f, n)
		f.Captured, f.Number = time.Unix(1000, int64(n)*int64(50*time.Millisecond)), own
		v.deliver(f)
		numbers = append(numbers, f.Number)
		f.Release()
		eventually(t, "encoded", func() bool { return v.count.frames.Load() == int64(n+1) })
	}
	want := []int64{0, 1, 2, 7, 8, 9, 10}
	for i := range want {
		if numbers[i] != want[i] {
			t.Fatalf("numbers %v, want %v", numbers, want)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for d := json.NewDecoder(file); d.More(); {
		var l struct {
			Stage        string
			T            float64
			Frame, Bytes int64
			W, H         int
			Key          bool
			RTP          uint32
		}
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines[l.Stage]++
		switch l.Stage {
		case "captured":
			if l.T < 1000 || l.T > 1001 || l.W != 320 || l.H != 180 {
				t.Errorf("captured %+v", l)
			}
		case "encoded":
			if l.Bytes == 0 || l.RTP == 0 || l.W != 320 || l.Key != (lines["encoded"] == 1) {
				t.Errorf("encoded %+v", l)
			}
		}
	}
	if lines["captured"] != 7 || lines["encoded"] != 7 {
		t.Errorf("lines %v", lines)
	}
}

// A receiver that takes loss notifications gets a picture that it can decode after a loss, and it is no key frame.
func TestRecoveryInsteadOfKeyFrame(t *testing.T) {
	v, out := sending(t, codecVP9, func(s *Session) { s.Width, s.Height = 320, 180 })
	v.track.codec.RTCPFeedback = []webrtc.RTCPFeedback{{Type: feedbackLNTF}}
	v.setTarget(300_000)
	v.setOpen(true)
	scenes := film(t, 320, 180, 30)
	var pool media.Pool
	sent := 0
	send := func() {
		f := pool.Get(320, 180)
		f.CopyFrom(scenes[sent])
		f.Captured, f.Number = time.Unix(1000, int64(sent)*int64(time.Second)/30), 0
		v.deliver(f)
		f.Release()
		sent++
		eventually(t, "sent", func() bool { return len(out.pictures(codecVP9)) == sent })
	}
	last := func() uint16 {
		out.mu.Lock()
		defer out.mu.Unlock()
		return out.packets[len(out.packets)-1].SequenceNumber
	}
	for range 10 {
		send()
	}
	decoded := last()
	v.gotLossNotification(lossNotification{lastDecoded: decoded, lastReceived: decoded, decodable: true})
	for range 10 {
		send()
	}
	v.gotLossNotification(lossNotification{lastDecoded: decoded, lastReceived: last()})
	send()
	d, err := vpx.NewDecoder(vpx.VP9)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	all := out.pictures(codecVP9)
	var got *media.Frame
	for _, p := range append(all[:10:10], all[20]) { // what the receiver has
		if got != nil {
			got.Release()
		}
		if got, err = d.Decode(p.data, &pool); err != nil {
			t.Fatal(err)
		}
	}
	defer got.Release()
	quality := similarity(scenes[20], got)
	t.Logf("recovery %d bytes, %.1f dB; first key frame %d", len(all[20].data), quality, len(all[0].data))
	if v.count.keys.Load() != 1 || v.count.recoveries.Load() != 1 || quality < 30 {
		t.Errorf("%d key frames, %d recoveries, %.1f dB", v.count.keys.Load(), v.count.recoveries.Load(), quality)
	}
}

// similarity is the PSNR of the luma in dB.
func similarity(a, b *media.Frame) float64 {
	sum := 0.0
	for y := range a.Height {
		for x := range a.Width {
			d := float64(a.Y[y*a.StrideY+x]) - float64(b.Y[y*b.StrideY+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(a.Width*a.Height)/max(sum, 1))
}
