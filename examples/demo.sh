#!/usr/bin/env bash
# The demonstration of `./dev demo`: a sink, a sidecar with the shipped example configuration, and an
# app that emits. Everything lives in a temporary folder and is gone at the end.
#
#     demo.sh BUILD_DIR
set -euo pipefail
build=$(readlink -f "$1")
config=$(dirname "$(readlink -f "$0")")/../systemd/outrider.conf
events_per_thread=5000

folder=$(mktemp -d)
sink=
sidecar=
watch=
cleanup() {
  [ -z "$watch" ] || kill "$watch" 2>/dev/null || true
  [ -z "$sidecar" ] || kill "$sidecar" 2>/dev/null || true
  [ -z "$sink" ] || kill "$sink" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Waits until FILE has a line that matches PATTERN, and prints it.
wait_for_line() {
  local file=$1 pattern=$2 tries=0
  until grep -m 1 -E "$pattern" "$file" 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ]; then
      echo "demo: $file never said \"$pattern\":" >&2
      cat "$file" >&2
      exit 1
    fi
    sleep 0.1
  done
}

say "1. A receiver: outrider sink, HTTPS with a certificate made on the spot"
"$build/bin/outrider" sink --listen 127.0.0.1:0 --cert-out "$folder/sink.pem" \
  >"$folder/sink.out" 2>"$folder/sink.err" &
sink=$!
url=$(wait_for_line "$folder/sink.out" '^listening on ' | sed 's/^listening on //')
echo "listening on $url"

say "2. The sidecar: outrider run, with the shipped example configuration"
endpoint=ipc://$folder/outrider.sock
"$build/bin/outrider" run --config "$config" --ingest.endpoint="$endpoint" \
  --destination.collector.url="$url/events" --destination.collector.ca_file="$folder/sink.pem" \
  2>"$folder/sidecar.err" &
sidecar=$!
wait_for_line "$folder/sidecar.err" ' ready '

say "3. An app: four threads emit $((4 * events_per_thread)) events; meanwhile, outrider stats --watch 1"
"$build/bin/outrider" stats --watch 1 --admin "unix://$folder/admin.sock" \
  > >(sed -u 's/^/    /') 2>&1 &
watch=$!
"$build/bin/examples/demo_app" "$endpoint" "$events_per_thread"
sleep 1.5  # for a last look
kill "$watch" 2>/dev/null || true
wait "$watch" 2>/dev/null || true
watch=

say "4. SIGTERM to the sidecar: it delivers what it holds, and accounts for every event"
kill -TERM "$sidecar"
status=0
wait "$sidecar" || status=$?
sidecar=
sed -n '/^ledger/,$p' "$folder/sidecar.err"
echo "exit status $status (0: nothing lost)"

say "5. The output of the receiver"
kill -TERM "$sink"
wait "$sink" || true
sink=
sed -n '2,5p' "$folder/sink.out" | cut -c 1-160
echo "..."
tail -n 1 "$folder/sink.out"
exit "$status"
