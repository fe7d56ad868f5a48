package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"visavis.example/internal/testkit"
)

// The relays and the load live in network namespaces joined by a veth, because ours refuses peers on its own addresses
// whatever it is told. The addresses are public ones; nothing leaves the namespaces.
const (
	loadAddr  = "9.9.9.1"
	relayAddr = "9.9.9.2"
	relayPort = "3478"
)

// relays runs the stage: this program again, in a namespace of its own.
func relays(ctx context.Context, o relayOptions) ([]Row, error) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the relay is not measured: that needs root, for network namespaces")
		return nil, nil
	}
	words, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", relayStageWord, string(words))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("relay stage: %w", err)
	}
	var rows []Row
	if err := json.Unmarshal(out, &rows); err != nil {
		return nil, fmt.Errorf("relay stage: %w", err)
	}
	return rows, nil
}

const (
	relayStageWord  = "relay-stage"
	relayServerWord = "relay-server"
)

// relayChild is what this program does when relays has started it again; false: it was started by somebody else.
func relayChild(word string, args []string) (bool, error) {
	switch {
	case word == relayServerWord && len(args) == 1:
		return true, relayServer(args[0])
	case word == relayStageWord && len(args) == 1:
		var o relayOptions
		if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
			return true, err
		}
		rows, err := relayStage(o)
		if err != nil {
			return true, err
		}
		return true, json.NewEncoder(os.Stdout).Encode(rows)
	}
	return false, nil
}

// relayStage measures every load with every relay, round by round.
func relayStage(o relayOptions) ([]Row, error) {
	if err := ip("link", "set", "lo", "up"); err != nil {
		return nil, err
	}
	who := []string{coturn, ours}
	if _, err := exec.LookPath("turnserver"); err != nil {
		fmt.Fprintln(os.Stderr, "coturn is not installed (scripts/deps.sh bench): ours is measured alone")
		who = who[1:]
	}
	if o.Portable {
		who = append(who, portable)
	}
	results := make([][]map[string]relayRun, len(relayLoads))
	for round := range o.Rounds {
		for i, load := range relayLoads {
			runs := map[string]relayRun{}
			for k := range who { // in turns, so that none is always first
				name := who[(k+round)%len(who)]
				run, err := relayOnce(name, load, o)
				if err != nil {
					return nil, fmt.Errorf("%s, %v: %w", name, load, err)
				}
				runs[name] = run
				fmt.Fprintf(os.Stderr, "round %d, %v: %s %.3f s/100k, %.2g %% lost\n", round+1, load, name, run.per100k(),
					100*(1-float64(run.relayed)/float64(run.sent)))
			}
			results[i] = append(results[i], runs)
		}
	}
	var rows []Row
	for i, load := range relayLoads {
		rows = append(rows, relayRows(load, results[i])...)
	}
	return rows, nil
}

// relayOnce starts a relay, loads it and ends it.
func relayOnce(name string, load relayLoad, o relayOptions) (run relayRun, err error) {
	s, err := startRelay(name)
	if err != nil {
		return run, err
	}
	run, err = loadRelay(s, load, o)
	if err != nil {
		return run, s.failed(err)
	}
	defer s.stop()
	use, err := testkit.Usage(s.cmd.Process.Pid)
	run.rssMiB = use.RSSMiB
	return run, err
}

// relayProcess is a running relay in a namespace of its own.
type relayProcess struct {
	cmd            *exec.Cmd
	errors         bytes.Buffer // what it says on standard error; to be read when it has ended
	in             io.Closer
	folder         string
	user, password string
}

// startRelay starts it held back by its standard input, joins its namespace with ours, and lets it go.
func startRelay(name string) (*relayProcess, error) {
	folder, err := os.MkdirTemp("", "visavis-relaybench-")
	if err != nil {
		return nil, err
	}
	s := &relayProcess{folder: folder, cmd: exec.Command("/proc/self/exe", relayServerWord, name)}
	if name == coturn {
		s.user, s.password = restCredentials(coturnSecret, "bench")
		s.cmd = exec.Command("sh", append([]string{"-c", `read go && exec turnserver "$@"`, "sh"}, coturnFlags(folder)...)...)
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	s.cmd.Stderr = &s.errors
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.in = in
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := join(s.cmd.Process.Pid); err != nil {
		return nil, s.failed(err)
	}
	if _, err := io.WriteString(in, "go\n"); err != nil {
		return nil, s.failed(err)
	}
	if name != coturn { // it says what to sign in with
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			return nil, s.failed(fmt.Errorf("the relay did not start: %w", err))
		}
		s.user, s.password, _ = strings.Cut(strings.TrimSpace(line), " ")
	}
	return s, nil
}

// join makes a veth between this namespace and that of a process.
func join(pid int) error {
	of := []string{"--net=/proc/" + strconv.Itoa(pid) + "/ns/net", "ip"}
	there := func(args ...string) error { return command("nsenter", append(of, args...)...) }
	return errors.Join(
		ip("link", "add", "load", "type", "veth", "peer", "name", "relay", "netns", strconv.Itoa(pid)),
		ip("addr", "add", loadAddr+"/24", "dev", "load"),
		ip("link", "set", "load", "up"),
		there("link", "set", "lo", "up"),
		there("addr", "add", relayAddr+"/24", "dev", "relay"),
		there("link", "set", "relay", "up"),
	)
}

func ip(args ...string) error { return command("ip", args...) }

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// stop ends the process, and with it its namespace and the veth.
func (s *relayProcess) stop() {
	_ = s.in.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
	_ = os.RemoveAll(s.folder)
	_ = ip("link", "del", "load") // unless it has gone by itself already
}

// failed ends a relay that does not work, and says what it said.
func (s *relayProcess) failed(err error) error {
	s.stop()
	return fmt.Errorf("%w\n%s", err, s.errors.Bytes())
}

const coturnSecret = "bench"

// coturnFlags hardens coturn the same as ours is: special addresses refused, short credentials, no other doors.
func coturnFlags(folder string) []string {
	flags := []string{
		"-n", "--listening-ip=" + relayAddr, "--relay-ip=" + relayAddr, "--listening-port=" + relayPort, "--min-port=20000",
		"--max-port=60000", "--use-auth-secret", "--static-auth-secret=" + coturnSecret, "--realm=bench", "--no-cli", "--no-tls",
		"--no-dtls", "--no-multicast-peers", "--stale-nonce", "--simple-log", "--log-file=" + filepath.Join(folder, "log"),
		"--pidfile=" + filepath.Join(folder, "pid"), "--userdb=" + filepath.Join(folder, "db"), "--no-stdout-log",
	}
	for _, r := range []string{
		"0.0.0.0-0.255.255.255", "10.0.0.0-10.255.255.255", "100.64.0.0-100.127.255.255", "127.0.0.0-127.255.255.255",
		"169.254.0.0-169.254.255.255", "172.16.0.0-172.31.255.255", "192.0.0.0-192.0.0.255", "192.0.2.0-192.0.2.255",
		"192.88.99.0-192.88.99.255", "192.168.0.0-192.168.255.255", "198.18.0.0-198.19.255.255", "198.51.100.0-198.51.100.255",
		"203.0.113.0-203.0.113.255", "240.0.0.0-255.255.255.255", "::1", "64:ff9b::-64:ff9b::ffff:ffff", "::ffff:0.0.0.0-::ffff:255.255.255.255",
		"2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::-2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	} {
		flags = append(flags, "--denied-peer-ip="+r)
	}
	return flags
}
