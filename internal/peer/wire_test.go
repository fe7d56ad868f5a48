package peer

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// tap is what a wire writes to the network.
type tap struct{ packets []rtp.Packet }

func (o *tap) Write(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	o.packets = append(o.packets, rtp.Packet{Header: h.Clone(), Payload: bytes.Clone(payload)})
	return len(payload), nil
}

func newTestWire(t *testing.T) (w *wire, out *tap, video interceptor.RTPWriter) {
	t.Helper()
	w, out = newWire(nil), &tap{}
	return w, out, w.BindLocalStream(tapInfo(), out)
}

func tapInfo() *interceptor.StreamInfo {
	return &interceptor.StreamInfo{
		SSRC: 1, SSRCRetransmission: 2, PayloadTypeRetransmission: 97, MimeType: webrtc.MimeTypeVP8,
		RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}},
	}
}

func sendVideo(t *testing.T, w interceptor.RTPWriter, sequence uint16, payload ...byte) {
	t.Helper()
	h := &rtp.Header{Version: 2, SSRC: 1, PayloadType: 96, SequenceNumber: sequence, Timestamp: 9, Marker: true}
	if _, err := w.Write(h, payload, nil); err != nil {
		t.Fatal(err)
	}
}

func number(p rtp.Packet) uint16 { return binary.BigEndian.Uint16(p.GetExtension(3)) }

func TestResendAsRTX(t *testing.T) {
	w, out, video := newTestWire(t)
	now := time.Now()
	for s := range uint16(5) {
		sendVideo(t, video, 65534+s, 10, byte(s))
	}
	nack := &rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 0b101}, {PacketID: 77}}}
	w.gotNACK(nack, now, 50*time.Millisecond, 1e6, 0)
	if len(out.packets) != 5+3 {
		t.Fatalf("%d packets sent", len(out.packets))
	}
	p := out.packets[5]
	if p.SSRC != 2 || p.PayloadType != 97 || p.Timestamp != 9 || !p.Marker || !bytes.Equal(p.Payload, []byte{255, 255, 10, 1}) {
		t.Errorf("%+v %v", p.Header, p.Payload)
	}
	for i, p := range out.packets {
		if number(p) != uint16(i) {
			t.Errorf("packet %d has transport number %d", i, number(p))
		}
	}
	w.gotNACK(nack, now.Add(10*time.Millisecond), 50*time.Millisecond, 1e6, 0)
	if len(out.packets) != 8 {
		t.Error("sent twice within a round trip")
	}
	w.gotNACK(nack, now.Add(50*time.Millisecond), 50*time.Millisecond, 1e6, 0)
	if len(out.packets) != 11 || out.packets[8].SequenceNumber != 3 {
		t.Error("not sent again after a round trip")
	}
}

func TestResendBudget(t *testing.T) {
	w, out, video := newTestWire(t)
	now := time.Now()
	for s := range uint16(1000) {
		sendVideo(t, video, s, make([]byte, 1000)...)
	}
	flood := func() {
		for s := range uint16(1000) {
			w.gotNACK(&rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: s}}}, now, 0, 400_000, 0)
		}
	}
	flood()
	if n := len(out.packets) - 1000; n > resendBurst/1000+1 {
		t.Errorf("%d packets at once", n)
	}
	before := len(out.packets)
	for range 100 {
		now = now.Add(10 * time.Millisecond)
		flood()
	}
	if n := len(out.packets) - before; n > 30 || n < 15 {
		t.Errorf("%d packets in a second at half of 400 kbit/s", n)
	}
}

func TestFeedback(t *testing.T) {
	w, _, video := newTestWire(t)
	for s := range uint16(6) {
		sendVideo(t, video, s, 1, 2, 3)
	}
	fb := &rtcp.TransportLayerCC{
		BaseSequenceNumber: 0, PacketStatusCount: 5, ReferenceTime: 2,
		PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 2},
			&rtcp.StatusVectorChunk{SymbolList: []uint16{rtcp.TypeTCCPacketNotReceived, rtcp.TypeTCCPacketReceivedLargeDelta, rtcp.TypeTCCPacketReceivedSmallDelta}},
		},
		RecvDeltas: []*rtcp.RecvDelta{{Delta: 1000}, {Delta: 2000}, {Delta: 3000}, {Delta: 500}},
	}
	got := w.gotFeedback(fb, nil)
	if len(got) != 5 || !got[2].lost || got[0].lost || got[0].received != 129*time.Millisecond || got[3].received != 134*time.Millisecond {
		t.Fatalf("%+v", got)
	}
	if got = w.gotFeedback(fb, got); len(got) != 0 {
		t.Errorf("said twice: %+v", got)
	}
	late := &rtcp.TransportLayerCC{
		BaseSequenceNumber: 2, PacketStatusCount: 1, ReferenceTime: 3,
		PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 1}},
		RecvDeltas:   []*rtcp.RecvDelta{{Delta: 0}},
	}
	if got = w.gotFeedback(late, got); len(got) != 1 || !got[0].found || got[0].lost {
		t.Errorf("%+v", got)
	}
}

// Feedback is whatever the other side cares to send.
func FuzzFeedback(f *testing.F) {
	f.Add([]byte{0x8f, 0xcd, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0xff, 0xff, 0, 0, 2, 0, 0x1f, 0xff, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var fb rtcp.TransportLayerCC
		if fb.Unmarshal(b) != nil {
			return
		}
		w, _, video := newTestWire(t)
		for s := range uint16(50) {
			sendVideo(t, video, s, 1)
		}
		if got := w.gotFeedback(&fb, nil); len(got) > 50 {
			t.Fatalf("%d arrivals of 50 packets", len(got))
		}
	})
}

func TestUnwrapRTX(t *testing.T) {
	var got []rtp.Packet
	w := newWire(func(pt uint8, p rtp.Packet) { got = append(got, p) })
	feed := [][]byte{}
	for _, payload := range [][]byte{{0x12, 0x34, 7, 8}, {1}, nil} {
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 97, SSRC: 2, SequenceNumber: 1, Timestamp: 5}, Payload: payload}
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		feed = append(feed, b)
	}
	feed = append(feed, []byte{1, 2, 3})
	read := w.BindRemoteStream(&interceptor.StreamInfo{MimeType: webrtc.MimeTypeRTX}, interceptor.RTPReaderFunc(
		func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			n := copy(b, feed[0])
			feed = feed[1:]
			return n, a, nil
		},
	))
	for range 4 {
		if _, _, err := read.Read(make([]byte, 100), nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 1 || got[0].SequenceNumber != 0x1234 || !bytes.Equal(got[0].Payload, []byte{7, 8}) {
		t.Errorf("%+v", got)
	}
}

// told gives feedback on the packets [base, base+len(came)).
func told(w *wire, base uint16, came ...bool) []arrival {
	fb := &rtcp.TransportLayerCC{BaseSequenceNumber: base, PacketStatusCount: uint16(len(came)), ReferenceTime: 2}
	for _, here := range came {
		symbol := rtcp.TypeTCCPacketNotReceived
		if here {
			symbol = rtcp.TypeTCCPacketReceivedSmallDelta
			fb.RecvDeltas = append(fb.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: 1000})
		}
		fb.PacketChunks = append(fb.PacketChunks, &rtcp.RunLengthChunk{PacketStatusSymbol: symbol, RunLength: 1})
	}
	return w.gotFeedback(fb, nil)
}

// A repair that feedback says is lost is sent again though nobody asks once more; not when another one is on its way or
// came, and padding, whose packets nobody misses, never.
func TestLostRepairsAreSentAgainUnasked(t *testing.T) {
	w, out, video := newTestWire(t)
	now := time.Unix(100, 0)
	w.clock = func() time.Time { return now }
	pass := func(d time.Duration) { now = now.Add(d) }
	for s := range uint16(4) {
		sendVideo(t, video, s, make([]byte, 300)...)
	}
	pass(time.Millisecond)
	w.gotNACK(&rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 1}}}, now, 50*time.Millisecond, 1e6, 0)
	if len(out.packets) != 6 {
		t.Fatalf("%d packets sent", len(out.packets))
	}
	pass(50 * time.Millisecond)
	list := told(w, 0, true, false, false, true, false, true) // the repair of packet 1 is lost as well
	if late := w.gotLoss(list, false, now, 1e6, 0); !late || len(out.packets) != 7 || binary.BigEndian.Uint16(out.packets[6].Payload) != 1 {
		t.Fatalf("%d packets sent", len(out.packets))
	}
	w.gotLoss(list, true, now, 1e6, 0) // the same news: both are on their way or there
	if len(out.packets) != 7 {
		t.Errorf("%d packets sent for old news", len(out.packets))
	}
	pass(time.Millisecond)
	w.pad(1000, now)
	pass(50 * time.Millisecond)
	if late := w.gotLoss(told(w, 6, true, false), false, now, 1e6, 0); late || len(out.packets) != 8 {
		t.Errorf("lost padding was sent again: %d packets", len(out.packets))
	}
}

// Where losses come in rows a request may be lost as well: what was sent once is sent again when feedback says it is lost,
// unless it was asked for meanwhile.
func TestLostInRowsIsSentAgainUnasked(t *testing.T) {
	w, out, video := newTestWire(t)
	now := time.Unix(100, 0)
	w.clock = func() time.Time { return now }
	for s := range uint16(4) {
		sendVideo(t, video, s, 1, 2, 3)
	}
	now = now.Add(50 * time.Millisecond)
	list := told(w, 0, true, false, false, true)
	if late := w.gotLoss(list, false, now, 1e6, 0); late || len(out.packets) != 4 {
		t.Fatal("sent again on a line that loses single packets")
	}
	w.gotNACK(&rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: 1}}}, now, 50*time.Millisecond, 1e6, 0)
	w.gotLoss(list, true, now, 1e6, 0)
	if len(out.packets) != 6 || binary.BigEndian.Uint16(out.packets[5].Payload) != 2 {
		t.Errorf("%d packets sent", len(out.packets))
	}
}
