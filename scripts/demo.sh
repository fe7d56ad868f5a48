#!/usr/bin/env bash
# Two desktop windows call each other for 15 s; see internal/demo. Leaves demo/alice.png, demo/bob.png, demo/report.json.
set -euo pipefail
cd "$(dirname "$0")/.."
exec go run ./internal/demo -bin bin -out demo "$@"
