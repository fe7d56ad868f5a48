package vpx

import (
	"errors"
	"testing"

	"visavis.example/internal/media"
)

// fuzzDecode feeds a good key frame, then garbage, then the key frame again.
func fuzzDecode(f *testing.F, c Codec) {
	e := open(f, EncoderConfig{Codec: c, Width: 32, Height: 32, BitrateBps: 100_000})
	frame := media.NewFrame(32, 32)
	var key []byte
	for n := range 3 {
		scene(frame, n)
		p, _, err := e.Encode(frame, int64(n)*3000, false)
		if err != nil {
			f.Fatal(err)
		}
		if p == nil {
			continue
		}
		if n == 0 {
			key = append(key, p...)
		}
		f.Add(append([]byte(nil), p...))
		f.Add(append([]byte(nil), p[:len(p)/2]...))
	}
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, p []byte) {
		var pool media.Pool
		d := openDecoder(t, c)
		decode := func(p []byte) error {
			got, err := d.Decode(p, &pool)
			if got != nil {
				got.Release()
			}
			return err
		}
		if err := decode(key); err != nil {
			t.Fatal(err)
		}
		if err := decode(p); err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrSize) {
			t.Fatalf("unexpected error %v", err)
		}
		if pool.Out() != 0 {
			t.Fatal("frame lost")
		}
	})
}

func FuzzDecodeVP8(f *testing.F) { fuzzDecode(f, VP8) }
func FuzzDecodeVP9(f *testing.F) { fuzzDecode(f, VP9) }
