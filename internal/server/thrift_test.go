package server

import "testing"

func TestThrift(t *testing.T) {
	var th thrift
	for i, c := range []struct {
		connects uint64
		due      bool
	}{
		{0, false}, {10, false}, {400, false}, {600, false}, {615, true}, {616, false}, {900, false}, {901, false}, {1200, false}, {1201, true}, {1201, false},
	} {
		if due := th.due(c.connects); due != c.due {
			t.Errorf("turn %d, after %d connects: %v", i, c.connects, due)
		}
	}
}
