package main

import (
	"net"
	"strings"
	"testing"
	"time"
)

func TestWhatIsANetworkChange(t *testing.T) {
	noon := time.Now()
	was := sight{noon, []string{"eth0 192.168.1.2/24", "wlan0 10.0.0.7/24"}}
	for name, c := range map[string]struct {
		is             sight
		changed, slept bool
	}{
		"nothing":    {sight{noon.Add(lookEvery), was.addresses}, false, false},
		"a bit late": {sight{noon.Add(2 * time.Second), was.addresses}, false, false},
		"one gone":   {sight{noon.Add(lookEvery), was.addresses[:1]}, true, false},
		"one new":    {sight{noon.Add(lookEvery), append([]string{"a 1.2.3.4/8"}, was.addresses...)}, true, false},
		"all gone":   {sight{noon.Add(lookEvery), nil}, true, false},
		"slept":      {sight{noon.Add(time.Hour), was.addresses}, true, true},
	} {
		if changed, slept := c.is.differs(was); changed != c.changed || slept != c.slept {
			t.Errorf("%s: changed %v, slept %v", name, changed, slept)
		}
	}
}

func TestNetworksAreWatchedUntilClosed(t *testing.T) {
	n := &networks{changed: func(bool) {}}
	n.close() // never started
	n.start()
	n.close()
	s := look()
	if s.at.IsZero() {
		t.Error("not looked")
	}
	if changed, _ := look().differs(s); changed {
		t.Errorf("two looks differ: %v", s.addresses)
	}
	for _, a := range s.addresses {
		if name, at, _ := strings.Cut(a, " "); name == "route" && net.ParseIP(at) == nil {
			t.Errorf("sends from %q", at)
		}
	}
}
