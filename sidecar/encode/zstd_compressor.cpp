#include "sidecar/encode/zstd_compressor.hpp"

#include <new>

#include <zstd.h>

#include "sidecar/base/handle.hpp"

namespace outrider::sidecar {
namespace {

class ZstdCompressor final : public Compressor {
 public:
  explicit ZstdCompressor(int level) : level_(level) {}

  std::size_t bound(std::size_t bytes) override { return ZSTD_compressBound(bytes); }

  std::size_t compress(std::string_view bytes, char* out) override {
    if (!context_) context_.reset(ZSTD_createCCtx());
    if (!context_) throw std::bad_alloc();
    const std::size_t size = ZSTD_compressCCtx(context_.get(), out, bound(bytes.size()),
                                               bytes.data(), bytes.size(), level_);
    if (ZSTD_isError(size) != 0) throw std::bad_alloc();
    return size;
  }

 private:
  int level_;
  Handle<ZSTD_CCtx, ZSTD_freeCCtx> context_;
};

}  // namespace

std::unique_ptr<Compressor> make_zstd_compressor(int level) {
  return std::make_unique<ZstdCompressor>(level);
}

}  // namespace outrider::sidecar
