package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"visavis.example/internal/signal"
)

// host is the name or address of the server.
func (d *Doctor) host() string {
	host, _, _ := net.SplitHostPort(d.Address.Host) // ParseAddress has joined it
	return host
}

// lookUp finds the addresses of the server's name.
func (d *Doctor) lookUp(ctx context.Context) bool {
	const check = "name"
	host := d.host()
	if d.resolve != nil {
		d.ips = d.resolve()
		return true
	}
	if a, err := netip.ParseAddr(host); err == nil {
		d.ips = []net.IP{net.IP(a.WithZone("").AsSlice())}
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		d.bad(check, "there is no server called "+host+" in the DNS", "make an A record for "+host+" with the server's public IPv4 address, and an AAAA record if it has IPv6")
		return false
	case err != nil:
		d.bad(check, fmt.Sprintf("%s cannot be looked up: %v", host, err), "is this machine connected, and its DNS server right?")
		return false
	}
	d.ips = ips
	d.good(check, "%s is %s", host, addressList(ips))
	if d.Inside != nil {
		d.ownAddress()
	}
	return true
}

// ownAddress says, on the server's machine, whether its name leads here by itself.
func (d *Doctor) ownAddress() {
	if slices.ContainsFunc(d.ips, func(ip net.IP) bool { return ip.IsLoopback() || isOurs(ip) }) {
		return
	}
	d.warning("NAT", fmt.Sprintf("%s is %s, which is no address of this machine: it stands behind a router, or the name leads elsewhere", d.host(), addressList(d.ips)),
		"if there is a router: forward the site's TCP port, the relay's TCP and UDP port and its relayed UDP ports (turn-ports) to this machine, and set public-ip = "+d.ips[0].String())
}

func isOurs(ip net.IP) bool {
	all, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(all, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

func addressList(ips []net.IP) string {
	s := make([]string, len(ips))
	for i, ip := range ips {
		s[i] = ip.String()
	}
	return strings.Join(s, ", ")
}

// site opens the web site as a browser does: port, certificate, clock, and what answers.
func (d *Doctor) site(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*d.Patience)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: d.Patience}).DialContext(ctx, "tcp", d.Address.Host)
	if err != nil {
		d.bad("site", d.unreachable(err), d.openPort("TCP"))
		return false
	}
	if d.Address.Secure && !d.handshake(ctx, conn) {
		_ = conn.Close()
		return false
	}
	_ = conn.Close()
	return d.visit(ctx)
}

func (d *Doctor) unreachable(err error) string {
	var slow net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens on TCP " + d.Address.Host
	case errors.As(err, &slow) && slow.Timeout():
		return "TCP " + d.Address.Host + " does not answer: something swallows what is sent to it"
	}
	return fmt.Sprintf("TCP %s cannot be reached: %v", d.Address.Host, errors.Unwrap(err))
}

func (d *Doctor) openPort(proto string) string {
	_, port, _ := net.SplitHostPort(d.Address.Host)
	return fmt.Sprintf("is the server running, and is %s %s open in the firewall of its machine and of whoever rents it out?", proto, port)
}

// handshake looks at the certificate. One that is not trusted is no reason to stop where nothing secret will be said.
func (d *Doctor) handshake(ctx context.Context, conn net.Conn) bool {
	const check = "certificate"
	conf := &tls.Config{
		ServerName: d.host(), MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // judge looks at it
	}
	secure := tls.Client(conn, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		d.bad(check, fmt.Sprintf("%s speaks no TLS: %v", d.Address.Host, err), "is it the port of a Visavis server? Behind a proxy, the proxy must speak HTTPS")
		return false
	}
	chain := secure.ConnectionState().PeerCertificates
	return d.judge(chain) != Bad
}

// soonEnds is when a certificate should have been renewed: Let's Encrypt's are from 30 days before their end.
const soonEnds = 7 * 24 * time.Hour

func (d *Doctor) judge(chain []*x509.Certificate) State {
	const check = "certificate"
	leaf, now := chain[0], d.Now()
	opts := x509.VerifyOptions{Intermediates: x509.NewCertPool(), CurrentTime: now}
	if d.TLS != nil {
		opts.Roots = d.TLS.RootCAs
	}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := leaf.Verify(opts)
	until := leaf.NotAfter.Format(time.DateOnly)
	renew := "let the server get one by itself (domain = NAME), or renew the one that cert and key name, and restart"
	switch named := leaf.VerifyHostname(d.host()); {
	case now.After(leaf.NotAfter):
		return d.found(Finding{check, Bad, "it has ended on " + until, renew})
	case now.Before(leaf.NotBefore):
		return d.found(Finding{check, Bad, "it is valid from " + leaf.NotBefore.Format(time.DateTime) + ", which is not yet", "is a clock wrong, here or where it was made?"})
	case named != nil:
		return d.found(Finding{check, Bad, fmt.Sprintf("it is for %s, not for %s", namesOf(leaf), d.host()), "reach the server by a name that is in it, or " + renew})
	case leaf.Issuer.String() == leaf.Subject.String():
		return d.selfSigned(leaf, err)
	case err != nil:
		return d.found(Finding{check, Bad, fmt.Sprintf("browsers do not trust it: %v", err), "the file of cert must have the whole chain: your certificate first, then that of who signed it; or " + renew})
	case leaf.NotAfter.Sub(now) < soonEnds:
		return d.found(Finding{check, Warning, "it ends on " + until + " and was not renewed yet", "look for \"certificate\" in what the server logs; or " + renew})
	}
	return d.found(Finding{Check: check, Text: fmt.Sprintf("for %s, until %s", namesOf(leaf), until)})
}

// selfSigned is good where somebody has handed it out, and a warning page in browsers everywhere else.
func (d *Doctor) selfSigned(leaf *x509.Certificate, err error) State {
	const check = "certificate"
	shown := signal.Fingerprint(leaf)
	if err == nil {
		return d.found(Finding{Check: check, Text: "self-signed and trusted here, until " + leaf.NotAfter.Format(time.DateOnly) + "; fingerprint " + shown})
	}
	if d.Name != "" {
		return d.found(Finding{check, Bad, "it is self-signed and not trusted here, so no password is sent; fingerprint " + shown, "give the server's cert.pem with --ca"})
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	d.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return d.found(Finding{
		check, Warning, "self-signed: browsers show a warning, and the app asks whether to trust it; fingerprint " + shown,
		"for people from everywhere have a domain and set domain = NAME; among friends compare the fingerprint",
	})
}

func namesOf(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return strings.Join(names, ", ")
}

// tls gives settings for every connection to the server's site and relay.
func (d *Doctor) tls() *tls.Config {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.TLS != nil {
		conf = d.TLS.Clone()
	}
	conf.ServerName = d.host()
	return conf
}

// visit asks who is there, and compares clocks.
func (d *Doctor) visit(ctx context.Context) bool {
	t := &http.Transport{TLSClientConfig: d.tls(), DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Address.Base()+"/healthz", nil)
	if err != nil {
		d.bad("site", err.Error(), "")
		return false
	}
	res, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		d.bad("site", fmt.Sprintf("it does not answer: %v", err), "what the server logs may say why")
		return false
	}
	_ = res.Body.Close()
	d.compareClocks(res.Header.Get("Date"))
	api := signal.NewAPI(d.Address, d.tls())
	defer api.Close()
	info, err := api.Info(ctx)
	switch {
	case err != nil:
		d.bad("site", err.Error(), "is it the address of a Visavis server? A proxy in front must pass everything on, /api and /ws too")
		return false
	case res.StatusCode != http.StatusOK:
		d.bad("site", fmt.Sprintf("the server says that it is not well: /healthz is %s", res.Status), "what the server logs says why; most often the disk is full")
		return false
	}
	d.good("site", "%s answers, version %s", d.Address.Base(), info.Version)
	return true
}

// clocksApart is what certificates and people bear; an hour is more than a new certificate does.
const (
	clocksApart = time.Minute
	clocksWrong = time.Hour
)

func (d *Doctor) compareClocks(date string) {
	if d.Inside != nil {
		return // it is the same clock
	}
	const check = "clock"
	theirs, err := http.ParseTime(date)
	if err != nil {
		d.skipped(check, "the server does not say what time it is")
		return
	}
	apart := theirs.Sub(d.Now()).Round(time.Second)
	word := "ahead of"
	if apart < 0 {
		apart, word = -apart, "behind"
	}
	text := fmt.Sprintf("the server's clock is %s %s this machine's", apart, word)
	mend := "one of the two is wrong; have it set by the network: timedatectl set-ntp true"
	switch {
	case apart > clocksWrong:
		d.bad(check, text, mend)
	case apart > clocksApart:
		d.warning(check, text, mend)
	default:
		d.good(check, "the same as here")
	}
}

// otherFamily looks whether each address of the name works, IPv4 and IPv6: a dead one makes people wait or fail.
func (d *Doctor) otherFamily(ctx context.Context) {
	_, port, _ := net.SplitHostPort(d.Address.Host)
	six := false
	for _, ip := range d.ips {
		check, network := "IPv4", "tcp4"
		if ip.To4() == nil {
			check, network, six = "IPv6", "tcp6", true
		}
		if !hasRoute(ip) {
			d.skipped(check, "this machine has no way to %s", ip)
			continue
		}
		if len(d.ips) == 1 {
			continue // it is the one that was visited
		}
		conn, err := (&net.Dialer{Timeout: d.Patience}).DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
		if err != nil {
			d.bad(check, fmt.Sprintf("the name also is %s, and there nothing answers on TCP %s", ip, port),
				"listen on it and open the port in the firewall, or remove it from the DNS")
			continue
		}
		_ = conn.Close()
		d.good(check, "TCP %s answers", net.JoinHostPort(ip.String(), port))
	}
	if !six {
		d.skipped("IPv6", "the server's address is IPv4 only: people with IPv6 alone reach it through their provider's translation")
	}
}

// hasRoute asks the routing table; nothing is sent.
func hasRoute(ip net.IP) bool {
	c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: ip, Port: 9})
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
