package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// reach looks at the relay from both sides: it takes a relayed address, and sends to it as the other person of a call
// would. Two relayed addresses reach each other inside the server, whatever firewall and router do; this packet does not.
func (d *Doctor) reach(ctx context.Context, w way) {
	const check = "relayed ports"
	err := d.throughRelay(ctx, w, func(c *turn.Client, mine net.PacketConn) {
		relay, err := c.Allocate()
		if err != nil {
			d.bad(check, fmt.Sprintf("the relay gives no address: %v", err), "what the server logs says why")
			return
		}
		defer relay.Close()
		d.relayAddress(relay.LocalAddr())
		d.sendThrough(c, relay, mine)
	})
	if err != nil {
		d.skipped(check, "%v", err)
	}
}

// throughRelay opens a TURN client, and beside it the socket of "the other person".
func (d *Doctor) throughRelay(ctx context.Context, w way, use func(*turn.Client, net.PacketConn)) error {
	server := strings.TrimPrefix(strings.Split(d.url(w), "?")[0], "turn:")
	at, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		return err
	}
	network := "udp4"
	if at.IP.To4() == nil {
		network = "udp6"
	}
	var sockets [2]net.PacketConn
	for i := range sockets {
		if sockets[i], err = (&net.ListenConfig{}).ListenPacket(ctx, network, ":0"); err != nil {
			return err
		}
		defer sockets[i].Close()
	}
	var user, password string
	for _, s := range d.servers {
		if slices.ContainsFunc(s.URLs, w.fits) {
			user, password = s.Username, s.Credential
		}
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: sockets[0], Username: user, Password: password,
		LoggerFactory: silent(),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Listen(); err != nil {
		return err
	}
	use(c, sockets[1])
	return nil
}

// relayAddress compares what the relay gives out with where the server is.
func (d *Doctor) relayAddress(a net.Addr) {
	const check = "NAT"
	u, ok := a.(*net.UDPAddr)
	if !ok || len(d.ips) == 0 {
		return
	}
	relay := u.AddrPort().Addr().Unmap()
	same := func(ip net.IP) bool { return ip.Equal(u.IP) }
	server, _ := netip.AddrFromSlice(d.ips[0])
	server = server.Unmap()
	switch {
	case slices.ContainsFunc(d.ips, same):
		d.good(check, "the relay gives out %s, which is the server's address", relay)
	case server.IsLoopback():
		d.skipped(check, "the server was reached by %s, so whether others reach the relay's address %s is not known", server, relay)
	case (relay.IsPrivate() || relay.IsLoopback()) && !server.IsPrivate():
		d.bad(check, fmt.Sprintf("the relay gives out %s, which nobody outside reaches; the server is %s", relay, addressList(d.ips)), "set public-ip = "+server.String())
	default:
		d.warning(check, fmt.Sprintf("the relay gives out %s, and the server is %s", relay, addressList(d.ips)), "if they are not the same machine, set public-ip = "+server.String())
	}
}

// sendThrough sends to the relayed address until one packet has come back through the relay.
func (d *Doctor) sendThrough(c *turn.Client, relay net.PacketConn, mine net.PacketConn) {
	const check = "relayed ports"
	seen, err := d.mapped(c, mine)
	if err != nil {
		d.skipped(check, "by which address this machine is seen cannot be found out: %v", err)
		return
	}
	if seen.(*net.UDPAddr).IP.Equal(relay.LocalAddr().(*net.UDPAddr).IP) { //nolint:forcetypeassert // both are UDP's
		// From its own address the relay takes nothing but what other relayed addresses send.
		d.skipped(check, "whether they are reached from outside shows on another machine only")
		return
	}
	if _, err := relay.WriteTo([]byte("opens the way"), seen); err != nil { // makes the permission
		d.skipped(check, "the relay does not talk to this machine (%v): look from another one", shortly(err))
		return
	}
	came := make(chan error, 1)
	go func() {
		b := make([]byte, 1500)
		_ = relay.SetReadDeadline(time.Now().Add(d.Patience / 3))
		_, _, err := relay.ReadFrom(b)
		came <- err
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		_, _ = mine.WriteTo([]byte("comes in"), relay.LocalAddr())
		select {
		case <-tick.C:
			continue
		case err = <-came:
		}
		break
	}
	if err != nil {
		d.bad(check, fmt.Sprintf("what others send to the relay at %s does not arrive", relay.LocalAddr()),
			"open the relay's UDP ports in the firewall (turn-ports = MIN-MAX says which), behind a router forward them, and set public-ip to the address by which others reach the server")
		return
	}
	d.good(check, "what others send to the relay arrives")
}

// mapped asks the server, from that socket, as whom it is seen (RFC 8489, Binding).
func (d *Doctor) mapped(c *turn.Client, conn net.PacketConn) (net.Addr, error) {
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	b := make([]byte, 1500)
	for range 3 {
		if _, err := conn.WriteTo(request.Raw, c.STUNServerAddr()); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(d.Patience / 10))
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			continue // lost, or late
		}
		reply := &stun.Message{Raw: b[:n]}
		var at stun.XORMappedAddress
		if reply.Decode() == nil && reply.TransactionID == request.TransactionID && at.GetFrom(reply) == nil {
			return &net.UDPAddr{IP: at.IP, Port: at.Port}, nil
		}
	}
	return nil, fmt.Errorf("STUN at %s does not answer", c.STUNServerAddr())
}

// shortly is the last part of an error of pion's, which wrap many.
func shortly(err error) string {
	s := err.Error()
	return s[strings.LastIndex(s, ": ")+1:]
}
