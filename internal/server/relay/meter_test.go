package relay

import (
	"testing"
	"time"
)

func TestMeterHoldsTheRate(t *testing.T) {
	const rate pace = 8_000_000
	for name, offered := range map[string]time.Duration{"a hundred times as much": 10 * time.Microsecond, "as much as allowed": time.Millisecond} {
		var m meter
		passed, payload := 0, 1000-meterExtra
		const seconds = 10
		for now := time.Duration(0); now < seconds*time.Second; now += offered {
			if m.take(payload, rate, int64(now)) {
				passed += 1000
			}
		}
		most := seconds*1_000_000 + int(meterDepth.Seconds()*1_000_000)
		if passed > most || passed < seconds*1_000_000*99/100 {
			t.Errorf("%s: %d bytes passed in %d s, want 1 MB a second", name, passed, seconds)
		}
	}
}

func TestMeterLetsAKeyFrameThrough(t *testing.T) {
	var m meter
	now := int64(time.Hour)
	for i := range 100 { // 120 kB at once
		if !m.take(1200, 8_000_000, now) {
			t.Fatalf("packet %d of a burst was dropped", i)
		}
	}
	if m.last() < now {
		t.Error("does not know that something passed")
	}
}

// Whoever sends empty packets is held by their number.
func TestMeterCountsHeaders(t *testing.T) {
	var m meter
	passed := 0
	for now := int64(0); now < int64(time.Second); now += 1000 { // a million a second
		if m.take(0, 8_000_000, now) {
			passed++
		}
	}
	if passed > 27_000 {
		t.Errorf("%d empty packets in a second", passed)
	}
}
