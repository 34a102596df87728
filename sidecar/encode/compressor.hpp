// Compressor: one compression of bodies, and the table of all.
//
// Used by CompressEncoder. To add one: one file pair and one row in encoders.cpp.
// Thread: one compressor, one thread. Owns: the library's context, made at its first use, so that a
// thousand idle destinations cost nothing, and then kept. Fails with: std::bad_alloc, and nothing
// else.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

class Compressor {
 public:
  virtual ~Compressor() = default;

  /// Room that compress() needs for this many bytes.
  virtual std::size_t bound(std::size_t bytes) = 0;

  /// Writes the compressed form of `bytes` to `out`, which has bound() bytes; returns its size.
  virtual std::size_t compress(std::string_view bytes, char* out) = 0;
};

/// One row a compression; its name is that of HTTP's Content-Encoding.
struct CompressorRow {
  std::string_view name;
  int level_default;
  /// Levels count from 1. Beyond this one a batch of 1 MiB takes a tenth of a second and more,
  /// which all other destinations wait, and is hardly smaller.
  int level_max;
  std::unique_ptr<Compressor> (*make)(int level);
};
const std::vector<CompressorRow>& compressor_rows();

}  // namespace outrider::sidecar
