package peer

import (
	"bytes"
	"math/rand"
	"testing"
	"time"
)

// gilbert loses a share of packets, in bursts of a mean length.
type gilbert struct {
	r           *rand.Rand
	loss, again float64
	gone        bool
}

func (g *gilbert) lose() bool {
	p := g.loss * (1 - g.again) / (1 - g.loss)
	if g.gone {
		p = g.again
	}
	g.gone = g.r.Float64() < p
	return g.gone
}

// protection is a sender with redundancy, a line and a receiver that never asks for anything.
type protection struct {
	t       *testing.T
	f       protector
	m       mender
	a       assembler
	lose    func() bool
	feed    *feed
	now     time.Time
	whole   int // pictures received
	sent    int
	parity  int // bytes
	media   int
	learned []arrival
	numbers map[uint32]pictureNumber // by RTP time
}

func newProtection(t *testing.T, rtt time.Duration, lose func() bool) *protection {
	p := &protection{t: t, lose: lose, feed: newFeed(codecVP9, 65000), now: time.Unix(1000, 0)}
	p.f = protector{line: &lossyLine{}, rtt: func() time.Duration { return rtt }, target: func() int { return 800_000 }}
	p.m.codec = func(pt uint8) codec {
		if pt == payloadVP9 {
			return codecVP9
		}
		return codecNone
	}
	return p
}

func (p *protection) arrives() bool {
	lost := p.lose()
	p.learned = append(p.learned, arrival{lost: lost})
	return !lost
}

func (p *protection) put(list ...received) {
	for _, r := range list {
		p.a.put(r, p.now)
	}
	for {
		got, ok := p.a.take(p.now, 50*time.Millisecond)
		if !ok {
			return
		}
		p.whole++
		if !bytes.Equal(got.data[20:], bytes.Repeat([]byte{byte(got.rtpTime / 3000)}, len(got.data)-20)) {
			p.t.Fatal("a picture is not what was sent")
		}
		if want := p.numbers[got.rtpTime]; got.number != want {
			p.t.Fatalf("picture %v says that it is %v", want, got.number)
		}
	}
}

// picture sends one of so many packets; every one is a key frame, so that each stands for itself.
func (p *protection) picture(packets int) {
	p.sent++
	if p.numbers == nil {
		p.numbers = map[uint32]pictureNumber{}
	}
	p.numbers[p.feed.rtpTime] = pictureNumber{uint16(p.sent), true}
	data := bytes.Repeat([]byte{byte(p.feed.rtpTime / 3000)}, maxPayload*(packets-1)+300)
	copy(data, keyHeaders[codecVP9])
	clear(data[len(keyHeaders[codecVP9]):20])
	parts := p.feed.cut.cut(codecVP9, data, described{key: true, width: 16, height: 16})
	for i, b := range parts {
		q := pacedPacket{rtpTime: p.feed.rtpTime, first: i == 0, marker: i == len(parts)-1, payload: b, meta: pictureMeta{number: int64(p.sent)}}
		r := received{sequence: p.feed.sequence, rtpTime: q.rtpTime, second: payloadVP9, marker: q.marker, codec: codecVP9, payload: bytes.Clone(b)}
		if r.marker {
			r.second |= 0x80
		}
		if i == 0 {
			r.number = pictureNumber{uint16(p.sent), true}
		}
		p.media += len(b)
		parities := p.f.add(p.feed.sequence, payloadVP9, &q)
		p.feed.sequence++
		if p.arrives() {
			p.put(append([]received{r}, p.m.gotPacket(r)...)...)
		}
		for _, b := range parities {
			p.parity += len(b)
			if !p.arrives() {
				continue
			}
			wire, ok := parseParity(uint16(b[0])<<8|uint16(b[1]), bytes.Clone(b[2:]))
			if !ok {
				p.t.Fatal("our own parity is not understood")
			}
			p.put(p.m.gotParity(wire, p.now)...)
		}
	}
	p.f.line.saw(p.learned)
	p.learned = p.learned[:0]
	p.feed.rtpTime += 3000
	p.now = p.now.Add(time.Second / 30)
}

// At a round trip of 50 ms: how many pictures are whole without asking for anything, and at what price.
func TestRedundancyRepairs(t *testing.T) {
	for _, c := range []struct {
		name        string
		loss, again float64
		rtt         time.Duration
		whole       float64 // share of pictures at least
		most        float64 // of redundancy by bytes
		least       float64
	}{
		{"clean", 0, 0, 50 * time.Millisecond, 1, 0, 0},
		{"half a percent", 0.005, 0.005, 50 * time.Millisecond, 0.95, 0.02, 0},
		{"2 %", 0.02, 0.02, 50 * time.Millisecond, 0.93, 0.25, 0},
		{"2 %, far away", 0.02, 0.02, 200 * time.Millisecond, 0.97, 0.55, 0.1},
		{"10 %", 0.1, 0.1, 50 * time.Millisecond, 0.92, 0.65, 0.2},
		{"20 %", 0.2, 0.2, 50 * time.Millisecond, 0.88, 1.1, 0.4},
		{"10 % next door", 0.1, 0.1, 10 * time.Millisecond, 0.5, 0, 0},
		{"bursts of 8", 0.05, 0.875, 50 * time.Millisecond, 0.8, 0.08, 0}, // asking again is cheaper
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gilbert{r: rand.New(rand.NewSource(3)), loss: c.loss, again: c.again}
			p := newProtection(t, c.rtt, g.lose)
			for i := range 3000 {
				p.picture(2 + i%4)
			}
			whole, price := float64(p.whole)/float64(p.sent), float64(p.parity)/float64(p.media)
			if whole < c.whole || price > c.most || price < c.least {
				t.Errorf("%.1f %% whole for %.0f %% more bytes", 100*whole, 100*price)
			}
			t.Logf("%.1f %% whole for %.0f %% more bytes", 100*whole, 100*price)
			if f := 1e6 / float64(p.f.forPictures(1e6)); c.least > 0 && (f < 0.8+price*0.8 || f > 1.2+price*1.2) {
				t.Errorf("the encoder is left %.2f of the rate", 1/f)
			}
		})
	}
}

func TestRedundancyLeavesNarrowLinesAlone(t *testing.T) {
	g := gilbert{r: rand.New(rand.NewSource(3)), loss: 0.2, again: 0.2}
	p := newProtection(t, 50*time.Millisecond, g.lose)
	p.f.target = func() int { return protectBps - 1 }
	for range 300 {
		p.picture(2)
	}
	if p.parity > 0 {
		t.Errorf("%d bytes", p.parity)
	}
}

func TestBeyondRepair(t *testing.T) {
	// Against the binomial: 3 packets and one parity at 10 %: 1 - .9^4 - 4*.1*.9^3.
	if got := beyondRepair(3, 1, 0.1, 0.1); got < 0.0522 || got > 0.0524 {
		t.Errorf("%.4f", got)
	}
	if got := beyondRepair(3, 0, 0.1, 0.1); got < 0.2709 || got > 0.2711 {
		t.Errorf("%.4f", got)
	}
	// Against a made-up line with bursts.
	g := gilbert{r: rand.New(rand.NewSource(1)), loss: 0.08, again: 0.6}
	bad := 0
	const runs = 200_000
	for range runs {
		lost := 0
		for range 8 {
			if g.lose() {
				lost++
			}
		}
		if lost > 3 {
			bad++
		}
	}
	if got, want := beyondRepair(5, 3, 0.08, 0.6), float64(bad)/runs; got < 0.9*want || got > 1.1*want {
		t.Errorf("%.4f, counted %.4f", got, want)
	}
}

func TestLossyLineLearnsBursts(t *testing.T) {
	for _, c := range []struct{ loss, again float64 }{{0.1, 0.1}, {0.05, 0.875}, {0.3, 0.5}} {
		g := gilbert{r: rand.New(rand.NewSource(2)), loss: c.loss, again: c.again}
		l := lossyLine{}
		var loss, again float64
		for range 200 { // the mean over many memories
			for range 100 {
				l.saw([]arrival{{lost: g.lose()}})
			}
			p, q := l.odds()
			loss, again = loss+p/200, again+q/200
		}
		if loss < 0.75*c.loss || loss > 1.3*c.loss || again < c.again-0.2 || again > c.again+0.15 {
			t.Errorf("%+v taken for %.3f, %.3f", c, loss, again)
		}
	}
	l := lossyLine{}
	l.saw(make([]arrival, 100))
	if p, _ := l.odds(); p != 0 {
		t.Errorf("clean line taken for %.3f", p)
	}
}

// What comes as parity is bounded whatever it says, and never makes a packet that the receiver cannot have been sent.
func FuzzMender(f *testing.F) {
	good := parity{base: 65534, count: 3, total: 2, index: 0, shard: make([]byte, 30)}.append(nil)
	f.Add(append([]byte{byte(len(good))}, good...), []byte{1, 2, 3}, uint16(65534))
	f.Add([]byte{4, 0, 0, 255, 0xff}, []byte{}, uint16(0))
	f.Add([]byte{14, 0, 1, 1, 0x10, 0, 2, payloadVP9, 0, 0, 0, 1, 0, 0, 7}, []byte{9}, uint16(3))
	f.Add(append([]byte{44, 0, 1, 2, 0x21}, bytes.Repeat([]byte{0xff}, 40)...), bytes.Repeat([]byte{1}, 90), uint16(1))
	f.Fuzz(func(t *testing.T, wire, payload []byte, sequence uint16) {
		m := mender{codec: func(pt uint8) codec {
			if pt == payloadVP9 {
				return codecVP9
			}
			return codecNone
		}}
		check := func(list []received) {
			for _, r := range list {
				if r.codec != codecVP9 || len(r.payload) > maxShard {
					t.Fatalf("%+v", r)
				}
			}
		}
		for i := range uint16(6) {
			check(m.gotPacket(received{sequence: sequence + i*i, codec: codecVP9, payload: payload}))
			for len(wire) > 2 { // a length of one byte before each
				n := max(min(len(wire)-1, int(wire[0])), 2)
				if p, ok := parseParity(uint16(wire[1])<<8|uint16(wire[2]), bytes.Clone(wire[3:1+n])); ok {
					check(m.gotParity(p, time.Unix(1, 0)))
				}
				wire = wire[1+n:]
			}
		}
		if len(m.runs) > mendRuns {
			t.Fatalf("%d runs kept", len(m.runs))
		}
	})
}
