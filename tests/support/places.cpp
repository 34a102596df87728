#include "support/places.hpp"

namespace outrider::test {

std::string source_path(std::string_view path) {
  return std::string(OUTRIDER_SOURCE_DIR "/").append(path);
}

const std::string& outrider_binary() {
  static const std::string binary = OUTRIDER_BINARY;
  return binary;
}

}  // namespace outrider::test
