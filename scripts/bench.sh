#!/usr/bin/env bash
# Measures on this machine; see internal/bench and docs/performance.md. Leaves bench/report.json.
set -euo pipefail
cd "$(dirname "$0")/.."
exec go run ./internal/bench -bin bin -out bench "$@"
