package peer

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// A call moves to another network of this machine without an ICE restart, if it can: other ways are kept open beside the
// one that media takes (standby), and when its network is gone, or the system prefers another, media takes one of those
// (detour) and the other side is told to follow. What it sent by the old way meanwhile still arrives. Only where no way
// answers is there a restart.

// telling is a move that the other has not followed yet.
type telling struct {
	path        packetPath
	began, next time.Time
	back        packetPath // where to go if the other does not follow
	lost        bool       // there is no way back
	returning   bool       // this is the way back
}

// pionsEnd is the socket and the other's address of the path that pion has chosen; nil: it is a relay of ours, or there is
// none.
func (s *Session) pionsEnd() (*gateConn, netip.AddrPort) {
	pair, err := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local.Typ == webrtc.ICECandidateTypeRelay || pair.Local.Protocol != webrtc.ICEProtocolUDP {
		return nil, netip.AddrPort{}
	}
	to, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return nil, netip.AddrPort{} // a .local name
	}
	address, port := pair.Local.Address, pair.Local.Port
	if pair.Local.Typ != webrtc.ICECandidateTypeHost {
		address, port = pair.Local.RelatedAddress, pair.Local.RelatedPort
	}
	at, err := netip.ParseAddr(address)
	for _, c := range s.hold.gate.sockets() {
		p, ok := pathOf(c, c.LocalAddr())
		if err == nil && ok && p.to.Port() == port && p.to.Addr().WithZone("") == at.Unmap().WithZone("") {
			return c, netip.AddrPortFrom(to.Unmap(), pair.Remote.Port)
		}
	}
	return nil, netip.AddrPort{}
}

// detoured gives the detour that media takes; nil: it takes pion's path.
func (s *Session) detoured() *detour {
	d := s.hold.gate.detour.Load()
	if d == nil {
		return nil
	}
	if c, to := s.pionsEnd(); c != d.carrier || to != d.from {
		return nil
	}
	return d
}

// present is the path that media takes; false: by a relay of ours, or none.
func (s *Session) present() (packetPath, bool) {
	if d := s.detoured(); d != nil {
		return d.by, true
	}
	c, to := s.pionsEnd()
	return packetPath{c, to}, c != nil
}

// standing is the address of ours that the path begins at, as far as that is known: a relay is reached from some address,
// and what it is nobody tells.
func (s *Session) standing() (netip.Addr, bool) {
	p, ok := s.present()
	if !ok {
		return netip.Addr{}, false
	}
	if at := p.at(); !at.IsUnspecified() {
		return at, true
	}
	return s.roam.route, s.roam.route.IsValid()
}

// standsOn says whether the path begins at one of these addresses; true if that is not known.
func (s *Session) standsOn(gone []netip.Addr) bool {
	at, ok := s.standing()
	return !ok || slices.Contains(gone, at)
}

// routeTo is the address of ours that the system would send from. Nothing is sent.
func (s *Session) routeTo(to netip.AddrPort) netip.Addr {
	c, err := s.hold.gate.Net.Dial("udp", to.String())
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	at, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// settled follows a path that was found or came back.
func (s *Session) settled(now time.Time) {
	r := &s.roam
	r.present = s.ownAddresses()
	r.addresses, r.lostAt = r.present, time.Time{}
	if !r.relay.IsValid() {
		r.relay = s.relayRoute() // the path that was lost came back by itself
	}
	if p, ok := s.present(); ok {
		r.route = s.routeTo(p.to)
	}
	s.tend(now)
}

// tend keeps one socket at each address of ours, and ways from those that the path does not begin at to each address of
// the other's.
func (s *Session) tend(now time.Time) {
	local, remote := s.pc.CurrentLocalDescription(), s.pc.CurrentRemoteDescription()
	at, ok := s.standing()
	if s.RelayOnly || s.talk.over || s.hold.on || !s.talk.wasUp || s.talk.offered || !ok || local == nil || remote == nil {
		return
	}
	ours, password := iceCredentials(local.SDP)
	theirs, _ := iceCredentials(remote.SDP)
	s.hold.gate.names.Store(&checkNames{ours + ":" + theirs, password})
	s.tendSpares()
	r := &s.roam
	sockets := s.hold.gate.all()
	maps.DeleteFunc(r.outside, func(_ [transactionIDSize]byte, c *gateConn) bool { return !slices.Contains(sockets, c) })
	r.standby.keep(func(w *way) bool { return slices.Contains(sockets, w.conn) && slices.Contains(r.present, w.at()) })
	path, _ := s.present()
	for _, c := range sockets {
		if c.at() == at || !slices.Contains(r.present, c.at()) {
			continue
		}
		s.addWay(packetPath{c, path.to}, now)
		for _, k := range s.talk.theirs {
			if to, ok := directAddress(k.Candidate); ok {
				s.addWay(packetPath{c, to}, now)
			}
		}
	}
	if r.standby.eager(now) {
		s.pulse()
	}
}

// tendSpares opens a socket where pion has none, and tells the other of it: whoever is behind an address translator has to
// send first.
func (s *Session) tendSpares() {
	g := s.hold.gate
	d := g.detour.Load()
	g.closeSpares(func(c *gateConn) bool {
		return !slices.Contains(s.roam.present, c.at()) && (d == nil || d.by.conn != c)
	})
	spares := len(g.all()) - len(g.sockets())
	for _, at := range s.roam.present {
		if spares >= maxSpares || slices.ContainsFunc(g.all(), func(c *gateConn) bool { return c.at() == at }) {
			continue
		}
		c, err := g.openSpare(at)
		if err != nil {
			s.log.Debug("no socket on another network", "err", err)
			continue
		}
		spares++
		if p, ok := pathOf(c, c.LocalAddr()); ok {
			s.sayCandidate(spareCandidate(p.to, netip.AddrPort{}))
			s.askOutside(c)
		}
	}
	if c, from := s.pionsEnd(); spares > 0 && c != nil && g.detour.Load() == nil {
		g.bend(c, from, packetPath{c, from}) // so that what comes to a spare has an inbox
	}
}

func (s *Session) sayCandidate(line string) {
	k := s.talk.ours // for its section
	k.Candidate = line
	s.emit(LocalCandidate{k})
}

func (s *Session) addWay(p packetPath, now time.Time) {
	if at, ok := s.present(); p.possible() && (!ok || at != p) {
		s.roam.standby.add(p, now)
	}
}

// tryWays tries an address that the other has got during the call, from all of ours.
func (s *Session) tryWays(c Candidate) {
	if to, ok := directAddress(c.Candidate); ok && s.hold.direct == nil && s.talk.up {
		s.tryAddress(to)
	}
}

// askConsent tries, now, an address that the other says to have moved to.
func (s *Session) askConsent(to netip.AddrPort) {
	s.tryAddress(to)
	now := time.Now()
	for _, w := range s.roam.standby.ways {
		if w.to == to && (w.checks >= wayTries || w.next.Sub(now) > wayHurry) {
			w.checks, w.next = 0, now
		}
	}
}

func (s *Session) tryAddress(to netip.AddrPort) {
	if _, ok := s.present(); !ok || !to.IsValid() || !s.talk.wasUp || s.RelayOnly || s.hold.on {
		return
	}
	for _, conn := range s.hold.gate.all() {
		if slices.Contains(s.roam.present, conn.at()) {
			s.addWay(packetPath{conn, to}, time.Now())
		}
	}
	s.pulse()
}

// roams says whether something of all that is going on.
func (s *Session) roams(now time.Time) bool {
	r := &s.roam
	return r.telling != nil || !r.lostAt.IsZero() || r.wish.IsValid() || r.standby.eager(now)
}

// seekBeside seeks another way while pion keeps its path; lost: that is gone for good.
func (s *Session) seekBeside(lost bool, now time.Time) {
	r := &s.roam
	usable := slices.ContainsFunc(r.standby.ways, func(w *way) bool { return slices.Contains(r.present, w.at()) })
	switch {
	case usable && s.talk.up || usable && !lost:
		if r.lostAt.IsZero() || lost && !r.gone {
			r.lostAt, r.gone = now, lost
		}
		s.pulse()
	case lost:
		s.pathLost()
	}
}

// keepWays checks those that are due.
func (s *Session) keepWays(now time.Time) {
	if s.talk.over {
		return
	}
	for w := s.roam.standby.due(now, false); w != nil; w = s.roam.standby.due(now, false) {
		s.checkWay(w, now)
	}
}

func (s *Session) checkWay(w *way, now time.Time) {
	if id, ok := s.sendCheck(w.packetPath, false, now); ok {
		w.sentCheck(id, now)
	}
}

// lookForWays is a beat.
func (s *Session) lookForWays(now time.Time) {
	r := &s.roam
	s.tell(now)
	hurry := !r.lostAt.IsZero()
	if w := r.standby.due(now, hurry); w != nil {
		s.checkWay(w, now)
	}
	own := func(a netip.Addr) bool { return slices.Contains(r.present, a) }
	switch {
	case hurry && r.telling == nil:
		w := r.standby.best(now, r.lostAt, own)
		switch {
		case w != nil && (r.gone || !s.talk.up):
			s.moveTo(w.packetPath, r.gone, now)
		case r.gone && now.Sub(r.lostAt) > goneFor:
			s.pathLost()
		case now.Sub(r.lostAt) > silentFor:
			r.lostAt = time.Time{} // the line is dead on every way
		}
	case r.wish.IsValid() && r.telling == nil:
		if w := r.standby.best(now, time.Time{}, func(a netip.Addr) bool { return a == r.wish }); w != nil {
			s.moveTo(w.packetPath, false, now)
		} else if now.Sub(r.wishedAt) > findFor {
			r.wish = netip.Addr{}
		}
	}
}

// moveTo has media take a way that has answered, and begins to tell the other.
func (s *Session) moveTo(p packetPath, lost bool, now time.Time) {
	r := &s.roam
	c, from := s.pionsEnd()
	back, ok := s.present()
	if c == nil || !ok { // by a relay of ours, which no detour leads around
		r.lostAt, r.wish = time.Time{}, netip.Addr{}
		if lost {
			s.pathLost()
		}
		return
	}
	s.log.Debug("call moves to another network", "lost", lost)
	s.hold.gate.bend(c, from, p)
	r.telling = &telling{path: p, began: now, next: now, back: back, lost: lost}
	r.lostAt, r.wish, r.addresses = time.Time{}, netip.Addr{}, r.present
	s.pathChanged()
	s.tell(now)
	s.pulse()
}

// tell tells the other of a move until something comes by the new way.
func (s *Session) tell(now time.Time) {
	r := &s.roam
	t, d := r.telling, s.hold.gate.detour.Load()
	switch {
	case t == nil:
	case d == nil || d.by != t.path: // pion has another path
		r.telling = nil
	case d.lively.Load():
		r.telling = nil
	case now.Sub(t.began) > moveAtMost+2*s.rtt.load():
		s.notFollowed(t, now)
	case !now.Before(t.next):
		t.next = now.Add(moveEvery)
		s.roam.number++ // pion hears each number once, and may not have had our answer then
		number := binary.BigEndian.AppendUint32(nil, s.roam.number)
		s.sendCheck(t.path, s.Offerer, now, stun.RawAttribute{Type: attrNomination, Value: number})
	}
}

// notFollowed ends a move: a Chromium that has called, for one, chooses its paths alone.
func (s *Session) notFollowed(t *telling, now time.Time) {
	s.roam.telling = nil
	if w := s.roam.standby.find(t.path); w != nil {
		w.refused = now
	}
	switch {
	case t.returning:
	case t.lost || !slices.Contains(s.hold.gate.all(), t.back.conn): // a spare may be closed by now
		s.pathLost()
	default:
		s.moveTo(t.back, false, now) // and is told so, for it may have followed late
		if s.roam.telling != nil {
			s.roam.telling.returning = true
		}
	}
}

// follow goes where the other has moved, by a check that pion has not seen.
func (s *Session) follow(p packetPath) {
	if c, from := s.pionsEnd(); c != nil && s.talk.wasUp {
		s.hold.gate.bend(c, from, p)
		s.roam.addresses = s.roam.present
		s.pathChanged()
	}
}

// preferRoute notices that the system would send from another address now: a cable that was plugged in.
func (s *Session) preferRoute(now time.Time) {
	r := &s.roam
	p, ok := s.present()
	at, known := s.standing()
	if !ok || !known {
		return
	}
	was := r.route
	r.route = s.routeTo(p.to)
	if r.route.IsValid() && r.route != was && r.route != at && s.talk.up {
		r.wish, r.wishedAt = r.route, now
	}
}

// forgetWays follows an ICE restart: pion's sockets are new.
func (s *Session) forgetWays() {
	r := &s.roam
	r.standby, r.telling, r.lostAt, r.wish, r.outside = standby{}, nil, time.Time{}, netip.Addr{}, nil
	s.hold.direct = nil
	s.hold.gate.forget()
}
