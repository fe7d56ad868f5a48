package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/sys/unix"
)

// manager is what systemd is to the server: it has the sockets and passes them on to one process after the other.
type manager struct {
	t     *testing.T
	data  string
	site  net.Listener
	turn  net.Listener
	relay net.PacketConn
	files []*os.File
	cmd   *exec.Cmd
	out   io.ReadCloser
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, data: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	m.site, err = net.Listen("tcp", "127.0.0.1:0")
	must(err)
	for { // one port that is free for both
		m.relay, err = net.ListenPacket("udp", "127.0.0.1:0")
		must(err)
		if m.turn, err = net.Listen("tcp", m.relay.LocalAddr().String()); err == nil {
			break
		}
		_ = m.relay.Close()
	}
	for _, s := range []interface{ File() (*os.File, error) }{m.site.(*net.TCPListener), m.turn.(*net.TCPListener), m.relay.(*net.UDPConn)} {
		f, err := s.File()
		must(err)
		m.files = append(m.files, f)
	}
	t.Cleanup(func() {
		m.stop()
		for _, f := range m.files {
			_ = f.Close()
		}
		_, _, _ = m.site.Close(), m.turn.Close(), m.relay.Close()
	})
	return m
}

// start starts a server and waits until it says that it listens.
func (m *manager) start(more ...string) {
	m.t.Helper()
	// The shell's process becomes the server's: only so can LISTEN_PID be known before it starts.
	m.cmd = exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0], "serve", "--data", m.data,
		"--listen", m.site.Addr().String(), "--turn-listen", m.relay.LocalAddr().String())
	m.cmd.Args = append(m.cmd.Args, more...)
	m.cmd.Env = append(os.Environ(), asServer+"=1", fmt.Sprint("LISTEN_FDS=", len(m.files)))
	m.cmd.ExtraFiles = m.files
	m.cmd.Stderr = os.Stderr
	var err error
	if m.out, err = m.cmd.StdoutPipe(); err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	in := bufio.NewReader(m.out)
	if line, err := in.ReadString('\n'); !strings.HasPrefix(line, "listening https://") {
		m.t.Fatalf("it says %q, %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
}

// stop ends the server as systemd does, and waits for its end.
func (m *manager) stop() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(unix.SIGTERM)
	if err := m.cmd.Wait(); err != nil {
		m.t.Errorf("the server ended with %v", err)
	}
	m.cmd = nil
}

// client trusts the server's certificate and makes a new connection for each request.
func (m *manager) client() *http.Client {
	m.t.Helper()
	pem, err := os.ReadFile(filepath.Join(m.data, "tls", "cert.pem"))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		m.t.Fatal("no certificate: ", err)
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
}

func TestRestartsRefuseNobody(t *testing.T) {
	m := newManager(t)
	m.start()
	c := m.client()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	visit := func() error {
		res, err := c.Get("https://" + m.site.Addr().String() + "/api/info")
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", res.Status)
		}
		return nil
	}
	var visits atomic.Int64
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for ctx.Err() == nil {
				if err := visit(); err != nil {
					t.Errorf("visit %d: %v", visits.Load(), err)
					return
				}
				visits.Add(1)
			}
		})
	}
	for range 3 {
		enough := visits.Load() + 20
		for visits.Load() < enough && !t.Failed() {
			waitABit(t)
		}
		m.stop()
		answer, visited := askSTUN(t, m.relay.LocalAddr().String()), make(chan error, 1)
		go func() { visited <- visit() }()
		waitABit(t)
		m.start()
		if err := <-answer; err != nil {
			t.Errorf("who asked the relay while no server ran: %v", err)
		}
		if err := <-visited; err != nil {
			t.Errorf("who came while no server ran: %v", err)
		}
	}
	stop()
	running.Wait()
	t.Logf("%d visits during three restarts, none refused", visits.Load())
}

// waitABit lets others run; what is waited for is asked for again.
func waitABit(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// askSTUN sends one question and never repeats it.
func askSTUN(t *testing.T, address string) <-chan error {
	t.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 1500)
		n, err := conn.Read(b)
		if err == nil && !stun.IsMessage(b[:n]) {
			err = fmt.Errorf("it answers %x", b[:n])
		}
		answer <- err
	}()
	return answer
}

// What the test before would see without passed sockets: the same visits are refused.
func TestWithoutPassedSocketsVisitsAreRefused(t *testing.T) {
	m := newManager(t)
	address := m.site.Addr().String()
	for _, f := range m.files {
		_ = f.Close()
	}
	_, _, _ = m.site.Close(), m.turn.Close(), m.relay.Close()
	m.files = nil
	m.start()
	c := m.client()
	res, err := c.Get("https://" + address + "/api/info")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	m.stop()
	if res, err := c.Get("https://" + address + "/api/info"); err == nil {
		_ = res.Body.Close()
		t.Error("a server that does not run answers")
	}
}

func TestUnitAndConfigurationDiffer(t *testing.T) {
	m := newManager(t)
	var log buffer
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	// The process is this one, and descriptors from 3 are its own: so it is told of none, and then of nonsense.
	env := func(n string) (string, bool) {
		v, ok := map[string]string{"LISTEN_PID": fmt.Sprint(os.Getpid()), "LISTEN_FDS": "many"}[n]
		return v, ok
	}
	if code := run(ctx, []string{"serve", "--data", m.data, "--listen", "127.0.0.1:0"}, env, io.Discard, &log); code != exitFailed || !strings.Contains(log.String(), "LISTEN_FDS") {
		t.Errorf("nonsense: %d, %s", code, log.String())
	}
	// Sockets that no setting asks for are closed, and it is said.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0], "serve", "--data", m.data,
		"--listen", "127.0.0.1:0", "--turn-listen", "none")
	cmd.Env = append(os.Environ(), asServer+"=1", fmt.Sprint("LISTEN_FDS=", len(m.files)))
	cmd.ExtraFiles = m.files
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v: %s", line, err, log.String())
	}
	_ = cmd.Process.Signal(unix.SIGTERM)
	_ = cmd.Wait()
	for _, a := range []string{"tcp " + m.site.Addr().String(), "udp " + m.relay.LocalAddr().String()} {
		if !strings.Contains(log.String(), a) {
			t.Errorf("nothing is said of %s: %s", a, log.String())
		}
	}
}
