// The names of log levels, as the admin interface and the log have them. Constants.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

/// By LogLevel.
inline constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warn", "error"};

constexpr std::string_view level_name(LogLevel level) {
  return level_names[static_cast<std::size_t>(level)];
}

}  // namespace outrider::sidecar
