package relay

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func TestRefusalsPerSource(t *testing.T) {
	var r refusals
	at := time.Unix(1000, 0)
	count := func(from string, n int, now time.Time) (passed int) {
		for range n {
			if r.pass(netip.MustParseAddr(from), now) {
				passed++
			}
		}
		return passed
	}
	most := DefaultLimits.Refusals
	if n := count("8.8.8.8", 10_000, at); n != most {
		t.Errorf("%d of 10000 answered", n)
	}
	if n := count("8.8.4.4", 5, at); n != 5 {
		t.Errorf("another source: %d of 5", n)
	}
	if n := count("8.8.8.8", 100, at.Add(500*time.Millisecond)); n != most/2 {
		t.Errorf("half a second later: %d", n)
	}
	if n := count("2a00::1", 10, at) + count("2a00::ffff", 10, at); n != most {
		t.Errorf("one IPv6 network: %d", n)
	}
	if n := count("127.0.0.1", 100, at); n != 100 {
		t.Errorf("loopback: %d of 100", n)
	}
}

// Only errors are limited: not answers that somebody has paid for with a signature, and not media.
func TestOnlyErrorsAreLimited(t *testing.T) {
	g := newGuard()
	to := client{at: netip.MustParseAddrPort("8.8.8.8:1000")}
	success := stun.MustBuild(stun.TransactionID, stun.BindingSuccess).Raw
	for range 100 {
		for what, b := range map[string][]byte{"a success": success, "ChannelData": {0x41, 0x10, 0, 0}} {
			if _, ok := g.answers(b, to); !ok {
				t.Fatalf("%s was held back", what)
			}
		}
	}
}

func TestRefusalsTableIsBounded(t *testing.T) {
	r := refusals{left: map[netip.Prefix]bucket{}}
	at := time.Unix(1000, 0)
	for i := range maxSources {
		if !r.take(netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}), at) {
			t.Fatal(i)
		}
	}
	if r.take(netip.MustParseAddr("8.8.8.8"), at) {
		t.Error("one source too many was answered")
	}
	if !r.take(netip.MustParseAddr("8.8.8.8"), at.Add(time.Second)) || len(r.left) != 1 {
		t.Errorf("%d sources remembered after a quiet second", len(r.left))
	}
}

func TestMendedErrors(t *testing.T) {
	id := stun.TransactionID
	refusal := stun.MustBuild(id, channelBindError, stun.CodeUnauthorized).Raw
	m := stun.Message{Raw: mended(refusal, 0)}
	if err := m.Decode(); err != nil || outcome(&m) != "403" || !bytes.Equal(m.TransactionID[:], refusal[8:20]) {
		t.Errorf("%s, %v", outcome(&m), err)
	}
	challenge := stun.MustBuild(id, channelBindError, stun.CodeUnauthorized, stun.NewNonce("n")).Raw
	if !bytes.Equal(mended(challenge, 0), challenge) {
		t.Error("a challenge was changed")
	}
	m = stun.Message{Raw: mended(stun.MustBuild(id, stun.NewType(stun.MethodRefresh, stun.ClassErrorResponse), stun.CodeBadRequest).Raw, stun.CodeWrongCredentials)}
	if err := m.Decode(); err != nil || outcome(&m) != "441" || m.Type.Method != stun.MethodRefresh {
		t.Errorf("%s, %v", outcome(&m), err)
	}
}
