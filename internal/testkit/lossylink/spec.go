// Package lossylink is a bad line for tests and measurements: delay, jitter, loss, bursts of loss, a bottleneck with a
// drop-tail queue, duplicates, reordering and blackouts, by a schedule. Line and Mesh are the arithmetic, pure, with the
// clock as argument. Run joins three network namespaces of Linux by TUN devices and passes every packet through a Mesh, so
// that whole programs meet over it (command linkem beside; Start runs that from a test); Shape does the same to one
// net.PacketConn in process, without root. It stands in for netem, which many kernels lack.
package lossylink

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Spec says what one direction of a line does to packets, in this order: block and loss, then rate with its queue, then
// delay with jitter, then duplicates. The zero value is a perfect line.
type Spec struct {
	Delay  time.Duration
	Jitter time.Duration // added to Delay: uniform in ±Jitter, or normal with this deviation
	Normal bool
	// Correlation of one packet's jitter with that of the packet before, 0 to 1.
	Correlation float64
	Reorder     bool // jitter may change the order; else a packet waits for the one before it

	Loss  float64 // share of packets, independent of each other
	Burst Burst
	Block bool // nothing passes

	RateBps float64       // 0: unlimited. IP headers count
	Queue   time.Duration // how long a full queue takes to drain at the present rate; 0: 200 ms

	Duplicate float64 // share of packets
}

// Burst is the Gilbert-Elliott model (Gilbert 1960, Elliott 1963): each packet may change the state of the line, and is
// lost with the state's probability. The zero value never loses.
type Burst struct {
	ToBad, ToGood     float64 // probabilities of a change, a packet
	LossGood, LossBad float64
}

// Bursts loses that share of packets, in runs of that mean length.
func Bursts(share, length float64) (Burst, error) {
	if !(share >= 0 && share < 1 && length >= 1) {
		return Burst{}, fmt.Errorf("bursts: share %v is 0 to below 1, length %v at least 1", share, length)
	}
	back := 1 / length
	return Burst{ToBad: back * share / (1 - share), ToGood: back, LossBad: 1}, nil
}

// Parse reads a specification such as "delay=25ms,loss=2%"; see Apply.
func Parse(text string) (Spec, error) {
	var s Spec
	return s, s.Apply(text)
}

// Apply changes what text names and leaves the rest. Keys, separated by commas:
//
//	delay=25ms jitter=30ms jitter=normal:10ms corr=0.9 reorder=1 loss=2% burst=5%:8 (share:mean length)
//	ge=1:25:0:100 (to bad:to good:loss when good:loss when bad, each in percent) rate=300k|2M|0 queue=300ms dup=1% block=1
func (s *Spec) Apply(text string) error {
	next := *s
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		if err := next.set(key, value); err != nil {
			return fmt.Errorf("line %q: %w", part, err)
		}
	}
	*s = next
	return nil
}

func (s *Spec) set(key, value string) (err error) {
	switch key {
	case "delay":
		s.Delay, err = length(value)
	case "jitter":
		value, s.Normal = strings.CutPrefix(value, "normal:")
		s.Jitter, err = length(value)
	case "corr":
		s.Correlation, err = share(value, 1)
	case "reorder":
		s.Reorder, err = strconv.ParseBool(value)
	case "loss":
		s.Loss, err = share(value, 100)
	case "burst":
		s.Burst, err = parseBurst(value)
	case "ge":
		s.Burst, err = parseStates(value)
	case "rate":
		s.RateBps, err = rate(value)
	case "queue":
		s.Queue, err = length(value)
	case "dup":
		s.Duplicate, err = share(value, 100)
	case "block":
		s.Block, err = strconv.ParseBool(value)
	default:
		err = fmt.Errorf("there is no %q", key)
	}
	return err
}

func length(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err == nil && (d < 0 || d > time.Minute) {
		err = fmt.Errorf("%s is not 0 to a minute", s)
	}
	return d, err
}

// share reads a number of 0 to whole, with or without a percent sign, as a part of one.
func share(s string, whole float64) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err == nil && !(v >= 0 && v <= whole) {
		err = fmt.Errorf("%s is not 0 to %g", s, whole)
	}
	return v / whole, err
}

func rate(s string) (float64, error) {
	unit := 1.0
	if t, ok := strings.CutSuffix(s, "k"); ok {
		s, unit = t, 1e3
	} else if t, ok := strings.CutSuffix(s, "M"); ok {
		s, unit = t, 1e6
	}
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && !(v == 0 || v*unit >= 1000 && v*unit <= 1e10) {
		err = fmt.Errorf("%s is not 0 or 1k to 10000M", s)
	}
	return v * unit, err
}

func parseBurst(s string) (Burst, error) {
	part, long, _ := strings.Cut(s, ":")
	of, err := share(part, 100)
	if err != nil {
		return Burst{}, err
	}
	n, err := strconv.ParseFloat(long, 64)
	if err != nil {
		return Burst{}, err
	}
	return Bursts(of, n)
}

func parseStates(s string) (b Burst, err error) {
	all := strings.Split(s, ":")
	if len(all) != 4 {
		return b, fmt.Errorf("%d numbers instead of 4", len(all))
	}
	for i, p := range []*float64{&b.ToBad, &b.ToGood, &b.LossGood, &b.LossBad} {
		if *p, err = share(all[i], 100); err != nil {
			return b, err
		}
	}
	return b, nil
}
