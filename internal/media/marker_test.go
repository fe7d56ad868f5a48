package media

import "testing"

func TestMarker(t *testing.T) {
	for _, size := range [][2]int{{1280, 720}, {640, 360}, {160, 90}, {128, 96}, {426, 240}} {
		for _, n := range []uint16{0, 1, 0xAAAA, 0x1234, 0xFFFF} {
			f := noise(size[0], size[1])
			DrawMarker(f, byte(n>>3)^0x5c, n)
			for _, other := range [][2]int{size, {size[0] / 2, size[1] / 2}, {size[0] * 3 / 2, size[1] * 3 / 2}} {
				if other[0] < 120 {
					continue
				}
				g := NewFrame(other[0], other[1])
				Scale(g, f)
				if id, m, ok := ReadMarker(g); !ok || m != n || id != byte(n>>3)^0x5c {
					t.Errorf("%v as %v: %d %d %v", size, other, id, m, ok)
				}
			}
		}
	}
}

// TestMarkerLayout holds the bits to what the browser's tests read too.
func TestMarkerLayout(t *testing.T) {
	f := NewFrame(320, 240)
	DrawMarker(f, 0x81, 0x0203)
	const want = "10000001" + "00000010" + "00000011"
	for i, c := range want {
		luma := f.Y[(240-10)*f.StrideY+i*10+5]
		if (c == '1') != (luma == 235) || (c == '0') != (luma == 16) {
			t.Errorf("cell %d has luma %d", i, luma)
		}
	}
	if f.Y[219*f.StrideY] != 16 || f.Y[220*f.StrideY] != 235 || f.Y[239*f.StrideY] != 235 {
		t.Error("the band is not the lowest twelfth")
	}
	if crc := markerCheck(0, 0); crc != 136 {
		t.Errorf("check of zeros is %d", crc)
	}
}

func TestNoMarker(t *testing.T) {
	f := NewFrame(320, 180)
	for _, v := range []byte{0, 16, 128, 235, 255} {
		f.Fill(v, 128, 128)
		if id, n, ok := ReadMarker(f); ok {
			t.Errorf("found %d %d in a picture of luma %d", id, n, v)
		}
	}
	DrawMarker(f, 9, 77)
	for y := range f.Height {
		f.Y[y*f.StrideY+15] ^= 0xff
	}
	if _, n, ok := ReadMarker(f); !ok || n != 77 {
		t.Error("one dirty column spoils it")
	}
	for y := range f.Height {
		for x := 10; x < 20; x++ {
			f.Y[y*f.StrideY+x] = 251 - f.Y[y*f.StrideY+x]
		}
	}
	if _, _, ok := ReadMarker(f); ok {
		t.Error("a wrong cell is not noticed")
	}
	tiny := NewFrame(2, 2)
	DrawMarker(tiny, 1, 2)
	ReadMarker(tiny)
}
