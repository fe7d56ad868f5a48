package peer

import "github.com/pion/rtp"

// inRED gives the payload types to protect pictures with towards a browser, and the id of the header extension that is
// written later; ok is false where that does not go: its codec has no picture ids, or the other side lacks one of them.
func (t *track) inRED() (r redTypes, transport uint8, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := codecOf(t.codec.MimeType, t.codec.SDPFmtpLine)
	return t.redTypes, t.transport, t.redTypes.red != 0 && t.redTypes.ulpfec != 0 && (c == codecVP8 || c == codecVP9)
}

// sendBeside writes a packet that is of no picture, with a number of the stream. It belongs to the pacer's goroutine.
func (t *track) sendBeside(payloadType uint8, rtpTime uint32, payload []byte) error {
	t.mu.Lock()
	w, ssrc := t.writer, t.ssrc
	t.mu.Unlock()
	if w == nil {
		return errNotBound
	}
	h := rtp.Header{Version: 2, PayloadType: payloadType, SequenceNumber: t.sequence, Timestamp: rtpTime, SSRC: ssrc}
	t.sequence++
	_, err := w.WriteRTP(&h, payload)
	return err
}

// sendULP sends a parity that sendInRED has made. In the middle of a picture it is left out: lost there, it would be a hole
// that nobody can tell from one of the picture.
func (v *videoSender) sendULP(p *pacedPacket) error {
	types, _, ok := v.track.inRED()
	if !ok || !v.track.header.Marker {
		return nil
	}
	return v.track.sendBeside(types.red, p.rtpTime, p.payload)
}

// sendInRED sends a packet of a picture, in RED when it gets parity: browsers take parity only of what came so.
func (v *videoSender) sendInRED(p *pacedPacket) error {
	types, transport, ok := v.track.inRED()
	if !ok {
		return v.track.send(p)
	}
	covered := v.protect.covers(v.track.sequence, p.first)
	v.wire().wrap(v.track.source(), types.red, covered)
	if err := v.track.send(p); err != nil || !covered {
		return err
	}
	h := &v.track.header
	whole := v.protect.memory()[:h.MarshalSize()]
	if _, err := h.MarshalTo(whole); err != nil {
		return err
	}
	whole = append(whole, p.payload...)
	zeroExtension(whole, transport)
	v.pacer.putParities(p, v.protect.addULP(whole, types.ulpfec, p))
	return nil
}

// covers says whether the packet that is to be sent next, with that number, is to get ULPFEC; if so, addULP takes it.
func (f *protector) covers(sequence uint16, first bool) bool {
	if len(f.run) > 0 && sequence == f.first+uint16(len(f.run)) {
		return true
	}
	f.reset()
	f.first = sequence
	if f.long = f.long && !first; f.long || !f.wanted(f.rtt()) {
		f.account(0)
		return false
	}
	return true
}

// addULP takes a packet that was just sent, whole, which it keeps, and gives the payloads of the parities to send after it:
// valid until the next call. Parities come only behind a picture, and none behind one that is too long: browsers remember no
// more packets than ulpReach.
func (f *protector) addULP(whole []byte, payloadType uint8, p *pacedPacket) [][]byte {
	f.out = f.out[:0]
	f.run = append(f.run, whole)
	f.size = max(f.size, len(whole))
	rtt := f.rtt()
	switch {
	case p.marker:
		f.pictures++
		if len(f.run) < 3 && f.pictures < picturesTogether(rtt) && !p.meta.key {
			return nil
		}
	case len(f.run) < ulpReach:
		return nil
	default:
		f.long = true
		f.account(0)
		f.reset()
		return nil
	}
	n := f.parities(rtt, beyondGroups)
	f.account(n)
	for i := range n {
		q := ulpPacket{base: f.first + uint16(i)}
		for j := i; j < len(f.run); j += n {
			q.cover(f.run[j])
		}
		f.out = append(f.out, q.append([]byte{payloadType}))
	}
	f.sent.Add(int64(n))
	f.reset()
	return f.out
}

// beyondGroups is beyondRepair where each of m parities covers every m-th of k packets, and gives one of them back.
func beyondGroups(k, m int, loss, again float64) float64 {
	if m < 2 {
		return beyondRepair(k, m, loss, again)
	}
	// The farther two packets are from each other, the less they share their fate.
	first := loss * (1 - again) / max(1-loss, 1e-3)
	bound := 1.0
	for range m {
		bound *= max(again-first, 0)
	}
	again = loss + (1-loss)*bound
	whole := 1.0
	for i := range m {
		whole *= 1 - beyondRepair((k-i+m-1)/m, 1, loss, again)
	}
	return 1 - whole
}

// wrap has the packets of a stream go in RED of that payload type from now on, or as they are. What is written with that
// payload type itself goes as it is, and is never sent again.
func (w *wire) wrap(ssrc uint32, red uint8, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.streams[ssrc]; s != nil {
		s.red, s.wrapping = red, on
	}
}

// dressLocked gives payload type and payload to write a packet with; the payload is valid until the stream's next packet.
func (s *sentStream) dressLocked(payloadType uint8, payload []byte) (uint8, []byte) {
	if !s.wrapping || payloadType == s.red {
		return payloadType, payload
	}
	s.dress = append(append(s.dress[:0], payloadType), payload...)
	return s.red, s.dress
}
