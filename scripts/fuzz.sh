#!/usr/bin/env bash
# Runs every fuzz target for a while (30s unless said). New failures are written under testdata/fuzz by go itself.
set -euo pipefail
cd "$(dirname "$0")/.."
for_each=${1:-30s}
grep -rlE '^func Fuzz' --include='*_test.go' internal | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | sed 's/^func //' | while read -r target; do
		echo "== $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$for_each" "./$dir"
	done
done
