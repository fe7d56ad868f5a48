package server

import (
	"crypto/ecdsa"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSelfSignedCertificate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first, err := selfSigned(dir, "call.example.org", now)
	if err != nil {
		t.Fatal(err)
	}
	c := first.Leaf
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "call.example.org"} {
		if err := c.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if n, err := os.Hostname(); err == nil && c.VerifyHostname(strings.ToLower(n)) != nil {
		t.Errorf("it is not for this machine's name %s", n)
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n := a.(*net.IPNet); !n.IP.IsLinkLocalUnicast() && c.VerifyHostname(n.IP.String()) != nil {
			t.Errorf("it is not for %s", n.IP)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(c)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost", CurrentTime: now}); err != nil {
		t.Error(err)
	}
	if c.IsCA || c.NotAfter.Sub(c.NotBefore) > 825*24*time.Hour || !c.NotBefore.Before(now) {
		t.Errorf("from %v to %v, authority %v", c.NotBefore, c.NotAfter, c.IsCA)
	}
	same := func(what, host string, at time.Time, want bool) {
		t.Helper()
		next, err := selfSigned(dir, host, at)
		if err != nil {
			t.Fatal(err)
		}
		if (fingerprintOf(next.Leaf) == fingerprintOf(first.Leaf)) != want {
			t.Errorf("%s: the same certificate: %v, want %v", what, !want, want)
		}
		if key, ok := next.Leaf.PublicKey.(*ecdsa.PublicKey); !ok || !key.Equal(first.Leaf.PublicKey) {
			t.Errorf("%s: the key has changed", what)
		}
		first = next
	}
	same("a year later", "call.example.org", now.AddDate(1, 0, 0), true)
	same("on every interface", "", now, true)
	same("under another name", "other.example.org", now, false)
	same("near its end", "other.example.org", c.NotAfter.AddDate(0, 0, -29), false)
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	same("damaged", "other.example.org", c.NotAfter, false)
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := selfSigned(dir, "", now); err == nil || !strings.Contains(err.Error(), "key.pem") {
		t.Errorf("with a damaged key: %v", err)
	}
}

func TestHostOf(t *testing.T) {
	for in, want := range map[string]string{
		"example.org:8443": "example.org", "example.org": "example.org", "127.0.0.1:1": "127.0.0.1", "[::1]:8443": "::1", "[2001:db8::1]": "2001:db8::1",
		"": "", "a b": "", "x?transport=tcp": "", "evil\r\nx": "", strings.Repeat("x", 300): "",
	} {
		if got := hostOf(in); got != want {
			t.Errorf("host of %.40q is %q, want %q", in, got, want)
		}
	}
}

func TestAuthorityOf(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8443}
	for in, want := range map[string]string{
		"example.org:8443": "example.org:8443", "example.org": "example.org:443", "[2001:db8::1]:8443": "[2001:db8::1]:8443",
		"[2001:db8::1]": "[2001:db8::1]:443", "example.org:": "example.org:443", "example.org:0": "example.org:443",
		"example.org:70000": "example.org:443", "": "192.0.2.1:8443", "x?transport=tcp": "192.0.2.1:8443",
	} {
		if got := authorityOf(in, true, local); got != want {
			t.Errorf("authority of %q is %q, want %q", in, got, want)
		}
	}
	if got := authorityOf("localhost", false, local); got != "localhost:80" {
		t.Error(got)
	}
}
