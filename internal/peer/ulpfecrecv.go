package peer

import (
	"slices"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// ulpMender works lost packets out from ULPFEC. It is pure and bounded: it remembers the last packets of the stream, and the
// last parities that cover more than one packet which is not there.
type ulpMender struct {
	packets  [ulpMemory]ulpKept // by sequence number
	parities []ulpPacket        // as they came
	newest   uint16
	begun    bool
	last     time.Time // parity came
}

type ulpKept struct {
	there    bool
	sequence uint16
	packet   []byte // whole, as its sender protected it; nil: it came another way
}

const (
	ulpMemory   = 256 // packets; a second at 2.5 Mbit/s
	ulpParities = 48
)

// active says whether the sender sends parity at the moment.
func (m *ulpMender) active(now time.Time) bool {
	return !m.last.IsZero() && now.Sub(m.last) < mendAlive
}

// gotPacket notes that a packet of the stream is there, and gives those that can be worked out now, whole and without
// SSRC. packet is kept, and only read; it is nil when its bytes are not those that its sender protected.
func (m *ulpMender) gotPacket(sequence uint16, packet []byte) [][]byte {
	m.moveOn(sequence)
	k := &m.packets[sequence%ulpMemory]
	if k.there && k.sequence == sequence && k.packet != nil {
		return nil // the second one, or it was worked out
	}
	*k = ulpKept{there: true, sequence: sequence, packet: packet}
	if packet == nil || !slices.ContainsFunc(m.parities, func(p ulpPacket) bool { return p.covers(sequence) }) {
		return nil
	}
	return m.work()
}

// gotParity keeps p and spoils it, and gives the packets that can be worked out now.
func (m *ulpMender) gotParity(p ulpPacket, now time.Time) [][]byte {
	m.last = now
	if !m.begun || m.old(p.base) {
		return nil
	}
	if len(m.parities) >= ulpParities {
		m.parities = slices.Delete(m.parities, 0, 1)
	}
	m.parities = append(m.parities, p)
	return m.work()
}

// moveOn forgets the parities that are too far from what comes now: sequence numbers come again.
func (m *ulpMender) moveOn(sequence uint16) {
	if d := int16(sequence - m.newest); m.begun && d <= 0 && d > -ulpMemory {
		return
	}
	m.newest, m.begun = sequence, true
	m.parities = slices.DeleteFunc(m.parities, func(p ulpPacket) bool { return m.old(p.base) })
}

// old says whether packets from there on are not remembered any more, or far ahead of all that came.
func (m *ulpMender) old(base uint16) bool {
	d := int16(m.newest - base)
	return d > ulpMemory-ulpReach || d < -ulpMemory
}

// work tries all parities until none of them brings anything more.
func (m *ulpMender) work() (list [][]byte) {
	for again := true; again; {
		again = false
		m.parities = slices.DeleteFunc(m.parities, func(p ulpPacket) bool {
			sequence, packet, done := m.try(&p)
			if packet == nil {
				return done
			}
			k := &m.packets[sequence%ulpMemory]
			if !k.there || k.sequence != sequence {
				list = append(list, packet)
			}
			*k = ulpKept{there: true, sequence: sequence, packet: packet}
			again = true
			return true
		})
	}
	return list
}

// try gives the packet that p brings now, if any; done says that p is of no more use.
func (m *ulpMender) try(p *ulpPacket) (sequence uint16, packet []byte, done bool) {
	missing := 0
	p.each(func(s uint16) bool {
		if m.at(s) == nil {
			missing++
			sequence = s
		}
		return missing < 2
	})
	if missing != 1 {
		return 0, nil, missing == 0
	}
	p.each(func(s uint16) bool {
		if other := m.at(s); other != nil {
			p.mix(other)
		}
		return true
	})
	packet, _ = p.remains(sequence)
	return sequence, packet, true
}

// at gives the bytes of a packet, or nil.
func (m *ulpMender) at(sequence uint16) []byte {
	if k := &m.packets[sequence%ulpMemory]; k.there && k.sequence == sequence {
		return k.packet
	}
	return nil
}

// read feeds packets until the track ends.
func (v *videoReceiver) read(t *webrtc.TrackRemote) {
	v.ssrc.Store(uint32(t.SSRC()))
	readAll(t, func(b []byte, attributes interceptor.Attributes) {
		if attributes.Get(webrtc.AttributeRtxSsrc) == nil { // those came through gotRTX already
			v.got(b)
		}
	})
}

// got takes a packet as it came; b is the caller's.
func (v *videoReceiver) got(b []byte) {
	var p rtp.Packet
	if p.Unmarshal(b) != nil {
		v.count.malformed.Add(1)
		return
	}
	if red := uint8(v.red.Load()); red == 0 || p.PayloadType != red {
		v.put(p, byItself)
		return
	}
	if p.Padding || len(p.Payload) < 1 {
		v.putRED(p, nil, byItself)
		return
	}
	// Its own bytes count for parity: whoever writes a header anew may put its extensions in another order.
	head := len(b) - len(p.Payload)
	whole := append(append(make([]byte, 0, len(b)-1), b[:head]...), p.Payload[1:]...)
	whole[1] = b[1]&0x80 | p.Payload[0]&0x7f
	zeroExtension(whole, uint8(v.transport.Load()))
	v.putRED(p, whole, byItself)
}

// putRED takes what is in a packet of RED; whole is that as parity covers it, or nil, and belongs to the receiver.
func (v *videoReceiver) putRED(p rtp.Packet, whole []byte, h how) {
	if len(p.Payload) == 0 { // padding
		v.queue(received{sequence: p.SequenceNumber, rtpTime: p.Timestamp, how: h, filler: true})
		return
	}
	kind, block, ok := openRED(p.Payload)
	if !ok {
		v.count.malformed.Add(1)
		return
	}
	if ulpfec := uint8(v.ulpfec.Load()); ulpfec != 0 && kind == ulpfec {
		v.queue(received{sequence: p.SequenceNumber, rtpTime: p.Timestamp, how: h, filler: true, payload: append([]byte(nil), block...)})
		return
	}
	p.PayloadType, p.Payload = kind, block
	r, ok := v.packet(p, h)
	if !ok {
		v.count.malformed.Add(1)
		return
	}
	if whole != nil {
		r.whole, r.payload = whole, whole[len(whole)-len(block):]
	} else {
		r.payload = append([]byte(nil), block...)
	}
	v.queue(r)
}

// mendULP tells the mender of ULPFEC of a packet, and gives what can be worked out now.
func (r *receiving) mendULP(p received, now time.Time) (list []received) {
	var mended [][]byte
	switch {
	case !p.filler:
		mended = r.ulp.gotPacket(p.sequence, p.whole)
	case len(p.payload) > 0:
		r.v.count.redundant.Add(1)
		parity, ok := parseULP(p.payload)
		if !ok {
			r.v.count.malformed.Add(1)
			return nil
		}
		mended = r.ulp.gotParity(parity, now)
	}
	for _, b := range mended {
		var p rtp.Packet
		if p.Unmarshal(b) != nil {
			r.v.count.malformed.Add(1)
			continue
		}
		if made, ok := r.v.packet(p, recovered); ok {
			made.payload = p.Payload
			list = append(list, made)
		}
	}
	return list
}
