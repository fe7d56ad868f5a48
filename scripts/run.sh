#!/usr/bin/env bash
# Starts the server with its data in ./data, waits until it is healthy, opens the desktop app, and ends both together.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -s)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
	echo "There is no display here, so no window can be shown. Running 'make demo' on a virtual one instead."
	exec make --no-print-directory demo
fi

listen=${VISAVIS_LISTEN:-127.0.0.1:8443}
turn=${VISAVIS_TURN_LISTEN:-127.0.0.1:3478}
mkdir -p data
bin/visavis-server serve --listen "$listen" --turn-listen "$turn" --data data >data/server.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null && wait $server 2>/dev/null || true' EXIT

bin/visavis-server health --data data --wait 15s >/dev/null || { echo "The server did not start:" >&2; tail -n 5 data/server.log >&2; exit 1; }
kill -0 $server 2>/dev/null || { echo "The server did not start:" >&2; tail -n 5 data/server.log >&2; exit 1; }
echo "Server: https://$listen   (log: data/server.log; a browser can open this address too)"
case ${LC_ALL:-${LANG:-C}} in C | C.* | POSIX) export LC_ALL= LANG=en_US.UTF-8 ;; esac # Fyne cannot read these names
bin/visavis --server "https://$listen" --ca data/tls/cert.pem
