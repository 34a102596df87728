#!/bin/sh
# Installs the SDK and builds a consumer, once with CMake and once with pkg-config.
# Usage: install_test.sh BUILD_DIR CONSUMER_DIR CXX
set -eu
build=$1 consumer=$2 cxx=$3
work=$(mktemp -d /tmp/outrider-install-XXXXXX)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --component sdk --prefix "$work/prefix" >"$work/log"

cmake -S "$consumer" -B "$work/cmake" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log"
cmake --build "$work/cmake"
"$work/cmake/consumer"

PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name outrider.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # flags are words
"$cxx" -std=c++20 $(pkg-config --define-variable=prefix="$work/prefix" --cflags outrider) \
  "$consumer/consumer.cpp" \
  $(pkg-config --define-variable=prefix="$work/prefix" --libs outrider) -o "$work/consumer"
"$work/consumer"
