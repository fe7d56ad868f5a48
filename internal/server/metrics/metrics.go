// Package metrics counts what goes on in a server and shows it in Prometheus' text format (exposition format 0.0.4),
// together with what the Go runtime and the system say about the process. Package server makes one Registry, hands its
// counters to whoever has something to count, and opens a Door, which shows them and Go's profiles to this machine only.
// It knows no users, addresses or calls: a label is always one of a few words of ours, never what a stranger sent.
//
// The official client library would do the same with 3 MB of the binary's 22; the tests read what is written here with
// that library's parser.
package metrics

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// ContentType is that of what Registry.Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Registry is a list of metrics, shown in the order in which they were made. Its zero value is empty. Metrics are made
// before the first Write; counting is safe for concurrent use.
type Registry struct {
	families []family
}

// family is one metric with its samples.
type family struct {
	name, help, kind string
	write            func(w *bufio.Writer, name string)
}

func (r *Registry) add(name, help, kind string, write func(*bufio.Writer, string)) {
	r.families = append(r.families, family{name, help, kind, write})
}

// Write shows all metrics.
func (r *Registry) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, f := range r.families {
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", f.name, escape(f.help), f.name, f.kind)
		f.write(b, f.name)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// escape is for help texts and label values, as the format wants it.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(s)
}

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Counter only grows.
type Counter struct{ n atomic.Uint64 }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Value is what it has come to.
func (c *Counter) Value() uint64 { return c.n.Load() }

// Counter makes a counter; by Prometheus' custom its name ends in _total.
func (r *Registry) Counter(name, help string) *Counter {
	c := &Counter{}
	r.CounterFunc(name, help, func() float64 { return float64(c.Value()) })
	return c
}

// CounterFunc makes a counter that somebody else counts.
func (r *Registry) CounterFunc(name, help string, value func() float64) {
	r.add(name, help, "counter", func(w *bufio.Writer, name string) { fmt.Fprintln(w, name, number(value())) })
}

// CountersFunc makes a counter for each of the values of one label, which somebody else counts.
func (r *Registry) CountersFunc(name, help, label string, values []string, value func(string) float64) {
	r.add(name, help, "counter", func(w *bufio.Writer, name string) {
		for _, v := range values {
			fmt.Fprintf(w, "%s{%s=\"%s\"} %s\n", name, label, escape(v), number(value(v)))
		}
	})
}

// Gauge makes a metric that goes up and down and is asked for when somebody looks.
func (r *Registry) Gauge(name, help string, value func() float64) {
	r.add(name, help, "gauge", func(w *bufio.Writer, name string) { fmt.Fprintln(w, name, number(value())) })
}

// constant shows 1 with a label.
func constant(label, value string) func(*bufio.Writer, string) {
	return func(w *bufio.Writer, name string) { fmt.Fprintf(w, "%s{%s=\"%s\"} 1\n", name, label, escape(value)) }
}

// maxLabels bounds what one Counters may hold, should a caller ever count by something it does not choose itself.
const maxLabels = 64

// other is where counts go that there is no room for.
const other = "other"

// Counters is a counter for each value of one label.
type Counters struct {
	mu sync.Mutex
	by map[string]*Counter
}

// Counters makes them. Those named exist from the start, so that a graph of theirs begins at zero.
func (r *Registry) Counters(name, help, label string, values ...string) *Counters {
	c := &Counters{by: make(map[string]*Counter)}
	for _, v := range values {
		c.With(v)
	}
	r.add(name, help, "counter", func(w *bufio.Writer, name string) {
		for _, v := range c.values() {
			fmt.Fprintf(w, "%s{%s=\"%s\"} %d\n", name, label, escape(v), c.With(v).Value())
		}
	})
	return c
}

// With gives the counter of one value.
func (c *Counters) With(value string) *Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.by) >= maxLabels && c.by[value] == nil {
		value = other
	}
	n := c.by[value]
	if n == nil {
		n = &Counter{}
		c.by[value] = n
	}
	return n
}

func (c *Counters) values() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]string, 0, len(c.by))
	for v := range c.by {
		all = append(all, v)
	}
	slices.Sort(all)
	return all
}

// Histogram counts values in ranges.
type Histogram struct {
	mu     sync.Mutex
	bounds []float64 // upper bounds, ascending
	counts []uint64  // of each range; one more than bounds, for what is above them all
	sum    float64
}

// Histogram makes one; bounds are the upper ends of its ranges, ascending.
func (r *Registry) Histogram(name, help string, bounds ...float64) *Histogram {
	h := &Histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
	r.add(name, help, "histogram", h.write)
	return h
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[i]++
	h.sum += v
}

func (h *Histogram) write(w *bufio.Writer, name string) {
	h.mu.Lock()
	counts, sum := slices.Clone(h.counts), h.sum
	h.mu.Unlock()
	below := uint64(0)
	for i, n := range counts {
		below += n
		bound := math.Inf(1)
		if i < len(h.bounds) {
			bound = h.bounds[i]
		}
		fmt.Fprintf(w, "%s_bucket{le=\"%s\"} %d\n", name, number(bound), below)
	}
	fmt.Fprintf(w, "%s_sum %s\n%s_count %d\n", name, number(sum), name, below)
}
