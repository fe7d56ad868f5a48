package opus

// HasFEC is whether the packet carries a coarse copy of the one before it, so that DecodeFEC does better than Conceal. It
// reads the flags at the start of the first frame (RFC 6716 sections 3.1, 3.2 and 4.2.3), which are whole bits although
// the rest is range coded.
func HasFEC(packet []byte) bool {
	if len(packet) < 2 || packet[0]&0x80 != 0 { // configurations 16 to 31 are CELT alone, which has none
		return false
	}
	frame := firstFrame(packet)
	if len(frame) == 0 {
		return false
	}
	flags, channels := 1, 1 // of the first channel: voice activity of each 20 ms, then the copy
	if packet[0]&0x04 != 0 {
		channels = 2
	}
	if config := packet[0] >> 3; config < 12 { // SILK: 10, 20, 40, 60 ms; 12 to 15, hybrid, are 10 and 20 ms
		flags = max(int(config&3), 1)
	}
	for c := range channels {
		if frame[0]&(0x80>>((c+1)*(flags+1)-1)) != 0 {
			return true
		}
	}
	return false
}

// firstFrame is the packet from its first frame's data on.
func firstFrame(packet []byte) []byte {
	switch packet[0] & 3 {
	case 0, 1: // one frame, two of one size
		return packet[1:]
	case 2: // two with a length before
		return skipLength(packet[1:])
	}
	count := packet[1] // any number
	rest := packet[2:]
	if count&0x40 != 0 { // padding
		for more := true; more && len(rest) > 0; rest = rest[1:] {
			more = rest[0] == 255
		}
	}
	if count&0x80 != 0 { // a length for each but the last
		for range max(int(count&0x3f)-1, 0) {
			rest = skipLength(rest)
		}
	}
	return rest
}

func skipLength(b []byte) []byte {
	switch {
	case len(b) == 0:
		return nil
	case b[0] < 252:
		return b[1:]
	}
	return b[min(2, len(b)):]
}
