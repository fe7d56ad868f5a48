package peer

import (
	"net/netip"
	"testing"

	"github.com/pion/ice/v4"
)

// Whoever goes by rank stays with any other candidate, relays too.
func TestSpareRanksLast(t *testing.T) {
	relay, err := ice.NewCandidateRelay(&ice.CandidateRelayConfig{
		Network: "udp4", Address: "203.0.113.1", Port: 9, Component: 1, RelAddr: "203.0.113.2", RelPort: 9,
	})
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort("10.0.0.2:1001")
	for kind, outside := range map[ice.CandidateType]netip.AddrPort{
		ice.CandidateTypeHost: {}, ice.CandidateTypeServerReflexive: netip.MustParseAddrPort("203.0.113.7:9"),
	} {
		c, err := ice.UnmarshalCandidate(spareCandidate(at, outside))
		if err != nil {
			t.Fatal(err)
		}
		if c.Type() != kind || c.Priority() == 0 || c.Priority() >= relay.Priority() || c.Priority() >= 1<<16 {
			t.Errorf("%v has priority %d, a relay %d", c, c.Priority(), relay.Priority())
		}
	}
}
