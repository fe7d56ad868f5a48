#!/usr/bin/env bash
# Runs every fuzz target for a while (30s unless said), or only those whose folder or name matches the second argument. All
# are run, whatever is found; new failures are written under testdata/fuzz by go itself, to be committed with their mending.
# Inputs are made smaller in a few tries only: what a server with goroutines covers is never the same twice, and in seconds of
# trying, as is usual, hardly anything new would be tried (FuzzSocket: 4 inputs a second; 40 to 120 with one try).
set -euo pipefail
cd "$(dirname "$0")/.."
for_each=${1:-30s}
only=${2:-.}
failed=()
while read -r dir target; do
	echo "== $dir $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$for_each" -fuzzminimizetime 10x "./$dir" </dev/null || failed+=("$dir $target")
done < <(grep -rnE '^func Fuzz' --include='*_test.go' internal cmd |
	sed -E 's|^(.*)/[^/]*:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | sort -u | grep -E -- "$only")
if ((${#failed[@]})); then
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
fi
