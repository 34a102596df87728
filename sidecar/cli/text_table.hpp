// TextTable: rows of words in columns, for people. Used by the commands that inspect a spool.
// Plain values; cannot fail.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace outrider::sidecar {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> head) { add(std::move(head)); }

  /// As many cells as the head has. Their text is made printable.
  void add(std::vector<std::string> cells);
  std::size_t rows() const { return rows_.size() - 1; }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// 2026-01-31T12:00:00Z; "-" for 0.
std::string short_time(std::uint64_t time_ns);

/// "512 B", "1.5 MiB".
std::string rough_size(std::uint64_t bytes);

}  // namespace outrider::sidecar
