package peer

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// wholes makes packets of one stream, of any length and with any header.
func wholes(t *testing.T, r *rand.Rand, sequence uint16, n int) (list [][]byte) {
	t.Helper()
	for i := range n {
		h := rtp.Header{
			Version: 2, PayloadType: payloadVP8, Marker: r.Intn(3) == 0, SequenceNumber: sequence + uint16(i), Timestamp: r.Uint32(),
		}
		if r.Intn(2) == 0 {
			h.CSRC = []uint32{r.Uint32()}
		}
		if r.Intn(4) > 0 {
			_ = h.SetExtension(4, []byte{0, 0})
		}
		payload := make([]byte, r.Intn(1200))
		r.Read(payload)
		b, err := rtp.Packet{Header: h, Payload: payload}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

// Whatever packets a parity covers, it goes through its own format and gives back the one that is missing.
func TestULPFECGivesBackOne(t *testing.T) {
	for seed := range int64(40) {
		r := rand.New(rand.NewSource(seed))
		n := 1 + r.Intn(ulpReach)
		base := uint16(65_500 + r.Intn(60)) // it may wrap within
		list := wholes(t, r, base, n)
		made := ulpPacket{base: base}
		var covered []int
		for i := range n {
			if i == 0 || r.Intn(3) > 0 {
				made.cover(list[i])
				covered = append(covered, i)
			}
		}
		wire := made.append([]byte{payloadULPFEC})
		kind, block, ok := openRED(wire)
		if !ok || kind != payloadULPFEC {
			t.Fatalf("seed %d: RED is not understood", seed)
		}
		if long := covered[len(covered)-1] >= ulpShortReach; (block[0]&0x40 != 0) != long {
			t.Errorf("seed %d: the mask's length is wrong", seed)
		}
		lost := covered[r.Intn(len(covered))]
		for _, parityFirst := range []bool{false, true} {
			p, ok := parseULP(bytes.Clone(block))
			if !ok {
				t.Fatalf("seed %d: our own parity is not understood", seed)
			}
			var m ulpMender
			m.gotPacket(base-1, nil) // something has come before
			var got [][]byte
			if parityFirst {
				got = m.gotParity(p, time.Unix(1, 0))
			}
			for i, b := range list {
				if i != lost {
					got = append(got, m.gotPacket(base+uint16(i), b)...)
				}
			}
			if !parityFirst {
				got = append(got, m.gotParity(p, time.Unix(1, 0))...)
			}
			if len(got) != 1 || !bytes.Equal(got[0], list[lost]) {
				t.Fatalf("seed %d, parity first %v: %d packets came back, or another one", seed, parityFirst, len(got))
			}
			if len(m.parities) > 0 || len(m.gotPacket(base+uint16(lost), list[lost])) > 0 {
				t.Errorf("seed %d: it does not end there", seed)
			}
		}
	}
}

// One packet that was worked out helps another parity.
func TestULPFECInTurns(t *testing.T) {
	list := wholes(t, rand.New(rand.NewSource(1)), 10, 4)
	parity := func(numbers ...int) ulpPacket {
		p := ulpPacket{base: uint16(10 + numbers[0])}
		for _, i := range numbers {
			p.cover(list[i])
		}
		return p
	}
	var m ulpMender
	m.gotPacket(10, list[0])
	m.gotPacket(13, nil) // sent again, with another header
	now := time.Unix(1, 0)
	if got := m.gotParity(parity(0, 1, 2), now); len(got) > 0 {
		t.Fatalf("%d packets of two that are missing", len(got))
	}
	if !m.active(now.Add(mendAlive/2)) || m.active(now.Add(2*mendAlive)) {
		t.Error("whether parity is sent is not known")
	}
	got := m.gotParity(parity(0, 2), now)
	if len(got) != 2 || !bytes.Equal(got[0], list[2]) || !bytes.Equal(got[1], list[1]) {
		t.Fatalf("%d packets came back", len(got))
	}
	if got := m.gotParity(parity(2, 3), now); len(got) > 0 || !bytes.Equal(m.at(13), list[3]) {
		t.Errorf("what is there was given again, %d times, or its bytes are not known", len(got))
	}
}

// A parity of Chromium's: packets 1, 4 and 5 after the first of its mask, 1048 bytes each without the fixed header.
func TestULPFECOfChromium(t *testing.T) {
	head, err := hex.DecodeString("781060767c525ecbd7041804184c00bede0001410000008080c7008ea6253a4d1be9d18cc5824a6b")
	if err != nil {
		t.Fatal(err)
	}
	kind, block, ok := openRED(append(head, make([]byte, 1048-25)...))
	if !ok || kind != payloadULPFEC {
		t.Fatal("RED is not understood")
	}
	p, ok := parseULP(block)
	if !ok || p.base != 0x767c || p.mask != 0x4c<<56 || p.second != payloadVP8 || p.rtpTime != 0x525ecbd7 || p.length != 1048 || len(p.rest) != 1048 {
		t.Fatalf("%v %x %x", ok, p.mask, p.base)
	}
	var which []uint16
	p.each(func(s uint16) bool {
		which = append(which, s-p.base)
		return true
	})
	if len(which) != 3 || which[0] != 1 || which[1] != 4 || which[2] != 5 || !p.covers(0x767d) || p.covers(0x767c) || p.covers(0x767b) {
		t.Errorf("covers %v", which)
	}
}

func TestMalformedULPFEC(t *testing.T) {
	good := ulpPacket{base: 1, mask: 1 << 63, rest: make([]byte, 20), length: 20}
	b := good.append(nil)
	if _, ok := parseULP(b); !ok {
		t.Fatal("good parity refused")
	}
	for n := range b { // cut off anywhere
		if _, ok := parseULP(b[:n]); ok {
			t.Errorf("%d bytes taken for parity", n)
		}
	}
	for name, change := range map[string]func(b []byte){
		"no packets":              func(b []byte) { b[12] = 0 },
		"a length beyond the end": func(b []byte) { b[11]++ },
		"a long mask without room": func(b []byte) {
			b[0] |= 0x40
			binary.BigEndian.PutUint16(b[10:], 20)
		},
	} {
		c := bytes.Clone(b)
		change(c)
		if _, ok := parseULP(c); ok {
			t.Errorf("%s: taken for parity", name)
		}
	}
	for _, red := range [][]byte{nil, {0x80 | payloadVP8, 0, 0, 0, payloadVP8, 1}} {
		if _, _, ok := openRED(red); ok {
			t.Errorf("%v taken for RED of one block", red)
		}
	}
	// What remains must be a packet: no longer than protected, and with nothing behind it.
	for name, p := range map[string]ulpPacket{
		"longer": {base: 1, mask: 1 << 63, rest: make([]byte, 20), length: 21},
		"more":   {base: 1, mask: 1 << 63, rest: bytes.Repeat([]byte{1}, 20), length: 19},
	} {
		if _, ok := p.remains(1); ok {
			t.Errorf("%s: taken for a packet", name)
		}
		var m ulpMender
		m.gotPacket(0, nil)
		if got := m.gotParity(p, time.Unix(1, 0)); len(got) > 0 || len(m.parities) > 0 {
			t.Errorf("%s: gave %d packets, or is kept", name, len(got))
		}
	}
}

// Parities of long ago are forgotten before their numbers come again, and there are never more than so many.
func TestULPFECIsBounded(t *testing.T) {
	var m ulpMender
	m.gotPacket(1000, make([]byte, rtpFixed))
	two := func(base uint16) ulpPacket { return ulpPacket{base: base, mask: 3 << 62, rest: make([]byte, 8)} }
	for range 10 * ulpParities {
		m.gotParity(two(1010), time.Unix(1, 0))
	}
	if len(m.parities) != ulpParities {
		t.Errorf("%d parities kept", len(m.parities))
	}
	for _, far := range []uint16{1000 - ulpMemory, 1000 + ulpMemory + 1, 1000 + 1<<15} {
		if m.gotParity(two(far), time.Unix(1, 0)); m.parities[len(m.parities)-1].base == far {
			t.Errorf("a parity at %d is kept", far)
		}
	}
	for s := uint16(1001); s != 1000; s++ { // all around
		if got := m.gotPacket(s, nil); len(got) > 0 {
			t.Fatal("a packet came of a parity that should be forgotten")
		}
	}
	if len(m.parities) > 0 {
		t.Errorf("%d parities left", len(m.parities))
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		last, next place
		follows    bool
	}{
		{place{7, 1 << 15}, place{8, 1 << 15}, true},
		{place{1<<15 - 1, 1 << 15}, place{0, 1 << 15}, true},
		{place{127, 1 << 7}, place{0, 1 << 7}, true},
		{place{127, 1 << 15}, place{0, 1 << 7}, false},
		{place{7, 1 << 15}, place{9, 1 << 15}, false},
		{place{}, place{}, false},
		{place{}, place{1, 1 << 15}, false},
	} {
		if c.next.follows(c.last) != c.follows {
			t.Errorf("%v after %v: %v", c.next, c.last, !c.follows)
		}
	}
	for _, c := range []codec{codecVP8, codecVP9} {
		cut := newPayloader()
		cut.pictureID = 1<<15 - 1
		for _, want := range []uint16{1<<15 - 1, 0} {
			if p, ok := depayload(c, cut.cut(c, []byte{1, 2, 3}, described{})[0]); !ok || p.place != (place{want, 1 << 15}) {
				t.Errorf("%s: %+v, wanted %d", c, p.place, want)
			}
		}
	}
	if p, ok := depayload(codecVP8, []byte{0x90, 0x80, 0x45, 0x11}); !ok || p.place != (place{0x45, 1 << 7}) {
		t.Errorf("an id of seven bits: %+v", p.place)
	}
}

// What was negotiated is used with browsers only.
func TestREDIsNegotiated(t *testing.T) {
	of := func(mime string, pt webrtc.PayloadType) webrtc.RTPCodecParameters {
		return webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime}, PayloadType: pt}
	}
	browser := []webrtc.RTPCodecParameters{of("video/VP8", 96), of("video/RED", 118), of("video/ulpfec", 120)}
	if got := redTypesOf(browser); got != (redTypes{118, 120}) {
		t.Errorf("a browser: %+v", got)
	}
	if got := redTypesOf(append(browser, of(mimeFEC, 45))); got != (redTypes{}) {
		t.Errorf("one of us: %+v", got)
	}
	if got := redTypesOf(browser[:1]); got != (redTypes{}) {
		t.Errorf("one that has none: %+v", got)
	}
	for c, want := range map[string]bool{webrtc.MimeTypeVP8: true, webrtc.MimeTypeH264: false} {
		tr := newTrack(webrtc.RTPCodecTypeVideo, "s", nil)
		tr.codec, tr.redTypes = of(c, 96), redTypes{118, 120}
		if _, _, ok := tr.inRED(); ok != want {
			t.Errorf("%s: %v", c, ok)
		}
	}
	m, err := mediaEngine([]codec{codecVP9, codecVP8})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer.SDP); err != nil {
		t.Fatal(err)
	}
	for pt, want := range map[uint8]string{payloadVideoRED: "red", payloadULPFEC: "ulpfec", payloadVideoREDRTX: "rtx"} {
		if c, err := d.GetCodecForPayloadType(pt); err != nil || c.Name != want || c.ClockRate != 90000 {
			t.Errorf("%d is %+v in our offer: %v", pt, c, err)
		}
	}
}

// Whatever comes as RED and parity, memory stays bounded, and nothing is made that is no packet of a codec of ours.
func FuzzULPFEC(f *testing.F) {
	one := ulpPacket{base: 5}
	one.cover([]byte{0x80, payloadVP8, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0x90, 0x80, 0x80, 1, 9})
	f.Add(append([]byte{20, 0}, one.append([]byte{payloadULPFEC})...), uint16(5))
	f.Add([]byte{3, 1, payloadVP8, 0x90, 9, 1, 7, 0x80, 0, 0, 0}, uint16(65535))
	f.Fuzz(func(t *testing.T, data []byte, sequence uint16) {
		l := newRedLine(t, 0, nil)
		for len(data) >= 2 { // length and step of the sequence number, then a payload of RED
			n := min(int(data[0]), len(data)-2)
			sequence += uint16(int8(data[1]))
			p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: payloadVideoRED, SequenceNumber: sequence, Timestamp: 3000}}
			p.Payload = data[2 : 2+n]
			data = data[2+n:]
			l.deliver(p)
			for _, k := range l.receiver.ulp.packets {
				if k.packet != nil && (len(k.packet) < rtpFixed || len(k.packet) > 400) {
					t.Fatalf("a packet of %d bytes", len(k.packet))
				}
			}
			if len(l.receiver.ulp.parities) > ulpParities {
				t.Fatalf("%d parities", len(l.receiver.ulp.parities))
			}
		}
	})
}
