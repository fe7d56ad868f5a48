package main

import (
	"net/netip"
	"testing"
)

func TestPublicAddresses(t *testing.T) {
	for in, want := range map[string][2]string{
		"198.51.100.1":                    {"198.51.100.1", "invalid IP"},
		"2001:db8::1":                     {"invalid IP", "2001:db8::1"},
		"198.51.100.1, 2001:db8::1":       {"198.51.100.1", "2001:db8::1"},
		"2001:db8::1,::ffff:198.51.100.1": {"198.51.100.1", "2001:db8::1"},
	} {
		v4, v6 := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9") // of what was read before
		if err := parsePublic(in, &v4, &v6); err != nil || v4.String() != want[0] || v6.String() != want[1] {
			t.Errorf("%q: %v and %v, %v", in, v4, v6, err)
		}
	}
	for _, in := range []string{"", "x", "198.51.100.1,", "198.51.100.1,198.51.100.2", "2001:db8::1,2001:db8::2", "198.51.100.1 2001:db8::1"} {
		var v4, v6 netip.Addr
		if err := parsePublic(in, &v4, &v6); err == nil {
			t.Errorf("%q is taken for %v and %v", in, v4, v6)
		}
	}
}
