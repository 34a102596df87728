// Lines for Body::headers, safe whatever the event contains. Used by the encoders of single events.
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/record.hpp"

namespace outrider::sidecar {

/// W3C Trace Context, level 1: a value that a receiver would refuse is not sent.
bool is_traceparent(std::string_view text);

/// "NAME: VALUE" with the value as CloudEvents' HTTP binding writes it (section 3.1.3.2): all
/// characters except visible ASCII, and blanks, quotes and `%`, are percent-encoded UTF-8;
/// ill-formed bytes become U+FFFD.
std::string encoded_header(std::string_view name, std::string_view value);

/// Adds `traceparent` if the event has a trace that fits into a header unchanged.
void add_traceparent(const RecordView& record, std::vector<std::string>& headers);

}  // namespace outrider::sidecar
