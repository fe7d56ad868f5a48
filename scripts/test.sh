#!/usr/bin/env bash
# Everything that can fail: the browser client's own tests, the long measurements of one goroutine's arithmetic, then all
# Go packages under the race detector, the end-to-end tests with real binaries and real Chromium among them. TEST_ARGS is passed to go test (-run, -v, -short).
set -euo pipefail
cd "$(dirname "$0")/.."
export LANG=C.UTF-8

echo "== browser client"
node --test internal/server/web/

echo "== server without cgo"
CGO_ENABLED=0 go build -o /dev/null ./cmd/server

# The programs that the end-to-end tests run are built once, here, so that no test's time limit pays for it.
echo "== programs"
make --no-print-directory build

# The rooms of the echo canceller: there is nothing in them for the race detector, which needs fourteen times as long. And
# what is about time and number: an echo in real time, answers that must take as long for everybody, who must be back within
# a second, and two thousand clients at once.
echo "== go, without the race detector"
# shellcheck disable=SC2086
go test -count=1 ${TEST_ARGS:-} ./internal/media/process
go test -count=1 -run '^TestNobodyHearsThemselves$' ./internal/peer
go test -count=1 -run '^(TestTwoThousandComeBack|TestBackWithinASecond|TestAttackUsernameEnumerationByTiming)$' ./internal/server

echo "== go"
# shellcheck disable=SC2086
VISAVIS_BIN="$PWD/bin" VISAVIS_PEBBLE="$PWD/.tools/pebble" go test -race -count=1 -timeout 25m ${TEST_ARGS:-} ./...
