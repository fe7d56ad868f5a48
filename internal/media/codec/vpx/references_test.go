package vpx

import (
	"bytes"
	"slices"
	"testing"

	"visavis.example/internal/media"
)

// TestRecovery loses ten frames; the next one refers only to a frame before them. From there on the decoder shows exactly
// what one that lost nothing shows, without a key frame.
func TestRecovery(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		const kept, lost, back = 12, 20, 30 // the frame that is kept, the first that is lost, the one that recovers
		e := open(t, EncoderConfig{Codec: c, Width: 320, Height: 180, Resilient: true})
		whole, holed := openDecoder(t, c), openDecoder(t, c)
		var pool media.Pool
		f := media.NewFrame(320, 180)
		var sizes []int
		decode := func(d *Decoder, p []byte) *media.Frame {
			got, err := d.Decode(p, &pool)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		same := 0
		for n := range 60 {
			scene(f, n)
			switch n {
			case kept:
				e.Refer(References{Keep: AltRef})
			case back:
				e.Refer(References{Avoid: Last | Golden, Keep: Golden})
			default:
				e.Refer(References{})
			}
			p, key, err := e.Encode(f, int64(n)*3000, false)
			if err != nil || p == nil || key != (n == 0) {
				t.Fatalf("frame %d: %d bytes, key %v, %v", n, len(p), key, err)
			}
			sizes = append(sizes, len(p))
			want := decode(whole, p)
			if n < lost || n >= back {
				got := decode(holed, p)
				if n >= back {
					if !bytes.Equal(got.Y, want.Y) || !bytes.Equal(got.U, want.U) || !bytes.Equal(got.V, want.V) {
						t.Fatalf("frame %d differs: %.1f dB", n, psnr(got, want))
					}
					same++
				}
				got.Release()
			}
			want.Release()
		}
		t.Logf("key frame %d bytes, recovery %d, others at most %d; %d frames identical", sizes[0], sizes[back], slices.Max(append(sizes[1:back], sizes[back+1:]...)), same)
	})
}

// TestRecoveryNeedsResilience shows what the price of a resilient stream buys.
func TestRecoveryNeedsResilience(t *testing.T) {
	e, d := open(t, EncoderConfig{Codec: VP9, Width: 320, Height: 180}), openDecoder(t, VP9)
	whole := openDecoder(t, VP9)
	var pool media.Pool
	f := media.NewFrame(320, 180)
	for n := range 31 {
		scene(f, n)
		e.Refer(References{})
		if n == 30 {
			e.Refer(References{Avoid: Last | Golden})
		}
		p, _, err := e.Encode(f, int64(n)*3000, false)
		if err != nil || p == nil {
			t.Fatal(err)
		}
		want, err := whole.Decode(p, &pool)
		if err != nil {
			t.Fatal(err)
		}
		if n < 20 || n == 30 {
			got, err := d.Decode(p, &pool)
			if n == 30 && err == nil && bytes.Equal(got.Y, want.Y) {
				t.Error("recovers by itself: the resilience is not needed")
			}
			if err == nil {
				got.Release()
			}
		}
		want.Release()
	}
}
