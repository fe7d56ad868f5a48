package peer

import (
	"bytes"
	"testing"

	"visavis.example/internal/media/codec/h264"
)

// unit is a NAL unit of that type and size.
func unit(kind byte, size int) []byte {
	b := bytes.Repeat([]byte{0xa5}, size)
	b[0] = 0x60 | kind
	return b
}

func annexB(units ...[]byte) (b []byte) {
	for _, u := range units {
		b = append(append(b, startCode...), u...)
	}
	return b
}

func TestH264Payloads(t *testing.T) {
	for name, c := range map[string]struct {
		units   [][]byte
		packets int
		key     bool
	}{
		"small":      {[][]byte{unit(nalSlice, 500)}, 1, false},
		"key":        {[][]byte{unit(nalSPS, 12), unit(8, 4), unit(nalIDR, 900)}, 1, true},
		"big key":    {[][]byte{unit(nalSPS, 12), unit(8, 4), unit(nalIDR, 5000)}, 6, true},
		"full":       {[][]byte{unit(nalSlice, maxPayload)}, 1, false},
		"just over":  {[][]byte{unit(nalSlice, maxPayload+1)}, 2, false},
		"two slices": {[][]byte{unit(nalSlice, 1000), append([]byte{0x61, 0x40}, unit(nalSlice, 900)...)}, 2, false},
	} {
		cut := newPayloader()
		picture := annexB(c.units...)
		parts := cut.cut(codecH264, picture, described{key: c.key, width: 16, height: 16})
		var got []byte
		firsts := 0
		for i, b := range parts {
			if len(b) > maxPayload {
				t.Errorf("%s: a payload of %d bytes", name, len(b))
			}
			p, ok := depayload(codecH264, b)
			if !ok {
				t.Fatalf("%s: packet %d is refused", name, i)
			}
			if p.first {
				firsts++
			}
			if i == 0 && (!p.first || p.key != c.key) {
				t.Errorf("%s: first %v, key %v", name, p.first, p.key)
			}
			got = append(got, p.body...)
		}
		if len(parts) != c.packets || firsts != 1 || !bytes.Equal(got, picture) {
			t.Errorf("%s: %d packets, %d of them first, whole %v", name, len(parts), firsts, bytes.Equal(got, picture))
		}
	}
}

func TestH264StrangePayloads(t *testing.T) {
	for name, b := range map[string][]byte{
		"type 0": {0x60}, "forbidden": {0xe1, 1}, "FU-A too short": {0x7c, 0x85}, "STAP-A cut": {0x78, 0, 9, 1}, "STAP-A empty unit": {0x78, 0, 0, 1},
		"FU-B": {0x7d, 0x85, 1, 2}, "STAP-B": {0x79, 0, 0}, "rest of a length": {0x78, 0, 1, 0x67, 0},
	} {
		if p, ok := depayload(codecH264, b); ok {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for name, b := range map[string][]byte{"delimiter": {9, 0xf0}, "fill": {12, 0xff}, "SEI": {6, 5, 1}} {
		if p, ok := depayload(codecH264, b); !ok || len(p.body) != 0 || p.first {
			t.Errorf("%s: %+v %v", name, p, ok)
		}
	}
}

func FuzzDepayloadH264(f *testing.F) {
	f.Add([]byte{0x67, 66, 0, 10})
	f.Add([]byte{0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1})
	f.Add([]byte{0x7c, 0x85, 1, 2, 3})
	f.Add([]byte{0x7c, 0x45, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := depayload(codecH264, b)
		if !ok && (len(p.body) != 0 || p.first) || len(p.body) > 4*len(b)+4 {
			t.Errorf("%v: %v %+v", b, ok, p)
		}
	})
}

// Two that have nothing else in common use H.264; who has something else does not.
func TestH264WhereNothingElseIs(t *testing.T) {
	if !h264.Available {
		t.Skip("left out of this build")
	}
	a, b := newPair(t, nil)
	a.Codecs, b.Codecs = []string{"h264"}, []string{"vp9", "vp8", "h264"}
	call(t, a, b)
	flows(t, a, b)
	for _, p := range []*party{a, b} {
		if c := loadCodec(&p.videoOut.count.codec); c != "h264" {
			t.Errorf("sends %q", c)
		}
	}
	keys := a.videoOut.count.keys.Load()
	b.videoIn.resync.Store(true)
	eventually(t, "a key frame on request", func() bool { return a.videoOut.count.keys.Load() > keys })
	b.eye.again()
	flows(t, a, b)
	if b.eye.bad > 0 {
		t.Errorf("%d smeared pictures", b.eye.bad)
	}
}
