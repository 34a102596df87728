#include "sidecar/encode/header_line.hpp"

#include <algorithm>

#include "proto/utf8.hpp"
#include "sidecar/base/percent.hpp"

namespace outrider::sidecar {
namespace {

bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

bool stays(char c) {
  return is_visible(c) && c != '"' && c != '%';
}

}  // namespace

std::string encoded_header(std::string_view name, std::string_view value) {
  std::string line;
  line.reserve(name.size() + 2 + value.size());
  line.append(name).append(": ");
  if (proto::is_valid_utf8(value)) {
    append_percent_encoded(value, stays, line);
  } else {
    std::string repaired;
    proto::append_as_valid_utf8(value, repaired);
    append_percent_encoded(repaired, stays, line);
  }
  return line;
}

void add_traceparent(const RecordView& record, std::vector<std::string>& headers) {
  if (record.trace.empty()) return;
  if (!std::all_of(record.trace.begin(), record.trace.end(), is_visible)) return;
  headers.push_back("traceparent: " + std::string(record.trace));
}

}  // namespace outrider::sidecar
