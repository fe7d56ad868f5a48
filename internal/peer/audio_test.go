package peer

import (
	"log/slog"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"visavis.example/internal/media"
	"visavis.example/internal/media/process"
)

func TestSampleRing(t *testing.T) {
	var r sampleRing
	var done sync.WaitGroup
	const total = 200_000
	done.Go(func() {
		rnd, next := rand.New(rand.NewSource(1)), 0
		for next < total {
			n := min(rnd.Intn(900)+1, total-next, len(r.samples)-r.len())
			pcm := make([]int16, n)
			for i := range pcm {
				pcm[i] = int16(next + i)
			}
			r.write(pcm)
			next += n
		}
	})
	buf := make([]int16, media.BlockSamples)
	for next := 0; next < total; {
		n := r.read(buf)
		for i := range n {
			if buf[i] != int16(next+i) {
				t.Fatalf("sample %d is %d", next+i, buf[i])
			}
		}
		next += n
	}
	done.Wait()
	r.write(make([]int16, 3*len(r.samples)))
	if r.len() != len(r.samples) {
		t.Errorf("%d samples kept", r.len())
	}
}

func TestBlockRingIsBounded(t *testing.T) {
	var r blockRing
	block := make([]int16, media.BlockSamples)
	puts := 0
	for i := range 40 {
		block[0] = int16(i)
		if r.put(block, time.Unix(int64(i), 0)) {
			puts++
		}
	}
	for i := range puts {
		ok := r.take(func(b []int16, at time.Time) {
			if b[0] != int16(i) || at.Unix() != int64(i) {
				t.Errorf("block %d is %d", i, b[0])
			}
		})
		if !ok {
			t.Fatal("empty")
		}
	}
	if puts != len(r.blocks) || r.take(nil) {
		t.Errorf("%d blocks kept", puts)
	}
}

// RTP time must follow capture time: through jitter, gaps and another microphone.
func TestAudioClock(t *testing.T) {
	a := newAudioSender(newTrack(webrtc.RTPCodecTypeAudio, "s", acceptOpus), process.None{}, slog.New(slog.DiscardHandler))
	a.send = func(uint32, bool, uint8, []byte) bool { return true }
	began := time.Unix(50, 0)
	start := a.rtpTime
	block := make([]int16, media.BlockSamples)
	at := func(i int) time.Time { return began.Add(time.Duration(i) * 10 * time.Millisecond) }
	rnd := rand.New(rand.NewSource(2))
	for i := range 100 {
		a.block(block, at(i).Add(time.Duration(rnd.Intn(20))*time.Millisecond))
	}
	if d := a.rtpTime - start; d != 100*media.BlockSamples {
		t.Errorf("%d samples after a second", d)
	}
	for i := 200; i < 300; i++ { // a second is missing
		a.block(block, at(i))
	}
	if d := int(a.rtpTime - start); d < 299*media.BlockSamples || d > 303*media.BlockSamples {
		t.Errorf("%d samples after three seconds", d)
	}
	a.reset.Store(true)
	for i := 500; i < 600; i++ {
		a.block(block, at(i))
	}
	if d := int(a.rtpTime - start); d < 598*media.BlockSamples || d > 606*media.BlockSamples {
		t.Errorf("%d samples after six seconds", d)
	}
}

func TestRoundTrip(t *testing.T) {
	sent := time.Unix(1_700_000_000, 999_500_000)
	r := rtcp.ReceptionReport{LastSenderReport: ntpMiddle(sent), Delay: 65536 / 4}
	if d, ok := roundTrip(r, sent.Add(330*time.Millisecond)); !ok || d < 79*time.Millisecond || d > 81*time.Millisecond {
		t.Errorf("%v, %v", d, ok)
	}
	r.Delay = 65536 * 60
	if d, ok := roundTrip(r, sent); ok {
		t.Errorf("%v from a lie", d)
	}
	if _, ok := roundTrip(rtcp.ReceptionReport{}, sent); ok {
		t.Error("a round trip from nothing")
	}
}
