package peer

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// resendRequest names a packet that is to be sent again, not before a time.
type resendRequest struct {
	ssrc uint32
	seq  uint16
	due  time.Time
	mute time.Time // not if feedback has come since; zero: whatever comes
	pad  int       // bytes of padding, in place of a packet
}

// Retransmissions may use half of the target, and this many bytes at once: a whole key frame. What is older than
// resendFor cannot be used any more: the other side has gone on without it.
const (
	resendShare  = 0.5
	resendBurst  = 96 << 10
	resendFor    = 1200 * time.Millisecond
	resendTwice  = 0.05 // loss from which a packet is sent again twice: a second request costs a round trip
	resendSpaced = 15 * time.Millisecond
	paddingMost  = 224 // bytes in a packet of padding alone
	paddingFresh = 2 * time.Second
)

func (s *sentStream) keep(h *rtp.Header, payload []byte, now time.Time) {
	k := &s.history[h.SequenceNumber%sendHistory]
	k.header, k.payload = plainHeader(h), append(k.payload[:0], payload...)
	k.kept, k.at, k.resent, k.left, k.there, k.number = true, now, time.Time{}, time.Time{}, false, readNumber(h, s.numbers)
	s.last, s.padded, s.timestamp = h.SequenceNumber, 0, h.Timestamp
}

func plainHeader(h *rtp.Header) rtp.Header {
	return rtp.Header{
		Version: 2, Marker: h.Marker, PayloadType: h.PayloadType, SequenceNumber: h.SequenceNumber,
		Timestamp: h.Timestamp, SSRC: h.SSRC,
	}
}

// gotNACK has sent again what was asked for, each packet at most once a round trip and all within a budget, so that a
// flood of requests costs the line little. On a line that loses much each is sent twice, a little apart, as long as
// half of the budget is left.
func (w *wire) gotNACK(n *rtcp.TransportLayerNack, now time.Time, rtt time.Duration, targetBps int, loss float64) {
	for i := range n.Nacks {
		n.Nacks[i].Range(func(seq uint16) bool {
			r := resendRequest{ssrc: n.MediaSSRC, seq: seq, due: now}
			if !w.grant(r, now, rtt, targetBps) {
				w.refused.Add(1)
				return true
			}
			w.resendSafely(r, loss)
			return true
		})
	}
}

// gotLoss has sent again what feedback says was lost and nobody has to ask for. A repair that was lost as well would be
// missed a round trip later only; and where losses come in rows, requests get lost in rows, too: there what was sent just
// once counts as well. What is on its way again, or came by another packet, is left alone. late says that a picture may be
// whole only a round trip after the first request: a repair was lost, or may be, where losses come in rows.
func (w *wire) gotLoss(list []arrival, rows bool, now time.Time, targetBps int, loss float64) (late bool) {
	for _, a := range list {
		if !a.lost || !a.brings.known || !a.brings.again && !rows {
			continue
		}
		r := resendRequest{ssrc: a.brings.ssrc, seq: a.brings.seq, due: now}
		missing, granted := w.grantLost(r, a, now, targetBps)
		late = late || missing
		if granted {
			w.resendSafely(r, loss)
		}
	}
	return late
}

func (w *wire) grantLost(r resendRequest, a arrival, now time.Time, targetBps int) (missing, granted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.streams[r.ssrc]
	if s == nil || len(s.history) == 0 {
		return false, false
	}
	s.refill(now, targetBps)
	k := s.kept(r.seq, now)
	switch {
	case k == nil || k.there, a.brings.again && k.resent.IsZero(): // that was padding
		return false, false
	case s.budget < float64(len(k.payload)), k.resent.After(a.sent), k.left.After(a.sent): // on its way
		return true, false
	}
	k.resent = now
	s.budget -= float64(len(k.payload))
	return true, true
}

// resendSafely sends again, on a line that loses much twice.
func (w *wire) resendSafely(r resendRequest, loss float64) {
	now := r.due
	w.resend(r)
	if loss > resendTwice && w.later != nil && w.grantTwice(r, now) {
		r.due = now.Add(resendSpaced)
		w.resend(r)
	}
}

// repeat has the newest picture of a stream, which has just left, sent again a little later, unless feedback comes until
// then. It takes no more than half of the budget.
func (w *wire) repeat(ssrc uint32, now time.Time, targetBps int) {
	w.mu.Lock()
	var list []resendRequest
	if s := w.streams[ssrc]; s != nil && len(s.history) > 0 {
		s.refill(now, targetBps)
		left := s.budget
		for seq := s.last; left >= resendBurst/2; seq-- {
			k := s.kept(seq, now)
			if k == nil || k.header.Timestamp != s.timestamp || len(list) >= sendHistory {
				break
			}
			left -= float64(len(k.payload))
			list = append(list, resendRequest{ssrc: ssrc, seq: seq, due: now.Add(resendSpaced), mute: now})
		}
	}
	w.mu.Unlock()
	for _, r := range slices.Backward(list) {
		w.resend(r)
	}
}

func (w *wire) resend(r resendRequest) {
	if w.later == nil {
		w.again(r, r.due)
	} else if !w.later(r) {
		w.refused.Add(1)
	}
}

// grant takes the packet's size off the budget.
func (w *wire) grant(r resendRequest, now time.Time, rtt time.Duration, targetBps int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.streams[r.ssrc]
	if s == nil || len(s.history) == 0 {
		return false
	}
	s.refill(now, targetBps)
	k := s.kept(r.seq, now)
	wait := min(max(rtt*3/4, 10*time.Millisecond), 300*time.Millisecond)
	if k == nil || now.Sub(k.resent) < wait || s.budget < float64(len(k.payload)) {
		return false
	}
	k.resent = now
	s.budget -= float64(len(k.payload))
	return true
}

func (w *wire) grantTwice(r resendRequest, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.streams[r.ssrc]
	k := s.kept(r.seq, now)
	if k == nil || s.budget < resendBurst/2 {
		return false
	}
	s.budget -= float64(len(k.payload))
	return true
}

// kept gives a packet that may still be used, or nil.
func (s *sentStream) kept(seq uint16, now time.Time) *keptPacket {
	k := &s.history[seq%sendHistory]
	if !k.kept || k.header.SequenceNumber != seq || now.Sub(k.at) > resendFor || k.at.Before(s.useless) {
		return nil
	}
	return k
}

func (s *sentStream) refill(now time.Time, targetBps int) {
	if !s.refilled.IsZero() {
		s.budget += now.Sub(s.refilled).Seconds() * float64(targetBps) / 8 * resendShare
	}
	s.budget, s.refilled = min(s.budget, resendBurst), now
}

// again sends a packet again, as RTX (RFC 4588) where that was negotiated, and gives its size.
func (w *wire) again(r resendRequest, now time.Time) int {
	w.mu.Lock()
	s := w.streams[r.ssrc]
	if s == nil || len(s.history) == 0 {
		w.mu.Unlock()
		return 0
	}
	k := s.kept(r.seq, now)
	if k == nil || !r.mute.IsZero() && w.heard.After(r.mute) {
		w.mu.Unlock()
		return 0
	}
	if !r.mute.IsZero() {
		s.budget -= float64(len(k.payload)) // what was asked for has been taken off it
	}
	h, payload := s.repairLocked(k)
	w.stampLocked(s, &h, len(payload), cargo{known: true, again: true, ssrc: r.ssrc, seq: r.seq})
	k.left = now
	w.mu.Unlock()
	w.resent.Add(1)
	w.extra.Add(int64(len(payload)))
	_, _ = s.write.Write(&h, payload, nil) // fails only when the connection ends
	return len(payload)
}

func (s *sentStream) repairLocked(k *keptPacket) (rtp.Header, []byte) {
	h := k.header
	k.number.write(&h, s.numbers)
	if s.rtx == 0 || s.rtxType == 0 {
		return h, append([]byte(nil), k.payload...)
	}
	payload := make([]byte, 2, 2+len(k.payload))
	binary.BigEndian.PutUint16(payload, h.SequenceNumber)
	h.SSRC, h.PayloadType, h.SequenceNumber = s.rtx, s.rtxType, s.rtxSequence
	s.rtxSequence++
	return h, append(payload, k.payload...)
}

// forget is told that what left so far is not needed any more: the next picture does not refer to it.
func (w *wire) forget(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		s.useless = now
	}
}

// canPad says whether padding can be sent: on the RTX stream only, as libwebrtc does, where nobody takes it for media.
func (w *wire) canPad() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.padderLocked() != nil
}

func (w *wire) padderLocked() *sentStream {
	for _, s := range w.streams {
		if len(s.history) > 0 && s.rtx != 0 && s.rtxType != 0 && s.extension != 0 {
			return s
		}
	}
	return nil
}

// pad sends a packet that nobody needs, of at most so many bytes or nearly, and gives its size; 0: that cannot be done.
// The last pictures' packets serve first: on a line that loses, they may even be of use.
func (w *wire) pad(most int, now time.Time) int {
	w.mu.Lock()
	s := w.padderLocked()
	if s == nil {
		w.mu.Unlock()
		return 0
	}
	var h rtp.Header
	var payload []byte
	var brings cargo
	k := &s.history[(s.last-s.padded)%sendHistory]
	if k.kept && now.Sub(k.at) < paddingFresh && len(k.payload) > paddingMost && len(k.payload) <= most {
		h, payload = s.repairLocked(k)
		brings = cargo{known: true, again: true, ssrc: s.ssrc, seq: k.header.SequenceNumber}
		s.padded++
	} else {
		h = rtp.Header{
			Version: 2, Padding: true, PayloadType: s.rtxType, SequenceNumber: s.rtxSequence, Timestamp: s.timestamp, SSRC: s.rtx,
		}
		s.rtxSequence++
		payload = make([]byte, min(max(most, 1), paddingMost))
		payload[len(payload)-1] = byte(len(payload)) // RFC 3550 section 5.1
	}
	w.stampLocked(s, &h, len(payload), brings)
	w.mu.Unlock()
	w.padding.Add(int64(len(payload)))
	w.extra.Add(-int64(h.MarshalSize() + transportOverhead))
	_, _ = s.write.Write(&h, payload, nil)
	return len(payload)
}
