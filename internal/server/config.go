package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/systemd"
	"visavis.example/internal/signal"
)

// Defaults. Both addresses mean every interface: a server that cannot be called from another machine is of no use.
const (
	DefaultListen     = ":8443"
	DefaultTURNListen = ":3478"
	DefaultDataDir    = "data"
	DefaultPingEvery  = 10 * time.Second

	DefaultReturnWithin = 5 * time.Second
)

// NoTURN as Config.TURNListen means no relay at all.
const NoTURN = "none"

// SignUpMode says who may make an account.
type SignUpMode = signal.SignUpMode

// Config is what an operator can choose. The zero value is a server on every interface with its data in ./data.
type Config struct {
	Listen     string // HOST:PORT of the site and the sockets; port 0 takes a free one. DefaultListen
	TURNListen string // HOST:PORT of STUN and TURN, UDP and TCP. DefaultTURNListen
	DataDir    string // made when missing. DefaultDataDir
	CertFile   string // PEM, with KeyFile; both empty: a self-signed one in DataDir/tls
	KeyFile    string
	ACME       ACME       // without names: no authority is asked for a certificate
	HTTP       bool       // plain HTTP, on loopback only
	PublicIP   netip.Addr // of relayed ports; zero: found out
	PublicIP6  netip.Addr // the same of the other family; zero: found out where it listens on every interface
	TURNHost   string     // by which clients reach the relay; empty: the host they used for the site
	LAN        bool       // the relay may reach private addresses
	PortMin    uint16     // of relayed ports; zero: any
	PortMax    uint16

	TURNPortable bool // relay without the fast path that Linux has

	MetricsListen string // loopback HOST:PORT of Prometheus metrics and Go's profiles; empty or NoMetrics: none

	PingEvery     time.Duration // sockets are pinged so often, and dead after twice that. DefaultPingEvery
	PeerGoneAfter time.Duration // a device of a call may be away for so long. 20 s
	RingTimeout   time.Duration // 45 s
	EchoRingFor   time.Duration // before the Echo contact answers. 2 s
	ReturnWithin  time.Duration // clients of a server that stops come back after some time of this. 5 s

	SignUp   SignUpMode // who may make an account. signal.SignUpOpen
	Inviting string     // who may make invites. accounts.InvitingPeople

	Limits    Limits        // zero fields: DefaultLimits
	Passwords accounts.Work // what one password hash costs; zero: accounts.DefaultWork

	// TrustedProxies may say in X-Forwarded-For who asks. Nobody else is believed.
	TrustedProxies []netip.Prefix

	// Sockets are those that the service manager has opened already. Start takes what its addresses ask for and closes
	// the others. nil: it opens all itself.
	Sockets *systemd.Sockets

	Version string // shown to clients
	Logger  *slog.Logger
}

func (c *Config) fill() error {
	c.Listen = cmp.Or(c.Listen, DefaultListen)
	c.TURNListen = cmp.Or(c.TURNListen, DefaultTURNListen)
	c.DataDir = cmp.Or(c.DataDir, DefaultDataDir)
	c.PingEvery = cmp.Or(c.PingEvery, DefaultPingEvery)
	c.SignUp = cmp.Or(c.SignUp, signal.SignUpOpen)
	c.Inviting = cmp.Or(c.Inviting, accounts.InvitingPeople)
	c.Limits.fill()
	c.ReturnWithin = cmp.Or(c.ReturnWithin, DefaultReturnWithin)
	c.Version = cmp.Or(c.Version, "dev")
	c.Logger = cmp.Or(c.Logger, slog.Default())
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case c.SignUp != signal.SignUpOpen && c.SignUp != signal.SignUpInvite && c.SignUp != signal.SignUpClosed:
		return fmt.Errorf("sign-up is open, invite or closed, not %q", c.SignUp)
	case c.Inviting != accounts.InvitingPeople && c.Inviting != accounts.InvitingAdmin:
		return fmt.Errorf("invites are made by people or by admin, not by %q", c.Inviting)
	case err != nil:
		return fmt.Errorf("listen address %q is not HOST:PORT: %w", c.Listen, err)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("a certificate and its key come together: give both or neither")
	case c.HTTP && c.CertFile != "":
		return errors.New("plain HTTP has no certificate: give one or the other")
	case c.HTTP && !loopbackHost(host):
		return fmt.Errorf("plain HTTP is for loopback only, and %q is not: passwords would cross the network in the clear", c.Listen)
	}
	return c.ACME.check(c)
}

func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
