package doctor_test

import (
	"strings"
	"testing"

	"visavis.example/internal/doctor"
)

func TestTheRelayGivesOutAnAddressThatNobodyReaches(t *testing.T) {
	for _, c := range []struct {
		relay, server string
		state         doctor.State
		mend          string
	}{
		{"203.0.113.5", "203.0.113.5", doctor.Good, ""},
		{"10.0.0.5", "203.0.113.5", doctor.Bad, "public-ip = 203.0.113.5"},
		{"127.0.0.1", "203.0.113.5", doctor.Bad, "public-ip = 203.0.113.5"},
		{"198.51.100.9", "203.0.113.5", doctor.Warning, "public-ip = 203.0.113.5"},
		{"192.168.1.9", "192.168.1.5", doctor.Warning, "public-ip = 192.168.1.5"},
		{"192.168.1.9", "127.0.0.1", doctor.Skipped, ""},
		{"192.168.1.9", "::1", doctor.Skipped, ""},
	} {
		d := &doctor.Doctor{}
		doctor.RelayAddress(d, c.relay, c.server)
		f := d.Findings()
		if len(f) != 1 || f[0].State != c.state || !strings.Contains(f[0].Mend, c.mend) {
			t.Errorf("it gives out %s, and is reached by %s: %+v", c.relay, c.server, f)
		}
	}
}
