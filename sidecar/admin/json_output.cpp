#include "sidecar/admin/json_output.hpp"

#include <chrono>

#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"

namespace outrider::sidecar {

void JsonOutput::key(std::string_view name) {
  const std::string text = printable(name, text_bytes_max);
  writer_.Key(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void JsonOutput::value(std::string_view text) {
  if (text.empty()) return null();
  const std::string shown = printable(text, text_bytes_max);
  writer_.String(shown.data(), static_cast<rapidjson::SizeType>(shown.size()));
}

void JsonOutput::value(Duration duration) {
  writer_.Double(std::chrono::duration<double>(duration).count());
}

void JsonOutput::value(WallTime time) {
  const auto ns = time.time_since_epoch().count();
  if (ns <= 0) return null();
  TimeText text;
  value(text.format_ns(static_cast<std::uint64_t>(ns)));
}

}  // namespace outrider::sidecar
