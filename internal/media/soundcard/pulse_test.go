package soundcard_test

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/playout"
	"visavis.example/internal/media/soundcard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a real sound server may take for what takes milliseconds on a quiet machine.
const patience = 15 * time.Second

// startPulse runs a sound server of the test's own: a null sink "Speaker" with its monitor, a second one whose monitor is
// the microphone "Voice".
func startPulse(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("pulseaudio"); err != nil {
		t.Skip("pulseaudio is not installed: no real sound device is tested")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "native")
	cmd := exec.Command("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--log-target=stderr", "-v",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+socket,
		"-L", `module-null-sink sink_name=spk rate=48000 sink_properties=device.description=Speaker`,
		"-L", `module-null-sink sink_name=micsink rate=48000 sink_properties=device.description=Feed`,
		"-L", `module-remap-source master=micsink.monitor source_name=vmic source_properties=device.description=Voice`)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "HOME="+dir, "PULSE_RUNTIME_PATH="+dir, "DBUS_SESSION_BUS_ADDRESS=")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up, read := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if strings.Contains(lines.Text(), "startup complete") {
				up <- true
			}
		}
		close(up)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-read
		_ = cmd.Wait()
	})
	select {
	case ok := <-up:
		if !ok {
			t.Fatal("pulseaudio ended at once")
		}
	case <-time.After(patience):
		t.Fatal("pulseaudio does not come up")
	}
	t.Setenv("PULSE_SERVER", "unix:"+socket)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("HOME", dir)
}

func pactl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("pactl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("pactl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// listener finds a tone in blocks: Goertzel's algorithm, against all the energy there is.
type listener struct {
	hz    float64
	heard chan float64 // share of the energy at hz, once a window was loud and nearly pure
	blk   [10 * media.BlockSamples]float64
	n     int
	last  atomic.Int64 // unix nanoseconds of the last block
	total atomic.Int64
}

func newListener(hz float64) *listener { return &listener{hz: hz, heard: make(chan float64, 1)} }

func (l *listener) block(pcm []int16, _ time.Time) {
	l.last.Store(time.Now().UnixNano())
	l.total.Add(1)
	for _, v := range pcm {
		l.blk[l.n] = float64(v)
		if l.n++; l.n == len(l.blk) {
			l.n = 0
			if share, loud := goertzel(l.blk[:], l.hz); loud && share > 0.5 {
				select {
				case l.heard <- share:
				default:
				}
			}
		}
	}
}

func goertzel(x []float64, hz float64) (share float64, loud bool) {
	c := 2 * math.Cos(2*math.Pi*hz/media.SampleRate)
	s1, s2, energy := 0.0, 0.0, 0.0
	for _, v := range x {
		s1, s2 = v+c*s1-s2, s1
		energy += v * v
	}
	n := float64(len(x))
	return (s1*s1 + s2*s2 - c*s1*s2) * 2 / (n * energy), energy/n > 500*500
}

// toneInto plays a tone through a speaker.
func toneInto(sink media.AudioSink, hz float64) error {
	phase := 0.0
	return sink.Start(func(block []int16) {
		for i := range block {
			phase += hz / media.SampleRate
			block[i] = int16(8000 * math.Sin(2*math.Pi*phase))
		}
	})
}

func hears(t *testing.T, l *listener) {
	t.Helper()
	select {
	case share := <-l.heard:
		t.Logf("heard: %.0f %% of the energy, after %d blocks", 100*share, l.total.Load())
	case <-time.After(patience):
		t.Fatalf("%g Hz not heard in %v, %d blocks", l.hz, patience, l.total.Load())
	}
}

func TestToneFromSpeakerToMicrophone(t *testing.T) {
	startPulse(t)
	speakers, mics := playout.Speakers(), capture.Microphones()
	t.Logf("speakers %q, microphones %q", speakers, mics)
	if fmt.Sprint(speakers) != "[Speaker Feed]" || mics[0] != "Voice" && mics[len(mics)-1] == "Voice" {
		t.Errorf("speakers %q, microphones %q: default first, monitors last", speakers, mics)
	}
	pactl(t, "set-default-source", "spk.monitor")
	for _, way := range [][2]string{{"Speaker", "Monitor of Speaker"}, {"Feed", "Voice"}, {"", ""}} {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			sink, err := playout.OpenSpeaker(way[0])
			if err != nil {
				t.Fatal(err)
			}
			source, err := capture.OpenMicrophone(way[1])
			if err != nil {
				t.Fatal(err)
			}
			l := newListener(997)
			if err := source.Start(l.block); err != nil {
				t.Fatal(err)
			}
			if err := toneInto(sink, 997); err != nil {
				t.Fatal(err)
			}
			hears(t, l)
			begin := time.Now()
			if err := source.Close(); err != nil {
				t.Error(err)
			}
			n := l.total.Load()
			if err := sink.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("closing took %v", took)
			}
			if l.total.Load() != n {
				t.Error("blocks after Close")
			}
			if err := source.Start(l.block); err == nil {
				t.Error("a source started twice")
			}
		})
	}
}

func TestUnpluggedMicrophoneGoesOnWithTheDefault(t *testing.T) {
	startPulse(t)
	module := strings.TrimSpace(pactl(t, "load-module", "module-null-sink", "sink_name=gone", "sink_properties=device.description=Gone"))
	pactl(t, "set-default-source", "vmic")
	sink, err := playout.OpenSpeaker("Feed")
	if err != nil {
		t.Fatal(err)
	}
	if err := toneInto(sink, 1500); err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	source, err := capture.OpenMicrophone("Monitor of Gone")
	if err != nil {
		t.Fatal(err)
	}
	l := newListener(1500)
	if err := source.Start(l.block); err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	pactl(t, "unload-module", module)
	hears(t, l) // only the default microphone hears that tone
	select {
	case err := <-source.(capture.Failing).Failed():
		t.Errorf("replaced, and yet: %v", err)
	default:
	}
	if _, err := capture.OpenMicrophone("Monitor of Gone"); err == nil {
		t.Error("the unplugged microphone is still offered")
	}
}

func TestASpeakersSoundIsNoMicrophone(t *testing.T) {
	startPulse(t)
	if _, err := capture.OpenMicrophone(""); err != nil {
		t.Fatal(err)
	}
	pactl(t, "unload-module", "module-remap-source")
	if names := capture.Microphones(); len(names) != 2 {
		t.Fatalf("%q", names)
	}
	if _, err := capture.OpenMicrophone(""); !errors.Is(err, capture.ErrNoMicrophone) {
		t.Errorf("with nothing but monitors: %v", err)
	}
	if _, err := capture.OpenMicrophone("Monitor of Speaker"); err != nil { // who wants it can have it
		t.Error(err)
	}
}

func TestDeadSoundServerIsReportedAndTheClockGoesOn(t *testing.T) {
	startPulse(t)
	stream := &soundcard.Stream{Kind: soundcard.Playback, Name: "Speaker"}
	pulled := make(chan struct{}, 1)
	stream.Block = func([]int16) {
		select {
		case pulled <- struct{}{}:
		default:
		}
	}
	if err := stream.Start(); err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	<-pulled
	pactl(t, "exit")
	select {
	case err := <-stream.Failed():
		t.Logf("told: %v", err)
	case <-time.After(patience):
		t.Fatal("nothing told")
	}
	for range 20 {
		select {
		case <-pulled:
		case <-time.After(patience):
			t.Fatal("nothing pulls any more")
		}
	}
	if got := playout.Speakers(); len(got) != 0 {
		t.Errorf("speakers without a sound server: %q", got)
	}
	if _, err := playout.OpenSpeaker(""); err == nil {
		t.Error("a speaker without a sound server")
	}
	if _, err := capture.OpenMicrophone(""); err == nil {
		t.Error("a microphone without a sound server")
	}
}
