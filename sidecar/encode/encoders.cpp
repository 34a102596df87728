#include "sidecar/encode/cloudevents_encoder.hpp"
#include "sidecar/encode/compress_encoder.hpp"
#include "sidecar/encode/encoder.hpp"
#include "sidecar/encode/gzip_compressor.hpp"
#include "sidecar/encode/json_encoder.hpp"
#include "sidecar/encode/msgpack_encoder.hpp"
#include "sidecar/encode/payload_encoder.hpp"
#include "sidecar/encode/transform_encoder.hpp"
#include "sidecar/encode/zstd_compressor.hpp"

namespace outrider::sidecar {
namespace {

template <typename Row>
const Row* find_row(const std::vector<Row>& rows, std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace

const std::vector<EncoderRow>& encoder_rows() {
  static const std::vector<EncoderRow> rows = {
      {"json", make_json_encoder},
      {"ndjson", make_ndjson_encoder},
      {"msgpack", make_msgpack_encoder},
      {"msgpack_stream", make_msgpack_stream_encoder},
      {"cloudevents_batch", make_cloudevents_batch_encoder},
      {"cloudevents_structured", make_cloudevents_structured_encoder},
      {"cloudevents_binary", make_cloudevents_binary_encoder},
      {"cloudevents_lines", make_cloudevents_lines_encoder},
      {"payload", make_payload_encoder},
      {"payload_lines", make_payload_lines_encoder},
  };
  return rows;
}

const std::vector<CompressorRow>& compressor_rows() {
  static const std::vector<CompressorRow> rows = {
      {"gzip", 1, 12, make_gzip_compressor},
      {"zstd", 1, 12, make_zstd_compressor},
  };
  return rows;
}

std::unique_ptr<Encoder> make_encoder(const EncodeSettings& settings) {
  const EncoderRow* format = find_row(encoder_rows(), settings.format);
  if (format == nullptr || settings.rules.size() > field_rules_max) return nullptr;
  std::unique_ptr<Encoder> encoder = format->make(settings);
  if (settings.rules.size() != 0) {
    encoder = std::make_unique<TransformEncoder>(std::move(encoder), settings.rules);
  }
  if (settings.compression.empty()) return encoder;
  const CompressorRow* compression = find_row(compressor_rows(), settings.compression);
  if (compression == nullptr) return nullptr;
  return std::make_unique<CompressEncoder>(std::move(encoder), *compression,
                                           settings.compression_level);
}

}  // namespace outrider::sidecar
