// Attributes: the optional fourth element of an event, checked and written from the C struct.
// Used by Client. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "outrider/outrider.h"

namespace outrider::sdk {

/// Enough for every attribute at its largest.
inline constexpr std::size_t attributes_bytes_max = 704;

/// How many of the attributes are given.
std::uint32_t attribute_count(const outrider_event& event);

/// Later ones are negative numbers in the clothes of large ones.
inline constexpr std::uint64_t time_ns_max = std::numeric_limits<std::int64_t>::max();

bool are_valid_attributes(const outrider_event& event);

/// Writes the map of `count` attributes, which are valid, and returns its end. A delay is counted
/// from `now_ns`, wall clock.
std::uint8_t* write_attributes(std::uint8_t* out, const outrider_event& event, std::uint32_t count,
                               std::uint64_t now_ns);

}  // namespace outrider::sdk
