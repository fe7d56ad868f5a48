// Command demo is `make demo`: a server and two real desktop windows, alice calls bob with moving pictures and speech-like
// sound, on the present display or a virtual one. It leaves alice.png, bob.png and report.json in the demo folder and ends
// with 1 if either side did not see and hear the other, which it judges by what each side recorded, not by counters.
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
	"slices"
	"time"

	"visavis.example/internal/testkit"
)

func main() {
	out := flag.String("out", "demo", "folder for pictures and report")
	bin := flag.String("bin", "bin", "folder with both programs")
	length := flag.Duration("duration", 15*time.Second, "length of the call")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *length+90*time.Second)
	defer cancel()
	d := demo{out: *out, bin: *bin, length: *length}
	report, err := d.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	fmt.Printf("alice saw and heard bob, bob saw and heard alice. Ringing after %d ms, connected %d ms after accept.\n"+
		"Look at %s, %s and %s.\n", report.Setup.RingingMs, report.Setup.ConnectedMs,
		filepath.Join(*out, "alice.png"), filepath.Join(*out, "bob.png"), filepath.Join(*out, "report.json"))
}

// Report is report.json.
type Report struct {
	Passed  bool      `json:"passed"`
	Problem string    `json:"problem,omitempty"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Setup   Setup     `json:"setup"`
	Alice   Side      `json:"alice"`
	Bob     Side      `json:"bob"`
}

// Setup is how long the steps of the call took, in milliseconds.
type Setup struct {
	RingingMs    int64 `json:"dialToRingingMs"`
	ConnectedMs  int64 `json:"acceptToConnectedMs"`
	FirstFrameMs int64 `json:"acceptToFirstRemoteFrameMs"`
	FirstAudioMs int64 `json:"acceptToFirstRemoteAudioMs"`
}

// Side is what one window got from the other.
type Side struct {
	FramesPerSecond float64 `json:"framesPerSecond"`
	Width           int     `json:"frameWidth"`
	Height          int     `json:"frameHeight"`
	ReceiveKbps     float64 `json:"receiveKbps"`
	SendKbps        float64 `json:"sendKbps"`
	Path            string  `json:"path"`
	MarkersRead     int     `json:"picturesWithTheOthersMarker"`
	HeardShare      float64 `json:"shareOfTimeWithSpeech"`
	EndReason       string  `json:"endReason"`
}

type demo struct {
	out, bin string
	length   time.Duration
}

func (d demo) run(ctx context.Context) (*Report, error) {
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return nil, err
	}
	for _, old := range []string{"alice.png", "bob.png", "report.json"} { // nobody should take the last run's for this one's
		_ = os.Remove(filepath.Join(d.out, old))
	}
	dir, err := os.MkdirTemp("", "visavis-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	report := &Report{Started: time.Now().UTC()}
	err = d.call(ctx, &testkit.Stage{Dir: dir, Bin: d.bin}, report)
	report.Passed = err == nil
	if err != nil {
		report.Problem = err.Error()
	}
	b, _ := json.MarshalIndent(report, "", "  ")
	return report, errors.Join(err, os.WriteFile(filepath.Join(d.out, "report.json"), append(b, '\n'), 0o644))
}

// call plays the whole scene and fills the report as it goes.
func (d demo) call(ctx context.Context, stage *testkit.Stage, report *Report) error {
	env, done, err := displayEnv()
	if err != nil {
		return err
	}
	defer done()
	srv, err := stage.Server(ctx)
	if err != nil {
		return err
	}
	defer srv.Close()
	bob, err := d.window(stage, srv, env, "bob", "pattern:2", "--auto-answer")
	if err != nil {
		return err
	}
	defer bob.Close()
	if _, err := bob.Wait(ctx, "signed-in"); err != nil {
		return err
	}
	alice, err := d.window(stage, srv, env, "alice", "pattern:1", "--call", "bob", "--duration", d.length.String())
	if err != nil {
		return err
	}
	defer alice.Close()
	if err := watch(ctx, alice, bob, report); err != nil {
		return err
	}
	for _, p := range []*testkit.Process{alice, bob} {
		if code, err := p.Exit(ctx); err != nil || code != 0 {
			return errors.Join(err, fmt.Errorf("%s ended with %d: %s", p.Name, code, p.Errors()))
		}
	}
	for _, p := range []*testkit.Process{alice, bob} {
		if slices.ContainsFunc(p.Events(), func(e testkit.Event) bool { return e.Event == "picture-paused" }) {
			return fmt.Errorf("%s took the line for too slow for pictures", p.Name)
		}
	}
	report.Alice.measure(alice)
	report.Bob.measure(bob)
	return errors.Join(
		report.Alice.judge("alice", stage.Path("alice.y4m"), stage.Path("alice.wav"), 2),
		report.Bob.judge("bob", stage.Path("bob.y4m"), stage.Path("bob.wav"), 1),
		drawn(filepath.Join(d.out, "alice.png")), drawn(filepath.Join(d.out, "bob.png")),
	)
}

// displayEnv gives what a window needs: nothing where there is a display, else a virtual one.
func displayEnv() (env []string, done func(), err error) {
	if os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" {
		return nil, func() {}, nil
	}
	fmt.Println("No display here: using a virtual one.")
	d, err := testkit.StartDisplay(2400, 900)
	if err != nil {
		return nil, nil, err
	}
	return d.Env(), d.Close, nil
}

func (d demo) window(stage *testkit.Stage, srv *testkit.Server, env []string, name, camera string, args ...string) (*testkit.Process, error) {
	all := append([]string{
		"--server", srv.URL, "--ca", srv.CA, "--user", name, "--register", "--sign-in", "--config-dir", stage.Path(name), "--camera", camera,
		"--microphone", "speech", "--speaker", "file:" + stage.Path(name+".wav"), "--size", "1280x720", "--fps", "30",
		"--record-video", stage.Path(name + ".y4m"), "--record-size", "320x180", "--screenshot", filepath.Join(d.out, name+".png"), "--events", "-", "--once",
	}, args...)
	env = append(append([]string{}, env...), "VISAVIS_PASSWORD="+testkit.Password)
	return testkit.Start(name, filepath.Join(stage.Bin, "visavis"), env, all...)
}

// watch follows the call by both sides' events and notes how long each step took.
func watch(ctx context.Context, alice, bob *testkit.Process, r *Report) error {
	at := map[string]time.Time{}
	for _, step := range []struct {
		who  *testkit.Process
		name string
	}{
		{alice, "signed-in"},
		{alice, "dialing"},
		{alice, "ringing"},
		{bob, "incoming"},
		{alice, "accepted"},
		{alice, "connected"},
		{bob, "connected"},
		{alice, "first-remote-frame"},
		{bob, "first-remote-frame"},
		{alice, "first-remote-audio"},
		{bob, "first-remote-audio"},
		{alice, "ended"},
		{bob, "ended"},
	} {
		e, err := step.who.Wait(ctx, step.name)
		if err != nil {
			return err
		}
		at[step.who.Name+" "+step.name] = e.Time
		if step.name == "ended" {
			reason, _ := e.Fields["reason"].(string)
			if step.who == alice {
				r.Alice.EndReason = reason
			} else {
				r.Bob.EndReason = reason
			}
		}
	}
	between := func(from, to string) int64 { return at[to].Sub(at[from]).Milliseconds() }
	r.Setup = Setup{
		RingingMs:    between("alice dialing", "alice ringing"),
		ConnectedMs:  between("alice accepted", "alice connected"),
		FirstFrameMs: between("alice accepted", "alice first-remote-frame"),
		FirstAudioMs: between("alice accepted", "alice first-remote-audio"),
	}
	r.Seconds = at["alice ended"].Sub(at["alice connected"]).Seconds()
	return nil
}
