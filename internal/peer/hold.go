package peer

import (
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// hold is what a Session keeps back while it is Held: the connection is made over relays only, says nobody's address,
// sends no media and shows none. The loop owns it.
type hold struct {
	on     bool
	gate   *gate
	ours   []Candidate // not told yet
	tracks []func()    // begin to read what the other sends; pion keeps some of it meanwhile
	direct *pathFinder // after Release: looks for a direct path beside the relayed one
}

// Release ends Held: media flows, and direct candidates are told and tried while the relayed path is used. More than once
// does nothing.
func (s *Session) Release() {
	s.init()
	s.box.post(func() {
		if !s.hold.on {
			return
		}
		s.hold.on = false
		s.hold.gate.open()
		for _, start := range s.hold.tracks {
			start()
		}
		s.connectionChanged() // media first
		for _, c := range s.hold.ours {
			s.emit(LocalCandidate{c})
		}
		s.hold.tracks, s.hold.ours = nil, nil
	})
}

// gotLocalCandidate tells a candidate of ours, or keeps it until Release.
func (s *Session) gotLocalCandidate(c Candidate) {
	if s.hold.on {
		hidden, ok := hideAddress(c.Candidate)
		if !ok {
			s.hold.ours = append(s.hold.ours, c)
			return
		}
		c.Candidate = hidden
	}
	s.emit(LocalCandidate{c})
}

// hideAddress takes our own address (raddr, RFC 8839 section 5.1) out of a relay candidate; false for the others, which
// are that address. Only what it gives is a relay to pion as well: that takes no space but one for the end of a word.
func hideAddress(candidate string) (string, bool) {
	f := strings.Fields(candidate)
	if len(f) < 8 || f[6] != "typ" || f[7] != "relay" {
		return "", false
	}
	for i := 8; i+1 < len(f); i += 2 {
		switch f[i] {
		case "raddr":
			f[i+1] = "0.0.0.0"
		case "rport":
			f[i+1] = "0"
		}
	}
	return strings.Join(f, " "), true
}

// withheld is a description without candidates but relays, whose they may be: ours to tell, or the other's to use. To pion
// a line also ends where only its first character of two is.
func (s *Session) withheld(sdp string) string {
	if !s.hold.on {
		return sdp
	}
	var b strings.Builder
	for line := range strings.FieldsFuncSeq(sdp, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if at, ok := strings.CutPrefix(line, "a=candidate:"); ok {
			hidden, ok := hideAddress(strings.TrimSpace(at))
			if !ok {
				continue
			}
			line = "a=candidate:" + hidden
		}
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// openNetwork makes the network that pion is given.
func (s *Session) openNetwork() error {
	base := s.network
	if base == nil {
		std, err := stdnet.NewNet()
		if err != nil {
			return err
		}
		base = machine{std}
	}
	s.hold.on = s.Held
	s.hold.gate = &gate{Net: base, arrivals: &s.wire.feedback.arrivals, got: func(p packetPath, b []byte) {
		own := append([]byte(nil), b...)
		s.box.post(func() { s.gotCheck(p, own) })
	}, ask: func(to netip.AddrPort, across io.Writer) {
		if across != nil {
			s.askAcross(to, across)
			return
		}
		s.box.post(func() { s.askConsent(to) })
	}}
	s.hold.gate.across.got = func(to netip.AddrPort, b []byte) { s.box.post(func() { s.answeredAcross(to, b) }) }
	if s.Held {
		s.roam.addresses = s.ownAddresses() // else they are those of when the path was found
	} else {
		s.hold.gate.open()
	}
	return nil
}

// machine is this machine's network. stdnet looks at the interfaces once, when it is made: after a change of network pion
// would look for paths from addresses that are gone.
type machine struct{ transport.Net }

// Interfaces implements transport.Net.
func (machine) Interfaces() ([]*transport.Interface, error) {
	now, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return now.Interfaces()
}

// pulse begins the beats that end by themselves.
func (s *Session) pulse() { s.talk.beat.Reset(beatEvery) }

// beat looks for what is looked for.
func (s *Session) beat(now time.Time) {
	s.findDirect(now)
	s.lookForLife(now)
	s.lookForWays(now)
	if s.hold.direct == nil && (s.talk.up || s.talk.over) && s.roam.wokeAt.IsZero() && !s.roams(now) {
		s.talk.beat.Stop()
	}
}
