package signal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// memory is Pins.
type memory struct {
	mu  sync.Mutex
	all map[string]Pin
}

func (m *memory) Pinned(host string) (Pin, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.all[host]
	return p, ok
}

func (m *memory) Keep(host string, p Pin) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[string]Pin{}
	}
	m.all[host] = p
	return nil
}

// masked is a server that can change its certificate, and counts whom it has let speak.
type masked struct {
	*httptest.Server
	cert  atomic.Pointer[tls.Certificate]
	heard atomic.Int32
}

func newMasked(t *testing.T) *masked {
	t.Helper()
	m := &masked{}
	m.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.heard.Add(1)
		jsonReply(200, `{"protocol":"visavis.1"}`)(w, r)
	}))
	m.Config.ErrorLog = log.New(io.Discard, "", 0)
	m.cert.Store(selfMade(t, newKey(t), 1, "127.0.0.1"))
	m.Listener = tls.NewListener(m.Listener, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return m.cert.Load(), nil },
	})
	m.Start()
	m.URL = "https" + strings.TrimPrefix(m.URL, "http")
	m.Config.SetKeepAlivesEnabled(false) // each request is a handshake
	t.Cleanup(m.Close)
	return m
}

func (m *masked) host() string { return strings.TrimPrefix(m.URL, "https://") }

func (m *masked) print() string { return Fingerprint(m.cert.Load().Leaf) }

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// selfMade is a certificate for an address; another serial makes another fingerprint.
func selfMade(t *testing.T, key *ecdsa.PrivateKey, serial int64, ip string) *tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(ip)}, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// ask makes one request as somebody who knows pins and typed that address.
func ask(t *testing.T, address string, pins Pins, base *tls.Config) error {
	t.Helper()
	addr, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	api := NewAPI(addr, (&Guard{Address: addr, Base: base, Pins: pins}).TLS())
	defer api.Close()
	_, err = api.Info(t.Context())
	return err
}

func TestAnUnknownServerIsJudgedOnceAndKnownAfterwards(t *testing.T) {
	m, pins := newMasked(t), &memory{}
	err := ask(t, m.URL, pins, nil)
	u := UntrustedIn(err)
	if !IsCode(err, ErrUnknownServer) || u == nil || u.Shown != m.print() || u.Changed() || u.Host != m.host() || !strings.Contains(err.Error(), u.Shown) {
		t.Fatalf("at first: %v, %+v", err, u)
	}
	if m.heard.Load() != 0 || len(pins.all) != 0 {
		t.Fatal("something was said to it, or it was kept")
	}
	_ = pins.Keep(u.Host, Pin{Fingerprint: u.Shown, Since: time.Now()})
	for range 2 {
		if err := ask(t, m.URL, pins, nil); err != nil {
			t.Fatal(err)
		}
	}
	if p, _ := pins.Pinned(m.host()); p.Key == "" {
		t.Error("its key was not kept")
	}
	key, ok := m.cert.Load().PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatal("another kind of key")
	}
	m.cert.Store(selfMade(t, key, 2, "127.0.0.1"))
	if err := ask(t, m.URL, pins, nil); err != nil {
		t.Errorf("renewed with the same key: %v", err)
	}
}

// Attack 45: a client that knows certificate A meets certificate B.
func TestAttack45_AnotherCertificateIsRefusedLoudly(t *testing.T) {
	m, pins := newMasked(t), &memory{}
	first := m.print()
	if err := ask(t, m.URL+"#fp="+strings.ToLower(strings.ReplaceAll(first, ":", "")), pins, nil); err != nil {
		t.Fatal(err)
	}
	heard := m.heard.Load()
	m.cert.Store(selfMade(t, newKey(t), 3, "127.0.0.1"))
	vouched := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	vouched.RootCAs.AddCert(m.cert.Load().Leaf)
	for name, try := range map[string]func() error{
		"kept":                 func() error { return ask(t, m.URL, pins, nil) },
		"named by the address": func() error { return ask(t, m.URL+"#fp="+first, &memory{}, nil) },
		"both":                 func() error { return ask(t, m.URL+"#fp="+first, pins, nil) },
		"with an authority":    func() error { return ask(t, m.URL, pins, vouched) },
	} {
		err := try()
		u := UntrustedIn(err)
		if !IsCode(err, ErrServerChanged) || u == nil || u.Known != first || u.Shown != m.print() || !u.Changed() {
			t.Errorf("%s: %v, %+v", name, err, u)
			continue
		}
		if u.Vouched != (name == "with an authority") || u.Named != (name == "named by the address" || name == "both") || u.Since.IsZero() != (name == "named by the address") {
			t.Errorf("%s: %+v", name, u)
		}
		if text := err.Error(); !strings.HasPrefix(text, "WARNING: ") || !strings.Contains(text, first) || !strings.Contains(text, m.print()) {
			t.Errorf("%s says %q", name, text)
		}
	}
	if m.heard.Load() != heard {
		t.Error("something was said to the stranger")
	}
	// The person has asked the operator, and enters the new address.
	if err := ask(t, m.URL+"#fp="+m.print(), pins, nil); err != nil {
		t.Error(err)
	}
	if err := ask(t, m.URL, pins, nil); err != nil {
		t.Error(err)
	}
}

// The other half of attack 45: http:// where https is known.
func TestAttack45_NoWayBackToPlainHTTP(t *testing.T) {
	pins := &memory{}
	_ = pins.Keep("127.0.0.1:8443", Pin{Fingerprint: "AA"})
	_ = pins.Keep("localhost:8443", Pin{Fingerprint: "AA"})
	for address, refused := range map[string]bool{
		"http://127.0.0.1:8443": true, "https://127.0.0.1:8443": false, "http://127.0.0.1:8080": false, "http://LocalHost:8443": true,
	} {
		a, err := ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckDowngrade(a, pins); (err != nil) != refused || refused && !IsCode(err, ErrServerChanged) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := ParseAddress("http://call.example.org"); err == nil {
		t.Error("plain HTTP to another machine")
	}
}

func TestAuthoritiesAreAskedForServersNotMetBefore(t *testing.T) {
	m, pins := newMasked(t), &memory{}
	base := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	base.RootCAs.AddCert(m.cert.Load().Leaf)
	if err := ask(t, m.URL, pins, base); err != nil {
		t.Fatal(err)
	}
	if len(pins.all) != 0 {
		t.Error("kept, although an authority vouches for it: its certificates change")
	}
	m.cert.Store(selfMade(t, newKey(t), 4, "192.0.2.1"))
	if err := ask(t, m.URL, pins, nil); !IsCode(err, ErrUnknownServer) {
		t.Errorf("self-made and for another name: %v", err)
	}
	base.RootCAs.AddCert(m.cert.Load().Leaf)
	if err := ask(t, m.URL, pins, base); !IsCode(err, ErrUnknownServer) {
		t.Errorf("for another name: %v", err)
	}
	_ = pins.Keep(m.host(), Pin{Fingerprint: m.print()})
	if err := ask(t, m.URL, pins, nil); err != nil {
		t.Errorf("for another name, but trusted: %v", err)
	}
}

// The socket that comes back by itself refuses too, before it says who it is, and goes on trying.
func TestTheSocketRefusesAnotherCertificate(t *testing.T) {
	m, pins := newMasked(t), &memory{}
	_ = pins.Keep(m.host(), Pin{Fingerprint: strings.Repeat("AA:", 31) + "AA"})
	addr, err := ParseAddress(m.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{URL: addr.Socket(), Token: "vc1_secret", TLS: (&Guard{Address: addr, Pins: pins}).TLS(), Connect: Connect{DeviceID: me}, BackoffMin: time.Millisecond}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if e := <-c.Events(); !IsCode(e.Err, ErrServerChanged) || e.State != StateConnecting {
			t.Fatalf("%+v", e)
		}
	}
	if m.heard.Load() != 0 {
		t.Error("it was told something")
	}
}

func TestAddressesThatNameACertificate(t *testing.T) {
	print := strings.Repeat("AB:", 31) + "AB"
	hex := strings.Repeat("ab", 32)
	for typed, want := range map[string]string{
		"https://h.example#fp=" + hex: print, "h.example#fp=" + print: print, "h.example:99/#fp=" + strings.ToUpper(hex): print,
		"h.example": "",
	} {
		a, err := ParseAddress(typed)
		if err != nil || a.Fingerprint != want {
			t.Errorf("%q: %+v, %v", typed, a, err)
		}
		if want != "" {
			if again, err := ParseAddress(a.Naming(a.Fingerprint)); err != nil || again != a {
				t.Errorf("%q: %q is %+v, %v", typed, a.Naming(a.Fingerprint), again, err)
			}
		}
	}
	for _, typed := range []string{"h.example#fp=", "h.example#fp=abcd", "h.example#fp=" + hex + "00", "h.example#x", "http://127.0.0.1#fp=" + hex} {
		if _, err := ParseAddress(typed); !IsCode(err, ErrBadAddress) {
			t.Errorf("%q: %v", typed, err)
		}
	}
}
