package media

// The marker is a bar code of 32 cells in the bottom twelfth of a picture, most significant bit first: who (8 bits),
// which picture (16), CRC-8 of the three bytes (8). It tells a test that a picture really travelled, through any codec,
// scaler or browser. White is luma 235, black 16.
const (
	markerCells     = 32
	markerThreshold = 125
	markerWhite     = 235
	markerBlack     = 16
)

// DrawMarker paints id and n over the bottom band of f, in f's own range limits or not: 16 and 235 are far enough apart
// in both.
func DrawMarker(f *Frame, id uint8, n uint16) {
	bits := uint32(id)<<24 | uint32(n)<<8 | uint32(markerCheck(id, n))
	top := (f.Height - max(f.Height/12, 2)) &^ 1
	row := f.Y[top*f.StrideY:][:f.Width]
	for i := range markerCells {
		v := byte(markerBlack)
		if bits>>(markerCells-1-i)&1 == 1 {
			v = markerWhite
		}
		cell := row[i*f.Width/markerCells : (i+1)*f.Width/markerCells]
		for x := range cell {
			cell[x] = v
		}
	}
	for y := top + 1; y < f.Height; y++ {
		copy(f.Y[y*f.StrideY:][:f.Width], row)
	}
	for y := top / 2; y < f.Height/2; y++ {
		for x := range f.Width / 2 {
			f.U[y*f.StrideUV+x], f.V[y*f.StrideUV+x] = 128, 128
		}
	}
}

// ReadMarker finds what DrawMarker painted; ok is false when the check does not match, as in any other picture (but for
// one in 256). An all-black and an all-white band are never a marker.
func ReadMarker(f *Frame) (id uint8, n uint16, ok bool) {
	halfX, halfY := f.Width/markerCells/4, f.Height/12/4 // the middle of the cell, away from blurred edges
	cy := min(f.Height-f.Height/24, f.Height-1)
	var bits uint32
	for i := range markerCells {
		cx := (2*i + 1) * f.Width / (2 * markerCells)
		bits <<= 1
		if patch(f, cx, cy, halfX, halfY) > markerThreshold {
			bits |= 1
		}
	}
	id, n = uint8(bits>>24), uint16(bits>>8)
	return id, n, markerCheck(id, n) == uint8(bits)
}

// patch is the mean luma around a point.
func patch(f *Frame, cx, cy, halfX, halfY int) int {
	sum, count := 0, 0
	for y := max(cy-halfY, 0); y <= min(cy+halfY, f.Height-1); y++ {
		for x := max(cx-halfX, 0); x <= min(cx+halfX, f.Width-1); x++ {
			sum += int(f.Y[y*f.StrideY+x])
			count++
		}
	}
	return sum / count
}

// markerCheck is CRC-8 (polynomial 0x07, start 0xA5) over id and the two bytes of n.
func markerCheck(id uint8, n uint16) uint8 {
	crc := uint8(0xA5)
	for _, b := range [3]byte{id, byte(n >> 8), byte(n)} {
		crc ^= b
		for range 8 {
			top := crc & 0x80
			crc <<= 1
			if top != 0 {
				crc ^= 0x07
			}
		}
	}
	return crc
}
