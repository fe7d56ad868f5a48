package testkit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// Traced is when each picture passed one stage of a client's --trace, by its number.
type Traced map[int64]time.Time

// TraceOf reads one stage of a trace.
func TraceOf(path, stage string) (Traced, error) {
	seen := Traced{}
	err := traceLines(path, func(l traceLine) {
		if l.Stage == stage {
			seen[l.Frame] = l.time()
		}
	})
	if err == nil && len(seen) == 0 {
		err = fmt.Errorf("%s has nothing %s", path, stage)
	}
	return seen, err
}

// Between gives the numbers of those that passed in that time, the smallest first.
func (p Traced) Between(from, to time.Time) (numbers []int64) {
	for n, at := range p {
		if at.After(from) && at.Before(to) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// Longest is the longest time without any, between from and to, and when it ended.
func (p Traced) Longest(from, to time.Time) (pause time.Duration, end time.Time) {
	times := []time.Time{from}
	for _, at := range p {
		if at.After(from) && at.Before(to) {
			times = append(times, at)
		}
	}
	times = append(times, to)
	slices.SortFunc(times, time.Time.Compare)
	for i, at := range times[1:] {
		if d := at.Sub(times[i]); d > pause {
			pause, end = d, at
		}
	}
	return pause, end
}

// Decision is what a part of the engine decided, with the figures behind it.
type Decision struct {
	At     time.Time
	Why    string
	Values map[string]float64
}

// Decisions are one kind of a trace's, in order.
type Decisions []Decision

// DecisionsOf reads the decisions of a kind ("estimate", "ladder", "playout", "sound") from a trace.
func DecisionsOf(path, kind string) (Decisions, error) {
	var list Decisions
	err := traceLines(path, func(l traceLine) {
		if l.Stage == "decision" && l.Kind == kind {
			list = append(list, Decision{l.time(), l.Why, l.Values})
		}
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s has no decision about %s", path, kind)
	}
	return list, err
}

// Range is the least and the most of a value between from and to; without one of them NaN.
func (d Decisions) Range(value string, from, to time.Time) (least, most float64) {
	least, most = math.NaN(), math.NaN()
	for _, x := range d {
		v, ok := x.Values[value]
		if !ok || x.At.Before(from) || x.At.After(to) {
			continue
		}
		if math.IsNaN(least) {
			least, most = v, v
		}
		least, most = min(least, v), max(most, v)
	}
	return least, most
}

// traceLine is one of a trace, as docs/performance.md and cmd/client describe it.
type traceLine struct {
	Stage  string
	Frame  int64
	T      float64
	Kind   string
	Why    string
	Values map[string]float64
}

func (l traceLine) time() time.Time {
	whole, part := math.Modf(l.T)
	return time.Unix(int64(whole), int64(part*1e9))
}

// traceLines reads a trace; a last line that is still being written is left out.
func traceLines(path string, each func(traceLine)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l traceLine
		if json.Unmarshal(lines.Bytes(), &l) == nil {
			each(l)
		}
	}
	return lines.Err()
}
