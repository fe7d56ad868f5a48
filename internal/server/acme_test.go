package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// pebbleProgram is Let's Encrypt's own test authority: $VISAVIS_PEBBLE, or what `make tools-test` has installed.
func pebbleProgram(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("VISAVIS_PEBBLE"); p != "" {
		return p
	}
	p, err := filepath.Abs("../../.tools/pebble")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Skip("no pebble here; `make tools-test` installs it")
	}
	return p
}

// authority is a pebble behind an address that is there before and after it: nobody answers while it does not run.
type authority struct {
	t       *testing.T
	dir     string
	front   net.Listener
	backend atomic.Pointer[string]
	dns     net.PacketConn
	roots   *x509.CertPool
}

const acmeDomain = "call.example.test"

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	var err error
	if a.front, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if a.dns, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	a.makeCertificate()
	done := make(chan struct{}, 2)
	go func() { a.forward(); done <- struct{}{} }()
	go func() { a.resolve(); done <- struct{}{} }()
	t.Cleanup(func() { _ = a.front.Close(); _ = a.dns.Close(); <-done; <-done })
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) makeCertificate() {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(a.file(name), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	a.roots = x509.NewCertPool()
	a.roots.AddCert(c)
}

// forward joins each connection with the pebble that runs now.
func (a *authority) forward() {
	for {
		c, err := a.front.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			at := a.backend.Load()
			if at == nil {
				return
			}
			far, err := net.Dial("tcp", *at)
			if err != nil {
				return
			}
			defer far.Close()
			go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
			_, _ = io.Copy(c, far)
		}()
	}
}

// resolve answers every question for an IPv4 address with 127.0.0.1, and others with nothing (RFC 1035).
func (a *authority) resolve() {
	b := make([]byte, 512)
	for {
		n, from, err := a.dns.ReadFrom(b)
		if err != nil {
			return
		}
		end := 12
		for end < n && b[end] != 0 {
			end += int(b[end]) + 1
		}
		if end += 5; end > n {
			continue
		}
		reply := append([]byte{b[0], b[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, b[12:end]...)
		if b[end-3] == 1 { // A
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
		}
		_, _ = a.dns.WriteTo(reply, from)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// open starts a pebble that proves names at that port, and gives what ends it.
func (a *authority) open(program string, port int, life time.Duration) (stop func(), root *x509.CertPool) {
	a.t.Helper()
	at, manage := freePort(a.t), freePort(a.t)
	conf, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": at, "managementListenAddress": manage, "certificate": a.file("ca.pem"), "privateKey": a.file("key.pem"),
		"httpPort": 1, "tlsPort": port, "ocspResponderURL": "", "certificateValidityPeriod": int(life.Seconds()),
		"profiles":   map[string]any{"default": map[string]any{"description": "short", "validityPeriod": int(life.Seconds())}},
		"retryAfter": map[string]any{"authz": 1, "order": 1},
	}})
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(a.file("pebble.json"), conf, 0o600); err != nil {
		a.t.Fatal(err)
	}
	said, err := os.Create(a.file("pebble.log"))
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.Command(program, "-config", a.file("pebble.json"), "-dnsserver", a.dns.LocalAddr().String(), "-strict")
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20")
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	stop = func() {
		a.backend.Store(nil)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = said.Close()
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	var pemRoot []byte
	until(a.t, "pebble answers", func() bool {
		res, err := client.Get("https://" + manage + "/roots/0")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		pemRoot, err = io.ReadAll(res.Body)
		return err == nil && res.StatusCode == http.StatusOK
	})
	a.backend.Store(&at)
	root = x509.NewCertPool()
	if !root.AppendCertsFromPEM(pemRoot) {
		a.t.Fatalf("pebble's root is %q", pemRoot)
	}
	return stop, root
}

// until looks again and again, for as long as a test waits.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("in vain: %s", what)
		}
	}
}

// shown is the certificate that the site shows to who asks for that name.
func shown(s *server.Server, name string, roots *x509.CertPool) (*x509.Certificate, error) {
	c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

// A server gets a certificate from a real authority through its own shared port, keeps it, renews it, stays up with the
// old one while the authority is away, and says what is wrong meanwhile.
func TestACMEWithARealAuthority(t *testing.T) {
	program := pebbleProgram(t)
	a := newAuthority(t)
	log := &journal{}
	c := config(t.TempDir())
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	c.TURNListen = "127.0.0.1:0"
	c.ACME = server.ACME{
		Domains: []string{acmeDomain}, Directory: "https://" + a.front.Addr().String() + "/dir", CAFile: a.file("ca.pem"),
		Email: "operator@example.test", RetryMin: 100 * time.Millisecond,
	}
	begin := func() *server.Server {
		s := &server.Server{Config: c}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := begin()
	defer func() { s.Close() }()

	// Nobody answers: the site says why it has no certificate, and shows none that people might get used to trust.
	until(t, "it says that the authority is away", func() bool {
		return strings.Contains(log.String(), "no certificate was issued") && strings.Contains(log.String(), "the authority's directory")
	})
	if _, err := shown(s, acmeDomain, nil); err == nil {
		t.Error("it shows some certificate")
	}

	const life = 8 * time.Second
	stop, root := a.open(program, int(s.Addr().Port()), life)
	var first *x509.Certificate
	until(t, "a certificate is issued\n"+log.String(), func() (ok bool) {
		var err error
		first, err = shown(s, acmeDomain, root)
		return err == nil
	})
	if got := s.Fingerprint(); len(got) != 95 || len(s.OtherURLs()) != 1 || !strings.HasPrefix(s.OtherURLs()[0], "https://"+acmeDomain) {
		t.Errorf("fingerprint %q, at %v", got, s.OtherURLs())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: acmeDomain, RootCAs: root, MinVersion: tls.VersionTLS12}}}
	res, err := client.Get("https://" + s.Addr().String() + "/healthz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the site: %v, %v", res, err)
	}
	_ = res.Body.Close()
	if h := res.Header.Get("Strict-Transport-Security"); !strings.HasPrefix(h, "max-age=") {
		t.Errorf("browsers are told %q", h)
	}

	// The authority is away when the certificate is to be renewed.
	stop()
	until(t, "it says that it could not renew", func() bool {
		return strings.Contains(log.String(), "the certificate was not renewed; the old one stays in use")
	})
	if now, err := shown(s, acmeDomain, root); err != nil || !now.Equal(first) {
		t.Errorf("meanwhile it shows %v, %v", now, err)
	}
	// Kept over a restart.
	s.Close()
	s = begin()
	if s.Fingerprint() != signal.Fingerprint(first) {
		t.Errorf("after a restart it shows %s", s.Fingerprint())
	}
	// A new pebble knows neither the account nor its own former root.
	stop, root = a.open(program, int(s.Addr().Port()), life)
	defer stop()
	until(t, "it is renewed", func() bool {
		next, err := shown(s, acmeDomain, root)
		return err == nil && !next.Equal(first) && next.PublicKey.(*ecdsa.PublicKey).Equal(first.PublicKey)
	})
	if strings.Contains(log.String(), "PRIVATE KEY") {
		t.Error("a key is in the log")
	}
	if files, _ := filepath.Glob(filepath.Join(c.DataDir, "acme", "*", "*")); len(files) != 3 {
		t.Errorf("kept: %v", files)
	}
}

func TestNamesThatNoAuthorityCanProve(t *testing.T) {
	for _, name := range []string{"localhost", "192.0.2.1", "bücher.example", "a b.example", "-a.example", "*.example.org", "example..org", "::1", ""} {
		c := config(t.TempDir())
		c.ACME.Domains = []string{name}
		if err := (&server.Server{Config: c}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, change := range []func(*server.Config){
		func(c *server.Config) { c.HTTP = true },
		func(c *server.Config) { c.CertFile, c.KeyFile = "x", "y" },
		func(c *server.Config) { c.ACME.Directory = "http://example.org/dir" },
		func(c *server.Config) { c.ACME.CAFile = "/no/such/file" },
	} {
		c := config(t.TempDir())
		c.ACME.Domains = []string{acmeDomain}
		change(&c)
		if err := (&server.Server{Config: c}).Start(t.Context()); err == nil {
			t.Errorf("it starts with %+v", c.ACME)
		}
	}
}
