package peer

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// A path may be silent for two reasons. Either the line is dead at both ends of it: then the path is kept and tried
// several times a second, because it is the first to come back. Or the line lives and only the path is dead: then another
// is sought, beside it if there are ways (move.go), else by an ICE restart, which with pion ends the old path at once. So
// a restart needs a reason: a network that has gone from under the path (NetworkChanged), or the owner's word that the
// server still answers (Restart).

// roam is what the loop knows of lost paths.
type roam struct {
	downAt    time.Time    // when the path was given up, for now
	asked     time.Time    // for the last restart
	again     bool         // another is due when the present one has its answer
	addresses []netip.Addr // of this machine, when the path was made
	present   []netip.Addr // when last looked
	wokeAt    time.Time    // from sleep, and nothing heard yet

	standby  standby
	lostAt   time.Time  // since when another way is sought in a hurry; zero: it is not
	gone     bool       // because the path's network is
	route    netip.Addr // the address that the system would send from
	relay    netip.Addr // the address that our relay knows us by, when the path was found; not valid: there is none, or it is a stream's
	wish     netip.Addr // the same, if that is new and media does not
	wishedAt time.Time
	telling  *telling                              // of a move
	number   uint32                                // the last that was told of one
	outside  map[[transactionIDSize]byte]*gateConn // questions to STUN servers; as many as spares at a time
}

const (
	restartPause = 2 * time.Second // between two restarts
	wakeWait     = 400 * time.Millisecond
	beatEvery    = 20 * time.Millisecond
)

// heard is when the last RTP or RTCP of the other came.
type heard struct {
	interceptor.NoOp
	at atomic.Int64 // Unix nanoseconds
}

// NewInterceptor implements interceptor.Factory.
func (h *heard) NewInterceptor(string) (interceptor.Interceptor, error) { return h, nil }

// BindRemoteStream implements interceptor.Interceptor.
func (h *heard) BindRemoteStream(_ *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := r.Read(b, a)
		if err == nil {
			h.at.Store(time.Now().UnixNano())
		}
		return n, a, err
	})
}

// BindRTCPReader implements interceptor.Interceptor.
func (h *heard) BindRTCPReader(r interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := r.Read(b, a)
		if err == nil {
			h.at.Store(time.Now().UnixNano())
		}
		return n, a, err
	})
}

func (h *heard) since(t time.Time) bool { return h.at.Load() > t.UnixNano() }

// wentDown keeps the path and waits for a sign of life. Sound goes on: to the other it is ours.
func (s *Session) wentDown() {
	if !s.talk.up {
		return
	}
	s.talk.up = false
	s.roam.downAt = time.Now()
	s.videoOut.setOpen(false)
	s.emit(Disconnected{})
	s.pulse()
}

// lookForLife is a beat while the path is silent. It is back with the first packet, before pion's next look at it.
func (s *Session) lookForLife(now time.Time) {
	if !s.talk.up && s.talk.wasUp && !s.talk.offered && s.heard.since(s.roam.downAt) {
		s.cameBack()
	}
	if woke := s.roam.wokeAt; !woke.IsZero() && now.Sub(woke) > wakeWait {
		s.roam.wokeAt = time.Time{}
		if !s.heard.since(woke) {
			s.pathLost()
		}
	}
}

func (s *Session) cameBack() {
	s.talk.up, s.talk.wasUp, s.talk.relay = true, true, s.relayed()
	s.setOpen(true)
	s.emit(Connected{s.talk.relay})
	s.settled(time.Now())
	s.seekDirect()
}

// stillSilent notices a path that was back for a moment only, so that pion never saw it.
func (s *Session) stillSilent(now time.Time) {
	silent := s.pc.ConnectionState() == webrtc.PeerConnectionStateDisconnected
	if s.talk.up && silent && !s.heard.since(now.Add(-iceDisconnected)) {
		s.wentDown()
		s.seekBeside(false, now)
	}
}

// Restart seeks another path if there is none, or if the other side asks for one: forced. The caller knows that the
// server answers, so that the line lives.
func (s *Session) Restart(forced bool) {
	s.init()
	s.box.post(func() {
		if time.Since(s.roam.asked) < restartPause {
			return
		}
		if forced && s.Offerer && !s.hold.on {
			s.wentDown()
		}
		if !s.talk.up {
			s.restart()
		}
	})
}

// SetICEServers replaces the servers, for when a path is sought again: those of the start may have been forgotten by a
// server that has restarted.
func (s *Session) SetICEServers(servers []ICEServer) {
	s.init()
	s.box.post(func() {
		c := s.pc.GetConfiguration()
		c.ICEServers = rtcServers(servers)
		if err := s.pc.SetConfiguration(c); err != nil {
			s.log.Warn("new servers refused", "err", firstLine(err))
		}
	})
}

// restart is the offerer's to do: two offers that cross would both have to be taken back, which pion cannot.
func (s *Session) restart() {
	switch {
	case s.talk.over || s.hold.on || !s.talk.wasUp:
	case s.talk.offered:
		s.roam.again = true
	case !s.Offerer:
		s.roam.asked = time.Now()
		s.emit(RestartWanted{})
	default:
		s.roam.asked, s.roam.again = time.Now(), false
		s.sendOffer(true)
	}
}

// NetworkChanged says that the machine's networks are others than before, or that it slept.
func (s *Session) NetworkChanged(slept bool) {
	s.init()
	s.box.post(func() {
		now := time.Now()
		s.roam.present = s.ownAddresses()
		gone := missing(s.roam.addresses, s.roam.present)
		switch {
		case s.talk.over:
		case s.hold.on && (len(gone) > 0 || s.relayLeft()):
			s.fail("This machine's network has changed.") // a head start is not worth a restart: the call begins anew
		case s.hold.on || !s.talk.wasUp:
		case len(gone) > 0 && s.standsOn(gone):
			s.tend(now)
			s.seekBeside(true, now)
		case s.relayLeft(), !s.talk.up && len(missing(s.roam.present, s.roam.addresses)) > 0:
			s.pathLost() // a new way
		case slept:
			s.roam.wokeAt = now
			s.pulse()
		default:
			s.preferRoute(now)
			s.tend(now)
		}
	})
}

// relayRoute is the address that a relay of ours knows us by, if that is the system's choice: a socket for datagrams is bound
// to none of ours.
func (s *Session) relayRoute() netip.Addr {
	pair, err := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local.Typ != webrtc.ICECandidateTypeRelay {
		return netip.Addr{}
	}
	bound, err := netip.ParseAddr(pair.Local.RelatedAddress)
	to, terr := netip.ParseAddr(pair.Local.Address)
	if err != nil || terr != nil || !bound.IsUnspecified() {
		return netip.Addr{}
	}
	return s.routeTo(netip.AddrPortFrom(to, pair.Local.Port)) // where its relay is
}

// relayLeft says whether the system has another address for the relay that media goes by: then the relay does not know us
// any more (RFC 8656 section 5), though what it sends may still come.
func (s *Session) relayLeft() bool {
	now := s.relayRoute()
	return s.roam.relay.IsValid() && now.IsValid() && now != s.roam.relay
}

// pathLost gives the path up for good and seeks another, as soon as there is a network to seek it in.
func (s *Session) pathLost() {
	s.roam.lostAt, s.roam.telling, s.roam.relay = time.Time{}, nil, netip.Addr{}
	s.wentDown()
	addresses := s.ownAddresses()
	if len(addresses) == 0 {
		return // NetworkChanged will come again
	}
	s.roam.addresses = addresses
	s.restart()
}

// ownAddresses gives those of this machine that others may reach.
func (s *Session) ownAddresses() []netip.Addr {
	if s.network == nil {
		return machineAddresses()
	}
	list, err := s.network.Interfaces()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, i := range list {
		if at, err := i.Addrs(); err == nil {
			all = append(all, usable(at)...)
		}
	}
	return all
}

// machineAddresses leaves out interfaces that are down and cables that were pulled: both may keep their addresses.
func machineAddresses() (all []netip.Addr) {
	list, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range list {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 {
			continue
		}
		if at, err := i.Addrs(); err == nil {
			all = append(all, usable(at)...)
		}
	}
	return all
}

// usable leaves out what nobody else reaches.
func usable(list []net.Addr) (out []netip.Addr) {
	for _, n := range list {
		p, err := netip.ParsePrefix(n.String())
		if a := p.Addr().Unmap().WithZone(""); err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	return out
}

// missing gives what was and is not.
func missing(was, is []netip.Addr) (out []netip.Addr) {
	for _, a := range was {
		if !slices.Contains(is, a) {
			out = append(out, a)
		}
	}
	return out
}
