// Reads back what format_metrics writes. Used by the tests of the metrics.
#pragma once

#include <map>
#include <sstream>
#include <string>

namespace outrider::test {

/// Value by name and labels, as they are written; a sample that comes twice is "twice".
inline std::map<std::string, std::string> samples_of(const std::string& text) {
  std::map<std::string, std::string> samples;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with('#')) continue;
    const std::size_t blank = line.rfind(' ');
    const auto [sample, is_new] =
        samples.try_emplace(line.substr(0, blank), line.substr(blank + 1));
    if (!is_new) sample->second = "twice";
  }
  return samples;
}

}  // namespace outrider::test
