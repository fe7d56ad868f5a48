// Command bench is `make bench`: what a 720p frame and a piece of sound cost at each stage, what a call costs a client in CPU and
// memory at 640x360 and at 1280x720, with and without a window, what an idle server holds, and what the relay costs beside coturn. It runs the real programs on this machine and prints one
// table; figures move between machines and hours, so compare inside one run. docs/performance.md has the method.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"visavis.example/internal/testkit"
)

// Row is one measured figure and what we aim at (0: no aim).
type Row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Aim   float64 `json:"aim,omitempty"`
	Note  string  `json:"note,omitempty"`
	// AtLeast is an aim from below.
	AtLeast float64 `json:"atLeast,omitempty"`
}

func main() {
	out := flag.String("out", "bench", "folder for report.json")
	bin := flag.String("bin", "bin", "folder with both programs")
	length := flag.Duration("duration", 60*time.Second, "length of each measured call")
	only := flag.String("only", "", "measure the parts whose names contain this, such as relay")
	idle := crowdOptions{}
	flag.IntVar(&idle.Clients, "clients", usualClients, "idle clients of a server, ten of each person")
	flag.StringVar(&idle.Profiles, "profiles", "", "folder for profiles of that server; they cost it memory")
	relayed := relayOptions{}
	flag.IntVar(&relayed.Rounds, "relay-rounds", 3, "rounds of all loads through the relays")
	flag.DurationVar(&relayed.Length, "relay-duration", 3*time.Second, "length of each load")
	flag.IntVar(&relayed.Rate, "relay-rate", 20_000, "packets a second each way")
	flag.BoolVar(&relayed.Portable, "relay-portable", false, "measure our relay without its fast path too")
	if len(os.Args) > 1 {
		if started, err := relayChild(os.Args[1], os.Args[2:]); started {
			exitOn(err)
			return
		}
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exitOn(run(ctx, *out, *bin, *only, *length, idle, relayed))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var (
	small    = measured{name: "360p30", size: "640x360", cpu: 18, pss: 90}
	big      = measured{name: "720p30", size: "1280x720", cpu: 27, rss: 150}
	windowed = measured{name: "720p30", size: "1280x720", cpu: 27, rss: 150, windows: true}
)

// relayOptions say how the relay is loaded. They are given to a child as JSON.
type relayOptions struct {
	Rounds, Rate int
	Length       time.Duration
	Portable     bool
}

func run(ctx context.Context, out, bin, only string, length time.Duration, idle crowdOptions, relayed relayOptions) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var rows []Row
	for _, part := range []struct {
		what string
		run  func() ([]Row, error)
	}{
		{"stages of a 720p frame", func() ([]Row, error) { return stages(ctx) }},
		{"server", func() ([]Row, error) { return idleServer(ctx, bin) }},
		{"server, idle clients", func() ([]Row, error) { return sockets(ctx, bin, false, idle) }},
		{"server, idle clients over TLS", func() ([]Row, error) { return sockets(ctx, bin, true, idle) }},
		{"relay", func() ([]Row, error) { return relays(ctx, relayed) }},
		{"call without windows, 640x360", func() ([]Row, error) { return measuredCall(ctx, bin, length, small) }},
		{"call without windows, 1280x720", func() ([]Row, error) { return measuredCall(ctx, bin, length, big) }},
		{"call with windows", func() ([]Row, error) { return measuredCall(ctx, bin, length, windowed) }},
	} {
		if !strings.Contains(part.what, only) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring:", part.what)
		got, err := part.run()
		if err != nil {
			return fmt.Errorf("%s: %w", part.what, err)
		}
		rows = append(rows, got...)
	}
	fmt.Printf("| what | measured | aim |\n|---|---|---|\n")
	for _, r := range rows {
		aim := ""
		if r.Aim > 0 {
			aim = fmt.Sprintf("≤ %g", r.Aim)
		}
		if r.AtLeast > 0 {
			aim = fmt.Sprintf("≥ %g", r.AtLeast)
		}
		fmt.Printf("| %s | %.3g %s | %s |\n", r.Name, r.Value, r.Unit, aim)
	}
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "report.json"), append(b, '\n'), 0o644)
}

// idleServer is the memory of a server with one account, a second after it became healthy.
func idleServer(ctx context.Context, bin string) ([]Row, error) {
	stage, done, err := newStage(bin)
	if err != nil {
		return nil, err
	}
	defer done()
	srv, err := stage.Server(ctx)
	if err != nil {
		return nil, err
	}
	defer srv.Close()
	if err := stage.Register(ctx, srv, "alice"); err != nil {
		return nil, err
	}
	select {
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	use, err := testkit.Usage(srv.PID())
	if err != nil {
		return nil, err
	}
	return []Row{{Name: "idle server, memory (RSS)", Value: use.RSSMiB, Unit: "MB", Aim: 30}}, nil
}

func newStage(bin string) (*testkit.Stage, func(), error) {
	dir, err := os.MkdirTemp("", "visavis-bench-")
	if err != nil {
		return nil, nil, err
	}
	return &testkit.Stage{Dir: dir, Bin: bin}, func() { os.RemoveAll(dir) }, nil
}
