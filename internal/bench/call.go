package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"visavis.example/internal/testkit"
)

// measured is one kind of call, and what its caller may cost.
type measured struct {
	name    string // "720p30"
	size    string
	windows bool
	cpu     float64 // seconds a minute
	rss     float64 // MB at most; 0: no aim
	pss     float64 // MB at the end; 0: no aim
}

// measuredCall lets two clients call each other and reads the caller's CPU time and memory from the system.
// The first five seconds (connecting, ramping up) are left out of the CPU figure, and are part of the peak.
func measuredCall(ctx context.Context, bin string, length time.Duration, m measured) ([]Row, error) {
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
	if err := stage.Register(ctx, srv, "alice", "bob"); err != nil {
		return nil, err
	}
	media := []string{"--microphone", "speech", "--speaker", "none", "--size", m.size, "--fps", "30"}
	bob, err := stage.Client(srv, "bob", append([]string{"answer", "--once", "--camera", "pattern:2"}, media...)...)
	if err != nil {
		return nil, err
	}
	defer bob.Close()
	if _, err := bob.Wait(ctx, "signed-in"); err != nil {
		return nil, err
	}
	alice, closeDisplay, err := startCaller(stage, srv, m.windows, append([]string{"--camera", "pattern:1", "--duration", (length + 7*time.Second).String()}, media...))
	if err != nil {
		return nil, err
	}
	defer closeDisplay()
	defer alice.Close()
	if _, err := alice.Wait(ctx, "first-remote-frame"); err != nil {
		return nil, err
	}
	use, err := watch(ctx, alice.PID(), length)
	if err != nil {
		return nil, err
	}
	if code, err := alice.Exit(ctx); err != nil || code != 0 {
		return nil, errors.Join(err, fmt.Errorf("the caller ended with %d: %s", code, alice.Errors()))
	}
	return rows(use, testkit.Stats(alice.Events()), m), nil
}

// rows puts a measured call into words. use is what the caller took in a second.
func rows(use testkit.Used, stats testkit.StatsEvents, m measured) []Row {
	minute := func(d time.Duration) float64 { return d.Seconds() * 60 }
	fps := stats.Median("framesPerSecond")
	picture := Row{Name: "… received picture", Value: fps, Unit: fmt.Sprintf("fps at %.0f lines", stats.Median("frameHeight"))}
	rate := Row{Name: "… received", Value: stats.Median("receiveKbps"), Unit: "kbit/s"}
	if !m.windows {
		return []Row{
			{Name: "client without window, " + m.name + " both ways, CPU", Value: minute(use.CPU), Unit: "s a minute", Aim: m.cpu},
			{Name: "… peak memory (RSS)", Value: use.PeakMiB, Unit: "MB", Aim: m.rss},
			{Name: "… memory (PSS)", Value: use.PSSMiB, Unit: "MB", Aim: m.pss},
			picture, rate,
		}
	}
	drawn := Row{Name: "… drawing: Fyne's thread a frame", Unit: "ms"}
	if fps > 0 {
		drawn.Value = use.Main.Seconds() * 1000 / fps
	}
	return []Row{
		{Name: "client with window, " + m.name + " both ways, CPU besides software GL's threads", Value: minute(use.CPU - use.SoftwareGL), Unit: "s a minute", Aim: m.cpu},
		{Name: "… software GL's threads", Value: minute(use.SoftwareGL), Unit: "s a minute"},
		drawn,
		{Name: "… peak memory (RSS), software GL's included", Value: use.PeakMiB, Unit: "MB", Aim: m.rss},
		{Name: "… memory (PSS)", Value: use.PSSMiB, Unit: "MB"},
		picture, rate,
	}
}

func startCaller(stage *testkit.Stage, srv *testkit.Server, window bool, args []string) (*testkit.Process, func(), error) {
	if !window {
		p, err := stage.Client(srv, "alice", append([]string{"call", "bob"}, args...)...)
		return p, func() {}, err
	}
	d, err := testkit.StartDisplay(1400, 900)
	if err != nil {
		return nil, nil, err
	}
	all := append([]string{
		"--server", srv.URL, "--ca", srv.CA, "--user", "alice", "--sign-in", "--call", "bob", "--once", "--config-dir", stage.Path("alice"), "--events", "-",
	}, args...)
	p, err := testkit.Start("alice", filepath.Join(stage.Bin, "visavis"), append(d.Env(), "VISAVIS_PASSWORD="+testkit.Password), all...)
	if err != nil {
		d.Close()
		return nil, nil, err
	}
	return p, d.Close, nil
}

// watch gives what the process took in a second, over length, and its largest resident size up to the end of it.
func watch(ctx context.Context, pid int, length time.Duration) (testkit.Used, error) {
	if err := testkit.Wait(ctx, 5*time.Second); err != nil {
		return testkit.Used{}, err
	}
	from, err := testkit.Usage(pid)
	if err != nil {
		return testkit.Used{}, err
	}
	start := time.Now()
	if err := testkit.Wait(ctx, length); err != nil {
		return testkit.Used{}, err
	}
	to, err := testkit.Usage(pid)
	if err != nil {
		return testkit.Used{}, err
	}
	seconds := time.Since(start).Seconds()
	each := func(a, b time.Duration) time.Duration { return time.Duration(float64(b-a) / seconds) }
	return testkit.Used{
		CPU: each(from.CPU, to.CPU), Main: each(from.Main, to.Main), SoftwareGL: each(from.SoftwareGL, to.SoftwareGL),
		PeakMiB: to.PeakMiB, PSSMiB: to.PSSMiB,
	}, nil
}
