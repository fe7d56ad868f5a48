package signal

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Error codes that only a client says to itself, of a server's certificate. The Error has an Untrusted.
const (
	ErrUnknownServer = "unknown_server" // no authority vouches for it, and it has not been met before
	ErrServerChanged = "server_changed" // it is not the one that was met before, or that the address names
)

// Untrusted says whose certificate a person has to judge.
type Untrusted struct {
	Host    string    // HOST:PORT
	Shown   string    // the SHA-256 fingerprint of the certificate that it shows now
	Known   string    // that of the certificate it should have; empty: it has not been met before
	Since   time.Time // when that was trusted; zero: never here, the address names it
	Named   bool      // the address names Known: trusting another means entering another address
	Vouched bool      // an authority vouches for the one that is shown
}

// Changed says whether it should have another certificate, which may mean that somebody is in between.
func (u *Untrusted) Changed() bool { return u.Known != "" }

// UntrustedIn gives what is to be judged of an error; nil: nothing.
func UntrustedIn(err error) *Untrusted {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	return e.Untrusted
}

// Pin is what is kept of a server that is known by its certificate and not by an authority's word.
type Pin struct {
	Fingerprint string    `json:"fingerprint"`   // of the certificate that was trusted: SHA-256, AB:CD:…
	Key         string    `json:"key,omitempty"` // SHA-256 of its public key: servers renew certificates with the same key
	Since       time.Time `json:"since"`
}

// Pins remembers servers by HOST:PORT. Safe for concurrent use.
type Pins interface {
	Pinned(host string) (Pin, bool)
	Keep(host string, p Pin) error
}

// Guard decides in each handshake whether a server is who it should be: the one with the fingerprint that its address
// names; else the one that was trusted before, whatever authorities say; else one that an authority vouches for.
type Guard struct {
	Address Address
	Base    *tls.Config // from Trust; nil: the system's roots
	Pins    Pins        // nil: nothing is known
}

// TLS gives settings for connections to that server.
func (g *Guard) TLS() *tls.Config {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if g.Base != nil {
		conf = g.Base.Clone()
	}
	conf.InsecureSkipVerify = true // verify does it, with the same roots
	conf.VerifyConnection = g.verify
	return conf
}

func (g *Guard) verify(cs tls.ConnectionState) error {
	leaf := cs.PeerCertificates[0]
	shown, key := Fingerprint(leaf), keyPrint(leaf)
	var pin Pin
	if g.Pins != nil {
		pin, _ = g.Pins.Pinned(g.Address.Host)
	}
	known := pin.Fingerprint
	if g.Address.Fingerprint != "" {
		known = g.Address.Fingerprint
	}
	switch {
	case known == "":
		return g.ordinary(cs)
	case shown == known:
		if pin.Fingerprint != shown || pin.Key == "" {
			g.keep(Pin{Fingerprint: shown, Key: key, Since: time.Now()})
		}
		return nil
	case known == pin.Fingerprint && key == pin.Key: // renewed
		return nil
	}
	u := &Untrusted{
		Host: g.Address.Host, Shown: shown, Known: known, Named: g.Address.Fingerprint != "", Vouched: g.vouched(cs, g.host()) == nil,
	}
	if known == pin.Fingerprint {
		u.Since = pin.Since
	}
	return changed(u)
}

// keep remembers; what cannot be remembered is asked again next time.
func (g *Guard) keep(p Pin) {
	if g.Pins != nil {
		_ = g.Pins.Keep(g.Address.Host, p)
	}
}

func (g *Guard) host() string {
	host, _, _ := net.SplitHostPort(g.Address.Host)
	return host
}

// ordinary asks the authorities. A name other than the server's is that of a proxy or of the relay.
func (g *Guard) ordinary(cs tls.ConnectionState) error {
	name, own := g.host(), true
	if cs.ServerName != "" && !strings.EqualFold(cs.ServerName, name) {
		name, own = cs.ServerName, false
	}
	err := g.vouched(cs, name)
	if err == nil {
		return nil
	}
	var stranger x509.UnknownAuthorityError
	var other x509.HostnameError
	leaf := cs.PeerCertificates[0]
	if own && (errors.As(err, &stranger) || errors.As(err, &other) && selfSigned(leaf)) {
		return unknown(&Untrusted{Host: g.Address.Host, Shown: Fingerprint(leaf)})
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}
}

// selfSigned does not ask whether it may sign: those of our servers may not.
func selfSigned(c *x509.Certificate) bool {
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func (g *Guard) vouched(cs tls.ConnectionState, name string) error {
	opts := x509.VerifyOptions{DNSName: name, Intermediates: x509.NewCertPool()}
	if g.Base != nil {
		opts.Roots = g.Base.RootCAs
	}
	for _, c := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := cs.PeerCertificates[0].Verify(opts)
	return err
}

func unknown(u *Untrusted) *Error {
	return &Error{Code: ErrUnknownServer, Untrusted: u, Message: fmt.Sprintf(
		"No authority vouches for the certificate of %s, as is usual for a server of one's own. Compare its SHA-256 fingerprint with the one that the "+
			"server printed when it started: %s", u.Host, u.Shown,
	)}
}

func changed(u *Untrusted) *Error {
	then := "that its address names"
	if !u.Since.IsZero() {
		then = "that was trusted on " + u.Since.Local().Format(time.DateOnly)
	}
	more := ""
	if u.Vouched {
		more = " An authority vouches for the new one, so its operator may just have got a better certificate."
	}
	return &Error{Code: ErrServerChanged, Untrusted: u, Message: fmt.Sprintf(
		"WARNING: %s does not have the certificate %s. Somebody may be between you and the server and read along, or its operator has replaced the certificate: "+
			"ask them before you go on. It should have the SHA-256 fingerprint %s and has %s.%s", u.Host, then, u.Known, u.Shown, more,
	)}
}

// downgraded is for an address with http:// of a server that is known by its certificate.
func downgraded(host string) *Error {
	return &Error{Code: ErrServerChanged, Message: fmt.Sprintf("%s is known to speak HTTPS; it is not asked in the clear. Use https://%s.", host, host)}
}

// CheckDowngrade refuses to speak plain HTTP to a server that is known by its certificate.
func CheckDowngrade(a Address, pins Pins) error {
	if a.Secure || pins == nil {
		return nil
	}
	if _, met := pins.Pinned(a.Host); met {
		return downgraded(a.Host)
	}
	return nil
}

func keyPrint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// parseFingerprint reads 64 hexadecimal digits, with or without colons, and gives AB:CD:….
func parseFingerprint(s string) (string, bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != sha256.Size {
		return "", false
	}
	return colons(b), true
}

func colons(b []byte) string {
	return strings.ReplaceAll(strings.ToUpper(fmt.Sprintf("% x", b)), " ", ":")
}
