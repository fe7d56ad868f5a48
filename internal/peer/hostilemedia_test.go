package peer

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"visavis.example/internal/media/codec/vpx"
)

// Whatever the other side sends, the call goes on, memory stays bounded, and a good picture and sound afterwards come
// through.
func TestHostileMedia(t *testing.T) {
	h := newHostile(t)
	h.recovers(t)
	before := heap()
	for _, attack := range []struct {
		name string
		do   func(*testing.T, *hostile)
	}{
		{"malformed payloads", malformedPayloads},
		{"header extensions of odd lengths", oddExtensions},
		{"impossible timestamps", impossibleTimes},
		{"sequence numbers that jump", randomSequence},
		{"frames of absurd size", absurdSizes},
		{"another size every frame", changingSizes},
		{"another codec every frame", changingCodecs},
		{"a picture that never ends", endlessPicture},
		{"retransmissions of nothing", emptyRetransmissions},
		{"random feedback", randomFeedback},
		{"silence and a jump of both clocks", silenceAndJump},
		{"sound at random", randomSound},
	} {
		t.Run(attack.name, func(t *testing.T) {
			attack.do(t, h)
			h.recovers(t)
		})
	}
	if after := heap(); after > before+48<<20 {
		t.Errorf("the heap has grown from %d to %d MiB", before>>20, after>>20)
	}
	eventually(t, "discarded packets in the statistics", func() bool {
		s, _ := find[Stats](h.victim)
		return s.Report.InboundVideo.PacketsDiscarded > 100
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func malformedPayloads(_ *testing.T, h *hostile) {
	for i := range 600 {
		types := []uint8{payloadVP8, payloadVP9, payloadVP8RTX, payloadVP9RTX, payloadOpus, 50, 127}
		h.send(types[i%len(types)], h.random.Intn(3) == 0, h.junk(1200))
		h.rtpTime += uint32(h.random.Intn(2)) * 3000
	}
	for n := range 8 { // descriptors that are cut off
		h.send(payloadVP8, true, []byte{0x90, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}[:n])
		h.send(payloadVP9, true, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}[:n])
	}
}

func oddExtensions(_ *testing.T, h *hostile) {
	for i := range 300 {
		header := rtp.Header{PayloadType: payloadVP8, SequenceNumber: h.sequence, Timestamp: h.rtpTime}
		h.sequence++
		for id := uint8(1); id < 15; id++ {
			_ = header.SetExtension(id, h.junk(17))
		}
		if i%3 == 0 {
			header.ExtensionProfile = 0x1000
		}
		h.video.write(&header, h.junk(100))
	}
}

func impossibleTimes(t *testing.T, h *hostile) {
	e, cut := encoder(t, codecVP8, 64, 64), newPayloader()
	for n := range uint16(200) {
		data, isKey := encoded(t, e, 3, n, 64, 64, n%10 == 0)
		h.rtpTime = h.random.Uint32()
		if len(data) > 0 {
			h.picture(cut, codecVP8, data, isKey, 64, 64)
		}
	}
}

// randomSequence only jumps forwards, and slowly enough for none to be lost on the way: what is behind, SRTP's replay
// protection has thrown away already, and its roll-over counter loses its way in half a turn.
func randomSequence(_ *testing.T, h *hostile) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range 1000 {
		if i%4 == 0 {
			<-tick.C
		}
		h.sequence += uint16(h.random.Intn(5000))
		h.send(payloadVP8, true, append([]byte{0x90, 0x80, 0x80, 1}, h.junk(60)...))
		h.rtpTime += 3000
	}
}

func absurdSizes(t *testing.T, h *hostile) {
	for _, c := range []codec{codecVP8, codecVP9} {
		e, cut := encoder(t, c, 64, 64), newPayloader()
		for n := range uint16(30) {
			data, isKey := encoded(t, e, 3, n, 64, 64, true)
			if !isKey {
				continue
			}
			if claims := vpx.Inspect(vpxCodec(c), wide(c, data)); claims.Width < 16383 || claims.Height < 16383 {
				t.Fatalf("the picture claims only %dx%d", claims.Width, claims.Height)
			}
			h.picture(cut, c, wide(c, data), true, 0xffff, 0xffff)
		}
	}
}

func changingSizes(t *testing.T, h *hostile) {
	for n := range uint16(40) {
		width, height := 16+2*h.random.Intn(600), 16+2*h.random.Intn(400)
		e, err := vpx.NewEncoder(vpx.EncoderConfig{Codec: vpx.VP8, Width: width, Height: height, FPS: 30, BitrateBps: 300_000})
		if err != nil {
			t.Fatal(err)
		}
		data, isKey := encoded(t, e, 3, n, width, height, true)
		h.picture(newPayloader(), codecVP8, data, isKey, width, height)
		e.Close()
	}
}

func changingCodecs(t *testing.T, h *hostile) {
	vp8, vp9, cut := encoder(t, codecVP8, 64, 64), encoder(t, codecVP9, 64, 64), newPayloader()
	for n := range uint16(80) {
		c, e := codecVP8, vp8
		if n%2 == 1 {
			c, e = codecVP9, vp9
		}
		data, isKey := encoded(t, e, 3, n, 64, 64, n%6 < 2)
		if len(data) > 0 {
			h.picture(cut, c, data, isKey, 64, 64)
		}
	}
}

func endlessPicture(_ *testing.T, h *hostile) {
	body := make([]byte, 1100)
	for n := range 5000 {
		descriptor := []byte{0x80, 0x80, 0x80, 1}
		if n == 0 {
			descriptor[0] = 0x90
		}
		h.send(payloadVP8, false, append(descriptor, body...))
	}
	h.rtpTime += 3000
}

func emptyRetransmissions(_ *testing.T, h *hostile) {
	for range 500 {
		header := rtp.Header{PayloadType: payloadVP8RTX, SSRC: h.video.rtx, SequenceNumber: h.repeat, Timestamp: h.random.Uint32()}
		h.video.write(&header, h.junk(4))
		payload := binary.BigEndian.AppendUint16(nil, uint16(h.random.Intn(1<<16)))
		header.SequenceNumber++
		h.video.write(&header, append(payload, h.junk(300)...))
		h.repeat += 2
	}
}

// randomFeedback is RTCP of every kind with random content, and real kinds with senseless figures.
func randomFeedback(_ *testing.T, h *hostile) {
	for range 1500 {
		b := append([]byte{0x80 | byte(h.random.Intn(32)), byte(192 + h.random.Intn(24)), 0, 0}, make([]byte, 4*h.random.Intn(40))...)
		h.random.Read(b[4:])
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
		if h.random.Intn(2) == 0 && len(b) >= 12 { // about a stream that is there
			binary.BigEndian.PutUint32(b[8:], h.victim.videoOut.track.source())
		}
		h.rtcp(b)
	}
	out := h.victim.videoOut.track.source()
	for range 200 {
		_ = h.WriteRTCP([]rtcp.Packet{
			&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{
				SSRC: out, FractionLost: uint8(h.random.Intn(256)), TotalLost: h.random.Uint32() & 0xffffff,
				LastSenderReport: h.random.Uint32(), Delay: h.random.Uint32(), Jitter: h.random.Uint32(),
			}}},
			&rtcp.SenderReport{SSRC: h.video.ssrc, NTPTime: h.random.Uint64(), RTPTime: h.random.Uint32()},
			&rtcp.SenderReport{SSRC: h.sound.ssrc, NTPTime: h.random.Uint64(), RTPTime: h.random.Uint32()},
			&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1, SSRCs: []uint32{out}},
		})
	}
}

func silenceAndJump(_ *testing.T, h *hostile) {
	wait := time.NewTimer(1500 * time.Millisecond)
	<-wait.C
	h.rtpTime += 1 << 31
	h.sequence += 1 << 14
}

func randomSound(_ *testing.T, h *hostile) {
	for range 1000 {
		h.talk.sequence += uint16(h.random.Intn(1 << 10))
		header := rtp.Header{PayloadType: payloadOpus, SequenceNumber: h.talk.sequence, Timestamp: h.random.Uint32()}
		h.sound.write(&header, h.junk(1300))
	}
}

// Requests beyond all measure cost us a few key frames and a bounded share of the line.
func TestFloodOfRequests(t *testing.T) {
	h := newHostile(t)
	out := h.victim.videoOut
	eventually(t, "pictures", func() bool { return out.count.frames.Load() > 10 })
	began, keys := time.Now(), out.count.keys.Load()
	resent := h.victim.meter.sent[ofPicture].resentBytes.Load()
	const length = 2 * time.Second
	ssrc := out.track.source()
	for time.Since(began) < length {
		nacks := make([]rtcp.NackPair, 200)
		for i := range nacks {
			nacks[i] = rtcp.NackPair{PacketID: uint16(h.random.Intn(1 << 16)), LostPackets: 0xffff}
		}
		_ = h.WriteRTCP([]rtcp.Packet{
			&rtcp.PictureLossIndication{MediaSSRC: ssrc},
			&rtcp.FullIntraRequest{MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: uint8(h.random.Intn(256))}}},
			&rtcp.TransportLayerNack{MediaSSRC: ssrc, Nacks: nacks},
		})
		runtime.Gosched()
	}
	took := time.Since(began)
	if got, most := out.count.keys.Load()-keys, int64(took/keyPauseLeast)+2; got > most {
		t.Errorf("%d key frames in %v, at most %d are allowed", got, took, most)
	}
	spent := h.victim.meter.sent[ofPicture].resentBytes.Load() - resent
	if most := int64(2*resendBurst + float64(defaultMaxBps)/8*resendShare*took.Seconds()); spent > most {
		t.Errorf("%d bytes were sent again in %v, at most %d are allowed", spent, took, most)
	}
	eventually(t, "requests in the statistics", func() bool {
		s, _ := find[Stats](h.victim)
		v := s.Report.OutboundVideo
		return v.PLICount > 10 && v.FIRCount > 10 && v.NackCount > 10
	})
	h.recovers(t)
}
