#include "sidecar/sink/zstd_decoder.hpp"

#include <algorithm>

#include <zstd.h>

#include "sidecar/base/handle.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t growth_bytes = 1U << 20U;

}  // namespace

Result<std::string> decode_zstd(std::string_view compressed, std::size_t bytes_max) {
  const Handle<ZSTD_DCtx, ZSTD_freeDCtx> context(ZSTD_createDCtx());
  std::string text;
  ZSTD_inBuffer in = {compressed.data(), compressed.size(), 0};
  std::size_t used = 0;
  for (std::size_t left = 1; left != 0 || in.pos < in.size;) {
    if (used == text.size()) {
      if (used == bytes_max) return Error{"the body is too large when it is decompressed"};
      text.resize(std::min(bytes_max, used + growth_bytes));
    }
    ZSTD_outBuffer out = {text.data(), text.size(), used};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return Error{"the body is not zstd: " + std::string(ZSTD_getErrorName(left))};
    }
    const bool is_stuck = out.pos == used && in.pos == in.size && left != 0;
    used = out.pos;
    if (is_stuck) return Error{"the body is cut short"};
  }
  text.resize(used);
  return text;
}

}  // namespace outrider::sidecar
