package main

import (
	"math"
	"slices"
	"sort"
)

// sight is a picture at a place, at T Unix seconds. What names it depends on who saw it: a Visavis knows the sender's RTP
// time and, when it sent it, its own count; a page and a recording know the marker painted into it.
type sight struct {
	T      float64
	Marker int // -1: unreadable or not looked at
	RTP    uint32
	Frame  int64
}

// shown is a picture of the sender that the receiver presented, so long after the camera.
type shown struct {
	T       float64
	Latency float64 // seconds; NaN: it could not be matched
}

// matchRTP finds each presented picture's capture through the sender's own words: RTP time to count to capture. Each
// picture counts once, when it was first presented.
func matchRTP(captured, encoded, presented []sight) []shown {
	at := make(map[int64]float64, len(captured))
	for _, c := range captured {
		at[c.Frame] = c.T
	}
	frame := make(map[uint32]int64, len(encoded))
	for _, e := range encoded {
		frame[e.RTP] = e.Frame
	}
	seen := map[uint32]bool{}
	var all []shown
	for _, p := range presented {
		if seen[p.RTP] {
			continue
		}
		seen[p.RTP] = true
		s := shown{p.T, math.NaN()}
		if n, ok := frame[p.RTP]; ok {
			if t, ok := at[n]; ok {
				s.Latency = p.T - t
			}
		}
		all = append(all, s)
	}
	return all
}

// stage is what pictures spent from one place to the next, ms.
type stage struct {
	Name     string
	P50, P95 number
}

// stages follows pictures between two Visavis by RTP time, those that were captured from..to.
func stages(s, r *witness, from, to float64) []stage {
	rtp := make(map[int64]uint32, len(s.Encoded))
	for _, e := range s.Encoded {
		rtp[e.Frame] = e.RTP
	}
	before := map[uint32]float64{}
	for _, c := range s.Captured {
		if id, ok := rtp[c.Frame]; ok && c.T >= from && c.T < to {
			before[id] = c.T
		}
	}
	var all []stage
	for _, place := range []struct {
		name string
		at   []sight
	}{{"encode", s.Encoded}, {"pace", s.Sent}, {"line and repair", r.Received}, {"wait and decode", r.Decoded}, {"present", r.Presented}} {
		here, spent := map[uint32]float64{}, []float64(nil)
		for _, x := range place.at {
			t, ok := before[x.RTP]
			if _, again := here[x.RTP]; ok && !again {
				here[x.RTP] = x.T
				spent = append(spent, 1000*(x.T-t))
			}
		}
		all = append(all, stage{place.name, number(quantile(spent, 0.5)), number(quantile(spent, 0.95))})
		before = here
	}
	return all
}

// matchMarkers finds for each presented picture the last capture before it with the same marker; the clip repeats, but not
// within what a picture may take.
func matchMarkers(captured, presented []sight) []shown {
	byMarker := map[int][]float64{}
	for _, c := range captured {
		if c.Marker >= 0 {
			byMarker[c.Marker] = append(byMarker[c.Marker], c.T)
		}
	}
	var all []shown
	last := -1
	for _, p := range presented {
		if p.Marker >= 0 && p.Marker == last {
			continue // the same picture once more
		}
		last = p.Marker
		s := shown{p.T, math.NaN()}
		times := byMarker[p.Marker]
		if i := sort.SearchFloat64s(times, p.T); i > 0 {
			s.Latency = p.T - times[i-1]
		}
		all = append(all, s)
	}
	return all
}

// within keeps what was presented from..to.
func within(all []shown, from, to float64) []shown {
	return slices.DeleteFunc(slices.Clone(all), func(s shown) bool { return s.T < from || s.T >= to })
}

// quantile of v (0 to 1, nearest rank); NaN of nothing. NaNs in v are left out.
func quantile(v []float64, q float64) float64 {
	v = slices.DeleteFunc(slices.Clone(v), math.IsNaN)
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return v[min(max(int(math.Ceil(q*float64(len(v))))-1, 0), len(v)-1)]
}

func latencies(all []shown) []float64 {
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = s.Latency
	}
	return v
}

// freezing is the pauses of a picture.
type freezing struct {
	Count   int     `json:"count"`
	Total   float64 `json:"total"`   // seconds
	Longest float64 `json:"longest"` // seconds, of any pause between two pictures
}

// freezes counts as W3C webrtc-stats freezeCount does: a pause of at least max(3 × mean, mean + 150 ms), the mean of the 30
// pauses before it. The time to the end of what was watched is a pause too.
func freezes(all []shown, from, to float64) freezing {
	const window, extra = 30, 0.150
	var (
		f      freezing
		recent []float64
	)
	times := []float64{from}
	for _, s := range all {
		times = append(times, s.T)
	}
	times = append(times, to)
	for i := 1; i < len(times); i++ {
		pause := times[i] - times[i-1]
		f.Longest = max(f.Longest, pause)
		mean := 1.0 / clipFPS
		if len(recent) > 0 {
			mean = 0
			for _, p := range recent {
				mean += p / float64(len(recent))
			}
		}
		if pause >= max(3*mean, mean+extra) {
			f.Count++
			f.Total += pause
		}
		if recent = append(recent, pause); len(recent) > window {
			recent = recent[1:]
		}
	}
	return f
}

// firstNew is how long after t the first picture was presented that was captured after it.
func firstNew(all []shown, t float64) float64 {
	for _, s := range all {
		if s.T >= t && s.T-s.Latency >= t {
			return s.T - t
		}
	}
	return math.NaN()
}

// point is a value at a time.
type point struct {
	T float64 `json:"t"`
	V float64 `json:"v"`
}

// backTo is how long after restore the rate, a value a second, was again at 80 % of its median in the ten seconds before drop.
func backTo(rate []point, drop, restore float64) float64 {
	var before []float64
	for _, p := range rate {
		if p.T > drop-10 && p.T <= drop {
			before = append(before, p.V)
		}
	}
	goal := 0.8 * quantile(before, 0.5)
	for _, p := range rate {
		if p.T > restore && p.V >= goal {
			return p.T - restore
		}
	}
	return math.NaN()
}

// perSecond counts pictures in each second from..to, at its end.
func perSecond(all []shown, from, to float64) []point {
	var v []point
	for t := from; t+1 <= to; t++ {
		v = append(v, point{t + 1, float64(len(within(all, t, t+1)))})
	}
	return v
}
