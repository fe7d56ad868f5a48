package peer

import "github.com/pion/rtp"

// sendParity sends redundancy on the SSRC of a stream's retransmissions: numbered with them, its losses leave no holes in
// the stream itself.
func (w *wire) sendParity(ssrc uint32, payloadType uint8, rtpTime uint32, payload []byte) {
	w.mu.Lock()
	s := w.streams[ssrc]
	if s == nil || s.rtx == 0 {
		w.mu.Unlock()
		return
	}
	h := rtp.Header{Version: 2, PayloadType: payloadType, SequenceNumber: s.rtxSequence, Timestamp: rtpTime, SSRC: s.rtx}
	s.rtxSequence++
	w.stampLocked(s, &h, len(payload), cargo{})
	w.mu.Unlock()
	_, _ = s.write.Write(&h, payload, nil) // fails only when the connection ends
}

// sendPaced is the pacer's: it sends a packet of a picture, and has its parities sent right behind the last one.
func (v *videoSender) sendPaced(p *pacedPacket) error {
	fec, ssrc := v.track.redundancy()
	switch {
	case fec == 0 && p.parity:
		return v.sendULP(p)
	case fec == 0:
		return v.sendInRED(p)
	case p.parity:
		v.wire().sendParity(ssrc, fec, p.rtpTime, p.payload)
		return nil
	}
	if err := v.track.send(p); err != nil {
		return err
	}
	v.pacer.putParities(p, v.protect.add(v.track.header.SequenceNumber, v.track.header.PayloadType, p))
	return nil
}

// redundancy gives the payload type that was negotiated for it, 0 for none, and the SSRC that it is about.
func (t *track) redundancy() (payloadType uint8, ssrc uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fec, t.ssrc
}
