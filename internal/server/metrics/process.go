package metrics

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// Process adds what the Go runtime and, on Linux, the system say about this process, under the names of Prometheus'
// own client library, for which dashboards exist. started is when the server began.
func (r *Registry) Process(version string, started time.Time) {
	r.add("visavis_info", "Version of the server; always 1.", "gauge", constant("version", version))
	r.Gauge("process_start_time_seconds", "Unix time at which the server began.", func() float64 {
		return float64(started.UnixMilli()) / 1000
	})
	r.Gauge("go_goroutines", "Goroutines that exist.", func() float64 { return float64(runtime.NumGoroutine()) })
	for _, m := range []struct{ name, help, kind, key string }{
		{"go_memory_heap_objects_bytes", "Memory of live and not yet collected objects.", "gauge", "/memory/classes/heap/objects:bytes"},
		{"go_memory_stacks_bytes", "Memory of goroutines' stacks.", "gauge", "/memory/classes/heap/stacks:bytes"},
		{"go_memory_total_bytes", "Memory that the Go runtime has from the system.", "gauge", "/memory/classes/total:bytes"},
		{"go_gc_cycles_total", "Garbage collections.", "counter", "/gc/cycles/total:gc-cycles"},
	} {
		value := func() float64 { return fromRuntime(m.key) }
		if m.kind == "counter" {
			r.CounterFunc(m.name, m.help, value)
		} else {
			r.Gauge(m.name, m.help, value)
		}
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return // no Linux
	}
	r.CounterFunc("process_cpu_seconds_total", "CPU time of the process.", cpuSeconds)
	r.Gauge("process_resident_memory_bytes", "Resident memory of the process.", func() float64 { return float64(residentBytes()) })
	r.Gauge("process_open_fds", "Open file descriptors.", func() float64 { return float64(openFiles()) })
	r.Gauge("process_max_fds", "File descriptors that may be open.", maxFiles)
}

func fromRuntime(key string) float64 {
	sample := []metrics.Sample{{Name: key}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0 // this Go does not know it
	}
	return float64(sample[0].Value.Uint64())
}

// ticks is the kernel's clock for user space, 100 a second on every Linux (proc(5), sysconf _SC_CLK_TCK).
const ticks = 100

// cpuSeconds is user and system time, fields 14 and 15 of proc(5)'s stat, counted behind the name in parentheses, which
// may hold anything.
func cpuSeconds() float64 {
	b, _ := os.ReadFile("/proc/self/stat")
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / ticks
}

func residentBytes() int {
	b, _ := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(f[1])
	return pages * os.Getpagesize()
}

func openFiles() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	return max(0, len(names)-1) // one of them is d
}

func maxFiles() float64 {
	b, _ := os.ReadFile("/proc/self/limits")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			f := strings.Fields(rest)
			if len(f) > 0 {
				n, _ := strconv.ParseFloat(f[0], 64) // "unlimited" is 0
				return n
			}
		}
	}
	return 0
}
