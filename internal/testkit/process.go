// Package testkit holds what tests and the demo share: real programs started and watched by their event lines, a real
// Chromium, a virtual display, a sound server, and readers for the marker in recorded pictures and the tone in recorded
// sound. It is imported by tests and by internal/demo only, and knows nothing of how the programs work inside.
package testkit

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
	"sync"
	"syscall"
	"time"
)

// Event is one JSON line of a program's --events.
type Event struct {
	Time   time.Time      `json:"time"`
	Event  string         `json:"event"`
	Fields map[string]any `json:"-"` // all of the line
}

// Process is a running program whose standard output is event lines (other lines are kept too) and whose standard
// error is kept.
type Process struct {
	Name string

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all output was read
	code int

	mu     sync.Mutex
	events []Event
	lines  []string
	errors bytes.Buffer
	news   chan struct{} // closed and replaced when something was added
	seen   map[string]int
}

// Start runs a program. env is added to the present environment.
func Start(name, path string, env []string, args ...string) (*Process, error) {
	p := &Process{Name: name, done: make(chan struct{}), news: make(chan struct{}), seen: map[string]int{}}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(append(os.Environ(), "LANG=en_US.UTF-8", "LC_ALL="), env...) // Fyne complains about a locale of C
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.readLines(out) })
	readers.Go(func() { p.readErrors(errs) })
	go func() {
		readers.Wait()
		_ = p.cmd.Wait() // the exit code says it
		p.mu.Lock()
		p.code = p.cmd.ProcessState.ExitCode()
		p.mu.Unlock()
		close(p.done)
	}()
	return p, nil
}

func (p *Process) readLines(r io.Reader) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var e Event
		isEvent := json.Unmarshal(in.Bytes(), &e) == nil && e.Event != ""
		if isEvent {
			_ = json.Unmarshal(in.Bytes(), &e.Fields)
		}
		p.mu.Lock()
		if isEvent {
			p.events = append(p.events, e)
		} else {
			p.lines = append(p.lines, in.Text())
		}
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *Process) readErrors(r io.Reader) {
	b := make([]byte, 4096)
	for {
		n, err := r.Read(b)
		p.mu.Lock()
		p.errors.Write(b[:n])
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Wait gives the next event of that name that Wait has not given yet, waiting for it. It fails when the program has
// ended without saying it, or with ctx.
func (p *Process) Wait(ctx context.Context, event string) (Event, error) {
	for {
		p.mu.Lock()
		n := 0
		for _, e := range p.events {
			if e.Event != event {
				continue
			}
			if n++; n > p.seen[event] {
				p.seen[event] = n
				p.mu.Unlock()
				return e, nil
			}
		}
		news := p.news
		p.mu.Unlock()
		if err := p.pause(ctx, news); err != nil {
			return Event{}, fmt.Errorf("%s: waiting for event %q: %w", p.Name, event, err)
		}
	}
}

// Line waits for a line of standard output or standard error that match accepts, and gives it.
func (p *Process) Line(ctx context.Context, match func(string) bool) (string, error) {
	for {
		p.mu.Lock()
		lines := append([]string(nil), p.lines...)
		for _, l := range bytes.Split(p.errors.Bytes(), []byte("\n")) {
			lines = append(lines, string(l))
		}
		news := p.news
		p.mu.Unlock()
		for _, l := range lines {
			if match(l) {
				return l, nil
			}
		}
		if err := p.pause(ctx, news); err != nil {
			return "", fmt.Errorf("%s: waiting for a line: %w", p.Name, err)
		}
	}
}

var errEnded = errors.New("the program has ended")

// pause returns when something new was said; an error when nothing can come any more.
func (p *Process) pause(ctx context.Context, news <-chan struct{}) error {
	select {
	case <-news:
		return nil
	case <-p.done:
		select {
		case <-news: // said with its last breath
			return nil
		default:
		}
		return fmt.Errorf("%w with code %d; it said:\n%s", errEnded, p.Code(), p.Errors())
	case <-ctx.Done():
		return fmt.Errorf("%w; it said:\n%s", ctx.Err(), p.Errors())
	}
}

// Exit waits for the end and gives the exit code (-1: by a signal).
func (p *Process) Exit(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.Code(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s goes on: %w; it said:\n%s", p.Name, ctx.Err(), p.Errors())
	}
}

// Code is the exit code of a program that has ended.
func (p *Process) Code() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

// Errors is what the program has said on standard error so far.
func (p *Process) Errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors.String()
}

// Events is every event so far.
func (p *Process) Events() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Event(nil), p.events...)
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to a running program.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Close asks the program to end, ends it after ten seconds, and waits.
func (p *Process) Close() {
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
