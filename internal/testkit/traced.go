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

// TraceOf reads one stage of a trace; a last line that is still being written is left out.
func TraceOf(path, stage string) (Traced, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	seen := Traced{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var l struct {
			Stage string
			Frame int64
			T     float64
		}
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Stage == stage {
			whole, part := math.Modf(l.T)
			seen[l.Frame] = time.Unix(int64(whole), int64(part*1e9))
		}
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("%s has nothing %s", path, stage)
	}
	return seen, nil
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
