package peer

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// A spare behind an address translator is reached at an address that only others see. STUN servers say which, as they do
// for pion's sockets.

// sparePriority is a spare's (RFC 8445 section 5.1.2.1): the least that there is, below any relay's. Else an agent that
// chooses its paths by rank, as a browser that has called does, would leave the path that media takes for a spare's.
const sparePriority = 255

// spareCandidate is RFC 8839's line for a spare, which outside looks like that; zero: nobody has said.
func spareCandidate(at, outside netip.AddrPort) string {
	if !outside.IsValid() {
		return fmt.Sprintf("candidate:%d 1 udp %d %s %d typ host", at.Port(), sparePriority, at.Addr(), at.Port())
	}
	return fmt.Sprintf("candidate:%d0 1 udp %d %s %d typ srflx raddr %s rport %d", at.Port(), sparePriority,
		outside.Addr(), outside.Port(), at.Addr(), at.Port())
}

// outsideAsks are the pauses before a question is asked, and again if nobody has answered.
var outsideAsks = []time.Duration{0, 500 * time.Millisecond, time.Second}

// askOutside asks the first STUN server.
func (s *Session) askOutside(c *gateConn) {
	host, port, ok := stunServer(s.pc.GetConfiguration().ICEServers)
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.Fingerprint)
	if !ok || err != nil || !s.hold.gate.expects(m.TransactionID, time.Now()) {
		return
	}
	if s.roam.outside == nil {
		s.roam.outside = map[[transactionIDSize]byte]*gateConn{}
	}
	s.roam.outside[m.TransactionID] = c
	ctx := s.relays.ctx // until Close
	s.wg.Go(func() {
		at, ok := lookUp(ctx, host, c.at().Is4())
		if !ok {
			return
		}
		server := net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, port))
		for _, pause := range outsideAsks {
			again := time.NewTimer(pause)
			select {
			case <-again.C:
				_, _ = c.UDPConn.WriteTo(m.Raw, server) // a second answer is nobody's
			case <-ctx.Done():
				again.Stop()
				return
			}
		}
	})
}

// gotOutside takes a STUN server's answer; false: it is none.
func (s *Session) gotOutside(c *gateConn, m *stun.Message) bool {
	asked, ok := s.roam.outside[m.TransactionID]
	if !ok || asked != c {
		return false
	}
	delete(s.roam.outside, m.TransactionID)
	own, _ := pathOf(c, c.LocalAddr())
	var seen stun.XORMappedAddress
	if seen.GetFrom(m) != nil {
		return true
	}
	ip, ok := netip.AddrFromSlice(seen.IP)
	if at := netip.AddrPortFrom(ip.Unmap(), uint16(seen.Port)); ok && at.Port() > 0 && at != own.to {
		s.sayCandidate(spareCandidate(own.to, at))
	}
	return true
}

func stunServer(servers []webrtc.ICEServer) (host string, port uint16, ok bool) {
	for _, server := range servers {
		for _, url := range server.URLs {
			if u, err := stun.ParseURI(url); err == nil && u.Scheme == stun.SchemeTypeSTUN && u.Port > 0 && u.Port < 1<<16 {
				return u.Host, uint16(u.Port), true
			}
		}
	}
	return "", 0, false
}

func lookUp(ctx context.Context, host string, v4 bool) (netip.Addr, bool) {
	list := []netip.Addr{}
	if at, err := netip.ParseAddr(host); err == nil {
		list = append(list, at)
	} else if list, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
		return netip.Addr{}, false
	}
	for _, at := range list {
		if at = at.Unmap(); at.Is4() == v4 {
			return at, true
		}
	}
	return netip.Addr{}, false
}
