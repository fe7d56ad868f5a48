// Package visavis_test holds the walls of the house: which room may import which, and what no room may reach even
// through others. docs/design.md has the plan in words. It asks `go list`, so run it with -count=1.
package visavis_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const mod = "visavis.example/"

// may lists the rooms of this module that a room may import; a room is a folder with everything below it.
// A package in no room fails the test, so that new rooms are a decision.
var may = map[string][]string{
	"internal/signal":    {},
	"internal/call":      {},
	"internal/media":     {},
	"internal/report":    {},
	"assets":             {},
	"internal/peer":      {"internal/media", "internal/report"},
	"internal/app":       {"internal/signal", "internal/call", "internal/report"},
	"internal/ui":        {"internal/app", "internal/call", "internal/signal", "assets"}, // value types of Snapshot
	"internal/server":    {"internal/signal"},
	"internal/doctor":    {"internal/signal"},
	"internal/testkit":   {"internal/signal", "internal/call", "internal/media", "internal/peer", "internal/app", "internal/server"},
	"internal/e2e":       {"internal/testkit", "internal/signal", "internal/media"},
	"internal/demo":      {"internal/testkit"},
	"internal/bench":     {"internal/testkit", "internal/server", "internal/signal"}, // to measure the relay alone, and as a crowd of clients
	"internal/callbench": {"internal/testkit", "internal/media"},
	"cmd/client":         {"internal/app", "internal/ui", "internal/peer", "internal/media", "internal/signal", "internal/call", "internal/report", "assets"},
	"cmd/server":         {"internal/server", "internal/doctor", "internal/signal"},
}

const cgo = "cgo" // stands for any package outside the standard library with cgo files

// never lists what a room must not reach, even through others, and why.
var never = map[string]map[string]string{
	"internal/call":   {"fyne.io/": "pure", "github.com/pion/": "pure", "github.com/gorilla/": "pure", cgo: "pure"},
	"internal/signal": {"fyne.io/": "protocol only", "github.com/pion/": "protocol only", cgo: "protocol only"},
	"internal/app":    {"fyne.io/": "runs headless", "github.com/pion/": "tests without a network", cgo: "tests without C"},
	"internal/ui":     {"github.com/pion/": "draws snapshots only", mod + "internal/media": "our cgo lives there"},
	"internal/server": {"fyne.io/": "headless", "github.com/pion/mediadevices": "headless", cgo: "builds with CGO_ENABLED=0"},
	"internal/doctor": {"fyne.io/": "headless", "github.com/pion/mediadevices": "headless", cgo: "is in the server"},
	"internal/media":  {"fyne.io/": "only ui draws"},
	"internal/peer":   {"fyne.io/": "only ui draws"},
}

type pkg struct {
	ImportPath    string
	Standard      bool
	Imports, Deps []string
	CgoFiles      []string
}

func room(path string) (string, bool) {
	p, own := strings.CutPrefix(path, mod)
	for r := range may {
		if own && (p == r || strings.HasPrefix(p, r+"/")) {
			return r, true
		}
	}
	return p, false
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps,CgoFiles", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal("go list: ", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestWalls(t *testing.T) {
	all := list(t)
	hasC := map[string]bool{}
	ours := 0
	for _, p := range all {
		hasC[p.ImportPath] = !p.Standard && len(p.CgoFiles) > 0
	}
	for _, p := range all {
		if !strings.HasPrefix(p.ImportPath, mod) {
			continue
		}
		ours++
		from, known := room(p.ImportPath)
		if !known {
			t.Errorf("%s belongs to no room: add it to the table and to docs/design.md", p.ImportPath)
		}
		for _, imp := range p.Imports {
			if to, own := room(imp); own && to != from && !slices.Contains(may[from], to) {
				t.Errorf("%s imports %s: %s may only import %v", p.ImportPath, imp, from, may[from])
			}
		}
		for _, dep := range p.Deps {
			for bad, why := range never[from] {
				if strings.HasPrefix(dep, bad) || bad == cgo && hasC[dep] {
					t.Errorf("%s reaches %s, but %s must not reach %s: %s", p.ImportPath, dep, from, bad, why)
				}
			}
		}
	}
	if ours < 10 {
		t.Fatalf("only %d packages of ours seen: is mod still the module's path?", ours)
	}
}
