package peer

import (
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

func TestPictureNumbersUnwrap(t *testing.T) {
	known := func(low uint16) pictureNumber { return pictureNumber{low, true} }
	none := pictureNumber{}
	for name, c := range map[string]struct {
		in   []pictureNumber
		want []int64
	}{
		"the sender's":     {[]pictureNumber{known(65534), known(65535), known(1), known(30000), known(60000), known(5)}, []int64{65534, 65535, 65537, 95536, 125536, 131077}},
		"overtaken":        {[]pictureNumber{known(10), known(9), known(11)}, []int64{10, 9, 11}},
		"a stranger":       {[]pictureNumber{none, none, none}, []int64{0, 1, 2}},
		"lost on the way":  {[]pictureNumber{known(7), none, known(9)}, []int64{7, 8, 9}},
		"hostile and back": {[]pictureNumber{known(0), known(0x8001), known(3), known(4)}, []int64{0, 0, 3, 4}},
	} {
		var n pictureNumbers
		for i, p := range c.in {
			if got := n.next(p); got != c.want[i] {
				t.Errorf("%s: picture %d has number %d, want %d", name, i, got, c.want[i])
			}
		}
	}
}

func TestReadNumber(t *testing.T) {
	for _, c := range []struct {
		payload []byte
		want    pictureNumber
	}{
		{[]byte{0x12, 0x34}, pictureNumber{0x1234, true}},
		{[]byte{0x12}, pictureNumber{}}, // of odd length: as if there were none
		{[]byte{1, 2, 3}, pictureNumber{}},
	} {
		h := rtp.Header{Version: 2}
		if err := h.SetExtension(4, c.payload); err != nil {
			t.Fatal(err)
		}
		if got := readNumber(&h, 4); got != c.want {
			t.Errorf("%v: %+v", c.payload, got)
		}
		if got := readNumber(&h, 5); got.known {
			t.Errorf("read from another extension: %+v", got)
		}
		if got := readNumber(&h, 0); got.known {
			t.Errorf("read though not negotiated: %+v", got)
		}
	}
	list := []webrtc.RTPHeaderExtensionParameter{{URI: "other", ID: 1}, {URI: numberURI, ID: 7}}
	if got := extensionOf(list, numberURI); got != 7 || extensionOf(list[:1], numberURI) != 0 {
		t.Errorf("extension %d", got)
	}
}
