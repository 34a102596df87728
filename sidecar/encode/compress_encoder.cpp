#include "sidecar/encode/compress_encoder.hpp"

namespace outrider::sidecar {
namespace {

/// Room for the largest batch of the default settings.
constexpr std::size_t buffer_bytes_kept_max = 2U << 20U;

}  // namespace

void CompressEncoder::end(Body& body) {
  inner().end(body);
  body.event_ends.clear();
  Compressor& compressor = body.bytes.size() <= patient_bytes_max ? *compressor_ : *quick_;
  const std::size_t bound = compressor.bound(body.bytes.size());
  if (buffer_bytes_ < bound) {
    buffer_ = std::make_unique_for_overwrite<char[]>(bound);
    buffer_bytes_ = bound;
  }
  body.bytes.assign(buffer_.get(), compressor.compress(body.bytes, buffer_.get()));
  if (buffer_bytes_ <= buffer_bytes_kept_max) return;
  buffer_.reset();
  buffer_bytes_ = 0;
}

}  // namespace outrider::sidecar
