package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// column is a figure of the table, over all directions and series of a pair.
type column struct {
	title string
	value func(f *figures) number
	form  string
}

var columns = []column{
	{"camera → picture p50, ms", func(f *figures) number { return f.P50 }, "%.0f"},
	{"p95, ms", func(f *figures) number { return f.P95 }, "%.0f"},
	{"fps", func(f *figures) number { return f.FPS }, "%.1f"},
	{"freezes", func(f *figures) number { return number(f.Freezes.Count) }, "%.0f"},
	{"frozen, s", func(f *figures) number { return number(f.Freezes.Total) }, "%.1f"},
	{"longest pause, s", func(f *figures) number { return number(f.Freezes.Longest) }, "%.2f"},
	{"concealed, %", func(f *figures) number { return f.Concealed }, "%.2f"},
	{"sound delay, ms", func(f *figures) number { return f.SoundDelay }, "%.0f"},
	{"sound later than picture, ms", func(f *figures) number { return f.Apart }, "%.0f"},
	{"at most, ms", func(f *figures) number { return f.Farthest }, "%.0f"},
	{"accept → first picture, ms", func(f *figures) number { return f.FirstPicture }, "%.0f"},
	{"kbit/s", func(f *figures) number { return f.Kbps }, "%.0f"},
	{"PSNR, dB", func(f *figures) number { return f.PSNR }, "%.1f"},
	{"longest pause after the drop, s", func(f *figures) number { return f.LongestFreeze }, "%.2f"},
	{"latency peak, ms", func(f *figures) number { return f.LatencyPeak }, "%.0f"},
	{"back at 80 % of the rate, s", func(f *figures) number { return f.BackAfter }, "%.0f"},
	{"new picture after the bad time, ms", func(f *figures) number { return f.NewPicture }, "%.0f"},
}

// writeTable gives one table a line: a row for each pair and direction, with the lowest and highest of all its calls.
func writeTable(out io.Writer, lines []badLine, all []figures, quiet []quietFigures) {
	for _, line := range lines {
		fmt.Fprintf(out, "\n### %s\n\n", line.Title)
		rows, order := grouped(all, line.Name)
		shown := used(rows)
		header, rule := []string{""}, []string{"---"}
		for _, c := range shown {
			header, rule = append(header, c.title), append(rule, "---")
		}
		fmt.Fprintf(out, "| %s |\n| %s |\n", strings.Join(header, " | "), strings.Join(rule, " | "))
		for _, name := range order {
			cells := []string{name}
			for _, c := range shown {
				cells = append(cells, spread(rows[name], c))
			}
			fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
		}
		for _, f := range all {
			if f.Line == line.Name && f.Failed != "" {
				fmt.Fprintf(out, "\n%s, series %d, FAILED: %s\n", f.Pair, f.Series, f.Failed)
			}
		}
	}
	if len(quiet) > 0 {
		fmt.Fprintf(out, "\n### Cost of a client on the clean line, nothing watched\n\n| | CPU, s a minute | memory (PSS), MiB |\n| --- | --- | --- |\n")
		for _, q := range quiet {
			if q.Failed != "" {
				fmt.Fprintf(out, "| %s | FAILED: %s | |\n", q.Pair, q.Failed)
				continue
			}
			fmt.Fprintf(out, "| %s, %s | %.1f | %.0f |\n", q.Pair, q.Who, q.CPU, q.PSS)
		}
	}
}

// grouped puts the directions of a line together by what sends to what.
func grouped(all []figures, line string) (rows map[string][]*figures, order []string) {
	rows = map[string][]*figures{}
	for i := range all {
		f := &all[i]
		if f.Line != line || f.Failed != "" {
			continue
		}
		name := fmt.Sprintf("%s → %s", f.From, f.To)
		if rows[name] == nil {
			order = append(order, name)
		}
		rows[name] = append(rows[name], f)
	}
	return rows, order
}

// used leaves out columns that nobody has a figure for.
func used(rows map[string][]*figures) []column {
	var some []column
	for _, c := range columns {
		for _, row := range rows {
			if spread(row, c) != "–" {
				some = append(some, c)
				break
			}
		}
	}
	return some
}

// spread is the lowest and the highest, or the one figure.
func spread(row []*figures, c column) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, f := range row {
		if v := float64(c.value(f)); !math.IsNaN(v) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	if low > high {
		return "–"
	}
	a, b := fmt.Sprintf(c.form, low), fmt.Sprintf(c.form, high)
	if a == b {
		return a
	}
	return a + "–" + b
}
