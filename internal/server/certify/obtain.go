package certify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/acme"
)

// obtain gets one certificate for all names: account, order, a proof for each name, certificate.
func (k *Keeper) obtain(ctx context.Context) (*tls.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, obtainWithin)
	defer cancel()
	account := &acme.Account{}
	if k.Email != "" {
		account.Contact = []string{"mailto:" + k.Email}
	}
	// Asked each time: an authority may have forgotten the account, and the same key opens the same one again.
	if _, err := k.client.Register(ctx, account, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, fmt.Errorf("open an account at %s: %w", k.Directory, err)
	}
	order, err := k.client.AuthorizeOrder(ctx, acme.DomainIDs(k.Names...))
	if err != nil {
		return nil, fmt.Errorf("order a certificate: %w", err)
	}
	for _, url := range order.AuthzURLs {
		if err := k.prove(ctx, url); err != nil {
			return nil, err
		}
	}
	if order, err = k.client.WaitOrder(ctx, order.URI); err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: k.Names}, k.files.key)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	chain, _, err := k.client.CreateCertFromOrder(ctx, order, csr, true)
	if err != nil {
		return nil, fmt.Errorf("get the certificate: %w", err)
	}
	cert, err := k.files.save(chain)
	if err != nil {
		return nil, fmt.Errorf("keep the certificate: %w", err)
	}
	if !covers(cert.Leaf, k.Names) {
		return nil, fmt.Errorf("the certificate is for %q", cert.Leaf.DNSNames)
	}
	return cert, nil
}

// prove shows the authority that one name is ours.
func (k *Keeper) prove(ctx context.Context, url string) error {
	z, err := k.client.GetAuthorization(ctx, url)
	if err != nil {
		return fmt.Errorf("authorization: %w", err)
	}
	if z.Status == acme.StatusValid { // of an earlier order
		return nil
	}
	name := z.Identifier.Value
	var way *acme.Challenge
	for _, c := range z.Challenges {
		if c.Type == "tls-alpn-01" {
			way = c
		}
	}
	if way == nil {
		return fmt.Errorf("the authority does not offer tls-alpn-01 for %s", name)
	}
	proof, err := k.client.TLSALPN01ChallengeCert(way.Token, name)
	if err != nil {
		return fmt.Errorf("proof for %s: %w", name, err)
	}
	k.show(name, &proof)
	defer k.show(name, nil)
	if _, err := k.client.Accept(ctx, way); err != nil {
		return fmt.Errorf("offer the proof for %s: %w", name, err)
	}
	if _, err := k.client.WaitAuthorization(ctx, z.URI); err != nil {
		return fmt.Errorf("the authority did not see the proof for %s: %w", name, err)
	}
	return nil
}

func (k *Keeper) show(name string, proof *tls.Certificate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name = strings.ToLower(name)
	if proof == nil {
		delete(k.proofs, name)
		return
	}
	k.proofs[name] = proof
}

// advice says in plain words what an operator can do about a failure.
func advice(err error) string {
	var (
		unproved *acme.AuthorizationError
		refused  *acme.Error
		network  net.Error
		disk     *diskError
	)
	problem := func() string {
		_, kind, _ := strings.Cut(refused.ProblemType, "error:")
		return kind
	}
	switch {
	case errors.As(err, &disk):
		return "the data folder: is it full, or not writable?"
	case errors.As(err, &unproved):
		return "does the name point to this machine (A and AAAA records), and does port 443 from the internet reach this server?"
	case errors.As(err, &refused) && problem() == "rateLimited":
		return "the authority's limits: too many tries for these names; it will be tried again when it allows"
	case errors.As(err, &refused) && problem() == "rejectedIdentifier":
		return "the names: the authority does not issue for them"
	case errors.As(err, &refused):
		return "the authority's words in the error"
	case errors.As(err, &network):
		return "can this machine reach the authority's directory over HTTPS?"
	}
	return "the error"
}
