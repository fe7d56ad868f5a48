package testkit

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Used is what a process has taken from the system.
type Used struct {
	CPU             time.Duration // user and system time of all its threads
	RSSMiB, PeakMiB float64       // resident now, and at most so far
}

// Usage reads /proc; Linux only.
func Usage(pid int) (Used, error) {
	var u Used
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	// The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it, in ticks of 10 ms.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(f) < 13 {
		return u, fmt.Errorf("read usage: /proc/%d/stat has %d fields", pid, len(f))
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	u.CPU = time.Duration(user+system) * 10 * time.Millisecond
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
	return u, nil
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
