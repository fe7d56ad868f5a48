package main

import (
	"fmt"
	"slices"
	"time"
)

// relayLoad is one kind of traffic through a relay: so many allocations, each with one peer of its own, both ways.
type relayLoad struct {
	pairs, size int // allocations; bytes of payload
	burst       int // packets in a row on one pair
	aim         float64
}

// relayLoads are the cases; aims are our CPU seconds divided by coturn's. Video comes in bursts of large packets.
var relayLoads = []relayLoad{
	{pairs: 1, size: 160, burst: 1, aim: 0.75},
	{pairs: 100, size: 160, burst: 1, aim: 0.75},
	{pairs: 1, size: 1200, burst: 1, aim: 0.75},
	{pairs: 100, size: 1200, burst: 1, aim: 0.75},
	{pairs: 1, size: 160, burst: 10, aim: 0.75},
	{pairs: 100, size: 160, burst: 10, aim: 0.75},
	{pairs: 1, size: 1200, burst: 10, aim: 0.5},
	{pairs: 100, size: 1200, burst: 10, aim: 0.5},
}

func (l relayLoad) String() string {
	flow := "steady"
	if l.burst > 1 {
		flow = fmt.Sprintf("bursts of %d", l.burst)
	}
	pairs := "pairs"
	if l.pairs == 1 {
		pairs = "pair"
	}
	return fmt.Sprintf("%d %s, %d bytes, %s", l.pairs, pairs, l.size, flow)
}

// relayRun is one measured stretch.
type relayRun struct {
	relayed, sent int     // packets
	cpu           float64 // seconds of the relay's process
	p50, p99      time.Duration
	rssMiB        float64
}

// per100k is CPU seconds per 100 000 relayed packets.
func (r relayRun) per100k() float64 { return r.cpu / float64(r.relayed) * 1e5 }

// The relays that are compared. coturn is the one to beat; portable is ours without its fast path.
const (
	ours     = "ours"
	portable = "portable"
	coturn   = "coturn"
)

// relayRows puts the runs of all rounds into rows. The ratio is the median over rounds of what was measured next to each
// other, since figures move more between rounds than between relays.
func relayRows(load relayLoad, rounds []map[string]relayRun) []Row {
	var rows []Row
	for _, other := range []string{coturn, portable} {
		var ratios []float64
		for _, r := range rounds {
			if a, b := r[ours], r[other]; a.relayed > 0 && b.relayed > 0 {
				ratios = append(ratios, a.per100k()/b.per100k())
			}
		}
		if len(ratios) == 0 {
			continue
		}
		row := Row{
			Name: fmt.Sprintf("relay, %v: CPU of ours, %s = 1", load, other), Value: median(ratios),
			Unit: fmt.Sprintf("(%.2f to %.2f, %d rounds)", slices.Min(ratios), slices.Max(ratios), len(ratios)),
		}
		if other == coturn {
			row.Aim = load.aim
		}
		rows = append(rows, row)
	}
	for _, who := range []string{ours, coturn, portable} {
		if row, ok := absoluteRow(who, rounds); ok {
			rows = append(rows, row)
		}
	}
	return rows
}

func absoluteRow(who string, rounds []map[string]relayRun) (Row, bool) {
	var cpu, loss, p99, rss []float64
	for _, r := range rounds {
		if run, ok := r[who]; ok && run.relayed > 0 {
			cpu = append(cpu, run.per100k())
			loss = append(loss, 100*(1-float64(run.relayed)/float64(run.sent)))
			p99 = append(p99, float64(run.p99.Microseconds()))
			rss = append(rss, run.rssMiB)
		}
	}
	if len(cpu) == 0 {
		return Row{}, false
	}
	return Row{
		Name: "… " + who, Value: median(cpu),
		Unit: fmt.Sprintf("CPU s per 100k packets (%.2g %% lost, p99 %.0f µs, %.0f MB)", median(loss), median(p99), median(rss)),
	}, true
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
