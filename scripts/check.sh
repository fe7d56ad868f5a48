#!/usr/bin/env bash
# What a reviewer should never have to say: formatting, vet, linters, a tidy module file, types of the browser code.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
fail=0
step() { echo "== $1"; shift; "$@" || fail=1; }

unformatted() { local f; f=$("$tools/gofumpt" -l $(git ls-files '*.go')); [ -z "$f" ] || { echo "not gofumpt: $f"; return 1; }; }

step gofumpt unformatted
step "go vet" go vet ./...
step "go vet, without H.264" go vet -tags noh264 ./internal/media/codec/h264 ./internal/peer
step staticcheck "$tools/staticcheck" ./...
step golangci-lint "$tools/golangci-lint" run
step "go mod tidy" go mod tidy -diff
step "browser types" bash -c 'cd internal/server/web && npm install --silent --no-audit --no-fund && npx tsc -p .'
exit $fail
