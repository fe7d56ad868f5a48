package opus

import "testing"

// What comes out is later than what went in by as much as is said.
func TestBehind(t *testing.T) {
	pcm := voice(50 * FrameSamples)
	d := decoder(t)
	var heard []int16
	for _, p := range encodeAll(t, EncoderConfig{BitrateBps: 64_000}, pcm) {
		var out [MaxSamples]int16
		n, err := d.Decode(p, out[:])
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, out[:n]...)
	}
	best, at := 0.0, 0
	for lag := range 2 * FrameSamples {
		sum := 0.0
		for i := 10 * FrameSamples; i < 40*FrameSamples; i++ {
			sum += float64(pcm[i]) * float64(heard[i+lag])
		}
		if sum > best {
			best, at = sum, lag
		}
	}
	if off := at - Behind; off < -24 || off > 24 {
		t.Errorf("%d samples behind", at)
	}
}
