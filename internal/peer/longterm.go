package peer

import (
	"sync"
	"time"

	"visavis.example/internal/media/codec/vpx"
)

// longTerm keeps two pictures that the other side is known or about to have, besides the last one: after a loss the next
// picture refers to one of them instead of being a key frame, which would be several times as big. It serves VP9 in
// flexible mode (RFC 9628 section 4.2), where every picture says which ones it refers to, and receivers that tell how
// far they decoded (lossNotification). The encoder's goroutine plans, the pacer's says what left, pion's what arrived.
type longTerm struct {
	mu       sync.Mutex
	on       bool
	slots    [2]keptPicture // in the encoder's Golden and AltRef
	last     int            // the slot that was filled last
	asked    bool           // for a recovery
	recovery keptPicture    // the last one
}

// keptPicture is a picture that can be referred to.
type keptPicture struct {
	id       int64  // counts encoded pictures from 1; 0: none
	number   int64  // counts captured ones
	sequence uint16 // of its last packet,
	sent     bool   // once that has left
	acked    bool   // the other side decoded it
	at       time.Time
}

const (
	keepEvery = time.Second
	keepWait  = 2 * time.Second // for the other side to say that it has the last one
	meanwhile = 60 * time.Millisecond
	farthest  = 127 // pictures back that a reference can say
)

var slotReference = [2]vpx.Reference{vpx.Golden, vpx.AltRef}

// plan is how one picture is encoded.
type plan struct {
	id      int64
	key     bool
	recover bool
	refer   vpx.References
	back    []uint8 // how many pictures back its references are
	keep    int     // the slot that it goes to, -1: none
}

// reset begins anew with the next picture, which is a key frame.
func (l *longTerm) reset(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on, l.slots, l.asked, l.recovery = on, [2]keptPicture{}, false, keptPicture{}
}

// ask wants the next picture to be one that can be decoded after a loss. ok is false when nothing is known that it could
// refer to.
func (l *longTerm) ask() (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = l.ableLocked()
	return l.asked
}

// able is whether ask would be ok.
func (l *longTerm) able() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ableLocked()
}

func (l *longTerm) ableLocked() bool { return l.on && (l.slots[0].acked || l.slots[1].acked) }

// askMeanwhile is ask, unless a recovery was made just now: what was lost may come by a repair that is on its way.
func (l *longTerm) askMeanwhile(now time.Time) {
	l.mu.Lock()
	lately := now.Sub(l.recovery.at) < meanwhile
	l.mu.Unlock()
	if !lately {
		l.ask()
	}
}

// next plans picture id, which follows id-1. A key frame is planned only where a recovery was asked for and cannot be.
func (l *longTerm) next(id int64, now time.Time) plan {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := plan{id: id, keep: -1}
	if l.asked {
		if l.recover(&p) {
			return p
		}
		l.asked, p.key = false, true
	}
	p.back = append(p.back, 1)
	for i, s := range l.slots {
		switch back := id - s.id; {
		case s.id == 0 || back > farthest:
			p.refer.Avoid |= slotReference[i]
		case back > 1 && (len(p.back) == 1 || p.back[1] != uint8(back)):
			p.back = append(p.back, uint8(back))
		}
	}
	// A new one takes the place of the older one once the newer one is sure to be there, else that of the newer one.
	newer := l.slots[l.last]
	switch age := now.Sub(newer.at); {
	case newer.acked && age > keepEvery:
		p.keep = 1 - l.last
	case !newer.acked && age > keepWait:
		p.keep = l.last
	default:
		return p
	}
	p.refer.Keep = slotReference[p.keep]
	return p
}

// recover plans p with the newest picture that the other side has for its only reference, if there is one.
func (l *longTerm) recover(p *plan) bool {
	use := -1
	for i, s := range l.slots {
		if s.acked && p.id-s.id <= farthest && (use < 0 || s.id > l.slots[use].id) {
			use = i
		}
	}
	if use < 0 {
		return false
	}
	other := slotReference[1-use]
	p.recover, p.keep, p.refer = true, 1-use, vpx.References{Avoid: vpx.Last | other, Keep: other}
	p.back = append(p.back, uint8(p.id-l.slots[use].id))
	return true
}

// encoded says that p was carried out: the picture has that number, and may have become a key frame.
func (l *longTerm) encoded(p plan, number int64, key bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := keptPicture{id: p.id, number: number, at: now}
	switch {
	case key:
		l.slots, l.asked = [2]keptPicture{kept, kept}, false
		l.recovery = kept
		return
	case p.recover:
		l.asked, l.recovery = false, kept
	}
	if p.keep >= 0 {
		l.slots[p.keep], l.last = kept, p.keep
	}
}

// left says that the last packet of a picture went to the network.
func (l *longTerm) left(number int64, sequence uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range []*keptPicture{&l.slots[0], &l.slots[1], &l.recovery} {
		if k.id != 0 && k.number == number {
			k.sequence, k.sent = sequence, true
		}
	}
}

// heard takes what the other side says; lost is true when it needs a picture that it can decode, and none that is meant
// to be one is on its way.
func (l *longTerm) heard(n lossNotification) (lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.slots {
		if s := &l.slots[i]; s.sent && int16(n.lastDecoded-s.sequence) >= 0 {
			s.acked = true
		}
	}
	if n.decodable || l.recovery.id != 0 && (!l.recovery.sent || int16(n.lastReceived-l.recovery.sequence) < 0) {
		return false
	}
	return !l.asked
}
