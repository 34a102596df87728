// A log that keeps its lines, as "level message key=value", and may hand them on to another one.
#pragma once

#include <string>
#include <vector>

#include "sidecar/base/log.hpp"

namespace outrider::test {

class MemoryLog final : public sidecar::Log {
 public:
  void write(sidecar::LogLevel level, std::string_view message,
             sidecar::LogFields fields) override {
    if (next != nullptr) next->write(level, message, fields);
    static constexpr const char* names[] = {"debug", "info", "warn", "error"};
    std::string line = names[static_cast<int>(level)];
    line += ' ';
    line += message;
    for (const auto& [name, value] : fields) {
      line += ' ';
      line += name;
      line += '=';
      line += value;
    }
    lines.push_back(std::move(line));
  }

  /// How many lines contain `part`.
  int count(std::string_view part) const {
    int found = 0;
    for (const std::string& line : lines) {
      if (line.find(part) != std::string::npos) ++found;
    }
    return found;
  }

  std::vector<std::string> lines;
  Log* next = nullptr;
};

}  // namespace outrider::test
