package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"visavis.example/internal/testkit"
)

var benchLine = regexp.MustCompile(`(?m)^Benchmark(\w*(?:720p|10ms)\w*)(?:/(\S+?))?(?:-\d+)?\s+\d+\s+([\d.]+) ns/op`)

// stages runs the benchmarks named …720p and …10ms of the media and ui packages: milliseconds per frame, and per 10 ms of
// sound.
func stages(ctx context.Context) ([]Row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "720p|10ms", "-benchtime", "100x", "./internal/media/...", "./internal/ui/widget/...")
	cmd.Dir = testkit.Root()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go test -bench: %w\n%s%s", err, out, errs.Bytes())
	}
	var rows []Row
	for _, m := range benchLine.FindAllSubmatch(out, -1) {
		ns, err := strconv.ParseFloat(string(m[3]), 64)
		if err != nil {
			return nil, err
		}
		name := string(m[1])
		if len(m[2]) > 0 {
			name += " " + string(m[2])
		}
		rows = append(rows, Row{Name: name, Value: ns / 1e6, Unit: "ms"})
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no benchmark named 720p or 10ms was found in:\n%s", out)
	}
	return rows, nil
}
