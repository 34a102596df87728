// Whether topic patterns together match every topic that another pattern matches. Used by the
// checks across options. Pure function.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

/// Every topic that matches `inner` matches some pattern of `outer`. Exact, except for sets of
/// patterns that would take longer than a person waits: false then.
bool covers(const std::vector<std::string>& outer, std::string_view inner);

}  // namespace outrider::sidecar
