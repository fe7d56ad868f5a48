package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hosts are two machines with a line between them: namespaces of the network, which only root can make.
type hosts struct {
	t    *testing.T
	a, b string
}

func twoHosts(t *testing.T) *hosts {
	t.Helper()
	h := &hosts{t: t, a: fmt.Sprint("doctor-a", os.Getpid()), b: fmt.Sprint("doctor-b", os.Getpid())}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "netns", "del", h.a).Run()
		_ = exec.Command("ip", "netns", "del", h.b).Run()
	})
	for i, line := range []string{
		"netns add " + h.a, "netns add " + h.b,
		"-n " + h.a + " link add line type veth peer name line netns " + h.b,
		// Addresses as of the internet, which is not here: the relay talks to no special ones.
		"-n " + h.a + " addr add 9.9.9.1/24 dev line", "-n " + h.b + " addr add 9.9.9.2/24 dev line",
		"-n " + h.a + " link set line up", "-n " + h.b + " link set line up",
		"-n " + h.a + " link set lo up", "-n " + h.b + " link set lo up",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			if i < 3 {
				t.Skipf("networks cannot be made here: ip %s: %s", line, out)
			}
			t.Fatalf("ip %s: %v: %s", line, err, out)
		}
	}
	return h
}

// on makes a command of this program on one of the hosts.
func (h *hosts) on(host string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", host, os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	return cmd
}

// lose makes packets of a kind vanish where they leave a host.
func (h *hosts) lose(host, kind string) {
	h.t.Helper()
	rule := "-n " + host + " rule add pref 1 " + kind + " blackhole"
	if out, err := exec.Command("ip", strings.Fields(rule)...).CombinedOutput(); err != nil {
		h.t.Skipf("no packets can be lost here: ip %s: %v: %s", rule, err, out)
	}
}

// find ends what lose began.
func (h *hosts) find(host, kind string) {
	h.t.Helper()
	rule := "-n " + host + " rule del pref 1 " + kind + " blackhole"
	if out, err := exec.Command("ip", strings.Fields(rule)...).CombinedOutput(); err != nil {
		h.t.Fatalf("ip %s: %v: %s", rule, err, out)
	}
}

func TestDoctorFromAnotherMachine(t *testing.T) {
	h := twoHosts(t)
	dir := t.TempDir()
	srv := h.on(h.a, "serve", "--listen", "9.9.9.1:8443", "--turn-listen", "9.9.9.1:3478", "--turn-ports", "50000-50100", "--data", dir)
	var log buffer
	srv.Stderr = &log
	out, err := srv.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = srv.Process.Signal(unix.SIGTERM)
		_ = srv.Wait()
	}()
	in := bufio.NewReader(out)
	if line, err := in.ReadString('\n'); err != nil {
		t.Fatalf("the server says %q, %v: %s", line, err, log.String())
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()

	doctor := func() (says string, code int) {
		cmd := h.on(h.b, "doctor", "--patience", "3s", "--ca", filepath.Join(dir, "tls", "cert.pem"), "https://9.9.9.1:8443")
		b, _ := cmd.CombinedOutput()
		return string(b), cmd.ProcessState.ExitCode()
	}
	want := func(says string, lines ...string) {
		t.Helper()
		for _, l := range lines {
			if !strings.Contains(says, l) {
				t.Errorf("it does not say %q:\n%s", l, says)
			}
		}
	}
	says, code := doctor()
	want(says, "ok       relay by UDP", "ok       relay by TCP", "ok       relay by TLS", "ok       NAT", "ok       relayed ports", "ok       clock")
	if code != exitOK {
		t.Errorf("exit code %d:\n%s\n%s", code, says, log.String())
	}

	// As a rented machine comes: what nobody has opened is closed.
	h.lose(h.a, "to 9.9.9.2 ipproto tcp sport 3478")
	h.lose(h.b, "to 9.9.9.1 ipproto udp dport 50000-50100")
	says, code = doctor()
	want(says, "ok       relay by UDP", "ok       relay by TLS", "WRONG    relay by TCP", "open TCP 3478", "WRONG    relayed ports", "turn-ports")
	if code != exitFailed {
		t.Errorf("exit code %d:\n%s", code, says)
	}
	h.find(h.a, "to 9.9.9.2 ipproto tcp sport 3478")
	h.find(h.b, "to 9.9.9.1 ipproto udp dport 50000-50100")

	h.lose(h.a, "to 9.9.9.2 ipproto udp sport 3478")
	says, code = doctor()
	want(says, "WRONG    relay by UDP", "open UDP 3478", "ok       relay by TCP", "ok       relay by TLS")
	if code != exitFailed {
		t.Errorf("exit code %d:\n%s", code, says)
	}
	h.find(h.a, "to 9.9.9.2 ipproto udp sport 3478")

	h.lose(h.a, "to 9.9.9.2 ipproto tcp sport 8443")
	says, code = doctor()
	want(says, "WRONG    site", "8443")
	if code != exitFailed || strings.Contains(says, "ok       relay") {
		t.Errorf("exit code %d:\n%s", code, says)
	}
}
