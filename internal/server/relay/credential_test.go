package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"visavis.example/internal/signal"
)

// Row 31 of the attack list; TestAttackTURNQuota and its neighbours have the others.
func TestAttackTURNWithWrongCredentials(t *testing.T) {
	s := start(t, &Server{Secret: []byte("secret")})
	call, device := signal.NewID(), signal.NewID()
	name, password := s.Credentials("anna", device, call, time.Minute)
	good := account{name, password}
	_, who, _ := strings.Cut(name, ":")
	if who != device+"."+call {
		t.Errorf("user name %s", name)
	}
	later := fmt.Sprint(time.Now().Add(time.Hour).Unix()) + ":" + who
	ended := join(s, signal.NewID())
	_, endedParty, _ := strings.Cut(ended.name, ":")
	_, endedCall, _ := strings.Cut(endedParty, ".")
	s.EndCall(endedCall)
	expiredName, expiredPassword := s.Credentials("anna", device, call, -time.Second)
	for what, a := range map[string]account{
		"a wrong password":       {name, "guess"},
		"no password":            {name, ""},
		"a prolonged name":       {later, password},
		"a name without time":    {who, s.password(who)},
		"a name without call":    {"9999999999:" + device, s.password("9999999999:" + device)},
		"a name with odd ids":    {"9999999999:a.b", s.password("9999999999:a.b")},
		"another device's name":  {strings.Replace(name, device, signal.NewID(), 1), password},
		"a device never invited": signed(s, strings.Replace(name, device, signal.NewID(), 1)),
		"a call never begun":     signed(s, strings.Replace(name, call, signal.NewID(), 1)),
		"an expired name":        {expiredName, expiredPassword},
		"an ended call":          ended,
		"an empty name":          {"", ""},
	} {
		p := newProbe(t, s, a)
		if got := p.allocate(); got != "400" && got != "401" {
			t.Errorf("%s: %s", what, got)
		}
	}
	if n := s.Allocations(); n != 0 {
		t.Errorf("%d allocations", n)
	}
	if got := newProbe(t, s, good).allocate(); got != "ok" {
		t.Errorf("good credentials: %s", got)
	}
}

func signed(s *Server, name string) account { return account{name, s.password(name)} }

// The secret is what makes credentials: the same secret accepts them, another does not, and no secret means a new one.
func TestSecrets(t *testing.T) {
	one, two := &Server{Secret: []byte("one")}, &Server{Secret: []byte("two")}
	if one.password("x") == two.password("x") || one.password("x") != (&Server{Secret: []byte("one")}).password("x") {
		t.Error("passwords do not depend on the secret alone")
	}
	if a, b := start(t, &Server{}), start(t, &Server{}); a.password("x") == b.password("x") {
		t.Error("two relays made the same secret")
	}
}

// Credentials run out for new allocations only: a call that lasts longer keeps what it has, until it ends.
func TestExpiryDoesNotEndACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Secret: []byte("secret"), book: newBook(netip.MustParseAddr("9.9.9.9"), false)}
		call := signal.NewID()
		name, _ := s.Credentials("anna", signal.NewID(), call, time.Minute)
		from := &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 1000}
		_, who, _ := strings.Cut(name, ":")
		s.book.created(from, nil, "", who, "", nil, 0)
		accepts := func(m stun.Method) bool {
			_, _, ok := s.authenticate(&turn.RequestAttributes{Username: name, Realm: realm, Method: m, SrcAddr: from})
			return ok
		}
		if !accepts(stun.MethodAllocate) || !accepts(stun.MethodRefresh) {
			t.Error("refused in time")
		}
		time.Sleep(61 * time.Second)
		if accepts(stun.MethodAllocate) {
			t.Error("an allocation with expired credentials")
		}
		for _, m := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
			if !accepts(m) {
				t.Errorf("%v refused during the call", m)
			}
		}
		s.EndCall(call)
		if accepts(stun.MethodRefresh) {
			t.Error("accepted after the call")
		}
	})
}

func TestForgottenCallsAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Secret: []byte("secret"), book: newBook(netip.MustParseAddr("9.9.9.9"), false)}
		s.Credentials("anna", signal.NewID(), signal.NewID(), time.Minute)
		time.Sleep(5 * time.Minute)
		s.Credentials("anna", signal.NewID(), signal.NewID(), time.Minute)
		if n := len(s.book.calls); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestEndCallEndsAllocations(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			s := start(t, &Server{})
			call := signal.NewID()
			r := allocate(t, dial(t, s, network, join(s, call)))
			p := newProbe(t, s, join(s, call))
			other := newProbe(t, s, join(s, signal.NewID()))
			if a, b := p.allocate(), other.allocate(); a != "ok" || b != "ok" {
				t.Fatal(a, b)
			}
			s.EndCall(call)
			if n := s.Allocations(); n != 1 {
				t.Errorf("%d allocations, want the other call's", n)
			}
			if got := p.refresh(); got != "400" {
				t.Errorf("Refresh: %s", got)
			}
			if got := other.refresh(); got != "ok" {
				t.Errorf("Refresh of another call: %s", got)
			}
			s.EndCall(call) // again, and a call that never was
			s.EndCall(signal.NewID())
			_ = r
		})
	}
}

func TestQuotaOfADevice(t *testing.T) {
	s := start(t, &Server{})
	call, device := signal.NewID(), signal.NewID()
	name, password := s.Credentials("anna", device, call, time.Minute)
	for range DefaultLimits.PerDevice {
		if got := newProbe(t, s, account{name, password}).allocate(); got != "ok" {
			t.Fatal(got)
		}
	}
	if got := newProbe(t, s, account{name, password}).allocate(); got != "486" {
		t.Errorf("one more: %s", got)
	}
	name, password = s.Credentials("anna", device, signal.NewID(), time.Minute)
	if got := newProbe(t, s, account{name, password}).allocate(); got != "486" {
		t.Errorf("one more in another call: %s", got)
	}
	name, password = s.Credentials("bob", device, signal.NewID(), time.Minute)
	if got := newProbe(t, s, account{name, password}).allocate(); got != "ok" {
		t.Errorf("another person who took the device's id: %s", got)
	}
	s.EndCall(call)
	name, password = s.Credentials("anna", device, signal.NewID(), time.Minute)
	if got := newProbe(t, s, account{name, password}).allocate(); got != "ok" {
		t.Errorf("after the call: %s", got)
	}
}

func TestQuotaOfAnAddress(t *testing.T) {
	s := start(t, &Server{})
	for n := 0; n < DefaultLimits.PerAddress; {
		a := join(s, signal.NewID())
		for range min(DefaultLimits.PerDevice, DefaultLimits.PerAddress-n) {
			if got := newProbe(t, s, a).allocate(); got != "ok" {
				t.Fatal(got)
			}
			n++
		}
	}
	if got := newProbe(t, s, join(s, signal.NewID())).allocate(); got != "486" {
		t.Errorf("one more: %s", got)
	}
}

func TestAllocationsThatAreNotOffered(t *testing.T) {
	s := start(t, &Server{})
	p := newProbe(t, s, join(s, signal.NewID()))
	p.challenge()
	for what, list := range map[string][]stun.Setter{
		"TCP":             {raw{stun.AttrRequestedTransport, []byte{6, 0, 0, 0}}},
		"IPv6":            {udpTransport, raw{stun.AttrRequestedAddressFamily, []byte{2, 0, 0, 0}}},
		"an even port":    {udpTransport, raw{stun.AttrEvenPort, []byte{0x80}}},
		"a reserved port": {udpTransport, raw{stun.AttrReservationToken, make([]byte, 8)}},
		"no lifetime":     {udpTransport, raw{stun.AttrLifetime, make([]byte, 4)}},
	} {
		if got := outcome(p.ask(p.signed(stun.MethodAllocate, stun.NewTransactionID(), list...))); got != "508" {
			t.Errorf("%s: %s", what, got)
		}
	}
	if _, err := (&addresses{}).AllocateConn(turn.AllocateConnConfig{}); !errors.Is(err, errNoTCPRelay) {
		t.Error(err)
	}
}
