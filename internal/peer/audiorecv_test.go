package peer

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/codec/opus"
	"visavis.example/internal/media/jitter"
)

// redList is a negotiated stream that has redundancy.
var redList = []webrtc.RTPCodecParameters{
	{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/opus"}, PayloadType: payloadOpus},
	{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/RED"}, PayloadType: payloadRED},
}

func newTestReceiver() *audioReceiver {
	a := &audioReceiver{wake: make(chan struct{}, 1), played: func([]int16, time.Time) {}, firstSeen: func() {}}
	a.buffer.Inspect = inspectOpus
	a.ahead = 1
	a.setCodecs(redList)
	return a
}

// speechPackets is some seconds of made-up speech as opus packets.
func speechPackets(t *testing.T, seconds int, lossPercent int) [][]byte {
	t.Helper()
	enc, err := opus.NewEncoder(opus.EncoderConfig{FEC: true})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	enc.SetLossPercent(lossPercent)
	pcm, out := make([]int16, opus.FrameSamples), make([]byte, 1275)
	var packets [][]byte
	source := capture.Speech{Voice: 1}
	for range seconds * 50 {
		source.Fill(pcm)
		n, err := enc.Encode(pcm, out)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, append([]byte(nil), out[:n]...))
	}
	return packets
}

// hear plays packets that come 20 ms apart, but those that are lost, and gives the sound by its RTP time (what
// has the same place in two of them was to be the same sound) and as it was played.
func hear(t *testing.T, packets [][]byte, useRED bool, lost func(n int) bool) (heard, played []int16, c jitter.Counts) {
	t.Helper()
	dec, err := opus.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	a := newTestReceiver()
	p := jitter.Player{Buffer: &a.buffer, Decoder: dec}
	heard = make([]int16, (len(packets)+1)*opus.FrameSamples)
	now := time.Unix(0, 0)
	block := make([]int16, media.BlockSamples)
	for n, payload := range packets {
		k := &rtp.Packet{Header: rtp.Header{PayloadType: payloadOpus, SequenceNumber: uint16(65400 + n), Timestamp: uint32(n * opus.FrameSamples)}, Payload: payload}
		if useRED && n > 0 {
			k.PayloadType, k.Payload = payloadRED, red(payload, redCopy{opus.FrameSamples, packets[n-1]})
		}
		if !lost(n) {
			a.put(k, now)
		}
		for range 2 {
			at, ok := p.Position()
			if p.Pull(block, now) && ok && int(at)+len(block) <= len(heard) {
				copy(heard[at:], block)
			}
			played = append(played, block...)
			now = now.Add(10 * time.Millisecond)
		}
	}
	return heard, played, a.buffer.Counts()
}

// nearness is the signal to noise ratio in dB of b against a, leaving out the first two seconds, while delays settle.
func nearness(a, b []int16) float64 {
	signal, noise := 1.0, 1.0
	for i := 2 * media.SampleRate; i < len(a)-media.SampleRate; i++ {
		d := float64(a[i]) - float64(b[i])
		signal += float64(a[i]) * float64(a[i])
		noise += d * d
	}
	return 10 * math.Log10(signal/noise)
}

// What a copy brings back is close to what would have been heard without loss; what only Opus's own coarse copy brings
// back is less so, and making it up is worst.
func TestLostSpeechIsBroughtBack(t *testing.T) {
	packets := speechPackets(t, 20, 20)
	lossless, _, _ := hear(t, packets, false, func(int) bool { return false })
	lose := func(share float64) func(int) bool {
		r := rand.New(rand.NewPCG(5, 5))
		gone := make([]bool, len(packets))
		for n := range gone {
			gone[n] = n > 60 && r.Float64() < share
		}
		return func(n int) bool { return gone[n] }
	}
	type result struct {
		near float64
		c    jitter.Counts
	}
	try := func(useRED bool, share float64) result {
		heard, _, c := hear(t, packets, useRED, lose(share))
		return result{nearness(lossless, heard), c}
	}
	fec, redundant, heavy := try(false, 0.1), try(true, 0.1), try(true, 0.2)
	t.Logf("10 %% lost: with Opus's own copies %.1f dB, %.2f %% made up; with RED %.1f dB, %.2f %%; 20 %% lost, RED: %.1f dB, %.2f %%",
		fec.near, 100*fec.c.ConcealedShare(), redundant.near, 100*redundant.c.ConcealedShare(), heavy.near, 100*heavy.c.ConcealedShare())
	if redundant.near < fec.near+3 || redundant.near < 15 || redundant.c.ConcealedShare() > 0.01 {
		t.Errorf("10 %% lost with RED: %.1f dB, %+v", redundant.near, redundant.c)
	}
	if fec.near < 8 || fec.c.ConcealedShare() > 0.03 || fec.c.CopiesUsed < 45 {
		t.Errorf("10 %% lost with FEC: %.1f dB, %+v", fec.near, fec.c)
	}
	if heavy.c.ConcealedShare() > 0.03 {
		t.Errorf("20 %% lost with RED: %.1f dB, %+v", heavy.near, heavy.c)
	}
}

// After 60 ms what libopus makes up goes over into noise: nothing buzzes on, and it is never quite silent.
func TestConcealmentFadesToNoise(t *testing.T) {
	packets := speechPackets(t, 6, 5)
	_, played, c := hear(t, packets, false, func(n int) bool { return n > 150 && n < 200 })
	level := func(from, to time.Duration) float64 { // after the last packet, which is played for 60 ms at most
		sum, n := 0.0, 0
		for _, v := range played[151*opus.FrameSamples+int(samplesIn(from)) : 151*opus.FrameSamples+int(samplesIn(to))] {
			sum += float64(v) * float64(v)
			n++
		}
		return math.Sqrt(sum / float64(n))
	}
	const ms = time.Millisecond
	before, made, noise := level(-100*ms, 0), level(60*ms, 100*ms), level(260*ms, 950*ms)
	t.Logf("level %.0f, made up %.0f, noise %.1f", before, made, noise)
	if made < before/20 || noise < 1 || noise > 100 || noise > before/10 {
		t.Errorf("level %.0f, made up %.0f, noise %.1f: %+v", before, made, noise, c)
	}
	if c.ConcealedEvents != 1 || c.SilentConcealed < c.Concealed*7/10 {
		t.Errorf("%+v", c)
	}
}

// The ring becomes as deep as the device needs, and comes back soon after a hiccup.
func TestRingDepth(t *testing.T) {
	var d ringDepth
	now, ahead := time.Unix(0, 0), 1
	run := func(seconds int, left func(i, ahead int) int) int {
		for i := range seconds * 100 {
			now = now.Add(10 * time.Millisecond)
			ahead = d.next(ahead, left(i, ahead), now)
		}
		return ahead
	}
	calm := func(_, ahead int) int { return ahead - 1 }
	twice := func(i, ahead int) int { return ahead - 1 - i%2 } // asks for 20 ms at a time
	if n := run(20, calm); n != 1 {
		t.Errorf("%d blocks for a device that keeps its pace", n)
	}
	hiccup := func(i, ahead int) int {
		if i == 50 {
			return ahead - 4
		}
		return ahead - 1
	}
	if n := run(2, hiccup); n != 4 {
		t.Errorf("%d blocks just after a hiccup", n)
	}
	if n := run(10, calm); n != 1 {
		t.Errorf("%d blocks ten seconds after it", n)
	}
	if n := run(2, twice); n != 2 {
		t.Errorf("%d blocks two seconds after a device began to ask for two at a time", n)
	}
	if n := run(60, calm); n != 1 {
		t.Errorf("%d blocks a minute later", n)
	}
	if n := run(10, func(_, ahead int) int { return ahead - 50 }); n != maxAhead {
		t.Errorf("%d blocks at most", n)
	}
}

// A missing block goes on from the one before and fades; there is no step where it begins, and none where sound comes back.
func TestUnderrunDoesNotClick(t *testing.T) {
	var u underrun
	n := 0
	var played []int16
	play := func(come int) {
		block := make([]int16, media.BlockSamples)
		for i := range come {
			block[i] = int16(8000 * math.Sin(2*math.Pi*300*float64(n)/media.SampleRate))
			n++
		}
		u.fill(block, come)
		played = append(played, block...)
	}
	for _, come := range []int{480, 480, 0, 0, 480, 480} {
		play(come)
	}
	for i := 1; i < len(played); i++ {
		if d := int(played[i]) - int(played[i-1]); d > 700 || d < -700 { // the tone's own is 314
			t.Errorf("a step of %d at sample %d", d, i)
		}
	}
	if u.short != 0 || played[3*480+100] != 0 || played[2*480+10] == 0 {
		t.Errorf("%d missing; %d, %d", u.short, played[3*480+100], played[2*480+10])
	}
}

func TestSpeakerClock(t *testing.T) {
	a := newTestReceiver()
	if a.playing(time.Now()).ok {
		t.Error("something is playing before anything was")
	}
	block := make([]int16, media.BlockSamples)
	write := func(rtpTime uint32) {
		a.ring.write(block)
		a.clock.wrote(a.ring.tail.Load(), rtpTime, true)
	}
	write(1000 + 480)
	write(1000 + 960)
	before := time.Now()
	a.fill(block)
	p := a.playing(time.Now())
	if !p.ok || p.rtpTime != 1000-opus.Behind || p.at.Before(before.Add(-time.Millisecond)) || p.at.After(time.Now()) {
		t.Errorf("%+v", p)
	}
	a.fill(block)
	if p = a.playing(time.Now()); p.rtpTime != 1480-opus.Behind {
		t.Errorf("then %+v", p)
	}
	if a.playing(time.Now().Add(time.Second)).ok {
		t.Error("a speaker that has stopped is playing")
	}
}

// Sound goes over a line that loses 5 % and is uneven: it is understood, nearly nothing is made up, and the delay is small.
func TestSoundOverALossyLine(t *testing.T) {
	l, nets := newLine(t, 20*time.Millisecond, 15*time.Millisecond, 0.05)
	a, b := newPair(t, func(s *Session) { s.IncludeLoopback = false }, nets...)
	call(t, a, b)
	a.SetMicrophone(&capture.Speech{Voice: 2}) // Opus makes copies of speech alone
	flows := func() bool { return b.audioIn.buffer.Counts().Samples > 3*media.SampleRate }
	eventually(t, "three seconds of sound, in which the sender learns of the loss", flows)
	before := b.audioIn.buffer.Counts()
	eventually(t, "five seconds of sound", func() bool {
		return b.audioIn.buffer.Counts().Samples > before.Samples+5*media.SampleRate
	})
	c := b.audioIn.buffer.Counts()
	samples := c.Samples - before.Samples
	concealed := float64(c.Concealed-before.Concealed) / float64(samples)
	t.Logf("%d of %d packets lost; %.2f %% of sound made up, %d from copies, target %v, delay %v, %d underruns", l.lost.Load(), l.rtp.Load(),
		100*concealed, c.CopiesUsed-before.CopiesUsed, c.Target, c.Delay, b.audioIn.count.underruns.Load())
	if c.CopiesUsed == before.CopiesUsed || concealed > 0.04 {
		t.Errorf("%.2f %% of sound made up: %+v", 100*concealed, c)
	}
	eventually(t, "speech to be heard", func() bool { return b.ear.level(capture.SpeechHz) > 300 })
	if p := b.audioIn.playing(time.Now()); !p.ok || time.Since(p.at) > clockStale {
		t.Errorf("playing %+v", p)
	}
}
