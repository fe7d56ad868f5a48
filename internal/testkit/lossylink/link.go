package lossylink

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Config is a line between programs.
type Config struct {
	Program  string   // the built command linkem; see Build
	Lines    []string // "LINES SPEC", as Mesh.Set takes them
	Schedule []Change // begins with Link.Begin
	Seed     uint64
}

// Second is what a line did in one second.
type Second struct {
	Time       float64 `json:"t"` // Unix seconds, of its end
	Link       string  `json:"link"`
	In         int64   `json:"in"`
	Out        int64   `json:"out"`
	InKbit     float64 `json:"in_kbit"`
	OutKbit    float64 `json:"out_kbit"`
	Lost       int64   `json:"lost"`
	Overflowed int64   `json:"overflowed"`
	QueueMs    float64 `json:"queue_ms"`
	LateMs     float64 `json:"late_ms"`   // how late packets left the emulator, on average
	LatestMs   float64 `json:"latest_ms"` // and at most
}

// Changed is a change as it happened.
type Changed struct {
	Time  float64 `json:"t"` // Unix seconds
	Lines string  `json:"lines"`
	Spec  string  `json:"spec"`
}

// Link is a running linkem, a process of its own so that it alone has real-time priority.
type Link struct {
	cmd        *exec.Cmd
	in         io.WriteCloser
	namespaces [hosts]string
	up         chan struct{}
	done       chan struct{}
	err        error

	mu      sync.Mutex
	seconds []Second
	changes []Changed
	said    strings.Builder
}

// Build builds the command linkem into dir and gives its path.
func Build(ctx context.Context, dir string) (string, error) {
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(dir, "linkem")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "../linkem")
	cmd.Dir = filepath.Dir(file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build linkem: %w\n%s", err, out)
	}
	return path, nil
}

// Start makes the namespaces and joins them. They end with Close, and with this process however it ends.
func Start(ctx context.Context, c Config) (*Link, error) {
	args := []string{"-commands", "-seed", fmt.Sprint(c.Seed)}
	for _, s := range c.Lines {
		args = append(args, "-set", s)
	}
	for _, s := range c.Schedule {
		args = append(args, "-at", fmt.Sprintf("%v %s %s", s.At, s.Lines, s.Spec))
	}
	l := &Link{cmd: exec.Command(c.Program, args...), up: make(chan struct{}), done: make(chan struct{})}
	var err error
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start linkem: %w", err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start linkem: %w", err)
	}
	l.cmd.Stderr = &l.said
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start linkem: %w", err)
	}
	go l.read(out)
	select {
	case <-l.up:
		return l, nil
	case <-l.done:
		return nil, fmt.Errorf("start linkem: %w: %s", l.err, l.said.String())
	case <-ctx.Done():
		_ = l.Close()
		return nil, ctx.Err()
	}
}

func (l *Link) read(out io.Reader) {
	for in := bufio.NewScanner(out); in.Scan(); {
		var e struct {
			Event, A, B, S string
		}
		if json.Unmarshal(in.Bytes(), &e) != nil {
			continue
		}
		l.mu.Lock()
		switch e.Event {
		case "up":
			l.namespaces = [hosts]string{e.A, e.B, e.S}
			close(l.up)
		case "link":
			var s Second
			_ = json.Unmarshal(in.Bytes(), &s)
			l.seconds = append(l.seconds, s)
		case "change":
			var c Changed
			_ = json.Unmarshal(in.Bytes(), &c)
			l.changes = append(l.changes, c)
		}
		l.mu.Unlock()
	}
	l.err = l.cmd.Wait()
	if l.err == nil {
		l.err = errors.New("it has ended")
	}
	close(l.done)
}

// Before is what to put before a command so that it runs in h's namespace, as the same process.
func (l *Link) Before(h Host) []string { return []string{"nsenter", "--net=" + l.namespaces[h]} }

// Dial connects from within h's namespace.
func (l *Link) Dial(h Host, network, address string) (c net.Conn, err error) {
	err = l.In(h, func() (err error) {
		c, err = net.DialTimeout(network, address, 10*time.Second)
		return err
	})
	return c, err
}

// Begin starts the schedule.
func (l *Link) Begin() error { return l.command("start") }

// Set changes lines from now on; see Mesh.Set.
func (l *Link) Set(lines, spec string) error { return l.command("set " + lines + " " + spec) }

func (l *Link) command(line string) error {
	if _, err := io.WriteString(l.in, line+"\n"); err != nil {
		return fmt.Errorf("linkem: %w", err)
	}
	return nil
}

// Seconds is what the lines did so far.
func (l *Link) Seconds() []Second {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Second(nil), l.seconds...)
}

// Changes is what was changed so far, with its times.
func (l *Link) Changes() []Changed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Changed(nil), l.changes...)
}

// Close ends the line; programs that still run in the namespaces have no network from then on.
func (l *Link) Close() error {
	_ = l.in.Close() // which ends it
	select {
	case <-l.done:
		return nil
	case <-time.After(5 * time.Second):
		_ = l.cmd.Process.Kill()
		<-l.done
		return errors.New("linkem had to be killed")
	}
}
