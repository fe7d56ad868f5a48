package server_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// callServers is what the two parties of a call are given to find each other with.
func callServers(t *testing.T, s *site) (alice, bob signal.ICEServer) {
	t.Helper()
	a, b := s.guest("alice"), s.guest("bob")
	from, to := a.phone("a"), b.phone("b")
	call := invite(from, b.user, to)
	theirs := decode[signal.Accepted](t, to.must(signal.CallAccept, "", call, signal.Accept{Video: true}))
	ours := decode[signal.Accepted](t, from.push(signal.CodeAccepted, call))
	return ours.ICEServers[0], theirs.ICEServers[0]
}

// urlOf is the one of that scheme and transport.
func urlOf(t *testing.T, s signal.ICEServer, begin, end string) string {
	t.Helper()
	for _, u := range s.URLs {
		if strings.HasPrefix(u, begin) && strings.HasSuffix(u, end) {
			return u
		}
	}
	t.Fatalf("none of %v is %s…%s", s.URLs, begin, end)
	return ""
}

// allocate connects to an address and asks for a relayed one on IPv4, as browsers do whichever way they have come; conf
// nil: without TLS.
func allocate(t *testing.T, at string, who signal.ICEServer, conf *tls.Config) (net.PacketConn, error) {
	t.Helper()
	return allocateOn(t, turn.RequestedAddressFamilyIPv4, at, who, conf)
}

func allocateOn(t *testing.T, family turn.RequestedAddressFamily, at string, who signal.ICEServer, conf *tls.Config) (net.PacketConn, error) {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		return nil, err
	}
	if conf != nil {
		conn = tls.Client(conn, conf)
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: at, Conn: turn.NewSTUNConn(conn), Username: who.Username, Password: who.Credential,
		RequestedAddressFamily: family,
	})
	if err == nil {
		err = c.Listen()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	t.Cleanup(func() { c.Close(); _ = conn.Close() })
	r, err := c.Allocate()
	if err == nil {
		t.Cleanup(func() { _ = r.Close() })
	}
	return r, err
}

// pass sends a packet from one relayed address to another, which has permitted it.
func pass(t *testing.T, from, to net.PacketConn) {
	t.Helper()
	if _, err := to.WriteTo([]byte("knock"), from.LocalAddr()); err != nil { // permits
		t.Fatal(err)
	}
	if _, err := from.WriteTo([]byte("hello"), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	_ = to.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 100)
	n, at, err := to.ReadFrom(b)
	for err == nil && string(b[:n]) == "knock" { // of the way before
		n, at, err = to.ReadFrom(b)
	}
	if err != nil || string(b[:n]) != "hello" || at.String() != from.LocalAddr().String() {
		t.Fatalf("%q from %v, %v", b[:n], at, err)
	}
}

// HTTPS, WebSocket and TURN on one port: the sockets that tell of the relay have come by it, and so does what it relays.
func TestOnePortForSiteAndRelay(t *testing.T) {
	s := open(t, func(c *server.Config) { c.TURNListen = "127.0.0.1:0" })
	alice, bob := callServers(t, s)
	port := s.srv.Addr().String()
	if got, want := urlOf(t, alice, "turns:", ""), "turns:"+port+"?transport=tcp"; got != want {
		t.Fatalf("inside TLS the relay is at %q, want %q", got, want)
	}
	urlOf(t, alice, "stun:"+s.srv.TURNAddr().String(), "")
	urlOf(t, alice, "turn:"+s.srv.TURNAddr().String(), "?transport=udp")
	urlOf(t, alice, "turn:"+s.srv.TURNAddr().String(), "?transport=tcp")
	conf := func(protocols ...string) *tls.Config {
		c := s.tls.Clone()
		c.ServerName, c.NextProtos = "127.0.0.1", protocols
		return c
	}
	other, err := allocate(t, port, bob, conf("stun.turn"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*tls.Config{
		"named by ALPN": conf("stun.turn"), "without ALPN": conf(), "under HTTP's name": conf("http/1.1"), "without TLS": nil,
	} {
		r, err := allocate(t, port, alice, c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pass(t, r, other)
		pass(t, other, r)
		_ = r.Close()
	}
	wrong := alice
	wrong.Credential = "guessed"
	if r, err := allocate(t, port, wrong, conf()); err == nil {
		_ = r.Close()
		t.Error("allocated with a wrong password")
	}
	if a := s.send("GET", "/healthz", ""); a.status != http.StatusOK || a.header.Get("Strict-Transport-Security") != "" {
		t.Errorf("afterwards the site says %d %v", a.status, a.header)
	}
}

// Without a relay the port is the site's alone.
func TestNoRelayOnThePort(t *testing.T) {
	s := open(t)
	if _, err := allocate(t, s.srv.Addr().String(), signal.ICEServer{Username: "u", Credential: "p"}, nil); err == nil {
		t.Error("allocated where there is no relay")
	}
	s.guest("alice").phone("a")
}

// By each family: the site, its sockets and the relay's ways, as URLs that clients can use.
func TestBothFamilies(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 on this machine: ", err)
	} else {
		_ = l.Close()
	}
	s := open(t, func(c *server.Config) {
		c.Listen, c.TURNListen = "[::]:0", "[::]:0"
		c.PublicIP, c.PublicIP6 = netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	})
	_, port, _ := net.SplitHostPort(s.srv.Addr().String())
	_, turnPort, _ := net.SplitHostPort(s.srv.TURNAddr().String())
	for n, host := range []string{"127.0.0.1", "::1"} {
		here := *s
		here.base = "https://" + net.JoinHostPort(host, port)
		a, b := here.guest("alice"+string(rune('0'+n))), here.guest("bob"+string(rune('0'+n)))
		from, to := a.phone("a"), b.phone("b")
		call := invite(from, b.user, to)
		to.must(signal.CallAccept, "", call, signal.Accept{})
		servers := decode[signal.Accepted](t, from.push(signal.CodeAccepted, call)).ICEServers[0]
		urlOf(t, servers, "stun:"+net.JoinHostPort(host, turnPort), "")
		urlOf(t, servers, "turn:"+net.JoinHostPort(host, turnPort), "?transport=udp")
		urlOf(t, servers, "turns:"+net.JoinHostPort(host, port), "?transport=tcp")
		conf := s.tls.Clone()
		conf.ServerName = host
		for family, want := range map[turn.RequestedAddressFamily]string{
			turn.RequestedAddressFamilyIPv4: "127.0.0.1:", turn.RequestedAddressFamilyIPv6: "[::1]:",
		} {
			r, err := allocateOn(t, family, net.JoinHostPort(host, port), servers, conf)
			if err != nil || !strings.HasPrefix(r.LocalAddr().String(), want) {
				t.Errorf("by %s, wanting %s: %v, %v", host, want, r, err)
			}
		}
		from.must(signal.CallHangup, "", call, signal.Hangup{})
	}
}

// What an operator's own certificate becomes on disk is taken over without a restart; rubbish is not.
func TestAChangedCertificateIsTakenOver(t *testing.T) {
	one, two := open(t), open(t) // made certificates
	dir := t.TempDir()
	put := func(from *site, broken bool) {
		for _, name := range []string{"cert.pem", "key.pem"} {
			b, err := os.ReadFile(filepath.Join(filepath.Dir(from.srv.CertFile()), name))
			if err != nil {
				t.Fatal(err)
			}
			if broken {
				b = b[:len(b)/2]
			}
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(one, false)
	s := open(t, func(c *server.Config) {
		c.CertFile, c.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	})
	now := func() string {
		c, err := shown(s.srv, "localhost", s.tls.RootCAs)
		if err != nil {
			return err.Error()
		}
		return signal.Fingerprint(c)
	}
	if now() != one.srv.Fingerprint() {
		t.Fatal("it shows another")
	}
	put(two, true)
	if err := s.srv.ReloadCertificate(); err == nil {
		t.Error("half a file is taken for a certificate")
	}
	if now() != one.srv.Fingerprint() || s.srv.Fingerprint() != one.srv.Fingerprint() {
		t.Error("the old one does not stay in use")
	}
	put(two, false)
	if err := s.srv.ReloadCertificate(); err != nil {
		t.Fatal(err)
	}
	s.tls = two.tls
	if now() != two.srv.Fingerprint() || s.srv.Fingerprint() != two.srv.Fingerprint() {
		t.Error("the new one is not shown")
	}
}

// Attack 28 on the shared port: who opens connections and says little or nothing keeps nobody out.
func TestAttack28_SilentVisitorsKeepNobodyOut(t *testing.T) {
	s := open(t, func(c *server.Config) { c.TURNListen = "127.0.0.1:0" })
	g := s.guest("alice")
	var silent []net.Conn
	defer func() {
		for _, c := range silent {
			_ = c.Close()
		}
	}()
	for i := range 500 {
		c, err := net.Dial("tcp", s.srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
		_, _ = c.Write([]byte{[]byte{0x16, 'G', 0}[i%3]}) // a byte of TLS, of HTTP, of STUN
	}
	g.phone("a")
	if a := s.send("GET", "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("the site says %d", a.status)
	}
}
