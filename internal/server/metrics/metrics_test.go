package metrics

import (
	"bytes"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read is a registry as Prometheus understands it.
func read(t *testing.T, r *Registry) map[string]*dto.MetricFamily {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(&b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	return families
}

func TestPrometheusUnderstandsIt(t *testing.T) {
	r := &Registry{}
	r.Counter("calls_total", "Calls; \"quoted\", with a \\ and a\nsecond line.").Add(3)
	r.Gauge("odd", "Not a number that most have.", func() float64 { return math.Inf(1) })
	by := r.Counters("ended_total", "By reason.", "reason", "hangup", "busy")
	by.With("hangup").Inc()
	by.With("a \"strange\"\\\nword").Add(2)
	r.CountersFunc("bytes_total", "By way.", "way", []string{"up", "down"}, func(way string) float64 { return float64(len(way)) })
	h := r.Histogram("setup_seconds", "How long.", 0.1, 0.5, 2)
	for _, v := range []float64{0.05, 0.1, 0.3, 7} {
		h.Observe(v)
	}
	got := read(t, r)
	if v := got["calls_total"].Metric[0].Counter.GetValue(); v != 3 || got["calls_total"].GetType() != dto.MetricType_COUNTER {
		t.Errorf("calls_total is %v", got["calls_total"])
	}
	if v := got["odd"].Metric[0].Gauge.GetValue(); !math.IsInf(v, 1) {
		t.Errorf("odd is %v", v)
	}
	ended := map[string]float64{}
	for _, m := range got["ended_total"].Metric {
		ended[m.Label[0].GetValue()] = m.Counter.GetValue()
	}
	if len(ended) != 3 || ended["hangup"] != 1 || ended["busy"] != 0 || ended["a \"strange\"\\\nword"] != 2 {
		t.Errorf("ended_total is %v", ended)
	}
	if m := got["bytes_total"].Metric; len(m) != 2 || m[1].Label[0].GetValue() != "down" || m[1].Counter.GetValue() != 4 {
		t.Errorf("bytes_total is %v", m)
	}
	hist := got["setup_seconds"].Metric[0].Histogram
	if hist.GetSampleCount() != 4 || math.Abs(hist.GetSampleSum()-7.45) > 1e-9 || len(hist.Bucket) != 4 {
		t.Fatalf("setup_seconds is %v", hist)
	}
	for i, want := range []uint64{2, 3, 3, 4} {
		if n := hist.Bucket[i].GetCumulativeCount(); n != want {
			t.Errorf("up to %v there are %d, want %d", hist.Bucket[i].GetUpperBound(), n, want)
		}
	}
}

func TestLabelsAreBounded(t *testing.T) {
	r := &Registry{}
	by := r.Counters("x_total", "x", "word")
	for i := range 1000 {
		by.With(strings.Repeat("x", i+1)).Inc()
	}
	if n := len(read(t, r)["x_total"].Metric); n > maxLabels+1 {
		t.Fatalf("%d labels", n)
	}
	if v := by.With(other).Value(); v != 1000-maxLabels {
		t.Fatalf("%d went to %q", v, other)
	}
}

func TestProcess(t *testing.T) {
	r := &Registry{}
	r.Process("1.2.3", time.Unix(1_700_000_000, 0))
	got := read(t, r)
	for _, name := range []string{
		"visavis_info", "go_goroutines", "go_memory_heap_objects_bytes", "go_memory_stacks_bytes", "go_memory_total_bytes", "process_start_time_seconds",
	} {
		if f := got[name]; f == nil || f.Metric[0].Gauge.GetValue() <= 0 {
			t.Errorf("%s is %v", name, f)
		}
	}
	if got["process_open_fds"] == nil {
		t.Skip("the rest is of Linux")
	}
	for _, name := range []string{"process_resident_memory_bytes", "process_open_fds", "process_max_fds"} {
		if v := got[name].Metric[0].Gauge.GetValue(); v <= 0 {
			t.Errorf("%s is %v", name, v)
		}
	}
	if v := cpuSeconds(); v < 0 || v > 3600 {
		t.Errorf("%v s of CPU", v)
	}
}

func open(t *testing.T) *Door {
	t.Helper()
	d := &Door{Listen: "127.0.0.1:0", Registry: &Registry{}, Logger: slog.New(slog.DiscardHandler)}
	d.Registry.Counter("x_total", "x").Inc()
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestTheDoorShowsMetricsAndProfiles(t *testing.T) {
	d := open(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{
		"/metrics": "x_total 1\n", "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile: total",
		"/debug/pprof/heap?debug=1": "heap profile",
	} {
		res, err := client.Get("http://" + d.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		_, _ = b.ReadFrom(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(b.String(), want) {
			t.Errorf("%s: %d %.200s", path, res.StatusCode, b.String())
		}
	}
}

// TestAttackMetricsFromElsewhere asks as other machines and as pages under other names would.
func TestAttackMetricsFromElsewhere(t *testing.T) {
	h := open(t).handler()
	for _, c := range []struct {
		from, host string
		want       int
	}{
		{"127.0.0.1:5000", "127.0.0.1:9464", 200},
		{"127.0.0.1:5000", "localhost", 200},
		{"[::1]:5000", "[::1]:9464", 200},
		{"[::ffff:127.0.0.1]:5000", "127.0.0.1:9464", 200},
		{"203.0.113.9:5000", "127.0.0.1:9464", 404},
		{"10.0.0.5:5000", "localhost:9464", 404},
		{"[2001:db8::1]:5000", "[::1]:9464", 404},
		{"127.0.0.1:5000", "calls.example.org:9464", 404},
		{"127.0.0.1:5000", "127.0.0.1.evil.example:9464", 404},
		{"127.0.0.1:5000", "", 404},
		{"", "127.0.0.1", 404},
	} {
		for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			r.RemoteAddr, r.Host = c.from, c.host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%s from %q at %q: %d, want %d", path, c.from, c.host, w.Code, c.want)
			}
		}
	}
	for _, address := range []string{":9464", "0.0.0.0:0", "[::]:0", "203.0.113.9:0", "calls.example.org:0", "9464", "*:0"} {
		d := &Door{Listen: address, Registry: &Registry{}, Logger: slog.New(slog.DiscardHandler)}
		if err := d.Start(t.Context()); err == nil {
			d.Close()
			t.Errorf("it opens on %q", address)
		}
	}
}
