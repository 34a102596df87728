// Requests for dead letters: the arguments of a list, the body of a retry or a drop.
//
// Used by Routes. As in control_body.hpp, an unknown member is an error: a filter with a misspelt
// member would be another filter. Pure functions.
// Fails with: an Error that names the member and what it takes.
#pragma once

#include <cstdint>
#include <string_view>

#include "sidecar/admin/http_message.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/inspect/dead_jobs.hpp"

namespace outrider::sidecar {

struct DeadListRequest {
  static constexpr std::size_t limit_max = 500;

  DeadFilter filter;
  std::size_t limit = 100;
  bool counts = false;
};

/// The members of a filter, limit, before (an id) and count (yes, no).
Result<DeadListRequest> read_dead_arguments(const HttpRequest::Pairs& arguments,
                                            std::uint64_t now_ns);

inline constexpr std::size_t dead_ids_max = 1000;
inline constexpr std::size_t dead_key_bytes_max = 128;

/// {"filter": {...}, "highest_id": 7, "expected": 3, "key": "..."} or {"ids": [1, 2], "key": "..."}
Result<DeadRequest> read_dead_body(std::string_view body, std::uint64_t now_ns);

}  // namespace outrider::sidecar
