package vpx

import (
	"bytes"
	"testing"

	"visavis.example/internal/media"
)

// Pictures that are kept do not change while decoding goes on, not when there are many of them, and not when the decoder
// is closed.
func TestPicturesOutliveDecoder(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		var pool media.Pool
		e := open(t, EncoderConfig{Codec: c, Width: 320, Height: 180, BitrateBps: 1_000_000})
		d, err := NewDecoder(c)
		if err != nil {
			t.Fatal(err)
		}
		f := media.NewFrame(320, 180)
		var kept []*media.Frame
		var copies [][3][]byte
		for n := range 60 {
			scene(f, n)
			p, _, err := e.Encode(f, int64(n)*3000, false)
			if err != nil || p == nil {
				t.Fatal(n, err)
			}
			got, err := d.Decode(p, &pool)
			if err != nil {
				t.Fatal(n, err)
			}
			if n%2 == 0 { // thirty: more than are lent
				kept = append(kept, got)
				copies = append(copies, [3][]byte{bytes.Clone(got.Y), bytes.Clone(got.U), bytes.Clone(got.V)})
			} else {
				got.Release()
			}
		}
		d.Close()
		for i, k := range kept {
			if !bytes.Equal(k.Y, copies[i][0]) || !bytes.Equal(k.U, copies[i][1]) || !bytes.Equal(k.V, copies[i][2]) {
				t.Errorf("picture %d has changed", 2*i)
			}
			if _, n, ok := media.ReadMarker(k); !ok || int(n) != 2*i {
				t.Errorf("picture %d: marker %d %v", 2*i, n, ok)
			}
			k.Release()
		}
		if out := pool.Out(); out != 0 {
			t.Errorf("%d frames not returned", out)
		}
	})
}
