#include "sidecar/encode/gzip_compressor.hpp"

#include <new>

#include <libdeflate.h>

#include "sidecar/base/handle.hpp"

namespace outrider::sidecar {
namespace {

class GzipCompressor final : public Compressor {
 public:
  explicit GzipCompressor(int level) : level_(level) {}

  std::size_t bound(std::size_t bytes) override {
    return libdeflate_gzip_compress_bound(context(), bytes);
  }

  std::size_t compress(std::string_view bytes, char* out) override {
    return libdeflate_gzip_compress(context(), bytes.data(), bytes.size(), out,
                                    bound(bytes.size()));
  }

 private:
  libdeflate_compressor* context() {
    if (!context_) context_.reset(libdeflate_alloc_compressor(level_));
    if (!context_) throw std::bad_alloc();
    return context_.get();
  }

  int level_;
  Handle<libdeflate_compressor, libdeflate_free_compressor> context_;
};

}  // namespace

std::unique_ptr<Compressor> make_gzip_compressor(int level) {
  return std::make_unique<GzipCompressor>(level);
}

}  // namespace outrider::sidecar
