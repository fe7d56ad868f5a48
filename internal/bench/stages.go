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

var benchLine = regexp.MustCompile(`(?m)^Benchmark(\w*(?:720p|10ms|20ms|Pull)\w*)(?:/(\S+?))?(?:-\d+)?\s+\d+\s+([\d.]+) ns/op`)

// stages runs the benchmarks of what a 720p frame and a piece of sound go through: milliseconds each. Those of package peer
// are named, since it has a whole call among its own.
func stages(ctx context.Context) ([]Row, error) {
	rows, err := stage(ctx, "720p|10ms|20ms|Pull", "./internal/media/...", "./internal/ui/widget/...")
	if err != nil {
		return nil, err
	}
	more, err := stage(ctx, "(Payload|Assemble)720p", "./internal/peer")
	return append(rows, more...), err
}

func stage(ctx context.Context, names string, packages ...string) ([]Row, error) {
	args := append([]string{"test", "-run", "^$", "-bench", names, "-benchtime", "100x"}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
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
		return nil, fmt.Errorf("no benchmark named %s was found in:\n%s", names, out)
	}
	return rows, nil
}
