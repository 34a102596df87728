// Origin: the place where a setting is written. Used by the loader, its errors and `outrider
// check`.
#pragma once

#include <cstdint>
#include <string>

namespace outrider::sidecar {

struct Origin {
  std::string file;        ///< empty: the command line
  std::uint32_t line = 0;  ///< from 1

  /// "outrider.conf:12" or "command line".
  std::string text() const {
    return file.empty() ? "command line" : file + ":" + std::to_string(line);
  }
};

}  // namespace outrider::sidecar
