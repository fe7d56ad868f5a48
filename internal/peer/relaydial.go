package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4"
)

// relayDialer makes the TCP connections to relays in pion's place (it is its "proxy dialer"): pion would trust the
// system's authorities only, and not the certificate that this server is known by; and it knows no way to a relay on IPv6.
type relayDialer struct {
	tls     *tls.Config   // nil: the system's roots
	network transport.Net // nil: the machine's
	secure  map[string]bool
	across  *across
	ctx     context.Context
	cancel  context.CancelFunc
}

// relayDial is for connecting, and for the handshake as well: in its time a call is up by another way.
const relayDial = 8 * time.Second

func newRelayDialer(s *Session, across *across) *relayDialer {
	d := &relayDialer{tls: s.RelayTLS, network: s.network, across: across, secure: map[string]bool{}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	for _, server := range s.ICEServers {
		for _, url := range server.URLs {
			if u, err := stun.ParseURI(url); err == nil && u.Scheme == stun.SchemeTypeTURNS {
				d.secure[net.JoinHostPort(u.Host, strconv.Itoa(u.Port))] = true // as pion spells it
			}
		}
	}
	return d
}

// close ends what is being connected: pion waits for it when it closes.
func (d *relayDialer) close() { d.cancel() }

// Dial implements proxy.Dialer. pion asks for "tcp4" always.
func (d *relayDialer) Dial(_, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, relayDial)
	defer cancel()
	c, err := d.connect(ctx, "tcp4", address)
	if err != nil {
		v6, err6 := d.connect(ctx, "tcp6", address)
		if err6 != nil {
			return nil, errors.Join(err, err6)
		}
		c = v6
	}
	if !d.secure[address] {
		return &relayStream{c, d.across}, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.tls != nil {
		conf = d.tls.Clone()
	}
	conf.ServerName, _, _ = net.SplitHostPort(address) // as it was joined
	conf.NextProtos = []string{"stun.turn"}            // RFC 7443
	secure := tls.Client(c, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return &relayStream{secure, d.across}, nil
}

func (d *relayDialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if d.network != nil {
		return d.network.Dial(network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
