package server_test

import (
	"net"
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
	for name, end := range map[string]func(call string){
		"hang-up": func(call string) { a.must(signal.CallHangup, "", call, signal.Hangup{}) },
		"no network": func(call string) {
			b.must(signal.CallHangup, "", call, signal.Hangup{Reason: signal.EndConnectionFailed})
		},
	} {
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
		a.push(signal.CodeEnded, call)
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
