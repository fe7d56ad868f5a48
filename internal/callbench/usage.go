package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/testkit"
)

// use is what a program with all the processes it has started took from the system.
type use struct {
	CPU time.Duration
	PSS float64 // MiB: resident memory, shared pages counted in parts
}

// treeUse reads /proc. A process that ended meanwhile takes its time with it, so compare two moments of steady work.
func treeUse(root int) (use, error) {
	var u use
	for _, pid := range tree(root) {
		one, err := testkit.Usage(pid)
		if err != nil {
			if pid == root {
				return u, err
			}
			continue // it has just ended
		}
		u.CPU += one.CPU
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
			u.PSS += pss(string(b))
		}
	}
	return u, nil
}

func pss(rollup string) float64 {
	for line := range strings.Lines(rollup) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kib, _ := strconv.ParseFloat(f[1], 64)
			return kib / 1024
		}
	}
	return 0
}

// tree is root and its descendants.
func tree(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pid, parent := parents(string(b))
		children[parent] = append(children[parent], pid)
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// parents reads a stat file: the id, a name in parentheses that may hold anything, the state, the parent's id.
func parents(stat string) (pid, parent int) {
	pid, _ = strconv.Atoi(stat[:max(strings.IndexByte(stat, ' '), 0)])
	if f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]); len(f) > 1 {
		parent, _ = strconv.Atoi(f[1])
	}
	return pid, parent
}
