#include "sidecar/encode/header_line.hpp"

#include <algorithm>

#include "proto/utf8.hpp"
#include "sidecar/base/percent.hpp"

namespace outrider::sidecar {
namespace {

bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
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

bool is_traceparent(std::string_view text) {
  // 00-TRACE-PARENT-FLAGS; future versions may have more after another dash.
  constexpr std::size_t whole = 55;
  if (text.size() < whole || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16);
  const std::string_view flags = text.substr(53, 2);
  const std::string_view rest = text.substr(whole);
  if (!is_hex(version) || !is_hex(trace) || !is_hex(parent) || !is_hex(flags)) return false;
  if (version == "ff" || is_zero(trace) || is_zero(parent)) return false;
  if (rest.empty()) return true;
  return version != "00" && rest[0] == '-' && std::all_of(rest.begin(), rest.end(), is_visible);
}

void add_traceparent(const RecordView& record, std::vector<std::string>& headers) {
  if (!is_traceparent(record.trace)) return;
  headers.push_back("traceparent: " + std::string(record.trace));
}

}  // namespace outrider::sidecar
