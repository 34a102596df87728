// CompressEncoder: any format, compressed when the body is finished.
//
// Put around the other encoders by make_encoder(). Until end() the body is plain, so
// batch_bytes_max counts plain bytes; afterwards the ends of its events are no longer known. A body
// beyond patient_bytes_max is compressed at level 1, because all destinations wait meanwhile.
// Thread: one encoder, one thread. Owns: two compressors and one buffer, kept from body to body
// unless it has grown very large. Fails with: the errors of Compressor.
#pragma once

#include "sidecar/encode/compressor.hpp"
#include "sidecar/encode/encoder_decorator.hpp"

namespace outrider::sidecar {

class CompressEncoder final : public EncoderDecorator {
 public:
  static constexpr std::size_t patient_bytes_max = 1U << 20U;

  CompressEncoder(std::unique_ptr<Encoder> inner, const CompressorRow& row, int level)
      : EncoderDecorator(std::move(inner)),
        content_encoding_(row.name),
        compressor_(row.make(level == 0 ? row.level_default : level)),
        quick_(row.make(1)) {}

  void end(Body& body) override;
  std::string_view content_encoding() const override { return content_encoding_; }

 private:
  std::string_view content_encoding_;
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<Compressor> quick_;
  std::unique_ptr<char[]> buffer_;
  std::size_t buffer_bytes_ = 0;
};

}  // namespace outrider::sidecar
