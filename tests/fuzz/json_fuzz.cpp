// Any bytes as the data and the texts of an event: the json body must be valid JSON in valid UTF-8.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <rapidjson/reader.h>

#include "proto/utf8.hpp"
#include "sidecar/encode/encoder.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_json(const std::string& text) {
  rapidjson::StringStream stream(text.c_str());
  rapidjson::BaseReaderHandler<> handler;
  return !rapidjson::Reader()
              .Parse<rapidjson::kParseValidateEncodingFlag>(stream, handler)
              .IsError();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outrider;
  static const auto encoder = sidecar::make_encoder({.format = "json"});
  const proto::ByteView bytes(data, size);
  const std::string_view text = proto::as_text(bytes.first(std::min<std::size_t>(size, 64)));
  proto::EventView event;
  event.topic = "a";
  event.time_ns = 1;
  event.data = bytes;
  event.attributes.id = proto::as_bytes(text.empty() ? "id" : text);
  event.attributes.id_is_text = true;
  event.attributes.key = text;
  std::vector<std::uint8_t> record(sidecar::record_bytes(event, {}));
  sidecar::write_record(event, {}, record.data());

  sidecar::Body body;
  encoder->begin(body);
  encoder->add(sidecar::read_record(record.data()), body);
  encoder->end(body);
  require(proto::is_valid_utf8(body.bytes));
  require(is_json(body.bytes));
  return 0;
}
