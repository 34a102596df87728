// Small files that the configuration names, read whole, and a way to see that they have changed.
//
// Used for secrets and certificates (secret.hpp, pem.hpp, http/credentials.hpp). Only regular
// files: a pipe could block. Fails with: an Error that names the file and never shows its content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max);

/// Changes when a file, or the target of a link to it, changes. All zero: it cannot be seen.
struct FileState {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  ///< moves with permissions too

  bool operator==(const FileState&) const = default;
};

FileState look_at_file(const std::string& path);

}  // namespace outrider::sidecar
