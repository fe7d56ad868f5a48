package peer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/vpx"
)

// timedOut is a lineOut behind a wire, whose window holds as it does in a call; it says when each packet left.
type timedOut struct {
	lineOut
	through interceptor.RTPWriter
	at      []time.Time
}

func (o *timedOut) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	own := *h // the wire adds its number to it
	own.Extensions = nil
	return o.through.Write(&own, payload, nil)
}

func (o *timedOut) leaves(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	o.mu.Lock()
	o.at = append(o.at, time.Now())
	o.mu.Unlock()
	return o.lineOut.WriteRTP(h, payload)
}

// ringing is a videoSender that is connected but not open yet, in a call whose feedback has not begun.
func ringing(t *testing.T) (*videoSender, *timedOut) {
	t.Helper()
	v, _ := unstarted(codecVP9, nil)
	w, out := newWire(nil), &timedOut{}
	out.through = w.BindLocalStream(&interceptor.StreamInfo{
		SSRC: 1, MimeType: webrtc.MimeTypeVP9, RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}},
	}, interceptor.RTPWriterFunc(out.leaves))
	v.track.writer, v.pacer.wire = out, w
	v.pacer.window.Store(newEstimator(startTargetBps, minTargetBps, defaultMaxBps).window())
	start(t, v)
	return v, out
}

// While it rings the camera runs, the encoder is warm and nothing is sent. On accept the newest picture leaves at once, as
// a key frame: the camera's next picture is not waited for, nor the other side's feedback, nor is the key frame so big that
// a slow line would carry it for long. The next picture follows when it comes, and refers to it.
func TestFirstPictureWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, out := ringing(t)
		v.warm()
		synctest.Wait()
		if loadCodec(&v.count.codec) != "vp9" {
			t.Fatal("the encoder is not open")
		}
		scenes := film(t, 640, 360, 4)
		for n, f := range scenes[:3] {
			media.DrawMarker(f, 1, uint16(n))
			f.Captured = time.Now()
			v.deliver(f)
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Millisecond) // the camera's next picture would come in 23 ms
		synctest.Wait()
		if v.count.frames.Load() != 0 || len(out.at) != 0 {
			t.Fatal("sent before the connection takes media")
		}
		accepted := time.Now()
		v.setOpen(true)
		time.Sleep(23 * time.Millisecond)
		synctest.Wait()
		if len(out.at) == 0 || out.at[0] != accepted {
			t.Fatalf("accepted at %v, sent at %v", accepted, out.at)
		}
		scenes[3].Captured = time.Now()
		v.deliver(scenes[3])
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		all := out.pictures(codecVP9)
		if len(all) != 2 || !all[0].key || all[1].key {
			t.Fatalf("%d pictures, the first a key frame: %v", len(all), len(all) > 0 && all[0].key)
		}
		checkFirst(t, all, len(out.packets), out.at[len(out.at)-1].Sub(accepted))
	})
}

// checkFirst looks at the first two pictures as the other side sees them. took is from accept until all of it has left.
func checkFirst(t *testing.T, all []picture, packets int, took time.Duration) {
	t.Helper()
	var pool media.Pool
	d, err := vpx.NewDecoder(vpx.VP9)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, p := range all {
		got, err := d.Decode(p.data, &pool)
		if err != nil {
			t.Fatal(err)
		}
		if _, n, ok := media.ReadMarker(got); i == 0 && (!ok || n != 2) {
			t.Errorf("picture %d came first", n)
		}
		got.Release()
	}
	// Nobody knows the line yet. At the rate of the start it carries that in 100 ms.
	if most := startTargetBps / 8 / 10; len(all[0].data) > most {
		t.Errorf("the first key frame has %d bytes of at most %d", len(all[0].data), most)
	}
	t.Logf("the first key frame has %d bytes; %d packets of two pictures within %v", len(all[0].data), packets, took)
	if took > 60*time.Millisecond {
		t.Errorf("two pictures of 33 ms left within %v", took)
	}
}
