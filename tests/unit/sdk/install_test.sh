#!/bin/sh
# Builds an application in each of the ways in which it can take the SDK in: find_package and
# pkg-config from an installation that has been moved, and add_subdirectory.
# Usage: install_test.sh BUILD_DIR SOURCE_DIR CXX
set -eu
build=$1 source=$2 cxx=$3
consumer=$source/tests/unit/sdk/consumer
work=$(mktemp -d /tmp/outrider-install-XXXXXX)
trap 'rm -rf "$work"' EXIT
configure() {
  cmake -S "$consumer" -B "$1" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" "$2" >"$work/log"
}

cmake --install "$build" --component sdk --prefix "$work/first" >"$work/log"
mv "$work/first" "$work/prefix"
if grep -rIF -e "$build" -e "$source" -e "$work/first" "$work/prefix"; then
  echo "an installed file names a folder of the machine that built it" >&2
  exit 1
fi

configure "$work/package" -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/package"
"$work/package/consumer"

PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name outrider.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # flags are words
"$cxx" -std=c++20 $(pkg-config --cflags outrider) "$consumer/consumer.cpp" \
  $(pkg-config --libs outrider) -o "$work/consumer"
"$work/consumer"

# The SDK is not built once more: the application compiles, and its link has what the SDK needs.
configure "$work/subdirectory" -DOUTRIDER_SOURCE="$source"
ninja -C "$work/subdirectory" --quiet CMakeFiles/consumer.dir/consumer.cpp.o
ninja -C "$work/subdirectory" -t commands consumer | tail -n 1 | grep -q 'liboutrider\.a.*zmq'
