package lossylink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Joint is a running Mesh between three namespaces. One thread does all: it waits for packets, the clock and commands.
type Joint struct {
	Mesh *Mesh
	// Report takes events as JSON lines: "up" with the namespaces' paths, "link" for every used line and second,
	// "change" and "start".
	Report io.Writer
	// Commands, if not nil, is read for lines: "start" begins the schedule, "set LINES SPEC", "quit"; its end is "quit" too, so
	// that we end with whoever started us.
	Commands *os.File
	Ready    func(namespaces map[string]string) // nil: nobody is told; by "a", "b", "s"
	Begin    bool                               // the schedule begins at once

	devices  [hosts]device
	last     map[string]Counters
	lines    chan []byte // to Report, by a goroutine of its own: a slow disk must not hold up packets
	reported chan struct{}
	partial  []byte
	buffer   [2048]byte
}

func clock() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

// Run passes packets until ctx ends or "quit" comes. Needs root.
func (j *Joint) Run(ctx context.Context) error {
	if err := Possible(); err != nil {
		return err
	}
	for h := range j.devices {
		d, err := newDevice(Host(h))
		if err != nil {
			return err
		}
		defer d.close()
		j.devices[h] = d
	}
	j.last, j.lines, j.reported = map[string]Counters{}, make(chan []byte, 1024), make(chan struct{})
	go func() {
		defer close(j.reported)
		for b := range j.lines {
			_, _ = j.Report.Write(b)
		}
	}()
	defer func() {
		close(j.lines)
		<-j.reported
	}()
	paths, up := map[string]string{}, map[string]any{"event": "up"}
	for h, d := range j.devices {
		path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), d.namespace)
		paths[Host(h).String()], up[Host(h).String()] = path, path
	}
	j.say(up)
	if j.Ready != nil {
		j.Ready(paths)
	}
	if j.Begin {
		j.Mesh.Begin(clock())
	}
	return j.loop(ctx)
}

func (j *Joint) say(fields map[string]any) {
	fields["t"] = float64(time.Now().UnixMicro()) / 1e6
	b, _ := json.Marshal(fields) // numbers and words only
	select {
	case j.lines <- append(b, '\n'):
	default: // nobody reads; the packets matter more
	}
}

var errQuit = errors.New("quit")

func (j *Joint) loop(ctx context.Context) error {
	poll := make([]unix.PollFd, 0, devices+1)
	for _, d := range j.devices {
		for _, tun := range d.tun {
			poll = append(poll, unix.PollFd{Fd: int32(tun), Events: unix.POLLIN})
		}
	}
	if j.Commands != nil {
		poll = append(poll, unix.PollFd{Fd: int32(j.Commands.Fd()), Events: unix.POLLIN})
	}
	second := clock() + time.Second
	for ctx.Err() == nil {
		now := clock()
		j.Mesh.Tick(now, j.deliver, j.changed)
		if now >= second {
			j.counts()
			second += time.Second
		}
		// 50 ms at most, so that the end of ctx is seen.
		wait := max(j.Mesh.Next(min(second, now+50*time.Millisecond))-clock(), 0)
		t := unix.NsecToTimespec(int64(wait))
		n, _, _ := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll[0])), uintptr(len(poll)), uintptr(unsafe.Pointer(&t)), 0, 0, 0)
		if int(n) <= 0 {
			continue
		}
		for i := range devices {
			if poll[i].Revents != 0 {
				j.take(Host(i/interfaces), int(poll[i].Fd))
			}
		}
		if len(poll) > devices && poll[devices].Revents != 0 {
			if err := j.command(); errors.Is(err, errQuit) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// take reads what the programs of h have sent, at most so much that the others are not kept waiting.
func (j *Joint) take(h Host, tun int) {
	now := clock()
	for range 64 {
		n, err := unix.Read(tun, j.buffer[:])
		if err != nil || n <= 0 {
			return
		}
		if to, ok := destination(j.buffer[:n]); ok {
			j.Mesh.Put(h, to, slices.Clone(j.buffer[:n]), now)
		}
	}
}

// destination is false for all but IPv4 packets (RFC 791) to one of the hosts: multicast and the like.
func destination(p []byte) (Host, bool) {
	if len(p) < 20 || p[0]>>4 != 4 || !bytes.Equal(p[16:18], []byte{10, 77}) || p[18] >= interfaces || p[19] < 1 || p[19] > hosts {
		return 0, false
	}
	return Host(p[19] - 1), true
}

// deliver fails for a device that is down, as it should.
func (j *Joint) deliver(to Host, data []byte) { _, _ = unix.Write(j.devices[to].tun[data[18]], data) }

// devices is how many there are in all, two of each host.
const devices = hosts * interfaces

func (j *Joint) changed(c Change) {
	j.say(map[string]any{"event": "change", "lines": c.Lines, "spec": c.Spec})
}

// counts reports the last second of every line that was used.
func (j *Joint) counts() {
	j.Mesh.Each(func(name string, l *Line) {
		now, before := l.Count, j.last[name]
		l.Count.LongestQueue, l.Count.LatestBy = 0, 0
		j.last[name] = now
		if now.In == before.In && now.Out == before.Out {
			return
		}
		late := time.Duration(0)
		if n := now.Out - before.Out; n > 0 {
			late = (now.LateSum - before.LateSum) / time.Duration(n)
		}
		j.say(map[string]any{
			"event": "link", "link": name, "in": now.In - before.In, "out": now.Out - before.Out,
			"in_kbit": (now.InBytes - before.InBytes) * 8 / 1000, "out_kbit": (now.OutBytes - before.OutBytes) * 8 / 1000,
			"lost": now.Lost - before.Lost, "overflowed": now.Overflowed - before.Overflowed, "duplicated": now.Duplicated - before.Duplicated,
			"queue_ms": float64(now.LongestQueue.Microseconds()) / 1000, "late_ms": float64(late.Microseconds()) / 1000,
			"latest_ms": float64(now.LatestBy.Microseconds()) / 1000,
		})
	})
}

// command reads what there is and obeys whole lines.
func (j *Joint) command() error {
	n, err := unix.Read(int(j.Commands.Fd()), j.buffer[:])
	if err != nil || n <= 0 {
		return errQuit
	}
	j.partial = append(j.partial, j.buffer[:n]...)
	for {
		line, rest, ok := bytes.Cut(j.partial, []byte("\n"))
		if !ok {
			return nil
		}
		j.partial = slices.Clone(rest)
		f := strings.Fields(string(line))
		switch {
		case len(f) == 0:
		case f[0] == "quit":
			return errQuit
		case f[0] == "start":
			j.Mesh.Begin(clock())
			j.say(map[string]any{"event": "start"})
		case f[0] == "set" && len(f) == 3:
			if err := j.Mesh.Set(f[1], f[2], clock()); err != nil {
				return err
			}
			j.changed(Change{Lines: f[1], Spec: f[2]})
		default:
			return fmt.Errorf("command %q: start, set LINES SPEC or quit", line)
		}
	}
}
