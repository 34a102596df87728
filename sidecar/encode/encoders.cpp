#include "sidecar/encode/encoder.hpp"
#include "sidecar/encode/json_encoder.hpp"
#include "sidecar/encode/msgpack_encoder.hpp"

namespace outrider::sidecar {

const std::vector<EncoderRow>& encoder_rows() {
  static const std::vector<EncoderRow> rows = {
      {"json", make_json_encoder},
      {"ndjson", make_ndjson_encoder},
      {"msgpack", make_msgpack_encoder},
      {"msgpack_stream", make_msgpack_stream_encoder},
  };
  return rows;
}

std::unique_ptr<Encoder> make_encoder(std::string_view name) {
  for (const EncoderRow& row : encoder_rows()) {
    if (row.name == name) return row.make();
  }
  return nullptr;
}

}  // namespace outrider::sidecar
