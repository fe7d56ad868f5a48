package relay

import (
	"net/netip"
	"testing"
	"time"
)

// While it rings no allocation of the call reaches anything but the call's other allocations.
func TestAHeldCallReachesNobody(t *testing.T) {
	b := newBook(netip.MustParseAddr("9.9.9.8"), true)
	const call, device = "call-0123456789abcdef", "device-0123456789abcdef"
	b.hold(call, true)
	b.join(call, device, "ann", time.Now().Add(time.Hour))
	for _, at := range []string{"9.9.9.9", "10.0.0.1"} {
		to := netip.MustParseAddr(at)
		if b.mayReach(call, to) {
			t.Errorf("held, reaches %s", at)
		}
		b.hold(call, false)
		if !b.mayReach(call, to) {
			t.Errorf("opened, does not reach %s", at)
		}
		b.hold(call, true)
	}
	b.hold(call, false)
	b.dismiss(call, device)
	if b.live(party{device, call}) {
		t.Error("a device that has left may still allocate")
	}
	b.hold("call-of-nobody-12345", false)
	if len(b.calls) != 1 {
		t.Error("an unknown call was made by its end")
	}
}
