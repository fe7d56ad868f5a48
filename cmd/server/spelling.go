package main

import (
	"flag"
	"fmt"
	"strings"
)

// hint adds to the error of an unknown flag which one was meant.
func (o *options) hint(err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	if near := o.nearest(strings.TrimPrefix(name, "-")); near != "" {
		return fmt.Errorf("there is no flag --%s. Did you mean --%s?", strings.TrimPrefix(name, "-"), near)
	}
	return fmt.Errorf("there is no flag --%s; \"visavis-server serve --help\" lists them", strings.TrimPrefix(name, "-"))
}

// nearest is the setting that somebody who typed this may have meant; empty when nothing is near.
func (o *options) nearest(typed string) string {
	typed = strings.ReplaceAll(strings.ToLower(typed), "_", "-")
	best, least := "", max(2, len(typed)/3)+1
	o.flags.VisitAll(func(g *flag.Flag) {
		for _, name := range []string{g.Name, strings.TrimPrefix(g.Name, limitPrefix)} {
			if d := distance(typed, name); d < least {
				best, least = g.Name, d
			}
		}
	})
	return best
}

// distance is how many letters have to be changed, added or taken out to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
