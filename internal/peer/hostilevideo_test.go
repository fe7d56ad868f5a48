package peer

import (
	"math/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/vpx"
)

// assault is a receiver of pictures whose other side is a test.
type assault struct {
	*videoReceiver
	pli, nacked atomic.Int64
}

func newAssault(t *testing.T, sink media.VideoSink) *assault {
	t.Helper()
	s := &Session{Video: sink, OnEvent: func(Event) {}}
	s.init()
	a := &assault{}
	s.videoIn = newVideoReceiver(s)
	a.videoReceiver = s.videoIn
	a.sendRTCP = func(p rtcp.Packet) {
		switch p := p.(type) {
		case *rtcp.PictureLossIndication:
			a.pli.Add(1)
		case *rtcp.TransportLayerNack:
			for _, n := range p.Nacks {
				a.nacked.Add(int64(len(n.PacketList())))
			}
		}
	}
	a.setCodecs([]webrtc.RTPCodecParameters{
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, PayloadType: payloadVP8},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9, SDPFmtpLine: "profile-id=0"}, PayloadType: payloadVP9},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mimeFEC}, PayloadType: payloadFEC},
	})
	s.wg.Go(func() { a.run(s.stop) })
	s.wg.Go(func() { a.runDecoder(s.stop) })
	t.Cleanup(s.Close)
	return a
}

// push waits until there is room, as a line of that speed would.
func (a *assault) push(t *testing.T, p rtp.Packet) {
	t.Helper()
	eventually(t, "room for a packet", func() bool { return len(a.packets) < cap(a.packets) })
	a.put(p, byItself)
}

// Random packets, times, numbers and codecs cost the other side little work and nobody else anything.
func TestRubbishStream(t *testing.T) {
	a := newAssault(t, nil)
	r := rand.New(rand.NewSource(1))
	began := time.Now()
	sequence := uint16(0)
	for i := range 20_000 {
		sequence += uint16(r.Intn(3))
		if r.Intn(500) == 0 {
			sequence = uint16(r.Uint32())
		}
		body := make([]byte, r.Intn(80))
		r.Read(body)
		if i%7 == 0 { // a key frame of an absurd size
			body = append([]byte{0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f}, body...)
		}
		pt := []uint8{payloadVP8, payloadVP9, payloadFEC, 20}[r.Intn(4)]
		p := rtp.Packet{Header: rtp.Header{SequenceNumber: sequence, Timestamp: r.Uint32(), Marker: r.Intn(2) == 0, PayloadType: pt}, Payload: body}
		if pt == payloadFEC {
			a.gotRTX(pt, p)
			continue
		}
		a.push(t, p)
	}
	eventually(t, "all was looked at", func() bool { return len(a.packets) == 0 })
	seconds := time.Since(began).Seconds()
	if n := float64(a.pli.Load()); n > 2+seconds/keyPauseMin.Seconds() {
		t.Errorf("%v key frames asked for in %.1f s", n, seconds)
	}
	if n := a.nacked.Load(); n > 20_000*askTimes/4 {
		t.Errorf("%d packets asked for", n)
	}
	if a.count.shown.Load() > 0 {
		t.Error("rubbish was shown")
	}
}

// changeling sends whole key frames, each with another codec and size than the one before.
func TestCodecAndSizeChangeEveryFrame(t *testing.T) {
	eye := &sizes{}
	a := newAssault(t, eye)
	var key [2][][]byte
	var pool media.Pool
	for i, c := range []vpx.Codec{vpx.VP8, vpx.VP9} {
		for _, size := range [][2]int{{64, 48}, {320, 180}, {160, 120}} {
			e, err := vpx.NewEncoder(vpx.EncoderConfig{Codec: c, Width: size[0], Height: size[1], FPS: 30, BitrateBps: 200_000})
			if err != nil {
				t.Fatal(err)
			}
			f := pool.Get(size[0], size[1])
			f.Fill(100, 128, 128)
			b, _, err := e.Encode(f, 0, true)
			if err != nil {
				t.Fatal(err)
			}
			key[i] = append(key[i], append([]byte(nil), b...))
			f.Release()
			e.Close()
		}
	}
	began := time.Now()
	cut, sequence := newPayloader(), uint16(9)
	send := func(i int, vp9 int) {
		c, pt := codecVP8, uint8(payloadVP8)
		if vp9 == 1 {
			c, pt = codecVP9, payloadVP9
		}
		data := key[vp9][i%3]
		parts := cut.cut(c, data, described{key: true, width: 16, height: 16})
		for j, b := range parts {
			sequence++
			a.push(t, rtp.Packet{Header: rtp.Header{SequenceNumber: sequence, Timestamp: uint32(i * 300), Marker: j == len(parts)-1, PayloadType: pt}, Payload: b})
		}
	}
	for i := range 600 {
		send(i, i%2)
	}
	eventually(t, "all was looked at", func() bool { return len(a.packets) == 0 })
	if most := 2 + int64(time.Since(began)/reopenPause); a.count.opened.Load() > most {
		t.Errorf("%d decoders opened, at most %d should be", a.count.opened.Load(), most)
	}
	// A stream that has settled is shown again.
	shown, i := a.count.shown.Load(), 600
	eventually(t, "a settled stream is shown", func() bool {
		i++
		send(i, 0)
		return a.count.shown.Load() > shown+5 && eye.different.Load() >= 3
	})
}

// sizes counts the different ones it is shown.
type sizes struct {
	last      [2]int
	different atomic.Int64
}

func (s *sizes) Present(f *media.Frame) {
	if size := [2]int{f.Width, f.Height}; size != s.last {
		s.last = size
		s.different.Add(1)
	}
}
