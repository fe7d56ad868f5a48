package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

// tlsOnly takes away from a page every way but the relay inside TLS on the site's port.
const tlsOnly = `{
	const Real = RTCPeerConnection;
	window.RTCPeerConnection = class extends Real {
		constructor(conf = {}) {
			const iceServers = (conf.iceServers ?? []).map((s) => ({ ...s, urls: [s.urls].flat().filter((u) => u.startsWith("turns:")) }));
			super({ ...conf, iceServers: iceServers.filter((s) => s.urls.length > 0), iceTransportPolicy: "relay" });
			(window.connections ??= []).push(this);
		}
	};
}`

// relayedByTLS is true when the path that a page's connection uses goes to its relay inside TLS.
const relayedByTLS = `Promise.all(window.connections.map((c) => c.getStats())).then((all) => all.some((r) => {
	const pair = [...r.values()].find((s) => s.type === "candidate-pair" && s.nominated && s.state === "succeeded");
	return pair !== undefined && r.get(pair.localCandidateId)?.relayProtocol === "tls";
}))`

// Two browsers in networks that let nothing out but HTTPS.
func TestChromiumsTalkInsideTLSOnly(t *testing.T) {
	s := newScene(t, nil)
	alice, bob := s.browserWith("alice", tlsOnly), s.browserWith("bob", tlsOnly)
	meet(alice, bob)
	for _, p := range []*tab{alice, bob} {
		var yes bool
		s.must(p.Eval(s.ctx, relayedByTLS, &yes))
		if !yes {
			t.Errorf("%s's path does not go through TLS", p.name)
		}
	}
	alice.click("hangup")
	bob.ended(signal.EndHangup)
	if r := s.record("alice"); r.Path != signal.PathRelay || r.Reason != signal.EndHangup {
		t.Errorf("the record says %+v", r)
	}
}

// A server that has IPv6 only: people sign in, and meet through its relay, a client by TCP and a browser inside TLS.
func TestCallOverIPv6Only(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 on this machine: ", err)
	} else {
		_ = l.Close()
	}
	s := newScene(t, []string{"alice"}, "--listen", "[::1]:0", "--turn-listen", "[::1]:0")
	bob := s.browserWith("bob", tlsOnly)
	alice := s.start("alice", "call", "bob", "--duration", "5s", "--relay-only")
	bob.click("accept")
	bob.state("active")
	bob.met(alice.id, alice.hz)
	alice.ended(signal.EndHangup)
	alice.exit(0)
	alice.met(bob.id, bob.hz)
	if r := s.record("alice"); r.Path != signal.PathRelay {
		t.Errorf("the record says %+v", r)
	}
}

// command runs the client to its end as somebody with a folder of their own.
func (s *scene) command(home string, args ...string) (code int, said string) {
	s.t.Helper()
	p, err := testkit.Start(args[0], filepath.Join(bin, "visavis"), []string{
		"VISAVIS_PASSWORD=" + testkit.Password, "XDG_CONFIG_HOME=" + home, "DISPLAY=", "WAYLAND_DISPLAY=", "DBUS_SESSION_BUS_ADDRESS=",
	}, args...)
	s.must(err)
	defer p.Close()
	code, err = p.Exit(s.ctx)
	s.must(err)
	return code, p.Errors()
}

// A self-signed server is shown by its fingerprint, trusted by an address that names it, known from then on, and refused
// loudly when another stands in its place.
func TestASelfSignedServerIsPinned(t *testing.T) {
	s := newScene(t, nil)
	home := t.TempDir()
	code, said := s.command(home, "register", "--server", s.srv.URL, "--user", "alice")
	address := regexp.MustCompile(`https://\S+#fp=[0-9a-f]{64}`).FindString(said)
	if code != 3 || address == "" || !strings.HasPrefix(address, s.srv.URL+"#") {
		t.Fatalf("at first: %d, %s", code, said)
	}
	if code, said = s.command(home, "register", "--server", address, "--user", "alice"); code != 0 {
		t.Fatalf("with the address it gave: %d, %s", code, said)
	}
	if code, said = s.command(home, "register", "--server", s.srv.URL, "--user", "bob"); code != 0 {
		t.Fatalf("known from then on: %d, %s", code, said)
	}
	if code, said = s.command(t.TempDir(), "register", "--server", s.srv.URL, "--user", "carol"); code != 3 {
		t.Fatalf("somebody else knows it too: %d, %s", code, said)
	}
	// Calls and sockets go by it as well.
	if code, said = s.command(home, "call", "nobody", "--server", s.srv.URL, "--user", "alice"); code != 4 || !strings.Contains(said, "nobody called") {
		t.Fatalf("a call: %d, %s", code, said)
	}

	at := strings.TrimPrefix(s.srv.URL, "https://")
	s.srv.Close()
	s.must(os.RemoveAll(filepath.Join(s.srv.Data, "tls")))
	impostor, err := s.Server(s.ctx, "--listen", at)
	s.must(err)
	t.Cleanup(impostor.Close)
	for _, args := range [][]string{
		{"register", "--server", s.srv.URL, "--user", "dora"},
		{"register", "--server", address, "--user", "dora"},
		{"call", "bob", "--server", s.srv.URL, "--user", "alice"},
		{"call", "bob", "--server", s.srv.URL, "--user", "alice", "--ca", impostor.CA},
	} {
		if code, said = s.command(home, args...); code != 3 || !strings.Contains(said, "WARNING: "+at) {
			t.Errorf("%v: %d, %s", args, code, said)
		}
	}
	var changed string
	if found := regexp.MustCompile(`https://\S+#fp=[0-9a-f]{64}`).FindString(said); found != address {
		changed = found
	}
	if code, said = s.command(home, "register", "--server", changed, "--user", "dora"); code != 0 {
		t.Errorf("after the operator was asked: %d, %s", code, said)
	}
}
