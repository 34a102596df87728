// Warnings of files with secrets that others can read or change.
//
// Used by the checks across options. Reads nothing but who owns a file and what its mode is.
#pragma once

#include <string>

#include "sidecar/config/destination_config.hpp"
#include "sidecar/config/section_view.hpp"

namespace outrider::sidecar {

/// The problem of a secret file's owner or mode; empty: none, or the file cannot be examined.
std::string exposure_of(const std::string& path);

/// Warns of the file that `source`, the value of `key`, is read from.
void warn_of_source(const char* key, const std::string& source, std::size_t index,
                    const SectionView& section);

/// Warns of each file that the destination reads a secret from.
void warn_of_readers(const DestinationConfig& destination, const SectionView& section);

}  // namespace outrider::sidecar
