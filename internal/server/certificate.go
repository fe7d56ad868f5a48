package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"visavis.example/internal/server/atomicfile"
)

// A self-signed certificate lives as long as Apple's systems allow for one that somebody has trusted by hand, and is
// renewed, with the same key, at the first start within a month of its end.
const (
	certLife   = 825 * 24 * time.Hour
	certRenew  = 30 * 24 * time.Hour
	certBefore = time.Hour // clients' clocks are late
)

// loadCertificate reads the operator's own certificate.
func loadCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("certificate %s has expired on %s", certFile, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &pair, nil
}

// fingerprintOf is a certificate's SHA-256 as browsers show it: AA:BB:…
func fingerprintOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ReplaceAll(strings.ToUpper(fmt.Sprintf("% x", sum[:])), " ", ":")
}

// selfSignedFiles are the names of the certificate and its key in a folder.
func selfSignedFiles(dir string) (certFile, keyFile string) {
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// selfSigned gives the certificate in a folder, or makes one for this machine and the host that it listens on.
func selfSigned(dir, host string, now time.Time) (*tls.Certificate, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	certFile, keyFile := selfSignedFiles(dir)
	key, keyPEM, err := keepKey(keyFile)
	if err != nil {
		return nil, err
	}
	certPEM, err := os.ReadFile(certFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil || now.After(pair.Leaf.NotAfter.Add(-certRenew)) || !covers(pair.Leaf, host) {
		if certPEM, err = makeCertificate(key, host, now); err != nil {
			return nil, err
		}
		if err := atomicfile.Write(certFile, certPEM, 0o644); err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
	}
	return &pair, nil
}

// covers says whether a certificate is for the host; no host is every interface, whose addresses may change at any time
// without making the certificate that people have trusted worthless.
func covers(c *x509.Certificate, host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified() || c.VerifyHostname(host) == nil
}

// keepKey reads the key, or makes one when there is none. A key that cannot be read is not replaced: clients know it.
func keepKey(file string) (*ecdsa.PrivateKey, []byte, error) {
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		block, _ := pem.Decode(b)
		if block == nil {
			return nil, nil, fmt.Errorf("%s is not a PEM file; remove it to have a new key made", file)
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if k, ok := key.(*ecdsa.PrivateKey); ok && err == nil {
			return k, b, nil
		}
		return nil, nil, fmt.Errorf("%s is not a key this server made; remove it to have a new one made", file)
	case !errors.Is(err, os.ErrNotExist):
		return nil, nil, fmt.Errorf("certificate key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate key: %w", err)
	}
	b = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := atomicfile.Write(file, b, 0o600); err != nil {
		return nil, nil, fmt.Errorf("certificate key: %w", err)
	}
	return key, b, nil
}

func makeCertificate(key *ecdsa.PrivateKey, host string, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	names, ips := ownNames(host)
	// No authority: whoever trusts it trusts this one server, not everything that its key could sign.
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Visavis server " + names[len(names)-1]},
		NotBefore: now.Add(-certBefore), NotAfter: now.Add(certLife - certBefore),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: names, IPAddresses: ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	var b bytes.Buffer
	if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return b.Bytes(), nil
}

// ownNames is by what this machine can be reached: localhost, its name, the host it was told, and all its addresses.
func ownNames(host string) (names []string, ips []net.IP) {
	names, ips = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	addIP := func(ip net.IP) {
		for _, have := range ips {
			if have.Equal(ip) {
				return
			}
		}
		ips = append(ips, ip)
	}
	addName := func(n string) {
		for _, have := range names {
			if have == n {
				return
			}
		}
		names = append(names, n)
	}
	if n, err := os.Hostname(); err == nil && n != "" {
		addName(strings.ToLower(n))
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		addIP(ip)
	} else if ip == nil && host != "" {
		addName(strings.ToLower(host))
	}
	all, _ := net.InterfaceAddrs() // without them the certificate is good for fewer names
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			addIP(n.IP)
		}
	}
	return names, ips
}
