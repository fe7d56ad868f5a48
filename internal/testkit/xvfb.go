package testkit

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Display is an X server without a screen.
type Display struct {
	Name string // ":77", for DISPLAY
	cmd  *exec.Cmd
}

// StartDisplay starts Xvfb on a display number that is free.
func StartDisplay(width, height int) (*Display, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start display: %w", err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("start display: %w (is Xvfb installed?)", err)
	}
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("start display: Xvfb did not say its number: %w", err)
	}
	return &Display{Name: ":" + strings.TrimSpace(line), cmd: cmd}, nil
}

// Env is what a program needs to draw there, with software GL.
func (d *Display) Env() []string {
	return []string{"DISPLAY=" + d.Name, "WAYLAND_DISPLAY=", "LIBGL_ALWAYS_SOFTWARE=1"}
}

// Close ends the X server.
func (d *Display) Close() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait()
}
