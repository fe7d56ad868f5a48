package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"visavis.example/internal/server/door"
	"visavis.example/internal/server/relay"
)

// secureRelay is the real relay behind the real door, and reached by TLS on the door's port only.
func secureRelay(t *testing.T, at string) (servers func() []ICEServer, roots *x509.CertPool, d *door.Door) {
	t.Helper()
	r := &relay.Server{Listen: net.JoinHostPort(at, "0")}
	if err := r.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(r.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(at)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(leaf)
	l, err := net.Listen("tcp", net.JoinHostPort(at, "0"))
	if err != nil {
		t.Fatal(err)
	}
	d = &door.Door{Listener: l, TURN: r.Serve, TLS: &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}}
	d.Start()
	t.Cleanup(func() { _ = d.Close() })
	var devices atomic.Int32
	servers = func() []ICEServer {
		name, password := r.Credentials("user", fmt.Sprint("device-0123456789abcdef", devices.Add(1)), "call-0123456789abcdef", time.Minute)
		return []ICEServer{{URLs: []string{"turns:" + l.Addr().String() + "?transport=tcp"}, Username: name, Credential: password}}
	}
	return servers, roots, d
}

// A whole call of which not one packet goes by any other way than TLS on the site's port.
func TestCallThroughTLSOnly(t *testing.T) {
	for _, at := range []string{"127.0.0.1", "::1"} {
		t.Run(at, func(t *testing.T) {
			servers, roots, d := secureRelay(t, at)
			a, b := newPair(t, func(s *Session) {
				s.RelayOnly, s.ICEServers = true, servers()
				s.RelayTLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			})
			call(t, a, b)
			flows(t, a, b)
			for _, p := range []*party{a, b} {
				if c, _ := find[Connected](p); !c.Relay {
					t.Error("the path is said to be direct")
				}
			}
			if n := d.TURNs.Load(); n < 2 {
				t.Errorf("%d connections came to the relay by the door", n)
			}
		})
	}
}

// A relay whose certificate is not the server's gets neither name nor password.
func TestAForeignRelayIsRefused(t *testing.T) {
	servers, _, d := secureRelay(t, "127.0.0.1")
	s := &Session{ICEServers: servers(), RelayTLS: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}}
	dialer := newRelayDialer(s, &across{})
	defer dialer.close()
	if c, err := dialer.Dial("tcp4", d.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("connected")
	}
	if d.TURNs.Load() != 0 {
		t.Error("it came to the relay")
	}
}

// Closing does not wait for a relay that does not answer.
func TestASilentRelayHoldsUpNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &Session{ICEServers: []ICEServer{{URLs: []string{"turns:" + l.Addr().String()}, Username: "u", Credential: "c"}}, RelayOnly: true, Offerer: true}
	began := time.Now()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept() // the handshake has begun, and nothing will be said
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Close()
	if took := time.Since(began); took > relayDial/2 {
		t.Errorf("closing took %v", took)
	}
}
