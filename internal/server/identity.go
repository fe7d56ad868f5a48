package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"visavis.example/internal/server/certify"
)

// ACME is what an authority that issues certificates by itself needs to know. No names: none is asked.
type ACME struct {
	Domains   []string      // by which the site is reached
	Directory string        // URL of the authority's directory; "": Let's Encrypt
	Email     string        // where the authority may write to; "": nowhere
	CAFile    string        // PEM, whom to trust as the authority; "": the system's roots
	RetryMin  time.Duration // after a first failure; 0: two minutes
}

// identity is the certificate that clients meet, which may change while the server runs.
type identity struct {
	file       string // PEM
	selfSigned bool
	current    atomic.Pointer[tls.Certificate]
	keeper     *certify.Keeper // nil: no authority
	// renew gives a changed one, or nil; a nil func: somebody else's work.
	renew    func(time.Time) (*tls.Certificate, error)
	renewing sync.Mutex // around renew
}

// certEvery is how often it is looked whether the certificate's files have changed, or its end is near.
const certEvery = time.Minute

// settings are the TLS settings of the site's port.
func (i *identity) settings() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: i.forHello}
	if i.keeper != nil {
		c.NextProtos = []string{certify.Protocol}
	}
	return c
}

// NamedURLs are the addresses of the site with the fingerprint of its certificate, by which the desktop app trusts it without
// asking; none when somebody else vouches for the certificate.
func (s *Server) NamedURLs() []string {
	if s.cert == nil || !s.cert.selfSigned {
		return nil
	}
	urls := s.OtherURLs()
	if len(urls) == 0 {
		urls = []string{s.URL()}
	}
	for i := range urls {
		urls[i] += "#fp=" + strings.ToLower(strings.ReplaceAll(s.Fingerprint(), ":", ""))
	}
	return urls
}

// strictly is for how long browsers remember to come by HTTPS only (RFC 6797), in seconds: half a year.
const strictly = "max-age=15552000"

// strict says so where an authority vouches for the site and will again. It would lock people out of a site whose
// certificate they have to accept by hand.
func (s *Server) strict(next http.Handler) http.Handler {
	if len(s.ACME.Domains) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", strictly)
		next.ServeHTTP(w, r)
	})
}

var errNoCertificate = errors.New("no certificate has been issued yet")

func (i *identity) forHello(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if i.keeper != nil {
		if c, err := i.keeper.Proof(hello); c != nil || err != nil {
			return c, err
		}
	}
	if c := i.current.Load(); c != nil {
		return c, nil
	}
	return nil, errNoCertificate
}

func (i *identity) fingerprint() string {
	c := i.current.Load()
	if c == nil {
		return ""
	}
	return fingerprintOf(c.Leaf)
}

// loadCertificate finds or makes the certificate. One that an authority issues may come later.
func (s *Server) loadCertificate(context.Context) error {
	switch {
	case s.HTTP:
		return nil
	case len(s.ACME.Domains) > 0:
		return s.makeKeeper()
	case s.Config.CertFile != "":
		return s.ownCertificate()
	}
	host, _, _ := net.SplitHostPort(s.Listen) // fill has checked it
	dir := filepath.Join(s.DataDir, "tls")
	c, err := selfSigned(dir, host, time.Now())
	if err != nil {
		return err
	}
	file, _ := selfSignedFiles(dir)
	s.cert = &identity{file: file, selfSigned: true}
	s.cert.current.Store(c)
	s.cert.renew = func(now time.Time) (*tls.Certificate, error) {
		if now.Before(s.cert.current.Load().Leaf.NotAfter.Add(-certRenew)) {
			return nil, nil //nolint:nilnil // nothing has changed
		}
		return selfSigned(dir, host, now)
	}
	return nil
}

func (s *Server) ownCertificate() error {
	seen, err := stampOf(s.Config.CertFile, s.KeyFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c, err := loadCertificate(s.Config.CertFile, s.KeyFile)
	if err != nil {
		return err
	}
	s.cert = &identity{file: s.Config.CertFile}
	s.cert.current.Store(c)
	s.cert.renew = func(time.Time) (*tls.Certificate, error) {
		now, err := stampOf(s.Config.CertFile, s.KeyFile)
		if err != nil || now == seen {
			return nil, err
		}
		seen = now
		return loadCertificate(s.Config.CertFile, s.KeyFile)
	}
	return nil
}

// stamp tells whether two files have been changed.
type stamp [2]struct {
	at   time.Time
	size int64
}

func stampOf(files ...string) (t stamp, err error) {
	for n, f := range files {
		i, err := os.Stat(f) // where links lead: certbot changes links
		if err != nil {
			return t, err
		}
		t[n].at, t[n].size = i.ModTime(), i.Size()
	}
	return t, nil
}

// makeKeeper prepares the keeper; it starts when the port is about to be served, where the authority will look.
func (s *Server) makeKeeper() error {
	k := &certify.Keeper{
		Names: s.ACME.Domains, Dir: filepath.Join(s.DataDir, "acme"), Directory: s.ACME.Directory, Email: s.ACME.Email,
		RetryMin: s.ACME.RetryMin, Agent: "visavis-server/" + s.Version, Logger: s.Logger.With("part", "certificate"),
	}
	if s.ACME.CAFile != "" {
		pem, err := os.ReadFile(s.ACME.CAFile)
		if err != nil {
			return fmt.Errorf("authority's certificate: %w", err)
		}
		k.Roots = x509.NewCertPool()
		if !k.Roots.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s has no PEM certificate", s.ACME.CAFile)
		}
	}
	s.cert = &identity{keeper: k}
	k.Issued = func(c *tls.Certificate) { s.cert.current.Store(c) }
	return nil
}

// startKeeper does that.
func (s *Server) startKeeper() error {
	if s.cert == nil || s.cert.keeper == nil {
		return nil
	}
	k := s.cert.keeper
	if port := s.Addr().Port(); port != 443 {
		s.Logger.Info("authorities look at port 443 of a name: have it lead to the port of this server", "port", port)
	}
	if err := k.Start(); err != nil {
		return err
	}
	s.cert.file = k.File()
	s.atClose(k.Close)
	return nil
}

// watchCertificate takes over a certificate whose files have changed, and renews a self-signed one in time. What cannot
// be used is logged, and the present one stays.
func (s *Server) watchCertificate() {
	tick := time.NewTicker(certEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := s.refreshCertificate(now); err != nil {
				s.Logger.Error("the changed certificate cannot be used; the old one stays in use", "error", err)
			}
		case <-s.quit:
			return
		}
	}
}

// ReloadCertificate takes over the operator's own certificate at once if its files have changed. An error says why it
// cannot be used; the present one then stays in use.
func (s *Server) ReloadCertificate() error { return s.refreshCertificate(time.Now()) }

func (s *Server) refreshCertificate(now time.Time) error {
	if s.cert == nil || s.cert.renew == nil {
		return nil
	}
	s.cert.renewing.Lock()
	defer s.cert.renewing.Unlock()
	c, err := s.cert.renew(now)
	if err != nil || c == nil {
		return err
	}
	s.cert.current.Store(c)
	s.Logger.Info("the certificate has changed", "fingerprint", fingerprintOf(c.Leaf), "until", c.Leaf.NotAfter)
	return nil
}

// check refuses what an authority would refuse, before it is asked.
func (a *ACME) check(c *Config) error {
	if len(a.Domains) == 0 {
		return nil
	}
	switch {
	case c.CertFile != "":
		return errors.New("a certificate of your own and a domain to get one for: give one or the other")
	case c.HTTP:
		return errors.New("plain HTTP has no certificate: give no domain")
	}
	for _, d := range a.Domains {
		if !isDomain(d) {
			return fmt.Errorf("%q is not a domain name that a certificate can be issued for; it looks like call.example.org", d)
		}
	}
	return nil
}

// isDomain knows names of letters, digits and hyphens with a dot in them; others are written as xn--….
func isDomain(s string) bool {
	if len(s) > 253 || net.ParseIP(s) != nil || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-'; !ok {
				return false
			}
		}
	}
	return true
}
