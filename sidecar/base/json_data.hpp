// JSON text as an event's data. Used by the command line, the configuration and schedule.
// A pure function; json_document.hpp describes numbers, keys and errors.
#pragma once

#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// One msgpack value.
Result<std::string> json_to_msgpack(std::string_view json);

}  // namespace outrider::sidecar
