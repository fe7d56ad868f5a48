package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Sound is a PulseAudio daemon of its own, without hardware: a speaker "spk" whose sound can be heard on its monitor, and
// a microphone "vmic" that plays what is sent to "micsink".
type Sound struct {
	dir string
	cmd *exec.Cmd
}

// StartSound starts the daemon in dir, which should be short-lived and short of name: it holds a socket.
func StartSound(ctx context.Context, dir string) (*Sound, error) {
	s := &Sound{dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o700); err != nil {
		return nil, fmt.Errorf("start sound: %w", err)
	}
	s.cmd = exec.Command("pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n", "--log-target=stderr", "--log-level=error",
		"-L", "module-native-protocol-unix auth-anonymous=1",
		"-L", "module-null-sink sink_name=spk rate=48000 sink_properties=device.description=Speaker",
		"-L", "module-null-sink sink_name=micsink rate=48000",
		"-L", "module-remap-source master=micsink.monitor source_name=vmic source_properties=device.description=Microphone")
	s.cmd.Env = append(os.Environ(), s.Env()...)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start sound: %w (is pulseaudio installed?)", err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		info := exec.Command("pactl", "info")
		info.Env = s.cmd.Env
		if out, err := info.CombinedOutput(); err == nil && strings.Contains(string(out), "Default Sink") {
			return s, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.Close()
			return nil, fmt.Errorf("start sound: %w", ctx.Err())
		}
	}
}

// Env points a program to this daemon.
func (s *Sound) Env() []string {
	run := filepath.Join(s.dir, "run")
	return []string{"XDG_RUNTIME_DIR=" + run, "PULSE_RUNTIME_PATH=" + filepath.Join(run, "pulse"), "HOME=" + s.dir}
}

// Close ends the daemon.
func (s *Sound) Close() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
