#include "sidecar/cli/text_table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t cell_bytes_max = 255;

}  // namespace

void TextTable::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell, cell_bytes_max);
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string short_time(std::uint64_t time_ns) {
  if (time_ns == 0) return "-";
  TimeText text;
  return std::string(text.format_ns(time_ns).substr(0, sizeof("2026-01-31T12:00:00") - 1)) + "Z";
}

std::string rough_size(std::uint64_t bytes) {
  constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < units.size(); ++unit) size /= 1024;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
  return text.data();
}

}  // namespace outrider::sidecar
