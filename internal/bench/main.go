// Command bench is `make bench`: what a 720p frame and a piece of sound cost at each stage, what a call costs a client in CPU and
// memory at 640x360 and at 1280x720, with and without a window, and what an idle server holds. It runs the real programs on this machine and prints one
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
}

func main() {
	out := flag.String("out", "bench", "folder for report.json")
	bin := flag.String("bin", "bin", "folder with both programs")
	length := flag.Duration("duration", 60*time.Second, "length of each measured call")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *bin, *length); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var (
	small    = measured{name: "360p30", size: "640x360", cpu: 18, pss: 90}
	big      = measured{name: "720p30", size: "1280x720", cpu: 27, rss: 150}
	windowed = measured{name: "720p30", size: "1280x720", cpu: 27, rss: 150, windows: true}
)

func run(ctx context.Context, out, bin string, length time.Duration) error {
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
		{"call without windows, 640x360", func() ([]Row, error) { return measuredCall(ctx, bin, length, small) }},
		{"call without windows, 1280x720", func() ([]Row, error) { return measuredCall(ctx, bin, length, big) }},
		{"call with windows", func() ([]Row, error) { return measuredCall(ctx, bin, length, windowed) }},
	} {
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
