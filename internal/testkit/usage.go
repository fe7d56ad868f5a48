package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Used is what a process has taken from the system.
type Used struct {
	CPU             time.Duration // user and system time of all its threads
	Main            time.Duration // of its first thread: the one that draws, in a program with a window
	SoftwareGL      time.Duration // of the threads with which Mesa stands in for a graphics card
	RSSMiB, PeakMiB float64       // resident now, and at most so far
	PSSMiB          float64       // resident now, with shared pages divided among those who share them
}

// Usage reads /proc; Linux only.
func Usage(pid int) (Used, error) {
	var u Used
	var err error
	if _, u.CPU, err = cpuOf(fmt.Sprintf("/proc/%d/stat", pid)); err != nil {
		return u, err
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	for _, t := range threads {
		name, cpu, err := cpuOf(t)
		switch {
		case err != nil: // it has just ended
		case strings.HasPrefix(name, "llvmpipe") || strings.Contains(name, ":gl") || strings.Contains(name, ":sh") || strings.Contains(name, ":cs"):
			u.SoftwareGL += cpu
		case strings.HasSuffix(filepath.Dir(t), fmt.Sprintf("/%d", pid)):
			u.Main = cpu
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			u.RSSMiB = kib / 1024
		case "VmHWM":
			u.PeakMiB = kib / 1024
		}
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil { // since Linux 4.14, and only of own processes
		u.PSSMiB = pssMiB(string(b))
	}
	return u, nil
}

// pssMiB reads smaps_rollup.
func pssMiB(rollup string) float64 {
	for line := range strings.Lines(rollup) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kib / 1024
		}
	}
	return 0
}

// cpuOf reads a stat file of /proc: the name in parentheses, which may hold spaces, and user and system time, the 12th and
// 13th field after it, in ticks of 10 ms.
func cpuOf(file string) (name string, cpu time.Duration, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", 0, fmt.Errorf("read usage: %w", err)
	}
	stat := string(b)
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", 0, fmt.Errorf("read usage: %s is not understood", file)
	}
	f := strings.Fields(stat[end+1:])
	if len(f) < 13 {
		return "", 0, fmt.Errorf("read usage: %s has %d fields", file, len(f))
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return stat[open+1 : end], time.Duration(user+system) * 10 * time.Millisecond, nil
}

// StatsEvents are the stats events of a client.
type StatsEvents []Event

// Stats picks them out.
func Stats(all []Event) StatsEvents {
	return slices.DeleteFunc(slices.Clone(all), func(e Event) bool { return e.Event != "stats" })
}

// Median of a field, over all events but the first third, in which a call is still ramping up.
func (s StatsEvents) Median(field string) float64 {
	var v []float64
	for _, e := range s[len(s)/3:] {
		if x, ok := e.Fields[field].(float64); ok {
			v = append(v, x)
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// Last value of a text field.
func (s StatsEvents) Last(field string) string {
	if len(s) == 0 {
		return ""
	}
	text, _ := s[len(s)-1].Fields[field].(string)
	return text
}
