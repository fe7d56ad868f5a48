// Command callbench is `make callbench`: calls between our clients, between our client and Chromium, and between two
// Chromiums, over the same bad lines in one run, with what each picture and the sound went through measured from outside and
// from the clients' own traces. It prints tables and leaves report.json and a plot a line. It needs root, for network
// namespaces only. docs/performance.md has the method.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"visavis.example/internal/testkit/lossylink"
)

// quietFigures is what a client costs.
type quietFigures struct {
	Pair   string
	Who    string  `json:",omitempty"` // what it is, and its part
	CPU    float64 // seconds a minute
	PSS    float64 // MiB at the end
	Failed string  `json:",omitempty"`
}

type report struct {
	Time       time.Time
	Directions []figures
	Cost       []quietFigures
}

type options struct {
	lines, pairs, out, bin string
	length, cost           time.Duration
	series                 int
	keep                   bool
}

func main() {
	var o options
	flag.StringVar(&o.lines, "lines", "all", "which lines, separated by commas: "+names(badLines, func(l badLine) string { return l.Name }))
	flag.StringVar(&o.pairs, "pairs", "all", "which pairs: "+names(pairings, func(p pairing) string { return p.Name }))
	flag.DurationVar(&o.length, "duration", 45*time.Second, "of each call; lines with a schedule take what that needs")
	flag.DurationVar(&o.cost, "cost", 30*time.Second, "length of the calls in which CPU and memory are measured; 0: none")
	flag.IntVar(&o.series, "series", 1, "how many times all of it, with other luck each time")
	flag.StringVar(&o.out, "out", "callbench", "folder for report.json and the plots")
	flag.StringVar(&o.bin, "bin", "bin", "folder with both programs")
	flag.BoolVar(&o.keep, "keep", false, "leave what the clients wrote in the folder too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "callbench:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

func names[T any](list []T, name func(T) string) string {
	text := "all"
	for _, x := range list {
		text += ", " + name(x)
	}
	return text
}

func run(ctx context.Context, o options) (failed int, err error) {
	lines, err := choose(badLines, func(l badLine) string { return l.Name }, o.lines)
	if err != nil {
		return 0, err
	}
	pairs, err := choose(pairings, func(p pairing) string { return p.Name }, o.pairs)
	if err != nil {
		return 0, err
	}
	if o.length < 2*settle {
		return 0, fmt.Errorf("-duration is %v at least", 2*settle)
	}
	if err := lossylink.Possible(); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "visavis-callbench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	b, err := prepare(ctx, o, dir)
	if err != nil {
		return 0, err
	}
	r := report{Time: time.Now()}
	for series := 1; series <= o.series; series++ {
		for _, line := range lines {
			for _, p := range pairs {
				if ctx.Err() != nil {
					break // what was measured is still told
				}
				r.Directions = append(r.Directions, b.measured(ctx, line, p, series, max(o.length, line.Least))...)
			}
		}
	}
	if o.cost > 0 && ctx.Err() == nil {
		for _, p := range pairs {
			r.Cost = append(r.Cost, b.cost(ctx, p, max(o.cost, 2*settle))...)
		}
	}
	for _, line := range lines {
		err = errors.Join(err, writePlot(o.out, line, r.Directions))
	}
	writeTable(os.Stdout, lines, r.Directions, r.Cost)
	text, jsonErr := json.MarshalIndent(r, "", "  ")
	if jsonErr == nil {
		jsonErr = os.WriteFile(filepath.Join(o.out, "report.json"), append(text, '\n'), 0o644)
	}
	return r.failures(), errors.Join(err, jsonErr, ctx.Err())
}

func (r *report) failures() (n int) {
	for _, f := range r.Directions {
		if f.Failed != "" {
			n++
		}
	}
	for _, q := range r.Cost {
		if q.Failed != "" {
			n++
		}
	}
	return n
}

// prepare makes the cameras and microphones, which are as good for all calls.
func prepare(ctx context.Context, o options, dir string) (*bench, error) {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	b := &bench{bin: bin, clips: map[string]string{}, sounds: map[string]string{}, sources: map[string]*source{}}
	if o.keep {
		b.keep = o.out
	}
	fmt.Fprintln(os.Stderr, "painting the cameras' pictures")
	for id, name := range []string{caller, callee} {
		b.clips[name], b.sounds[name] = filepath.Join(dir, name+".y4m"), filepath.Join(dir, name+".wav")
		if err := errors.Join(writeClip(b.clips[name], uint8(id+1)), writeSpeech(b.sounds[name], uint8(id+1))); err != nil {
			return nil, err
		}
		if b.sources[name], err = openSource(b.clips[name]); err != nil {
			return nil, err
		}
	}
	b.linkem, err = lossylink.Build(ctx, dir)
	return b, err
}

// measured is both directions of a watched call, or why there are none.
func (b *bench) measured(ctx context.Context, line badLine, p pairing, series int, length time.Duration) []figures {
	fmt.Fprintf(os.Stderr, "%s, %s, series %d\n", line.Name, p.Name, series)
	o, err := b.call(ctx, line, p, uint64(series), length, false)
	if err != nil {
		fmt.Fprintln(os.Stderr, "  failed:", err)
		return []figures{{Line: line.Name, Pair: p.Name, Series: series, Failed: err.Error()}}
	}
	all := measure(o, line, p, series)
	fmt.Fprintf(os.Stderr, "  CPU a minute, watching included: caller %.0f s, callee %.0f s\n", o.Used[caller].CPU.Seconds(), o.Used[callee].CPU.Seconds())
	for _, f := range all {
		fmt.Fprintf(os.Stderr, "  %s → %s: p50 %.0f p95 %.0f ms, %.1f fps, %d freezes, concealed %.2f %%, sound %.0f ms, later than the picture by %.0f and at most %.0f, first %.0f ms, %.0f kbit/s\n",
			f.From, f.To, f.P50, f.P95, f.FPS, f.Freezes.Count, f.Concealed, f.SoundDelay, f.Apart, f.Farthest, f.FirstPicture, f.Kbps)
		for _, x := range f.Stages {
			fmt.Fprintf(os.Stderr, "    %s %.0f / %.0f ms", x.Name, x.P50, x.P95)
		}
		if len(f.Stages) > 0 {
			fmt.Fprintln(os.Stderr)
		}
	}
	return all
}

// cost is what both clients take in a call that nobody watches.
func (b *bench) cost(ctx context.Context, p pairing, length time.Duration) []quietFigures {
	fmt.Fprintf(os.Stderr, "cost, %s\n", p.Name)
	o, err := b.call(ctx, badLines[0], p, 1, length, true)
	if err != nil {
		return []quietFigures{{Pair: p.Name, Failed: err.Error()}}
	}
	return []quietFigures{
		{Pair: p.Name, Who: string(p.Caller) + " calls", CPU: o.Used[caller].CPU.Seconds(), PSS: o.Used[caller].PSS},
		{Pair: p.Name, Who: string(p.Callee) + " answers", CPU: o.Used[callee].CPU.Seconds(), PSS: o.Used[callee].PSS},
	}
}
