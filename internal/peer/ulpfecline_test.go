package peer

import (
	"bytes"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// wiredTrack writes a track's packets to a wire.
type wiredTrack struct{ to interceptor.RTPWriter }

func (w wiredTrack) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	return w.to.Write(h, payload, nil)
}
func (w wiredTrack) Write([]byte) (int, error) { return 0, nil }

// browserList is what is negotiated with a browser.
var browserList = func() (list []webrtc.RTPCodecParameters) {
	for _, c := range []struct {
		mime, fmtp string
		pt         webrtc.PayloadType
	}{
		{webrtc.MimeTypeVP8, "", payloadVP8},
		{webrtc.MimeTypeRTX, "apt=96", payloadVP8RTX},
		{mimeVideoRED, "", payloadVideoRED},
		{webrtc.MimeTypeRTX, "apt=118", payloadVideoREDRTX},
		{mimeULPFEC, "", payloadULPFEC},
	} {
		list = append(list, webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: c.mime, SDPFmtpLine: c.fmtp}, PayloadType: c.pt,
		})
	}
	return list
}()

// redLine is a sender of pictures with all that is its own, a line, and a receiver, who talk as with a browser. The clock is
// made up, and the line takes no time.
type redLine struct {
	t        testing.TB
	now      time.Time
	lose     func(p rtp.Packet) bool // nil: nothing
	wire     *wire
	out      *tap
	sender   *videoSender
	receiver *receiving
	cut      *payloader
	rtpTime  uint32
	sent     map[uint32][]byte
	got      []picture

	seen             int // of out.packets
	media, redundant int // bytes of payloads
	inRED            int // packets of pictures
}

func newRedLine(t testing.TB, rtt time.Duration, lose func(p rtp.Packet) bool) *redLine {
	t.Helper()
	l := &redLine{t: t, now: time.Unix(1000, 0), lose: lose, cut: newPayloader(), sent: map[uint32][]byte{}}
	l.wire, l.out = newWire(nil), &tap{}
	l.wire.clock = func() time.Time { return l.now }
	tr := newTrack(webrtc.RTPCodecTypeVideo, "stream", nil)
	tr.sequence = 65_400
	tr.writer = wiredTrack{l.wire.BindLocalStream(tapInfo(), l.out)}
	tr.ssrc, tr.transport, tr.redTypes, tr.codec = 1, 3, redTypes{payloadVideoRED, payloadULPFEC}, browserList[0]
	l.sender = &videoSender{track: tr, wire: func() *wire { return l.wire }, protect: &protector{
		line: &lossyLine{}, rtt: func() time.Duration { return rtt }, target: func() int { return 800_000 },
	}}
	l.sender.pacer = newPacer(l.sender.sendPaced, nil)
	l.sender.pacer.clock = l.wire.clock
	l.sender.pacer.rate.Store(1e12)

	s := &Session{OnEvent: func(Event) {}}
	s.init()
	t.Cleanup(s.Close)
	v := newVideoReceiver(s)
	v.setCodecs(browserList)
	v.transport.Store(3)
	v.sendRTCP = func(rtcp.Packet) {}
	l.receiver = &receiving{v: v, mend: mender{codec: v.codec}}
	return l
}

// picture sends one of so many packets.
func (l *redLine) picture(key bool, packets int) {
	data := make([]byte, maxPayload*(packets-1)+300)
	for i := range data {
		data[i] = byte(i) * byte(l.rtpTime/3000)
	}
	data[0] = 0x11
	if key {
		copy(data, keyHeaders[codecVP8])
	}
	l.sent[l.rtpTime] = data
	l.sender.pacer.put(l.rtpTime, l.cut.cut(codecVP8, data, described{key: key}), pictureMeta{key: key})
	l.sender.pacer.step(l.now)
	l.rtpTime += 3000
	l.pump()
	l.now = l.now.Add(time.Second / 30)
}

// pump brings over what was sent, or loses it.
func (l *redLine) pump() {
	var learned []arrival
	for ; l.seen < len(l.out.packets); l.seen++ {
		p := l.out.packets[l.seen]
		switch {
		case p.PayloadType == payloadVideoRED && p.Payload[0] == payloadULPFEC:
			l.redundant += len(p.Payload)
		case p.PayloadType == payloadVideoRED:
			l.inRED++
			fallthrough
		default:
			l.media += len(p.Payload)
		}
		lost := l.lose != nil && l.lose(p)
		learned = append(learned, arrival{lost: lost})
		if !lost {
			l.deliver(p)
		}
	}
	l.sender.protect.line.saw(learned)
}

// deliver hands a packet to the receiver as the network does.
func (l *redLine) deliver(p rtp.Packet) {
	l.t.Helper()
	v := l.receiver.v
	b, err := p.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	if p.SSRC == 2 {
		var q rtp.Packet
		if err := q.Unmarshal(b); err != nil {
			l.t.Fatal(err)
		}
		q.SequenceNumber = uint16(q.Payload[0])<<8 | uint16(q.Payload[1])
		q.Payload = q.Payload[2:]
		v.gotRTX(q.PayloadType, q)
	} else {
		v.got(b)
	}
	for len(v.packets) > 0 {
		l.receiver.put(<-v.packets, l.now)
	}
	for {
		p, ok := l.receiver.a.take(l.now, 50*time.Millisecond)
		if !ok {
			return
		}
		l.got = append(l.got, p)
		if want := l.sent[p.rtpTime]; want != nil && !bytes.Equal(p.data, want) {
			l.t.Fatal("a picture is not what was sent")
		}
	}
}

// repair has sent again what the receiver asks for.
func (l *redLine) repair() (asked []uint16) {
	asked = l.receiver.a.requests(l.now, 50*time.Millisecond, nil)
	if len(asked) > 0 {
		l.wire.gotNACK(&rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: rtcp.NackPairsFromSequenceNumbers(asked)}, l.now, 0, 5e6, 0)
		l.pump()
	}
	return asked
}

// learn lets the sender know that the line loses a tenth.
func (l *redLine) learn() {
	for i := range 300 {
		l.sender.protect.line.saw([]arrival{{lost: i%10 == 0}})
	}
}

func isULPFEC(p rtp.Packet) bool {
	return p.PayloadType == payloadVideoRED && p.Payload[0] == payloadULPFEC
}

// At a round trip of 50 ms: how many pictures are whole without asking for anything, and at what price.
func TestULPFECRepairs(t *testing.T) {
	for _, c := range []struct {
		name        string
		loss, again float64
		rtt         time.Duration
		whole       float64 // share of pictures at least
		most, least float64 // of parity by bytes
	}{
		{"clean", 0, 0, 50 * time.Millisecond, 1, 0, 0},
		{"2 %", 0.02, 0.02, 50 * time.Millisecond, 0.92, 0.25, 0},
		{"2 %, far away", 0.02, 0.02, 200 * time.Millisecond, 0.96, 0.55, 0.1},
		{"10 %", 0.1, 0.1, 50 * time.Millisecond, 0.87, 0.65, 0.2},
		{"20 %", 0.2, 0.2, 50 * time.Millisecond, 0.78, 1.2, 0.4},
		{"10 % next door", 0.1, 0.1, 10 * time.Millisecond, 0.5, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gilbert{r: rand.New(rand.NewSource(3)), loss: c.loss, again: c.again}
			l := newRedLine(t, c.rtt, func(rtp.Packet) bool { return g.lose() })
			const pictures = 1500
			for i := range pictures {
				l.picture(true, 2+i%4) // each stands for itself
			}
			whole, price := float64(len(l.got))/pictures, float64(l.redundant)/float64(l.media)
			t.Logf("%.1f %% whole for %.0f %% more bytes, %d packets in RED", 100*whole, 100*price, l.inRED)
			if whole < c.whole || price > c.most || price < c.least || (l.inRED > 0) != (c.most > 0) {
				t.Errorf("%.1f %% whole for %.0f %% more bytes, %d packets in RED", 100*whole, 100*price, l.inRED)
			}
			if n := l.receiver.v.count.malformed.Load(); n > 0 {
				t.Errorf("%d packets taken for malformed", n)
			}
		})
	}
}

// A parity that is lost never comes, and is no hole in any picture.
func TestLostULPFECIsNoHole(t *testing.T) {
	l := newRedLine(t, 50*time.Millisecond, isULPFEC)
	l.learn()
	for i := range 200 {
		l.picture(i == 0, 3)
		l.repair()
	}
	if len(l.got) != 200 || l.receiver.a.keysAsked+l.receiver.a.jumps > 0 || l.receiver.a.needKey || l.redundant == 0 {
		t.Errorf("%d of 200 pictures, %d key frames asked for, %d bytes of parity", len(l.got), l.receiver.a.keysAsked, l.redundant)
	}
}

// Nor is it one when nothing but parity comes after it for long, as from a camera of one picture in two seconds.
func TestLostULPFECAtTheEnd(t *testing.T) {
	first := true
	l := newRedLine(t, 50*time.Millisecond, func(p rtp.Packet) bool {
		lost := isULPFEC(p) && first
		first = !isULPFEC(p)
		return lost
	})
	l.learn()
	for i := range 20 {
		l.learn()
		l.picture(i == 0, 5)
		l.now = l.now.Add(2 * time.Second)
		if _, ok := l.receiver.a.take(l.now, 0); ok || l.receiver.a.needKey {
			t.Fatalf("after picture %d a key frame is wanted", i)
		}
	}
	if n := l.receiver.v.count.redundant.Load(); len(l.got) != 20 || n < 10 {
		t.Errorf("%d of 20 pictures, %d parities", len(l.got), n)
	}
}

// What went in RED is sent again as the codec's own, and pictures go on: with losses everywhere none is given up.
func TestULPFECAndRepairs(t *testing.T) {
	for seed := range int64(8) {
		r := rand.New(rand.NewSource(seed))
		l := newRedLine(t, 50*time.Millisecond, nil)
		l.learn()
		l.picture(true, 2) // the first one: nothing is known before it
		l.lose = func(p rtp.Packet) bool { return p.SSRC == 1 && r.Intn(10) == 0 }
		for i := range 400 {
			l.picture(false, 1+i%6)
			for range 3 {
				l.now = l.now.Add(25 * time.Millisecond)
				l.repair()
			}
		}
		l.lose = nil
		l.picture(false, 2)
		l.repair()
		a := &l.receiver.a
		if len(l.got) != 402 || a.keysAsked+a.jumps+a.dropped > 0 || a.needKey {
			t.Fatalf("seed %d: %d of 402 pictures, %d dropped, needs a key frame: %v", seed, len(l.got), a.dropped, a.needKey)
		}
		if !slices.IsSortedFunc(l.got, func(x, y picture) int { return int(int32(x.rtpTime - y.rtpTime)) }) {
			t.Fatalf("seed %d: pictures out of order", seed)
		}
		if a.recovered < 20 || a.repaired < 10 {
			t.Errorf("seed %d: %d packets worked out, %d sent again", seed, a.recovered, a.repaired)
		}
		for _, p := range l.out.packets {
			if p.SSRC == 2 && (p.PayloadType != payloadVP8RTX || p.Payload[2]&0xef != 0x80) {
				t.Fatalf("seed %d: sent again as %d with % x", seed, p.PayloadType, p.Payload[:4])
			}
		}
	}
}

// Key frames that are too long for a browser's memory go plain, and parity never comes within a picture.
func TestULPFECOfLongPictures(t *testing.T) {
	l := newRedLine(t, 50*time.Millisecond, nil)
	within := false
	for i := range 60 {
		l.learn()
		l.picture(i%10 == 0, 2+i*2)
	}
	longest := 0
	for _, p := range l.out.packets {
		if isULPFEC(p) {
			u, ok := parseULP(p.Payload[1:])
			if !ok || within {
				t.Fatalf("parity within a picture: %v", within)
			}
			u.each(func(s uint16) bool {
				longest = max(longest, int(p.SequenceNumber-s))
				return true
			})
			continue
		}
		within = !p.Marker
	}
	if longest < ulpReach/2 || longest > ulpReach+maxParity || len(l.got) != 60 {
		t.Errorf("parity reaches back %d packets; %d of 60 pictures", longest, len(l.got))
	}
}

// Retransmissions of what came in RED are unwrapped, too.
func TestRepairInRED(t *testing.T) {
	l := newRedLine(t, 50*time.Millisecond, nil)
	feed := newFeed(codecVP8, 10)
	packet := func(r received, ssrc uint32, pt uint8, payload []byte) rtp.Packet {
		return rtp.Packet{Header: rtp.Header{
			Version: 2, SSRC: ssrc, PayloadType: pt, SequenceNumber: r.sequence, Timestamp: r.rtpTime, Marker: r.marker,
		}, Payload: payload}
	}
	list := append(feed.picture(true, 3), feed.picture(false, 2)...)
	for i, r := range list {
		red := append([]byte{payloadVP8}, r.payload...)
		if i == 1 {
			continue
		}
		l.deliver(packet(r, 1, payloadVideoRED, red))
	}
	if len(l.got) > 0 {
		t.Fatalf("%d pictures with a hole", len(l.got))
	}
	again := append([]byte{0, byte(list[1].sequence), payloadVP8}, list[1].payload...)
	l.deliver(packet(list[1], 2, payloadVideoREDRTX, again))
	if len(l.got) != 2 || l.receiver.a.repaired != 1 {
		t.Errorf("%d pictures, %d repaired", len(l.got), l.receiver.a.repaired)
	}
}

// What is no RED or no parity is counted, and nothing else comes of it.
func TestHostileRED(t *testing.T) {
	l := newRedLine(t, 50*time.Millisecond, nil)
	l.picture(true, 3)
	r, malformed := rand.New(rand.NewSource(2)), &l.receiver.v.count.malformed
	at := l.sender.track.sequence
	send := func(payload []byte) {
		l.deliver(rtp.Packet{Header: rtp.Header{
			Version: 2, SSRC: 1, PayloadType: payloadVideoRED, SequenceNumber: at, Timestamp: l.rtpTime,
		}, Payload: payload})
		at++
	}
	for i, bad := range [][]byte{
		{0x80 | payloadVP8, 0, 0, 1, payloadVP8, 9}, // two blocks
		{payloadVideoRED, payloadVP8, 1},            // RED in RED
		{payloadOpus, 1, 2, 3},                      // of another kind
		{payloadULPFEC},
		{payloadULPFEC, 0, 0, 0, 1},
	} {
		before := malformed.Load()
		if send(bad); i < 3 && malformed.Load() != before+1 {
			t.Errorf("% x is not counted", bad)
		}
	}
	for range 5000 {
		junk := make([]byte, r.Intn(100))
		r.Read(junk)
		send(append([]byte{[]byte{payloadULPFEC, payloadVP8, payloadVP8RTX, byte(r.Intn(256))}[r.Intn(4)]}, junk...))
		if r.Intn(50) == 0 {
			at += uint16(r.Intn(400))
		}
	}
	if len(l.receiver.ulp.parities) > ulpParities || malformed.Load() < 100 {
		t.Errorf("%d parities kept, %d packets counted as malformed", len(l.receiver.ulp.parities), malformed.Load())
	}
	l.sender.track.sequence, l.got = at, nil
	l.rtpTime += 90_000
	l.receiver.a.decoderLost(l.now)
	l.picture(true, 3)
	l.picture(false, 3)
	if n := len(l.got); n < 2 {
		t.Errorf("%d good pictures afterwards", n)
	}
}

// asBrowsers takes out of a description what only two Visavis understand.
func asBrowsers(sdp string) string {
	return strings.NewReplacer(mimeFEC[len("video/"):], "unknown", feedbackLNTF, "unknown").Replace(sdp)
}

// Two ends that agree on what browsers have and no more work lost packets out, in both directions, and smear nothing.
func TestULPFECOverABadLine(t *testing.T) {
	l, nets := newLine(t, 40*time.Millisecond, 0, 0.1)
	a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, nets...)
	for _, p := range []*party{a, b} {
		p.hold = func(e Event) bool {
			switch e := e.(type) {
			case Offer:
				p.other.GotOffer(asBrowsers(e.SDP))
			case Answer:
				p.other.GotAnswer(asBrowsers(e.SDP))
			default:
				return false
			}
			return true
		}
	}
	call(t, a, b)
	eventually(t, "both see each other", func() bool { return b.eye.sees(1, 10) && a.eye.sees(2, 10) })
	for _, p := range []*party{a, b} {
		c := &p.videoIn.count
		eventually(t, "packets worked out", func() bool { return c.recovered.Load() >= 10 })
		shown := p.eye.present.Load()
		eventually(t, "30 pictures more", func() bool { return p.eye.present.Load() >= shown+30 })
		p.eye.mu.Lock()
		if p.eye.bad > 0 || p.eye.backs > 0 {
			t.Errorf("%d smeared pictures, %d went back", p.eye.bad, p.eye.backs)
		}
		p.eye.mu.Unlock()
		if p.videoIn.parity.Load() != 0 || p.videoIn.red.Load() != payloadVideoRED {
			t.Error("it was not ULPFEC")
		}
		t.Logf("%d of %d lost; %d packets, %d parities; %d worked out, %d repaired, %d malformed; %d pictures, %d keys, %d asked for, %d freezes of %v",
			l.lost.Load(), l.rtp.Load(), c.received.Load(), c.redundant.Load(), c.recovered.Load(), c.repaired.Load(), c.malformed.Load(),
			c.shown.Load(), c.keysDecoded.Load(), c.keysAsked.Load(), c.freezes.Load(), time.Duration(c.frozen.Load()))
	}
}
