// Package certify keeps a certificate that an ACME authority (RFC 8555), such as Let's Encrypt, has signed: it gets one
// for the server's names, keeps it with its key and the account on disk, and gets the next one in time. It proves the
// names with tls-alpn-01 (RFC 8737), inside the handshakes of the site's own port, so nothing else need be open. Package
// server asks it in each handshake; it never listens itself. What fails is logged, with what to look at, and tried again;
// the certificate that is there stays in use meanwhile.
//
// It is not autocert, which gets certificates when the first visitor asks, one for each name, and does not say why a
// renewal failed.
package certify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	// LetsEncrypt is the directory of the authority that is asked when nothing else is said.
	LetsEncrypt = acme.LetsEncryptURL
	// Protocol is the ALPN name of the authority's visits; the site's TLS settings must have it.
	Protocol = acme.ALPNProto

	obtainWithin = 5 * time.Minute
	// lookEvery bounds how long the clock is not looked at: machines sleep, and clocks are set.
	lookEvery = time.Hour
)

// Keeper keeps one certificate. Set the fields, Start, Close.
type Keeper struct {
	Names     []string // DNS names, all in one certificate
	Dir       string   // for account, key and certificate; made when missing
	Directory string   // URL of the authority's directory; "": LetsEncrypt
	Email     string   // where the authority may write to; "": nowhere
	Roots     *x509.CertPool
	RetryMin  time.Duration // after the first failure; 0: two minutes
	Agent     string        // name/version, for the authority
	// Issued is called with the certificate that was on disk, before Start returns, and with each new one.
	Issued func(*tls.Certificate)
	Logger *slog.Logger

	files  files
	client *acme.Client
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	proofs map[string]*tls.Certificate // by name, while the authority looks
}

// Start reads what is kept and begins to get what is missing. It does not wait for the authority, and fails only when the
// folder or the keys in it cannot be used.
func (k *Keeper) Start() error {
	if k.Directory == "" {
		k.Directory = LetsEncrypt
	}
	if k.Logger == nil {
		k.Logger = slog.New(slog.DiscardHandler)
	}
	if k.RetryMin == 0 {
		k.RetryMin = retryFirst
	}
	var err error
	if k.files, err = openFiles(k.Dir, k.Directory); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	k.client = &acme.Client{
		Key: k.files.account, DirectoryURL: k.Directory, UserAgent: k.Agent, RetryBackoff: retryNonce,
		HTTPClient: &http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: k.Roots, MinVersion: tls.VersionTLS12}},
		},
	}
	k.proofs = map[string]*tls.Certificate{}
	kept, err := k.files.load()
	switch {
	case err == nil:
		k.Issued(kept)
	case !errors.Is(err, os.ErrNotExist):
		k.Logger.Warn("the certificate on disk cannot be used; a new one is asked for", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.wg.Go(func() { k.run(ctx, kept) })
	return nil
}

// Close ends it; the certificate stays on disk.
func (k *Keeper) Close() {
	if k.cancel != nil {
		k.cancel()
		k.wg.Wait()
		k.client.HTTPClient.CloseIdleConnections()
	}
}

// File is the certificate with its chain (PEM), once there is one.
func (k *Keeper) File() string { return k.files.cert() }

// Proof gives what an authority's visit is to see; nil when the handshake is no such visit.
func (k *Keeper) Proof(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != Protocol { // RFC 8737, section 3
		return nil, nil //nolint:nilnil // no error and no proof: an ordinary visitor
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.proofs[hello.ServerName]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("an authority asks for a proof of %q, and none is under way", hello.ServerName)
}

// run gets a certificate whenever one is due.
func (k *Keeper) run(ctx context.Context, have *tls.Certificate) {
	failures := 0
	next := time.Now()
	for {
		if failures == 0 && have != nil && covers(have.Leaf, k.Names) {
			next = renewAt(have.Leaf.NotBefore, have.Leaf.NotAfter, rand.Float64())
		}
		if !until(ctx, next) {
			return
		}
		cert, err := k.obtain(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			pause := retryIn(failures, k.RetryMin, left(have), askedFor(err), rand.Float64())
			k.complain(err, have, pause)
			next = time.Now().Add(pause)
		default:
			failures, have = 0, cert
			k.Issued(cert)
			k.Logger.Info("a certificate was issued", "names", k.Names, "until", cert.Leaf.NotAfter)
		}
	}
}

// until waits for a time of day; false when ctx ended first.
func until(ctx context.Context, at time.Time) bool {
	for {
		wait := time.Until(at.Round(0)) // by the wall clock
		if wait <= 0 {
			return ctx.Err() == nil
		}
		t := time.NewTimer(min(wait, lookEvery))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}

// complain says what failed, what that means for the site, and what to look at.
func (k *Keeper) complain(err error, have *tls.Certificate, pause time.Duration) {
	args := []any{"names", k.Names, "error", err, "look at", advice(err), "again in", pause.Round(time.Second)}
	switch {
	case have == nil:
		k.Logger.Error("no certificate was issued; nobody can connect until one is", args...)
	case time.Now().After(have.Leaf.NotAfter):
		k.Logger.Error("the certificate has expired and no new one was issued", append(args, "expired", have.Leaf.NotAfter)...)
	case !covers(have.Leaf, k.Names):
		k.Logger.Error("no certificate for all names was issued; the old one stays in use", append(args, "old names", have.Leaf.DNSNames)...)
	default:
		k.Logger.Error("the certificate was not renewed; the old one stays in use", append(args, "valid until", have.Leaf.NotAfter)...)
	}
}

func left(have *tls.Certificate) time.Duration {
	if have == nil {
		return 0
	}
	return time.Until(have.Leaf.NotAfter)
}

func covers(c *x509.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return c.VerifyHostname(n) != nil })
}
