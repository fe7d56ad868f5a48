package opus

import (
	"errors"
	"math"
	"math/rand"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// voice is a speech-like tone: harmonics of a gliding pitch, in syllables.
func voice(n int) []int16 {
	pcm := make([]int16, n)
	phase := 0.0
	for i := range pcm {
		at := float64(i) / 48000
		phase += 2 * math.Pi * (150 + 60*math.Sin(2*math.Pi*at*2.3)) / 48000
		v := 0.0
		for k := 1.0; k < 12; k++ {
			v += math.Sin(phase*k) / (k + 1)
		}
		pcm[i] = int16(4500 * v * (0.5 + 0.5*math.Sin(2*math.Pi*at*7)))
	}
	return pcm
}

func encodeAll(t *testing.T, cfg EncoderConfig, pcm []int16) [][]byte {
	t.Helper()
	e, err := NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.SetLossPercent(15)
	var packets [][]byte
	out := make([]byte, 1275)
	for ; len(pcm) >= FrameSamples; pcm = pcm[FrameSamples:] {
		n, err := e.Encode(pcm[:FrameSamples], out)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Samples(out[:n]); s != FrameSamples || err != nil {
			t.Fatalf("%d samples, %v", s, err)
		}
		packets = append(packets, append([]byte(nil), out[:n]...))
	}
	return packets
}

func decoder(t testing.TB) *Decoder {
	t.Helper()
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// decodeAll loses the packets that lost names, and repairs them from the next packet or by concealment.
func decodeAll(t *testing.T, packets [][]byte, lost func(int) bool, fec bool) []int16 {
	t.Helper()
	d := decoder(t)
	pcm := make([]int16, len(packets)*FrameSamples)
	for i, p := range packets {
		block := pcm[i*FrameSamples:][:FrameSamples]
		var n int
		var err error
		switch {
		case !lost(i):
			n, err = d.Decode(p, block)
		case fec && i+1 < len(packets) && !lost(i+1):
			n, err = d.DecodeFEC(packets[i+1], block)
		default:
			n, err = d.Conceal(block)
		}
		if n != FrameSamples || err != nil {
			t.Fatalf("packet %d: %d samples, %v", i, n, err)
		}
	}
	return pcm
}

func snr(want, got []int16) float64 {
	signal, noise := 1.0, 1.0
	for i := range want {
		d := float64(want[i]) - float64(got[i])
		signal += float64(want[i]) * float64(want[i])
		noise += d * d
	}
	return 10 * math.Log10(signal/noise)
}

func never(int) bool { return false }

func TestLossAndFEC(t *testing.T) {
	packets := encodeAll(t, EncoderConfig{FEC: true}, voice(6*48000))
	bytes := 0
	for _, p := range packets {
		bytes += len(p)
	}
	if kbps := bytes * 8 / 6 / 1000; kbps < 20 || kbps > 45 {
		t.Errorf("%d kbit/s for 32", kbps)
	}
	whole := decodeAll(t, packets, never, false)
	r := rand.New(rand.NewSource(3))
	gone := make([]bool, len(packets))
	for i := 3; i < len(gone); i++ {
		gone[i] = r.Intn(100) < 15
	}
	lost := func(i int) bool { return gone[i] }
	concealed, repaired := snr(whole, decodeAll(t, packets, lost, false)), snr(whole, decodeAll(t, packets, lost, true))
	t.Logf("15%% lost: concealed %.1f dB, repaired %.1f dB", concealed, repaired)
	if repaired < concealed+5 {
		t.Errorf("error correction gives %.1f dB, concealment %.1f dB", repaired, concealed)
	}
	if energy(whole) < energy(voice(6*48000))/2 {
		t.Error("too quiet")
	}
}

func energy(pcm []int16) (sum float64) {
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return sum
}

func TestDTX(t *testing.T) {
	packets := encodeAll(t, EncoderConfig{DTX: true}, make([]int16, 2*48000))
	if n := len(packets[len(packets)-2]); n > 2 {
		t.Errorf("silence costs %d bytes", n)
	}
	decodeAll(t, packets, never, false)
}

func TestSetBitrate(t *testing.T) {
	e, err := NewEncoder(EncoderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pcm, out := voice(4*48000), make([]byte, 1275)
	size := func(part []int16) (sum int) {
		for ; len(part) > 0; part = part[FrameSamples:] {
			n, err := e.Encode(part[:FrameSamples], out)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		return sum
	}
	high := size(pcm[:2*48000])
	e.SetBitrate(12_000)
	if low := size(pcm[2*48000:]); low*3 > high*2 {
		t.Errorf("%d bytes at 32 kbit/s, %d at 12", high, low)
	}
}

func TestBadInput(t *testing.T) {
	d := decoder(t)
	pcm := make([]int16, FrameSamples)
	for name, f := range map[string]func() (int, error){
		"empty":     func() (int, error) { return d.Decode(nil, pcm) },
		"empty FEC": func() (int, error) { return d.DecodeFEC(nil, pcm) },
		"garbage":   func() (int, error) { return d.Decode([]byte{3, 0xff, 1, 2}, pcm) },
		"too long":  func() (int, error) { return d.Decode([]byte{3, 6, 0, 0, 0, 0, 0, 0}, pcm) },
		"odd":       func() (int, error) { return d.Conceal(pcm[:7]) },
		"samples":   func() (int, error) { return Samples(nil) },
	} {
		if n, err := f(); n != 0 || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if n, err := d.Conceal(nil); n != 0 || err == nil {
		t.Errorf("no room: %d, %v", n, err)
	}
	e, err := NewEncoder(EncoderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(pcm[:100], make([]byte, 400)); err == nil {
		t.Error("short block accepted")
	}
	e.Close()
	e.Close()
	d.Close()
	d.Close()
	if _, err := e.Encode(pcm, make([]byte, 400)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Decode([]byte{1}, pcm); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := NewEncoder(EncoderConfig{Complexity: 99}); err == nil {
		t.Error("complexity 99 accepted")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0xff, 0xfe}, false)
	f.Add([]byte{0x78, 1, 2, 3, 4, 5, 6, 7, 8}, true)
	f.Add([]byte{3, 0xff, 0}, true)
	f.Fuzz(func(t *testing.T, p []byte, fec bool) {
		d := decoder(t)
		pcm := make([]int16, MaxSamples+8)
		for i := range pcm[MaxSamples:] {
			pcm[MaxSamples+i] = 12345
		}
		decode := d.Decode
		if fec {
			decode = d.DecodeFEC
		}
		n, err := decode(p, pcm[:MaxSamples])
		if n < 0 || n > MaxSamples || err == nil && n == 0 {
			t.Errorf("%d samples, %v", n, err)
		}
		for _, v := range pcm[MaxSamples:] {
			if v != 12345 {
				t.Fatal("wrote beyond the buffer")
			}
		}
	})
}

func benchmark(b *testing.B, cfg EncoderConfig) {
	e, err := NewEncoder(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	pcm, out := voice(100*FrameSamples), make([]byte, 1275)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := e.Encode(pcm[i%100*FrameSamples:][:FrameSamples], out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeOpus_20ms(b *testing.B) { benchmark(b, EncoderConfig{FEC: true}) }

func BenchmarkDecodeOpus_20ms(b *testing.B) {
	e, err := NewEncoder(EncoderConfig{FEC: true})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	out := make([]byte, 1275)
	pcm := voice(FrameSamples)
	n, err := e.Encode(pcm, out)
	if err != nil {
		b.Fatal(err)
	}
	d := decoder(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(out[:n], pcm); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLongerPacketsAndSwitches(t *testing.T) {
	e, err := NewEncoder(EncoderConfig{BitrateBps: 16_000, FEC: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d, out, pcm := decoder(t), make([]byte, 1275), make([]int16, MaxSamples)
	sound := voice(48000)
	for _, frames := range []int{1, 2, 3, 1} {
		n, err := e.Encode(sound[:frames*FrameSamples], out)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Decode(out[:n], pcm); got != frames*FrameSamples || err != nil {
			t.Errorf("%d samples of %d frames, %v", got, frames, err)
		}
	}
	if _, err := e.Encode(sound[:4*FrameSamples], out); err == nil {
		t.Error("80 ms accepted")
	}
	silence := make([]int16, FrameSamples)
	size := func() (n int) {
		for range 60 {
			if n, err = e.Encode(silence, out); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	if n := size(); n <= 2 {
		t.Errorf("%d bytes of silence, though it is to be sent", n)
	}
	e.SetDTX(true)
	if n := size(); n > 2 {
		t.Errorf("%d bytes of silence", n)
	}
	e.SetDTX(false)
	e.SetFEC(false)
	if n := size(); n <= 2 {
		t.Errorf("%d bytes of silence, though it is to be sent again", n)
	}
}
