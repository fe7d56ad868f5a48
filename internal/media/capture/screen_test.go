package capture

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"visavis.example/internal/media"
)

// startX runs an X server with a white root window on a display that it picks itself.
func startX(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Skip("Xvfb is not installed: no real screen is tested")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "640x400x24", "-wr", "-nolisten", "tcp", "-noreset")
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = x.Process.Kill()
		_ = x.Wait()
	})
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal("Xvfb does not come up:", err)
	}
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(number))
	t.Setenv("XDG_SESSION_TYPE", "x11")
}

func TestRealScreen(t *testing.T) {
	startX(t)
	t.Cleanup(func() { unregister("X11Screen0") })
	if names := Screens(); len(names) != 1 || names[0] != "Screen 1" {
		t.Fatalf("screens %q", names)
	}
	for _, name := range []string{"", "Screen 1"} { // the second time shows that the first was closed
		s, err := OpenScreen(name, 20)
		if err != nil {
			t.Fatal(err)
		}
		p := make(pictures, 4)
		if err := s.Start(p.deliver); err != nil {
			t.Fatal(err)
		}
		first := p.next(t)
		if first.Width != 640 || first.Height != 400 {
			t.Errorf("%dx%d", first.Width, first.Height)
		}
		at := first.Captured
		for range 5 {
			f := p.next(t)
			if y, u, v := f.Y[200*f.StrideY+600], f.U[100*f.StrideUV+300], f.V[100*f.StrideUV+300]; y != 235 || u != 128 || v != 128 {
				t.Errorf("a white screen is %d %d %d", y, u, v)
			}
			if !f.Captured.After(at) {
				t.Error("time stands still")
			}
			at = f.Captured
			f.Release()
		}
		first.Release()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNoScreens(t *testing.T) {
	t.Setenv("DISPLAY", "")
	if _, err := OpenScreen("", 10); !errors.Is(err, ErrNoScreen) {
		t.Errorf("without a display: %v", err)
	}
	t.Setenv("WAYLAND_DISPLAY", "wayland-0")
	t.Setenv("XDG_SESSION_TYPE", "wayland")
	if s := Screens(); len(s) != 0 {
		t.Errorf("screens under Wayland: %q", s)
	}
}

var _ media.VideoSource = (*videoSource)(nil)
