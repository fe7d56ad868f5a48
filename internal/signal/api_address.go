package signal

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// DefaultPort is where a server listens when an address names no port.
const DefaultPort = "8443"

// Address is a server's address, checked.
type Address struct {
	Host        string // HOST:PORT
	Secure      bool   // https and wss; plain only on loopback
	Fingerprint string // that the server's certificate must have: SHA-256, AB:CD:…; empty: none was named
}

// ParseAddress reads what people type: HOST, HOST:PORT, https://HOST[:PORT], and http:// for loopback only. At its end
// "#fp=" may name the fingerprint of the server's certificate. The error is an *Error in people's words.
func ParseAddress(typed string) (Address, error) {
	s := strings.TrimSpace(typed)
	if s == "" {
		return Address{}, badAddress("Please enter the server's address, such as call.example.org.")
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		s = net.JoinHostPort(ip.String(), DefaultPort)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "https", s
	}
	u, err := url.Parse("https://" + rest)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(u.Hostname(), " \t_@") {
		return Address{}, badAddress(fmt.Sprintf("%q is not a server address. It looks like call.example.org or 192.0.2.1:8443.", typed))
	}
	fingerprint, named := strings.CutPrefix(u.Fragment, "fp=")
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" && !named {
		return Address{}, badAddress("A server address has no path: " + u.Host + " is enough.")
	}
	a := Address{Secure: strings.EqualFold(scheme, "https")}
	if named {
		var good bool
		if a.Fingerprint, good = parseFingerprint(fingerprint); !good || !a.Secure {
			return Address{}, badAddress("The fingerprint after #fp= is not one: it has 64 digits from 0 to F, and belongs to https://.")
		}
	}
	port := u.Port()
	switch {
	case port == "" && !ok:
		port = DefaultPort
	case port == "" && a.Secure:
		port = "443"
	case port == "":
		port = "80"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return Address{}, badAddress(port + " is not a port: ports are 1 to 65535.")
	}
	a.Host = net.JoinHostPort(strings.ToLower(u.Hostname()), port) // one server, one spelling
	switch {
	case a.Secure:
	case !strings.EqualFold(scheme, "http"):
		return Address{}, badAddress(fmt.Sprintf("%s:// is not how a Visavis server is reached: use https://.", scheme))
	case !a.Loopback():
		return Address{}, badAddress("Plain http:// is only for a server on this machine; use https://" + a.Host + ".")
	}
	return a, nil
}

// Places are the addresses that may be meant by what was typed, in the order to try them in: a name alone may be that of a
// server on the port of HTTPS, as one with a domain has it, or on DefaultPort.
func Places(typed string) []string {
	bare := strings.TrimSpace(typed)
	if ip, err := netip.ParseAddr(bare); err == nil && ip.Is6() {
		bare = "[" + bare + "]"
	}
	u, err := url.Parse("https://" + bare)
	if _, bad := ParseAddress(typed); bad != nil || err != nil || u.Port() != "" || strings.Contains(typed, "://") {
		return []string{typed}
	}
	return []string{"https://" + bare, typed}
}

func badAddress(text string) *Error { return &Error{Code: ErrBadAddress, Message: text} }

// Loopback says whether the server is on this machine by its address.
func (a Address) Loopback() bool {
	host, _, _ := net.SplitHostPort(a.Host)
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// Base is the beginning of the HTTPS API's addresses.
func (a Address) Base() string {
	if a.Secure {
		return "https://" + a.inURL()
	}
	return "http://" + a.inURL()
}

// Naming is the address with the fingerprint that the server's certificate must have, as it can be handed on.
func (a Address) Naming(fingerprint string) string {
	return a.Base() + "#fp=" + strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
}

// Socket is the WebSocket's address.
func (a Address) Socket() string {
	if a.Secure {
		return "wss://" + a.inURL() + "/ws"
	}
	return "ws://" + a.inURL() + "/ws"
}

// inURL is the host as a URL has it: the zone of a link-local address comes after an escaped percent sign (RFC 6874).
func (a Address) inURL() string { return strings.Replace(a.Host, "%", "%25", 1) }

// Trust gives the TLS settings of a client that trusts the system's roots and, if caFile is not empty, the certificates
// (PEM) in that file, which may be a server's own self-signed one.
func Trust(caFile string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read trusted certificates: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // no system roots at all: only the file counts
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read trusted certificates: %s has no PEM certificate", caFile)
	}
	conf.RootCAs = roots
	return conf, nil
}

// Fingerprint is a certificate's SHA-256 as people compare it: AB:CD:…
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return colons(sum[:])
}

// explain turns a failed connection into an *Error that says in people's words what is wrong; base names the server.
func explain(base string, err error) error {
	host := hostOf(base)
	var (
		known    *Error
		cert     *tls.CertificateVerificationError
		wrong    x509.HostnameError
		expired  x509.CertificateInvalidError
		unknown  x509.UnknownAuthorityError
		plain    tls.RecordHeaderError
		dns      *net.DNSError
		timeout  net.Error
		dialling *net.OpError
	)
	say := func(code, format string, args ...any) error {
		return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &cert) && len(cert.UnverifiedCertificates) > 0:
		print := Fingerprint(cert.UnverifiedCertificates[0])
		switch {
		case errors.As(err, &wrong):
			return say(ErrCertificate, "The certificate of %s is for another name. Its SHA-256 fingerprint is %s.", host, print)
		case errors.As(err, &expired) && expired.Reason == x509.Expired:
			return say(ErrCertificate, "The certificate of %s has expired or is not yet valid; is this machine's clock right? Its SHA-256 fingerprint is %s.", host, print)
		case errors.As(err, &unknown):
			return say(ErrCertificate, "The certificate of %s is not trusted here. If it is your own server, compare this SHA-256 fingerprint with the one it printed "+
				"and pass its certificate with --ca: %s", host, print)
		}
		return say(ErrCertificate, "The certificate of %s is not good (%v). Its SHA-256 fingerprint is %s.", host, cert.Err, print)
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return say(ErrNotVisavis, "%s does not speak HTTPS.", host)
	case errors.As(err, &dns):
		return say(ErrUnreachable, "There is no server called %s, or the name cannot be looked up now.", dns.Name)
	case errors.As(err, &timeout) && timeout.Timeout():
		return say(ErrUnreachable, "%s does not answer.", host)
	case errors.As(err, &dialling):
		return say(ErrUnreachable, "%s cannot be reached: %v. Is the server running?", host, errors.Unwrap(dialling))
	}
	if op, ok := errors.AsType[*url.Error](err); ok {
		err = op.Err // without the method and the address
	}
	return say(ErrUnreachable, "%s cannot be reached: %v.", host, err)
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}
