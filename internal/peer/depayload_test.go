package peer

import "testing"

// FuzzDepayload: whatever comes, a share of a picture lies within its packet, and only the first packet says more.
func FuzzDepayload(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte, vp8 bool) {
		c := codecVP9
		if vp8 {
			c = codecVP8
		}
		whole := len(payload)
		p, ok := depayload(c, payload)
		switch {
		case !ok && (len(p.body) > 0 || p.key || p.first):
			t.Fatalf("refused, and yet %+v", p)
		case len(p.body) > whole:
			t.Fatalf("%d bytes of %d", len(p.body), whole)
		case p.key && !p.first:
			t.Fatal("a key frame that does not begin")
		case p.id > 0x7fff:
			t.Fatalf("picture id %d", p.id)
		}
	})
}

// FuzzMeasureRTP: a header ends within the packet.
func FuzzMeasureRTP(f *testing.F) {
	f.Fuzz(func(t *testing.T, packet []byte) {
		if n, _, ok := measureRTP(packet); ok && (n < 12 || n > len(packet)) {
			t.Fatalf("header of %d bytes in %d", n, len(packet))
		}
	})
}
