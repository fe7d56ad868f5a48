#!/usr/bin/env bash
# Our client and Chromium over the same bad lines; see internal/callbench and docs/performance.md. Needs root, for network
# namespaces only. CALLBENCH_ARGS or arguments: -lines, -pairs, -duration, -series, -out. Leaves callbench/.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
go build -o "$tool/callbench" ./internal/callbench
# shellcheck disable=SC2086
"$tool/callbench" -bin bin ${CALLBENCH_ARGS:-} "$@"
