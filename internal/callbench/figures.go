package main

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"visavis.example/internal/testkit/lossylink"
)

// number is NaN where something could not be measured; JSON says null then.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(math.Round(float64(n)*1000) / 1000)
}

// figures are one direction of one call: what the receiver got of the sender.
type figures struct {
	Line, Pair string
	From, To   kind
	Series     int
	Failed     string `json:",omitempty"` // why there is nothing else

	P50, P95     number // camera to picture, ms
	Unmatched    number // share of pictures without a capture time: a measure of the measuring
	FPS          number
	Freezes      freezing
	Concealed    number // % of the sound
	SoundDelay   number // microphone to speaker, ms, median
	Apart        number // sound later than picture, ms, median of the seconds;
	Farthest     number // and the most, whichever is later
	FirstPicture number // from the callee's answer, ms
	Kbps         number // through the line in this direction, median second
	PSNR         number // dB, mean; lines where the picture is of interest

	LongestFreeze number // s, from the drop on; lines with changes
	LatencyPeak   number // ms, from the drop on
	BackAfter     number // s from the end of the bad time until 80 % of the rate before
	NewPicture    number // ms from the end of the bad time until a picture captured after it

	Stages []stage `json:",omitempty"` // between two Visavis

	series series
}

// series are for the plots; times are seconds since the call was connected.
type series struct{ latency, fps, kbps, estimate, sound []point }

// measure makes the figures of both directions.
func measure(o *outcome, line badLine, p pairing, run int) []figures {
	return []figures{
		direction(o, line, p.Name, run, p.Caller, p.Callee, caller, callee, "ab"),
		direction(o, line, p.Name, run, p.Callee, p.Caller, callee, caller, "ba"),
	}
}

func direction(o *outcome, line badLine, pair string, run int, from, to kind, sender, receiver, through string) figures {
	s, r := o.Seen[sender], o.Seen[receiver]
	all := matchMarkers(s.Captured, r.Presented)
	if from == visavis {
		all = matchRTP(s.Captured, s.Encoded, r.Presented)
	}
	in := within(all, o.From, o.To)
	ms := func(q float64) number { return number(1000 * quantile(latencies(in), q)) }
	unmatched := 0
	for _, x := range in {
		if math.IsNaN(x.Latency) {
			unmatched++
		}
	}
	sound := soundDelays(s.Said, r.Heard, o.From, o.To)
	offsets := apart(sound, latencyPoints(all))
	kbps := secondsOf(o.Seconds, through)
	f := figures{
		Line: line.Name, Pair: pair, From: from, To: to, Series: run,
		P50: ms(0.5), P95: ms(0.95),
		Unmatched: number(float64(unmatched) / float64(len(in))),
		FPS:       number(float64(len(in)) / (o.To - o.From)),
		Freezes:   freezes(in, o.From, o.To),
		Concealed: number(100 * r.concealedShare(o.From, o.To)),
		// The answer is the callee's, whoever of the two looks at the first picture.
		FirstPicture: number(math.NaN()),
		SoundDelay:   number(1000 * quantile(values(sound), 0.5)),
		Apart:        number(quantile(values(offsets), 0.5)), Farthest: number(farthest(offsets)),
		Kbps:        number(quantile(values(between(kbps, o.From, o.To)), 0.5)),
		PSNR:        number(mean(values(between(r.Quality, o.From, o.To)))),
		LatencyPeak: number(math.NaN()), LongestFreeze: number(math.NaN()), BackAfter: number(math.NaN()), NewPicture: number(math.NaN()),
	}
	if accepted := o.Seen[callee].Accepted; accepted > 0 && len(all) > 0 {
		f.FirstPicture = number(1000 * (all[0].T - accepted))
	}
	if line.Restore > 0 {
		f.changes(o, line, all, kbps)
	}
	if from == visavis && to == visavis {
		f.Stages = stages(s, r, o.From, o.To)
	}
	f.series = series{
		latency: shift(latencyPoints(all), o.Connected), fps: shift(perSecond(all, o.Connected, o.To), o.Connected),
		kbps: shift(kbps, o.Connected), estimate: shift(s.Estimate, o.Connected), sound: shift(sound, o.Connected),
	}
	return f
}

// changes measures around the bad time, by the times at which the line did change.
func (f *figures) changes(o *outcome, line badLine, all []shown, kbps []point) {
	drop, restore := o.changed(line.Drop, line), o.changed(line.Restore, line)
	after := within(all, drop, o.To)
	f.LongestFreeze = number(freezes(after, drop, o.To).Longest)
	peak := math.NaN()
	for _, s := range after {
		if !math.IsNaN(s.Latency) {
			peak = math.Max(s.Latency, cmpNaN(peak))
		}
	}
	f.LatencyPeak = number(1000 * peak)
	f.BackAfter = number(backTo(kbps, drop, restore))
	f.NewPicture = number(1000 * firstNew(all, restore))
}

func cmpNaN(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}

// changed says when the line's change of that time was made.
func (o *outcome) changed(at time.Duration, line badLine) float64 {
	for i, c := range line.Changes {
		if c.At == at && i < len(o.Changes) {
			return o.Changes[i].Time
		}
	}
	return math.NaN()
}

func secondsOf(all []lossylink.Second, through string) []point {
	var v []point
	for _, s := range all {
		if s.Link == through {
			v = append(v, point{s.Time, s.OutKbit})
		}
	}
	return v
}

func latencyPoints(all []shown) []point {
	var v []point
	for _, s := range all {
		if !math.IsNaN(s.Latency) {
			v = append(v, point{s.T, 1000 * s.Latency})
		}
	}
	return v
}

func between(all []point, from, to float64) []point {
	return slices.DeleteFunc(slices.Clone(all), func(p point) bool { return p.T < from || p.T > to })
}

func values(all []point) []float64 {
	v := make([]float64, len(all))
	for i, p := range all {
		v[i] = p.V
	}
	return v
}

func shift(all []point, by float64) []point {
	v := make([]point, len(all))
	for i, p := range all {
		v[i] = point{p.T - by, p.V}
	}
	return v
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
