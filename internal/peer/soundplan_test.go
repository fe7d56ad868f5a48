package peer

import (
	"bytes"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media/codec/opus"
)

func TestSoundPlan(t *testing.T) {
	for _, c := range []struct {
		line   soundLine
		ms     int
		copies []int
	}{
		{soundLine{targetBps: 1_000_000, red: true}, 20, nil},
		{soundLine{targetBps: 1_000_000, red: true, loss: 0.02}, 20, []int{1}},
		{soundLine{targetBps: 1_000_000, red: true, loss: 0.02, again: 0.8}, 20, []int{2}},
		{soundLine{targetBps: 1_000_000, red: true, loss: 0.1}, 20, []int{2, 1}},
		{soundLine{targetBps: 1_000_000, red: true, loss: 0.05, again: 0.87}, 20, []int{3, 1}},
		{soundLine{targetBps: 1_000_000, red: true, loss: 0.2}, 20, []int{3, 2, 1}},
		{soundLine{targetBps: 1_000_000, loss: 0.2}, 20, nil},
		{soundLine{targetBps: 150_000, red: true, loss: 0.2}, 20, []int{1}},
		{soundLine{targetBps: 90_000, red: true, loss: 0.2}, 20, nil},
		{soundLine{targetBps: 50_000}, 40, nil},
		{soundLine{targetBps: 30_000}, 60, nil},
	} {
		p := planSound(c.line, false)
		if p.frame != c.ms*48 || !slices.Equal(p.far, c.copies) {
			t.Errorf("%+v: %d ms, copies %v", c.line, p.frame/48, p.far)
		}
		if n := p.totalBps(); n > c.line.targetBps || len(p.far) > 0 && n > c.line.targetBps*6/10 {
			t.Errorf("%+v: %d bits a second", c.line, n)
		}
		if p.bitrateBps < 12_000 || p.bitrateBps > 40_000 {
			t.Errorf("%+v: Opus at %d", c.line, p.bitrateBps)
		}
	}
	if p := planSound(soundLine{targetBps: 1_000_000, mostBps: 16_000}, false); p.bitrateBps != 16_000 {
		t.Errorf("%d bits a second where 16000 were wanted at most", p.bitrateBps)
	}
}

func TestSoundPlanIsSteady(t *testing.T) {
	var s soundPlanner
	now := time.Unix(0, 0)
	changes := 0
	step := func(l soundLine, d time.Duration) soundPlan {
		now = now.Add(d)
		p, changed := s.next(l, now)
		if changed {
			changes++
		}
		return p
	}
	l := soundLine{targetBps: 1_000_000, red: true, loss: 0.06}
	step(l, 0)
	for i := range 200 { // about the threshold
		l.loss = 0.045 + 0.01*float64(i%2)
		if p := step(l, 200*time.Millisecond); len(p.far) != 2 {
			t.Fatalf("%d copies", len(p.far))
		}
	}
	if changes != 1 {
		t.Errorf("%d changes", changes)
	}
	l.loss = 0
	if p := step(l, time.Second); len(p.far) != 2 {
		t.Error("copies end at once")
	}
	if p := step(l, calmBefore+time.Second); len(p.far) != 0 {
		t.Error("copies do not end")
	}
	l.targetBps = 39_000
	if p := step(l, time.Second); p.frame != 3*opus.FrameSamples {
		t.Error("a narrow line has to wait")
	}
	changes = 0
	for i := range 100 {
		l.targetBps = 38_000 + 4000*(i%2)
		step(l, 200*time.Millisecond)
	}
	if p := step(l, time.Second); p.frame != 3*opus.FrameSamples {
		t.Errorf("%d samples a packet", p.frame)
	}
}

func TestREDRoundTrip(t *testing.T) {
	var r redWriter
	packet := func(i, size int) []byte { return bytes.Repeat([]byte{byte(i)}, size) }
	if r.pack(100, packet(0, 80), 111, []int{2, 1}) != nil {
		t.Error("copies of nothing")
	}
	for i := 1; i < 20; i++ {
		b := r.pack(uint32(100+960*i), packet(i, 80+i), 111, []int{3, 1})
		primary, copies, err := parseRED(b)
		if err != nil || !bytes.Equal(primary, packet(i, 80+i)) {
			t.Fatalf("packet %d: %v", i, err)
		}
		want := 2
		if i < 3 {
			want = 1
		}
		if copies.n != want {
			t.Fatalf("packet %d: %d copies", i, copies.n)
		}
		for k, back := range []int{3, 1}[2-want:] {
			if c := copies.list[k]; c.offset != uint32(960*back) || !bytes.Equal(c.payload, packet(i-back, 80+i-back)) {
				t.Errorf("packet %d: copy %d is %d samples old", i, k, c.offset)
			}
		}
	}
	r.gap()
	if r.pack(1<<20, packet(1, 80), 111, []int{1}) != nil {
		t.Error("a copy over a gap")
	}
	r.pack(2<<20, packet(1, 80), 111, nil)
	if r.pack(4<<20, packet(1, 80), 111, []int{1}) != nil {
		t.Error("a copy too old for its header")
	}
	for range 4 { // packets too big to be doubled go alone
		if b := r.pack(5<<20, packet(1, 1200), 111, []int{2, 1}); b != nil {
			t.Errorf("%d bytes in one packet", len(b))
		}
	}
}

// What is left missing on the lines that the field measures, with the copies that the planner sends there.
func TestCopiesSaveTheSound(t *testing.T) {
	for _, c := range []struct {
		name           string
		loss, again    float64 // of the line, and how a burst goes on
		perSound, most float64 // packets of everything for one of sound; share that may be missing
	}{
		{"2 %", 0.02, 0.02, 1, 0.002},
		{"10 %", 0.10, 0.10, 1, 0.01},
		{"20 %", 0.20, 0.20, 1, 0.03},
		{"bursts of 8, with a picture", 0.05, 1 - 1.0/8, 4, 0.012},
	} {
		rnd := rand.New(rand.NewSource(4))
		p := planSound(soundLine{targetBps: 800_000, red: true, loss: c.loss, again: c.again}, false)
		var r redWriter
		const total = 60_000
		got := make([]bool, total)
		lost := false
		for i := range total {
			for range int(c.perSound) {
				odds := c.loss * (1 - c.again) / (1 - c.loss)
				if lost {
					odds = c.again
				}
				lost = rnd.Float64() < odds
			}
			rtpTime := uint32(i) * 960
			b := r.pack(rtpTime, []byte{1, 2, 3}, 111, p.far)
			if lost {
				continue
			}
			got[i] = true
			if b == nil {
				continue
			}
			_, copies, err := parseRED(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range copies.list[:copies.n] {
				got[i-int(k.offset)/960] = true
			}
		}
		missing := 0
		for _, ok := range got {
			if !ok {
				missing++
			}
		}
		share := float64(missing) / total
		t.Logf("%s: copies %v, %.2f %% missing", c.name, p.far, 100*share)
		if share > c.most {
			t.Errorf("%s: %.2f %% missing", c.name, 100*share)
		}
	}
}

func TestWishes(t *testing.T) {
	for fmtp, want := range map[string]soundWishes{
		"":                              {},
		"minptime=10;useinbandfec=1":    {},
		"minptime=10; usedtx=1":         {dtx: true},
		"useinbandfec=0;usedtx=0":       {noFEC: true},
		"maxaveragebitrate=20000":       {mostBps: 20_000},
		"maxaveragebitrate=1":           {mostBps: 6_000},
		"maxaveragebitrate=-4;usedtx":   {},
		"maxaveragebitrate=99999999999": {mostBps: 510_000},
	} {
		if got := readWishes(fmtp); got != want {
			t.Errorf("%q: %+v, want %+v", fmtp, got, want)
		}
	}
}

func TestSoundCodecIsNegotiated(t *testing.T) {
	codec := func(mime, fmtp string, pt webrtc.PayloadType) webrtc.RTPCodecParameters {
		return webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, SDPFmtpLine: fmtp}, PayloadType: pt}
	}
	o := codec("audio/opus", "usedtx=1", 109)
	for _, c := range []struct {
		offered []webrtc.RTPCodecParameters
		red     uint32
		ok      bool
	}{
		{[]webrtc.RTPCodecParameters{o}, 0, true},
		{[]webrtc.RTPCodecParameters{o, codec("audio/RED", "109/109", 63)}, 63, true},
		{[]webrtc.RTPCodecParameters{codec("audio/red", "111/111", 63), o}, 0, true}, // of another codec
		{[]webrtc.RTPCodecParameters{codec("audio/red", "109/109", 63)}, 0, false},
	} {
		var s soundCodec
		if _, ok := s.accept(c.offered); ok != c.ok || s.red.Load() != c.red {
			t.Errorf("%v: red %d, %v", c.offered, s.red.Load(), ok)
		}
	}
}

// On a bad line sound goes with copies, and hardly anything is made up; where one is silent nearly nothing is sent.
func TestSoundOverABadLine(t *testing.T) {
	_, nets := newLine(t, 20*time.Millisecond, 0, 0.1)
	a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, nets...)
	call(t, a, b)
	eventually(t, "b hears a", func() bool { return b.ear.hears(440) })
	eventually(t, "copies", func() bool { return b.audioIn.buffer.Counts().CopiesReceived > 40 })
	before := b.audioIn.buffer.Counts()
	eventually(t, "five seconds more", func() bool { return b.audioIn.buffer.Counts().Samples >= before.Samples+5*48000 })
	c := b.audioIn.buffer.Counts()
	share := float64(c.Concealed-before.Concealed) / float64(c.Samples-before.Samples)
	t.Logf("%.2f %% made up of %+v", 100*share, c)
	if share > 0.05 { // the line is real time, and the machine may be busy
		t.Errorf("%.1f %% of the sound is made up", 100*share)
	}
	a.SetMuted(true)
	eventually(t, "silence", func() bool { return b.ear.silent() })
	packets := b.audioIn.count.received.Load()
	paused := b.audioIn.buffer.Counts().Pause
	eventually(t, "two seconds of a pause", func() bool { return b.audioIn.buffer.Counts().Pause > paused+2*48000 })
	if n := b.audioIn.count.received.Load() - packets; n > 40 {
		t.Errorf("%d packets for two seconds of silence", n)
	}
	a.SetMuted(false)
	eventually(t, "b hears a again", func() bool { return b.ear.hears(440) })
}
