package main

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if !(math.Abs(got-want) <= by) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// steady is pictures 30 a second, each that much later than its capture.
func steady(n int, latency float64) (captured, encoded, presented []sight) {
	for i := range n {
		at := 100 + float64(i)/30
		captured = append(captured, sight{T: at, Marker: i % clipFrames, Frame: int64(i)})
		encoded = append(encoded, sight{T: at + 0.01, Frame: int64(i), RTP: uint32(4294960000 + 3000*i)})
		presented = append(presented, sight{T: at + latency, Marker: i % clipFrames, RTP: uint32(4294960000 + 3000*i)})
	}
	return captured, encoded, presented
}

func TestMatching(t *testing.T) {
	captured, encoded, presented := steady(900, 0.05)
	presented[10].Marker, presented[11].RTP = -1, 12345 // unreadable, unknown
	for name, all := range map[string][]shown{
		"RTP": matchRTP(captured, encoded, append(presented, presented[899])), "markers": matchMarkers(captured, append(presented, presented[899])),
	} {
		if len(all) != 900 {
			t.Errorf("%s: %d of 900 pictures", name, len(all))
		}
		near(t, name+" p50", quantile(latencies(all), 0.5), 0.05, 1e-6)
		near(t, name+" p100", quantile(latencies(all), 1), 0.05, 1e-6)
		unknown := 0
		for _, s := range all {
			if math.IsNaN(s.Latency) {
				unknown++
			}
		}
		if unknown != 1 {
			t.Errorf("%s: %d pictures without a capture", name, unknown)
		}
	}
}

func TestStages(t *testing.T) {
	captured, encoded, presented := steady(60, 0.1)
	later := func(by float64) []sight {
		v := append([]sight(nil), encoded...)
		for i := range v {
			v[i].T += by
		}
		return v
	}
	s := &witness{Captured: captured, Encoded: encoded, Sent: later(0.005)}
	r := &witness{Received: later(0.03)[:50], Decoded: later(0.07), Presented: presented}
	want := []float64{10, 5, 25, 40, 20}
	for i, x := range stages(s, r, 100, 101) {
		near(t, x.Name, float64(x.P50), want[i], 1e-6)
		near(t, x.Name, float64(x.P95), want[i], 1e-6)
	}
}

func TestMarkersComeAgain(t *testing.T) {
	captured := []sight{{T: 10, Marker: 5}, {T: 30, Marker: 5}}
	all := matchMarkers(captured, []sight{{T: 10.1, Marker: 5}, {T: 10.2, Marker: 5}, {T: 10.3, Marker: 6}, {T: 30.4, Marker: 5}, {T: 9, Marker: 7}})
	if len(all) != 4 {
		t.Fatalf("%d pictures", len(all))
	}
	near(t, "the first", all[0].Latency, 0.1, 1e-9)
	near(t, "the second round's", all[2].Latency, 0.4, 1e-9)
}

func TestQuantile(t *testing.T) {
	v := []float64{5, 1, math.NaN(), 4, 2, 3}
	near(t, "p50", quantile(v, 0.5), 3, 0)
	near(t, "p95", quantile(v, 0.95), 5, 0)
	near(t, "p0", quantile(v, 0), 1, 0)
	if !math.IsNaN(quantile(nil, 0.5)) {
		t.Error("a quantile of nothing")
	}
	if v[0] != 5 {
		t.Error("it sorted its caller's")
	}
}

func TestFreezes(t *testing.T) {
	at := func(times ...float64) (all []shown) {
		for _, x := range times {
			all = append(all, shown{T: x})
		}
		return all
	}
	steady := func(from, to float64) (times []float64) {
		for x := from; x < to; x += 1.0 / 30 {
			times = append(times, x)
		}
		return times
	}
	for name, c := range map[string]struct {
		times     []float64
		count     int
		total, at float64 // seconds
	}{
		"even":                   {steady(0, 10), 0, 0, 1.0 / 30},
		"160 ms are none":        {append(steady(0, 5), steady(5.125, 10)...), 0, 0, 0.158},
		"250 ms are one":         {append(steady(0, 5), steady(5.217, 10)...), 1, 0.25, 0.25},
		"two":                    {append(append(steady(0, 3), steady(4, 6)...), steady(6.5, 10)...), 2, 1.533, 1.0},
		"to the end":             {steady(0, 8), 1, 2, 2},
		"nothing at all":         {nil, 1, 10, 10},
		"slow pictures are slow": {[]float64{0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2}, 0, 0, 0.2},
	} {
		to := 10.0
		if name == "slow pictures are slow" {
			to = 2.1
			// The first pause is compared with nothing but the camera's rhythm.
			c.count, c.total = 1, 0.2
		}
		f := freezes(at(c.times...), 0, to)
		if f.Count != c.count {
			t.Errorf("%s: %d freezes", name, f.Count)
		}
		near(t, name+": frozen", f.Total, c.total, 0.04)
		near(t, name+": longest", f.Longest, c.at, 0.04)
	}
}

func TestAfterABadTime(t *testing.T) {
	all := []shown{{T: 20, Latency: 0.05}, {T: 25.1, Latency: 4}, {T: 25.3, Latency: 0.25}, {T: 25.4, Latency: 0.1}}
	near(t, "first new", firstNew(all, 25), 0.3, 1e-9)
	var rate []point
	for s := range 60 {
		v := 1000.0
		switch {
		case s > 20 && s <= 35:
			v = 280
		case s > 35:
			v = math.Min(280+100*float64(s-35), 1000)
		}
		rate = append(rate, point{float64(s), v})
	}
	near(t, "back", backTo(rate, 20, 35), 6, 0)
	if !math.IsNaN(backTo(rate[:38], 20, 35)) {
		t.Error("it came back and did not")
	}
	near(t, "growth", growth([]point{{1, 5}, {2, 7}, {3, 11}, {4, 20}}, 2, 3), 4, 0)
}

func TestPerSecond(t *testing.T) {
	_, _, presented := steady(90, 0)
	v := perSecond(matchMarkers(nil, presented), 100, 103.5)
	if len(v) != 3 || v[1].V != 30 {
		t.Errorf("%v", v)
	}
}
