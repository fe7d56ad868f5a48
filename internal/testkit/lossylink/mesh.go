package lossylink

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Host is one of the three places that a Mesh joins: two ends of a call and a server.
type Host int

// Hosts. Their addresses are 10.77.0.1, .2 and .3.
const (
	A Host = iota
	B
	S
)

const hosts = 3

// String is a, b or s.
func (h Host) String() string { return "abs"[h : h+1] }

// Address is the host's, in the namespace's own network.
func (h Host) Address() string { return fmt.Sprintf("10.77.0.%d", h+1) }

// Change is a line of a schedule.
type Change struct {
	At    time.Duration // after the schedule began
	Lines string        // see Mesh.Set
	Spec  string        // see Spec.Apply
}

// ParseChange reads "20s both rate=300k".
func ParseChange(text string) (Change, error) {
	f := strings.Fields(text)
	if len(f) != 3 {
		return Change{}, fmt.Errorf("change %q: a time, lines and what to set", text)
	}
	at, err := time.ParseDuration(f[0])
	if err == nil && at < 0 {
		err = errors.New("before the beginning")
	}
	if err == nil {
		_, err = Parse(f[2])
	}
	if err == nil {
		_, err = lineNames(f[1])
	}
	if err != nil {
		return Change{}, fmt.Errorf("change %q: %w", text, err)
	}
	return Change{at, f[1], f[2]}, nil
}

// Mesh is the six directions between three hosts and a schedule of changes. It belongs to one goroutine.
type Mesh struct {
	lines    [hosts][hosts]*Line
	schedule []Change // sorted, what is still to come
	began    time.Duration
	running  bool
}

// NewMesh makes perfect lines; equal seeds make equal luck.
func NewMesh(seed uint64, schedule []Change) *Mesh {
	m := &Mesh{schedule: slices.Clone(schedule)}
	slices.SortStableFunc(m.schedule, func(x, y Change) int { return int(x.At - y.At) })
	for from := range hosts {
		for to := range hosts {
			if from != to {
				m.lines[from][to] = NewLine(Spec{}, seed*100+uint64(from*hosts+to))
			}
		}
	}
	return m
}

// Begin starts the schedule's clock.
func (m *Mesh) Begin(now time.Duration) { m.began, m.running = now, true }

// Set changes lines: "ab" is from A to B, "both" is ab and ba, "srv" the four of the server, "all" all; "ab+as" lists some.
func (m *Mesh) Set(names, spec string, now time.Duration) error {
	list, err := lineNames(names)
	if err != nil {
		return err
	}
	for _, l := range list {
		if err := m.lines[l[0]][l[1]].Set(spec, now); err != nil {
			return err
		}
	}
	return nil
}

// Put takes in a packet; false when there is no such line.
func (m *Mesh) Put(from, to Host, data []byte, now time.Duration) bool {
	if to < A || to > S || m.lines[from][to] == nil {
		return false
	}
	m.lines[from][to].Put(Packet{Data: data}, now)
	return true
}

// Tick makes the changes that are due and hands out the packets that have arrived. changed may be nil.
func (m *Mesh) Tick(now time.Duration, arrived func(to Host, data []byte), changed func(Change)) {
	for m.running && len(m.schedule) > 0 && m.began+m.schedule[0].At <= now {
		c := m.schedule[0]
		m.schedule = m.schedule[1:]
		_ = m.Set(c.Lines, c.Spec, now) // ParseChange has tried it
		if changed != nil {
			changed(c)
		}
	}
	for _, row := range m.lines {
		for to, l := range row {
			if l == nil {
				continue
			}
			for p, ok := l.Due(now); ok; p, ok = l.Due(now) {
				arrived(Host(to), p.Data)
			}
		}
	}
}

// Next says when Tick has something to do, at the latest by.
func (m *Mesh) Next(by time.Duration) time.Duration {
	if m.running && len(m.schedule) > 0 {
		by = min(by, m.began+m.schedule[0].At)
	}
	for _, row := range m.lines {
		for _, l := range row {
			if l == nil {
				continue
			}
			if at, ok := l.Next(); ok {
				by = min(by, at)
			}
		}
	}
	return by
}

// Each visits every line by its name.
func (m *Mesh) Each(f func(name string, l *Line)) {
	for from, row := range m.lines {
		for to, l := range row {
			if l != nil {
				f(Host(from).String()+Host(to).String(), l)
			}
		}
	}
}

func lineNames(names string) ([][2]Host, error) {
	var list [][2]Host
	for name := range strings.SplitSeq(names, "+") {
		n := len(list)
		for from := A; from <= S; from++ {
			for to := A; to <= S; to++ {
				server := from == S || to == S
				if from != to && (name == "all" || name == from.String()+to.String() || name == "srv" && server || name == "both" && !server) {
					list = append(list, [2]Host{from, to})
				}
			}
		}
		if len(list) == n {
			return nil, fmt.Errorf("there is no line %q", name)
		}
	}
	return list, nil
}
