#!/bin/sh
# install.sh SOURCE_DIR BUILD_DIR: puts the packages of the lockfile into BUILD_DIR/node_modules,
# unless those are there already.
set -eu
source=$1
build=$2

for command in node npm; do
  command -v "$command" >/dev/null || {
    echo "$command is not installed; ./dev build installs it" >&2
    exit 1
  }
done
mkdir -p "$build"
cmp -s "$source/package-lock.json" "$build/installed.lock" && exit 0
cp "$source/package.json" "$source/package-lock.json" "$build"
(cd "$build" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline)
cp "$source/package-lock.json" "$build/installed.lock"
