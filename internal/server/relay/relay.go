// Package relay is the server's STUN and TURN: one address, UDP and TCP, on pion/turn. It hands out credentials that
// live as long as a call, decides which peers an allocation may talk to, and ends every allocation of a call that is
// over. The server's hub calls it; it never reads signaling and never knows who is in a call beyond what it is told.
//
// pion/turn by itself relays to anything, the host's own loopback included, and stops reading at the first error of a
// socket. Everything in this package exists because of one or the other: address.go and book.go say where a packet may
// go, socket.go and stream.go stand between pion and the network.
package relay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/pion/turn/v5"
)

const (
	maxDatagram   = 1600 // bytes, pion's buffer; datagrams of that size and longer are dropped
	realm         = "visavis"
	portTries     = 16 // to find one port that is free for UDP and TCP
	relayTries    = 128
	ownAddrsStale = 30 * time.Second
)

// Server is one relay. Set the fields, Start, Close.
type Server struct {
	Listen string // HOST:PORT, for UDP and TCP; port 0 takes one that is free for both
	// PublicIP and PublicIP6 are the addresses peers reach relayed ports at, of one family each; the first may be of
	// either. Zero: the host of Listen, else the addresses this machine would use towards the internet, else loopback.
	// A client that does not ask for a family gets IPv4 (RFC 8656, section 7.2), if there is any.
	PublicIP, PublicIP6 netip.Addr
	// LAN lets allocations talk to private addresses (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7).
	LAN bool
	// PortMin and PortMax bound the relayed ports, both included; zero: any.
	PortMin, PortMax uint16
	Limits           Limits
	// OpenTCP and OpenUDP open the sockets; nil: a new one each.
	OpenTCP func(address string) (net.Listener, error)
	OpenUDP func(address string) (net.PacketConn, error)
	Secret  []byte // signs credentials; empty: random, so that credentials end with the process
	// Portable keeps to the portable path where there is a faster one: the Linux fast path is held against it in tests.
	Portable bool
	Logger   *slog.Logger

	foreign netip.Prefix // see ownAddrs; for tests
	log     *slog.Logger
	book    *book
	udp     *socket
	tcp     *listener
	site    *listener // of connections that Serve was given
	turn    *turn.Server
	running sync.WaitGroup // what pion runs for us and does not wait for
}

// Start opens the sockets. It fails when the port is taken, the address is not this machine's, or the port range or
// public address makes no sense.
func (s *Server) Start() error {
	if (s.PortMin == 0) != (s.PortMax == 0) || s.PortMin > s.PortMax {
		return fmt.Errorf("relay ports %d to %d are not a range", s.PortMin, s.PortMax)
	}
	if len(s.Secret) == 0 {
		s.Secret = make([]byte, 32)
		_, _ = rand.Read(s.Secret) // never fails
	}
	udp, tcp, err := s.listen()
	if err != nil {
		return err
	}
	return s.serve(udp, tcp)
}

// serve runs pion on open sockets.
func (s *Server) serve(udp net.PacketConn, tcp net.Listener) error {
	s.log = s.Logger
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	host := addrPort(udp.LocalAddr()).Addr()
	publics := publicAddrs(s.PublicIP, s.PublicIP6, host)
	s.book = newBook(publics[0], s.LAN)
	s.book.publics, s.book.limits, s.book.own.foreign = publics, s.Limits.filled(), s.foreign
	overUDP := addresses{book: s.book, min: s.PortMin, max: s.PortMax, running: &s.running, listen: listenPort}
	for _, a := range publics {
		overUDP.binds = append(overUDP.binds, bindAddr(a, host))
	}
	overTCP := overUDP // whose clients have no datagrams to hurry
	if !s.Portable {
		if fast, listen := fastPath(udp, s.book, &s.running); fast != nil {
			udp, overUDP.listen = fast, listen
		}
	}
	g := &guard{book: s.book, refusals: refusals{perSecond: s.book.limits.Refusals}}
	s.udp = newSocket(udp, g, s.running.Done)
	s.tcp = newListener(tcp, g, &s.running)
	s.site = newListener(newHanded(tcp.Addr()), g, &s.running)
	s.site.crowd = s.tcp.crowd
	s.running.Add(1) // pion's read loop on the UDP socket
	var err error
	s.turn, err = turn.NewServer(turn.ServerConfig{
		Realm:         realm,
		AuthHandler:   s.authenticate,
		QuotaHandler:  s.book.withinQuota,
		EventHandler:  s.book.events(),
		LoggerFactory: quiet{},
		InboundMTU:    maxDatagram,
		// With an IPv4 relay address, a client on IPv6 that does not ask for a family gets an IPv4 relay address too.
		StrictAddressFamily: publics[0].Is4(),
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: s.udp, RelayAddressGenerator: &overUDP, PermissionHandler: s.book.permits,
		}},
		ListenerConfigs: []turn.ListenerConfig{
			{Listener: s.tcp, RelayAddressGenerator: &overTCP, PermissionHandler: s.book.permits},
			{Listener: s.site, RelayAddressGenerator: &overTCP, PermissionHandler: s.book.permits},
		},
	})
	if err != nil {
		s.running.Done()
		return errors.Join(fmt.Errorf("start TURN: %w", err), udp.Close(), tcp.Close())
	}
	s.log.Debug("relay listens", "address", s.Addr(), "public", publics)
	return nil
}

// Close ends all allocations and returns when nothing of the relay runs any more.
func (s *Server) Close() {
	if s.turn == nil {
		return
	}
	s.book.close()
	_ = s.turn.Close()
	s.tcp.closeStreams()
	s.running.Wait()
	n := s.Stats()
	s.log.Debug("relay closed", "up", n.UpBytes, "down", n.DownBytes, "refused", n.Refused, "capped", n.Capped, "dropped", n.Dropped)
}

// Addr is where it listens for UDP.
func (s *Server) Addr() netip.AddrPort { return addrPort(s.udp.LocalAddr()) }

// TCPAddr is where it listens for TCP; the port is that of Addr.
func (s *Server) TCPAddr() netip.AddrPort { return addrPort(s.tcp.Addr()) }

// PublicAddrs are the addresses of relayed ports, at most one of each family, IPv4 first.
func (s *Server) PublicAddrs() []netip.Addr { return s.book.publics }

// Allocations is how many there are.
func (s *Server) Allocations() int { return s.book.allocations() }

// URLs are the entries of an ICE server list, for clients that reach this relay by that name or address.
func (s *Server) URLs(host string) []string {
	at := net.JoinHostPort(host, strconv.Itoa(int(s.Addr().Port())))
	return []string{"stun:" + at, "turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}
}

// AllowPeer notes an address that a party of the call signalled as its candidate, so that the other party's allocation
// may talk to it. That matters for private addresses on a relay whose own address is private: a relay with a public
// address cannot reach them for anybody's good, and two people could else agree to name a neighbour of the server.
// It never opens loopback, link-local or other special addresses nor those of this machine. Unknown calls are ignored.
func (s *Server) AllowPeer(callID string, a netip.Addr) { s.book.allowPeer(callID, a) }

// HoldCall keeps packets of the call between its own allocations until OpenCall: while it rings nobody may learn an
// address from what reaches a relayed port. It may be said before the first Credentials and again.
func (s *Server) HoldCall(callID string) { s.book.hold(callID, true) }

// OpenCall ends HoldCall.
func (s *Server) OpenCall(callID string) { s.book.hold(callID, false) }

// Owns says whether an address is the public one of an allocation that a device has for the call.
func (s *Server) Owns(callID, deviceID string, at netip.AddrPort) bool {
	return s.book.owns(party{deviceID, callID}, at)
}

// Leave makes one device's credentials for the call worthless and closes its allocations.
func (s *Server) Leave(callID, deviceID string) { s.book.dismiss(callID, deviceID) }

// EndCall makes the call's credentials worthless and closes its allocations before it returns.
func (s *Server) EndCall(callID string) { s.book.endCall(callID) }

// listen opens both sockets on one port. Port 0 is tried again until a port is free for both.
func (s *Server) listen() (net.PacketConn, net.Listener, error) {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("relay address %q: %w", s.Listen, err)
	}
	openUDP, openTCP := s.OpenUDP, s.OpenTCP
	if openUDP == nil {
		openUDP = func(a string) (net.PacketConn, error) { return net.ListenPacket("udp", a) }
	}
	if openTCP == nil {
		openTCP = func(a string) (net.Listener, error) { return net.Listen("tcp", a) }
	}
	for try := 1; ; try++ {
		udp, err := openUDP(net.JoinHostPort(host, port))
		if err != nil {
			return nil, nil, fmt.Errorf("open relay: %w", err)
		}
		same := strconv.Itoa(int(addrPort(udp.LocalAddr()).Port()))
		tcp, err := openTCP(net.JoinHostPort(host, same))
		if err == nil {
			return udp, tcp, nil
		}
		_ = udp.Close()
		if port != "0" || try == portTries {
			return nil, nil, fmt.Errorf("open relay: %w", err)
		}
	}
}
