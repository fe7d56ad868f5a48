package main

import (
	"fmt"
	"strings"
	"time"

	"visavis.example/internal/testkit/lossylink"
)

// badLine is one line of the table: what both directions between the two ends do. The server is halfway: the way by its
// relay must be no better than the direct one, or ICE flees to it and the line is another for everybody.
type badLine struct {
	Name  string
	Title string
	Spec  string
	Srv   string // what each of the server's lines does, one half of the way
	// Changes begin when the call is connected.
	Changes []lossylink.Change
	Least   time.Duration // what the changes need
	Drop    time.Duration // when the line becomes bad
	Restore time.Duration // when it is good again
	Picture bool          // its quality is of interest
}

var badLines = []badLine{
	{Name: "clean", Title: "clean, RTT 20", Spec: "delay=10ms", Srv: "delay=5ms"},
	{Name: "loss2", Title: "2 % loss, RTT 50", Spec: "delay=25ms,loss=2%", Srv: "delay=12.5ms,loss=1%"},
	{Name: "loss10", Title: "10 % loss, RTT 50", Spec: "delay=25ms,loss=10%", Srv: "delay=12.5ms,loss=5%"},
	{Name: "loss20", Title: "20 % loss, RTT 50", Spec: "delay=25ms,loss=20%", Srv: "delay=12.5ms,loss=10%"},
	{Name: "bursts", Title: "bursts, 5 % of mean length 8, RTT 50", Spec: "delay=25ms,burst=5%:8", Srv: "delay=12.5ms,burst=2.5%:8"},
	{Name: "jitter", Title: "jitter ±30 ms, RTT 80", Spec: "delay=40ms,jitter=30ms", Srv: "delay=20ms,jitter=20ms"},
	{Name: "rtt200", Title: "RTT 200", Spec: "delay=100ms", Srv: "delay=50ms"},
	{Name: "rate1m", Title: "1 Mbit/s, queue 300 ms, RTT 50", Spec: "delay=25ms,rate=1M,queue=300ms", Srv: "delay=12.5ms,rate=1M,queue=300ms", Picture: true},
	{Name: "rate300k", Title: "300 kbit/s, queue 300 ms, RTT 50", Spec: "delay=25ms,rate=300k,queue=300ms", Srv: "delay=12.5ms,rate=300k,queue=300ms", Picture: true},
	{
		Name: "step", Title: "step 2 M → 300 k → 2 M, queue 300 ms, RTT 50", Spec: "delay=25ms,rate=2M,queue=300ms",
		Srv: "delay=12.5ms,rate=2M,queue=300ms",
		Changes: []lossylink.Change{
			{At: 20 * time.Second, Lines: "all", Spec: "rate=300k"}, {At: 35 * time.Second, Lines: "all", Spec: "rate=2M"},
		},
		Least: 70 * time.Second, Drop: 20 * time.Second, Restore: 35 * time.Second,
	},
	{
		// The way by the server too, or a call goes on by its relay after some seconds.
		Name: "blackout", Title: "5 s blackout, RTT 50", Spec: "delay=25ms", Srv: "delay=12.5ms",
		Changes: []lossylink.Change{
			{At: 20 * time.Second, Lines: "all", Spec: "block=1"}, {At: 25 * time.Second, Lines: "all", Spec: "block=0"},
		},
		Least: 40 * time.Second, Drop: 20 * time.Second, Restore: 25 * time.Second,
	},
}

// pairing is who calls whom.
type pairing struct {
	Name           string
	Caller, Callee kind
}

type kind string

const (
	visavis  kind = "visavis"
	chromium kind = "chromium"
)

var pairings = []pairing{
	{"ours-ours", visavis, visavis},
	{"ours-chromium", visavis, chromium},
	{"chromium-chromium", chromium, chromium},
}

// choose picks names from a list separated by commas; "all" is all. Unknown names are an error.
func choose[T any](list []T, name func(T) string, wanted string) ([]T, error) {
	if wanted == "all" {
		return list, nil
	}
	var chosen []T
	for w := range strings.SplitSeq(wanted, ",") {
		before := len(chosen)
		for _, x := range list {
			if name(x) == w {
				chosen = append(chosen, x)
			}
		}
		if len(chosen) == before {
			var all []string
			for _, x := range list {
				all = append(all, name(x))
			}
			return nil, fmt.Errorf("there is no %q, but %s", w, strings.Join(all, ", "))
		}
	}
	return chosen, nil
}
