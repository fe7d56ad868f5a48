package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"visavis.example/internal/testkit"
)

// measuredCall lets two clients call each other at 720p30 and reads the caller's CPU time and memory from the system.
// The first five seconds (connecting, ramping up) are left out of the CPU figure, and are part of the peak.
func measuredCall(ctx context.Context, bin string, length time.Duration, windows bool) ([]Row, error) {
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
	media := []string{"--microphone", "speech", "--speaker", "none", "--size", "1280x720", "--fps", "30"}
	bob, err := stage.Client(srv, "bob", append([]string{"answer", "--once", "--camera", "pattern:2"}, media...)...)
	if err != nil {
		return nil, err
	}
	defer bob.Close()
	if _, err := bob.Wait(ctx, "signed-in"); err != nil {
		return nil, err
	}
	alice, closeDisplay, err := startCaller(stage, srv, windows, append([]string{"--camera", "pattern:1", "--duration", (length + 7*time.Second).String()}, media...))
	if err != nil {
		return nil, err
	}
	defer closeDisplay()
	defer alice.Close()
	if _, err := alice.Wait(ctx, "first-remote-frame"); err != nil {
		return nil, err
	}
	use, peak, err := watch(ctx, alice.PID(), length)
	if err != nil {
		return nil, err
	}
	if code, err := alice.Exit(ctx); err != nil || code != 0 {
		return nil, errors.Join(err, fmt.Errorf("the caller ended with %d: %s", code, alice.Errors()))
	}
	stats := testkit.Stats(alice.Events())
	rows := []Row{
		{Name: "client without window, 720p30 both ways, CPU", Value: use * 60, Unit: "s a minute", Aim: 27},
		{Name: "client without window, peak memory (RSS)", Value: peak, Unit: "MB", Aim: 150},
		{Name: "… received picture", Value: stats.Median("framesPerSecond"), Unit: fmt.Sprintf("fps at %.0f lines", stats.Median("frameHeight"))},
		{Name: "… received", Value: stats.Median("receiveKbps"), Unit: "kbit/s"},
	}
	if windows {
		rows[0] = Row{Name: "client with window and software GL, 720p30 both ways, CPU", Value: use * 60, Unit: "s a minute"}
		rows[1] = Row{Name: "client with window and software GL, peak memory (RSS)", Value: peak, Unit: "MB"}
	}
	return rows, nil
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

// watch gives the process's CPU seconds per second over length, and its largest resident size in MB up to the end of it.
func watch(ctx context.Context, pid int, length time.Duration) (cpu, peak float64, err error) {
	wait := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := wait(5 * time.Second); err != nil {
		return 0, 0, err
	}
	from, err := testkit.Usage(pid)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := wait(length); err != nil {
		return 0, 0, err
	}
	to, err := testkit.Usage(pid)
	if err != nil {
		return 0, 0, err
	}
	return (to.CPU - from.CPU).Seconds() / time.Since(start).Seconds(), to.PeakMiB, nil
}
