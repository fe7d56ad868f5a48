package visavis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	attackRow = regexp.MustCompile(`^\| (R?\d+) \|(.*)\|$`)
	testName  = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	rowInName = regexp.MustCompile(`^TestAttack(\d+)_`)
	anyFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
)

// TestEveryAttackHasItsTest reads docs/attacks.md: all rows must be there, and each must name tests that are there too, or
// say why there can be none.
func TestEveryAttackHasItsTest(t *testing.T) {
	page, err := os.ReadFile("docs/attacks.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	named := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		row := attackRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		if seen[row[1]] {
			t.Errorf("row %s is there twice", row[1])
		}
		seen[row[1]] = true
		dir, found := "", 0
		for _, word := range strings.FieldsFunc(row[2], func(r rune) bool { return strings.ContainsRune(" ,|", r) }) {
			if strings.HasPrefix(word, "internal/") || strings.HasPrefix(word, "cmd/") {
				dir = word
			}
			if testName.FindString(word) != word || word == "" {
				continue
			}
			found++
			named[dir+" "+word] = true
			if !slices.Contains(testsIn(t, dir), word) {
				t.Errorf("row %s names %s of %q, which is not there", row[1], word, dir)
			}
		}
		if found == 0 && !strings.Contains(row[2], "not tested:") {
			t.Errorf("row %s names no test and does not say why", row[1])
		}
	}
	for prefix, rows := range map[string]int{"": 48, "R": 12} {
		for n := range rows {
			if row := fmt.Sprint(prefix, n+1); !seen[row] {
				t.Errorf("there is no row %s", row)
			}
		}
	}
	// And the other way round: a test that is named as one of an attack belongs to a row.
	for _, dir := range []string{"internal/server", "internal/server/hub", "internal/server/accounts", "internal/server/metrics", "internal/e2e", "internal/peer", "internal/server/relay", "internal/signal", "internal/app"} {
		for _, name := range testsIn(t, dir) {
			numbered := rowInName.FindStringSubmatch(name)
			if strings.HasPrefix(name, "TestAttack") && !named[dir+" "+name] && (numbered == nil || !seen[numbered[1]]) {
				t.Errorf("%s of %s is in no row of docs/attacks.md", name, dir)
			}
		}
	}
}

var testsOf = map[string][]string{}

// testsIn gives the names of all test functions in a folder.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	if names, ok := testsOf[dir]; ok {
		return names
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range anyFunc.FindAllSubmatch(b, -1) {
			names = append(names, string(m[1]))
		}
	}
	testsOf[dir] = names
	return names
}
