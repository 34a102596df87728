#!/bin/sh
# Checks systemd/outrider.service (first argument) and outrider.sysusers (second) with systemd's own
# tools; any word that they say is a failure, and so is an exposure above 1.5, or one that cannot be
# measured. Status 77 means skipped: there is no systemd.
set -eu
if ! command -v systemd-analyze >/dev/null; then
  echo "skipped: systemd-analyze is not installed"
  exit 77
fi
dir=$(mktemp -d /tmp/outrider-unit-XXXXXX)
trap 'rm -rf "$dir"' EXIT
# The binary need not be installed for this.
sed 's,=/usr/bin/outrider,=/bin/true,' "$1" > "$dir/outrider.service"
if ! systemd-analyze verify --recursive-errors=no "$dir/outrider.service" > "$dir/said" 2>&1 ||
    [ -s "$dir/said" ]; then
  cat "$dir/said"
  exit 1
fi
# What the sandbox leaves open, from 0 to 10; --threshold counts in tenths.
if ! systemd-analyze security --offline=true --threshold=15 "$dir/outrider.service" \
      > "$dir/exposure" 2>&1; then
  grep -v '^.\?✓' "$dir/exposure" || cat "$dir/exposure"
  echo "the exposure is more than 1.5, or systemd is older than 250 and cannot measure it"
  exit 1
fi
if ! grep -q 'Overall exposure level' "$dir/exposure"; then
  cat "$dir/exposure"
  echo "systemd-analyze says no exposure"
  exit 1
fi
# RestartPreventExitStatus= has no effect on it: a wrong configuration would be tried for ever.
if grep -q '^ExecStartPre' "$1"; then
  echo "$1 has an ExecStartPre=, whose status never prevents a restart"
  exit 1
fi
for setting in 'RestartPreventExitStatus=2 3$' 'RestartSec=[2-9]s' LimitCORE=0 UMask=0077 StartLimitIntervalSec=0 'MemoryMax=[0-9]' 'TasksMax=[0-9]'; do
  grep -q "^$setting" "$1" || { echo "$1 has no line $setting"; exit 1; }
done
if command -v systemd-sysusers >/dev/null; then
  mkdir -p "$dir/root/usr/lib/sysusers.d"
  cp "$2" "$dir/root/usr/lib/sysusers.d/outrider.conf"
  systemd-sysusers --root="$dir/root" --dry-run > "$dir/users" 2>&1 || status=$?
  if [ "${status:-0}" -ne 0 ] || ! grep -q "user 'outrider'" "$dir/users"; then
    cat "$dir/users"
    exit 1
  fi
fi
