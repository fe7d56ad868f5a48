package server_test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// Row 39 of the attack list, through the whole server: who has credentials of a call has nothing from them once it has
// ended, whichever way. Tests of package relay have the rest of rows 31 to 39.
func TestAttackRelayAfterTheCall(t *testing.T) {
	s := open(t, func(c *server.Config) { c.TURNListen = "127.0.0.1:0" })
	alice, bob := s.guest("alice"), s.guest("bob")
	a, b := alice.phone(signal.NewID()), bob.phone(signal.NewID())
	for _, way := range []struct {
		name string
		end  func(call string)
	}{
		{"hang-up", func(call string) { a.must(signal.CallHangup, "", call, signal.Hangup{}) }},
		{"no network", func(call string) {
			b.must(signal.CallHangup, "", call, signal.Hangup{Reason: signal.EndConnectionFailed})
		}},
		{"sign-out", func(string) { // the last: alice's socket is closed with it
			if out := s.send("POST", "/api/logout", "", "Authorization", "Bearer "+alice.token); out.status != http.StatusNoContent {
				t.Fatalf("%d %s", out.status, out.body)
			}
		}},
	} {
		name, end := way.name, way.end
		call := invite(a, bob.user, b)
		accepted := decode[signal.Accepted](t, b.must(signal.CallAccept, "", call, signal.Accept{Video: true}))
		a.push(signal.CodeAccepted, call)
		client := turnClient(t, s, accepted.ICEServers)
		relayed, err := client.Allocate()
		if err != nil {
			t.Fatal(err)
		}
		port := relayed.LocalAddr().String()
		t.Cleanup(func() { _ = relayed.Close() })
		end(call)
		b.push(signal.CodeEnded, call)
		began := time.Now()
		for { // the port is free once the allocation is gone
			c, err := net.ListenPacket("udp", port)
			if err == nil {
				_ = c.Close()
				break
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("%s: the allocation outlives its call by 30 s", name)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: the allocation outlived its call by %v", name, took)
		}
		if _, err := turnClient(t, s, accepted.ICEServers).Allocate(); err == nil {
			t.Errorf("%s: the call's credentials still make allocations", name)
		}
	}
}

// Row 36, through the whole server: what a device was given makes nothing new once its minutes are over, though the call
// goes on; newer ones have come by then, and what was allocated with the old ones stays. A client that does not say that
// it renews keeps what it has.
func TestAttackOldRelayCredentials(t *testing.T) {
	t.Parallel()
	const life = 6 * time.Second
	s := open(t, func(c *server.Config) { c.TURNListen, c.Limits.RelayLife = "127.0.0.1:0", life })
	alice, bob := s.guest("alice"), s.guest("bob")
	a, b := alice.raw(), bob.phone("b")
	a.must(signal.UserConnect, "", "", signal.Connect{DeviceID: signal.NewID(), Renews: true})
	call := invite(a, bob.user, b)
	forBob := decode[signal.Accepted](t, b.must(signal.CallAccept, "", call, signal.Accept{Video: true})).ICEServers
	old := decode[signal.Accepted](t, a.push(signal.CodeAccepted, call)).ICEServers
	relayed, err := turnClient(t, s, old).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relayed.Close()
	// Half a life lies between two of them: with the second the first are over.
	var newest []signal.ICEServer
	for range 2 {
		newest = decode[signal.Servers](t, a.push(signal.CodeServers, call)).ICEServers
	}
	if newest[0].Username == old[0].Username || !slices.Equal(newest[0].URLs, old[0].URLs) {
		t.Errorf("alice is given %+v after %+v", newest, old)
	}
	if fresh, err := turnClient(t, s, newest).Allocate(); err != nil {
		t.Errorf("the newest credentials: %v", err)
	} else {
		_ = fresh.Close()
	}
	if _, err := turnClient(t, s, old).Allocate(); err == nil {
		t.Error("old credentials still make allocations")
	}
	if late, err := turnClient(t, s, forBob).Allocate(); err != nil {
		t.Errorf("credentials of a client that does not renew: %v", err)
	} else {
		_ = late.Close()
	}
	if c, err := net.ListenPacket("udp", relayed.LocalAddr().String()); err == nil {
		_ = c.Close()
		t.Error("what was allocated in time is gone, though the call goes on")
	}
	if n := b.count(func(e signal.Envelope) bool { return e.Code == signal.CodeServers }); n > 0 {
		t.Errorf("bob, whose client does not know them, was sent %d pushes", n)
	}
}

// turnClient connects to the relay with what the server gave.
func turnClient(t *testing.T, s *site, list []signal.ICEServer) *turn.Client {
	t.Helper()
	if len(list) == 0 || !strings.Contains(strings.Join(list[0].URLs, " "), "turn:") {
		t.Fatalf("no relay in %+v", list)
	}
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: s.srv.TURNAddr().String(), Conn: pc, Username: list[0].Username, Password: list[0].Credential,
	})
	if err == nil {
		err = c.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); _ = pc.Close() })
	return c
}
