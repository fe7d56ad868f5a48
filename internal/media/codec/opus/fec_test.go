package opus

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A copy is said to be inside exactly where one is: libopus gives back something like the lost packet then.
func TestHasFEC(t *testing.T) {
	for _, fec := range []bool{true, false} {
		e, err := NewEncoder(EncoderConfig{FEC: fec})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.SetLossPercent(20)
		pcm, out := make([]int16, FrameSamples), make([]byte, 1275)
		with := 0
		for n := range 100 {
			for i := range pcm {
				at := float64(n*FrameSamples+i) / 48000
				pcm[i] = int16(6000 * math.Sin(2*math.Pi*180*at) * (1 + math.Sin(2*math.Pi*3*at)) * math.Sin(2*math.Pi*720*at))
			}
			size, err := e.Encode(pcm, out)
			if err != nil {
				t.Fatal(err)
			}
			if HasFEC(out[:size]) {
				with++
			}
		}
		if fec && with < 60 || !fec && with > 0 {
			t.Errorf("with FEC %v, %d of 100 packets have a copy", fec, with)
		}
	}
}

func TestHasFECOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		b := make([]byte, r.IntN(12))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		HasFEC(b)
	}
	for name, c := range map[string]struct {
		packet []byte
		want   bool
	}{
		"empty": {nil, false}, "no data": {[]byte{0x48}, false},
		"wideband 20 ms":           {[]byte{0x48, 0x40}, true},
		"voice alone":              {[]byte{0x48, 0x80}, false},
		"60 ms: three voice flags": {[]byte{0x58, 0x10}, true},
		"stereo, side channel":     {[]byte{0x4c, 0x10}, true},
		"hybrid":                   {[]byte{0x78, 0x40}, true},
		"CELT":                     {[]byte{0xf8, 0x40}, false},
		"two frames":               {[]byte{0x4a, 2, 0x40, 0, 0}, true},
		"long first frame":         {[]byte{0x4a, 253, 1, 0x40}, true},
		"many, padded":             {[]byte{0x4b, 0x42, 1, 0x40, 0, 0}, true},
		"many, own lengths":        {[]byte{0x4b, 0x82, 1, 0x40, 0}, true},
		"cut":                      {[]byte{0x4b, 0xff, 255}, false},
	} {
		if got := HasFEC(c.packet); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
