package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownCertificate writes a certificate of an operator's own with that serial number.
func ownCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err1 := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	secret, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "own.pem"), filepath.Join(dir, "own-key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestHangUpSignalTakesARenewedCertificate(t *testing.T) {
	m := newManager(t)
	dir := t.TempDir()
	cert, key := ownCertificate(t, dir, 1001)
	m.start("--cert", cert, "--key", key)
	shown := func() int64 {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", m.site.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := shown(); n != 1001 {
		t.Fatalf("it shows certificate %d", n)
	}
	ownCertificate(t, dir, 1002)
	if err := m.cmd.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); shown() != 1002; waitABit(t) {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("the renewed certificate is not shown")
		}
	}
}
