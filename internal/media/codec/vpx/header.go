package vpx

// Header is what the first bytes of a frame tell without decoding it.
type Header struct {
	Key           bool
	Width, Height int // 0 when the frame does not say: it then has the size of a frame before
}

// Inspect reads a frame's header; of garbage it makes an empty one.
func Inspect(codec Codec, packet []byte) Header {
	if codec == VP8 {
		return inspectVP8(packet)
	}
	return inspectVP9(packet)
}

// inspectVP8 follows RFC 6386, section 9.1.
func inspectVP8(p []byte) Header {
	if len(p) < 10 || p[0]&1 != 0 || p[3] != 0x9d || p[4] != 0x01 || p[5] != 0x2a {
		return Header{}
	}
	return Header{Key: true, Width: (int(p[6]) | int(p[7])<<8) & 0x3fff, Height: (int(p[8]) | int(p[9])<<8) & 0x3fff}
}

// inspectVP9 follows the VP9 bitstream specification, section 6.2 (uncompressed header), profile 0.
func inspectVP9(p []byte) Header {
	r := bits{p: p}
	if r.get(2) != 2 || r.get(2) != 0 { // frame marker, profile
		return Header{}
	}
	if r.get(1) == 1 { // show_existing_frame
		return Header{}
	}
	inter, shown, resilient := r.get(1) == 1, r.get(1) == 1, r.get(1) == 1
	if !inter {
		if r.get(24) != 0x498342 {
			return Header{}
		}
		if r.get(3) != 7 { // colour space; 7 is RGB, which profile 0 does not have
			r.get(1)
		}
		return r.size(true)
	}
	intraOnly := !shown && r.get(1) == 1
	if !resilient {
		r.get(2) // reset_frame_context
	}
	if intraOnly {
		if r.get(24) != 0x498342 {
			return Header{}
		}
		r.get(8) // refresh_frame_flags
		return r.size(false)
	}
	r.get(8)     // refresh_frame_flags
	r.get(3 * 4) // three references and their sign biases
	for range 3 {
		if r.get(1) == 1 { // same size as that reference
			return Header{}
		}
	}
	return r.size(false)
}

// bits reads most significant bit first; beyond the end it gives zeros and remembers.
type bits struct {
	p     []byte
	at    int
	short bool
}

func (r *bits) get(n int) (v int) {
	for range n {
		v <<= 1
		if r.at/8 >= len(r.p) {
			r.short = true
			continue
		}
		v |= int(r.p[r.at/8]>>(7-r.at%8)) & 1
		r.at++
	}
	return v
}

func (r *bits) size(key bool) Header {
	w, h := r.get(16)+1, r.get(16)+1
	if r.short {
		return Header{}
	}
	return Header{Key: key, Width: w, Height: h}
}
