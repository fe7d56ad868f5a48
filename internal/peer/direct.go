package peer

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
)

// pathFinder looks for a direct path beside the relayed one that media uses already. pion's agent checks nothing any more
// once it has a path, and a restart would take that away, so these checks (RFC 8445 section 7.2.4) are ours. They also
// open the way through either side's NAT. The controlling side nominates the path that answers first or soon after and
// best, until something of the other side comes by that path: its agent follows by itself, and ours when a check comes
// back, but a lost packet can leave the other one behind. It is pure but for the
// paths it names: the loop sends what due gives.
type pathFinder struct {
	controlling bool
	began       time.Time
	paths       []*tried
	first       time.Time   // when the first path answered
	chosen      *packetPath // nominated
	chosenAt    time.Time
	ours        bool // we send by it already; the other side may not have heard yet
}

// tried is one path.
type tried struct {
	packetPath
	checks int
	next   time.Time
	rtt    time.Duration // 0: has not answered
	given  bool          // up: it was nominated and nothing came of it
	sent   map[[transactionIDSize]byte]time.Time
}

const (
	findFor      = 10 * time.Second
	betterWithin = 150 * time.Millisecond
	nominateFor  = 3 * time.Second // if there is another path
)

// pauses between the checks of one path.
var findPauses = []time.Duration{100, 200, 400, 800, 1500, 2500, 4000}

func (f *pathFinder) add(p packetPath, now time.Time) {
	if len(f.paths) >= maxPaths || slices.ContainsFunc(f.paths, func(t *tried) bool { return t.packetPath == p }) {
		return
	}
	f.paths = append(f.paths, &tried{packetPath: p, next: now, sent: map[[transactionIDSize]byte]time.Time{}})
}

// over says whether there is nothing more to try.
func (f *pathFinder) over(now time.Time) bool { return now.Sub(f.began) > findFor }

// due is asked every beatEvery, which keeps a slow line free for other things: it gives a path to check now, and whether to nominate it; nil: none yet.
func (f *pathFinder) due(now time.Time) (t *tried, nominate bool) {
	f.choose(now)
	for _, p := range f.paths {
		mine := f.chosen != nil && *f.chosen == p.packetPath
		if now.Before(p.next) || f.chosen != nil && !mine || p.given {
			continue
		}
		pause := findPauses[min(p.checks, len(findPauses)-1)] * time.Millisecond
		if mine {
			pause = 50 * time.Millisecond
		}
		p.checks++
		p.next = now.Add(pause)
		return p, mine
	}
	return nil, false
}

// choose nominates the quickest of the paths that have answered.
func (f *pathFinder) choose(now time.Time) {
	if !f.controlling || f.first.IsZero() || now.Sub(f.first) < betterWithin || f.chosen != nil && f.ours {
		return
	}
	var best *tried
	for _, p := range f.paths {
		mine := f.chosen != nil && *f.chosen == p.packetPath
		if p.rtt > 0 && !p.given && !mine && (best == nil || p.rtt < best.rtt) {
			best = p
		}
	}
	if best == nil || f.chosen != nil && now.Sub(f.chosenAt) < nominateFor {
		return // Chromium checks a path that it does not use every few seconds only
	}
	for _, p := range f.paths {
		p.given = p.given || f.chosen != nil && p.packetPath == *f.chosen
	}
	f.chosen, f.chosenAt, best.next = &best.packetPath, now, now
}

// answered takes the answer to a check; a path must answer by itself (RFC 8445 section 7.2.5.2.1).
func (f *pathFinder) answered(p packetPath, id [transactionIDSize]byte, now time.Time) {
	for _, t := range f.paths {
		at, ok := t.sent[id]
		if t.packetPath != p || !ok {
			continue
		}
		if f.first.IsZero() {
			f.first = now
		}
		if rtt := max(now.Sub(at), 1); t.rtt == 0 || rtt < t.rtt {
			t.rtt = rtt
		}
	}
}

// iceCredentials are of a description.
func iceCredentials(sdp string) (ufrag, password string) {
	for line := range strings.Lines(sdp) {
		line = strings.TrimSpace(line)
		if at, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok {
			ufrag = at
		} else if at, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok {
			password = at
		}
	}
	return ufrag, password
}

// directAddress is where a candidate of the other's is reached without a relay; false for relays, TCP and .local names,
// whose owner checks us.
func directAddress(candidate string) (netip.AddrPort, bool) {
	f := strings.Fields(candidate)
	if len(f) < 8 || f[6] != "typ" || f[7] == "relay" || !strings.EqualFold(f[2], "udp") {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddr(f[4])
	port, perr := strconv.ParseUint(f[5], 10, 16)
	if err != nil || perr != nil || port == 0 || a.IsMulticast() || a.IsUnspecified() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port)), true
}

// seekDirect begins to look for a direct path while the relayed one stands: without it pion looks at all of them, and
// takes the first that answers. That is so after a restart, too.
func (s *Session) seekDirect() {
	if s.RelayOnly || !s.talk.relay || s.hold.direct != nil {
		return
	}
	s.hold.direct = &pathFinder{controlling: s.Offerer, began: time.Now()}
	for _, c := range s.talk.theirs {
		s.tryDirect(c)
	}
	s.pulse()
}

// tryDirect tries a candidate of the other's from each of our sockets.
func (s *Session) tryDirect(c Candidate) {
	if s.hold.direct == nil {
		return
	}
	to, ok := directAddress(c.Candidate)
	if !ok {
		return
	}
	for _, conn := range s.hold.gate.sockets() {
		if p := (packetPath{conn, to}); p.possible() {
			s.hold.direct.add(p, time.Now())
		}
	}
}

// possible is whether the two ends are of one kind.
func (p packetPath) possible() bool {
	at, ok := p.conn.LocalAddr().(*net.UDPAddr)
	return ok && (at.IP.To4() != nil) == p.to.Addr().Is4() && (at.IP.IsLoopback() == p.to.Addr().IsLoopback() || at.IP.IsUnspecified())
}

// findDirect is a beat of the search.
func (s *Session) findDirect(now time.Time) {
	f := s.hold.direct
	if f == nil {
		return
	}
	f.ours = s.talk.up && !s.relayed()
	if f.over(now) || s.talk.over || f.ours && (f.chosen == nil || s.hold.gate.taken.Load() == f.chosen) {
		s.hold.direct = nil
		s.hold.gate.chosen.Store(nil)
		return
	}
	t, nominate := f.due(now)
	if f.chosen != nil {
		s.hold.gate.chosen.Store(f.chosen)
	}
	if t == nil {
		return
	}
	if id, ok := s.sendCheck(t.packetPath, nominate, now); ok {
		t.sent[id] = now
	}
}

// sendCheck sends an ICE check by a path that pion may know nothing of. What cannot be sent is one path less.
func (s *Session) sendCheck(p packetPath, nominate bool, now time.Time, more ...stun.Setter) (id [transactionIDSize]byte, ok bool) {
	priority := uint32(110<<24 | 0xffff) // a peer-reflexive candidate's
	if p.conn.done != nil {
		priority = sparePriority // so that nobody prefers an address that it learns by this check
	}
	m, err := s.check(nominate, priority, more...)
	if err != nil || !s.hold.gate.expects(m.TransactionID, now) {
		return id, false
	}
	_, _ = p.conn.UDPConn.WriteTo(m.Raw, net.UDPAddrFromAddrPort(p.to))
	return m.TransactionID, true
}

// check makes an ICE check as pion's own are, with the credentials that the two agents have told each other.
func (s *Session) check(nominate bool, priority uint32, more ...stun.Setter) (*stun.Message, error) {
	local, remote := s.pc.CurrentLocalDescription(), s.pc.CurrentRemoteDescription()
	if local == nil || remote == nil {
		return nil, errNotBound
	}
	ours, _ := iceCredentials(local.SDP)
	theirs, password := iceCredentials(remote.SDP)
	role := stun.AttrICEControlled
	if s.Offerer {
		role = stun.AttrICEControlling
	}
	attributes := []stun.Setter{
		stun.BindingRequest, stun.TransactionID, stun.NewUsername(theirs + ":" + ours),
		stun.RawAttribute{Type: role, Value: []byte{0, 0, 0, 0, 0, 0, 0, 1}},
		stun.RawAttribute{Type: stun.AttrPriority, Value: binary.BigEndian.AppendUint32(nil, priority)},
	}
	if nominate {
		attributes = append(attributes, stun.RawAttribute{Type: stun.AttrUseCandidate})
	}
	attributes = append(attributes, more...)
	return stun.Build(append(attributes, stun.NewShortTermIntegrity(password), stun.Fingerprint)...)
}

// gotCheck is what the gate shows: somebody checks us by a path, or answers.
func (s *Session) gotCheck(p packetPath, b []byte) {
	f := s.hold.direct
	m := &stun.Message{Raw: b}
	remote := s.pc.CurrentRemoteDescription()
	if remote == nil || m.Decode() != nil {
		return
	}
	if stunType(b) == stunRequest { // pion looks whether it is good; a check of ours goes to the other's agent alone
		switch _, moved := moveNumber(m); {
		case moved && p.conn.done != nil:
			s.follow(p) // the gate has looked already, for pion never sees it
		case f != nil:
			f.add(p, time.Now())
		}
		return
	}
	if s.gotOutside(p.conn, m) {
		return
	}
	_, password := iceCredentials(remote.SDP)
	if stun.NewShortTermIntegrity(password).Check(m) != nil {
		return
	}
	s.hold.gate.consent(p.to, time.Now())
	s.roam.standby.answered(p, m.TransactionID, time.Now())
	if f != nil {
		f.answered(p, m.TransactionID, time.Now())
	}
}
