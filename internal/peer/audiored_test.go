package peer

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// red packs blocks as RFC 2198 wants: copies oldest first, then the primary.
func red(primary []byte, copies ...redCopy) []byte {
	var b []byte
	for _, c := range copies {
		b = binary.BigEndian.AppendUint32(b, 1<<31|payloadOpus<<24|c.offset<<10|uint32(len(c.payload)))
	}
	b = append(b, payloadOpus)
	for _, c := range copies {
		b = append(b, c.payload...)
	}
	return append(b, primary...)
}

func TestParseRED(t *testing.T) {
	good := red([]byte("now"), redCopy{1920, []byte("older")}, redCopy{1440, nil}, redCopy{960, []byte("old")})
	primary, copies, err := parseRED(good)
	if err != nil || string(primary) != "now" || copies.n != 2 ||
		copies.list[0].offset != 1920 || string(copies.list[0].payload) != "older" ||
		copies.list[1].offset != 960 || string(copies.list[1].payload) != "old" {
		t.Errorf("%q %+v %v", primary, copies, err)
	}
	if primary, copies, err = parseRED(red([]byte{7})); err != nil || copies.n != 0 || !bytes.Equal(primary, []byte{7}) {
		t.Errorf("without copies: %q %+v %v", primary, copies, err)
	}
	many := make([]redCopy, 9)
	for i := range many {
		many[i] = redCopy{uint32(9-i) * 960, []byte{byte(i)}}
	}
	if _, copies, err = parseRED(red([]byte{7}, many...)); err != nil || copies.n != maxCopies || copies.list[maxCopies-1].offset != 960 {
		t.Errorf("of nine copies: %+v %v", copies, err)
	}
	for n := range len(good) - len("now") + 1 { // cut anywhere before the primary's first byte
		if _, _, err := parseRED(good[:n]); err == nil {
			t.Errorf("cut to %d bytes it is taken", n)
		}
	}
}

func FuzzParseRED(f *testing.F) {
	f.Add(red([]byte("now"), redCopy{960, []byte("before")}))
	f.Add(red([]byte{1}))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		primary, copies, err := parseRED(b)
		if err != nil {
			if primary != nil || copies.n != 0 {
				t.Fatalf("%v with %d bytes and %d copies", err, len(primary), copies.n)
			}
			return
		}
		total := len(primary)
		for _, c := range copies.list[:copies.n] {
			if len(c.payload) == 0 || c.offset == 0 || c.offset >= 1<<14 {
				t.Fatalf("copy of %d bytes %d samples before", len(c.payload), c.offset)
			}
			total += len(c.payload)
		}
		if len(primary) == 0 || total >= len(b) {
			t.Fatalf("%d bytes out of %d", total, len(b))
		}
	})
}
