// Prints the metrics of a sidecar in which everything has happened. For check.py.
#include <chrono>
#include <cstdio>

#include "sidecar/admin/metrics.hpp"
#include "support/full_snapshot.hpp"

int main() {
  const auto snapshot = outrider::test::full_snapshot(2);
  std::fputs(outrider::sidecar::format_metrics(snapshot, std::chrono::milliseconds(125)).c_str(),
             stdout);
  return 0;
}
